"""The record of a search in config.json, and checks that later settings and scores agree with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasbench.runs.folder import RunKind
from nasbench.runs.log import Columns, read_log
from oneshot.errors import ConfigError
from oneshot.methods.base import SearchConfig
from oneshot.methods.registry import get_method
from oneshot.parts.base import PartSettings
from oneshot.parts.registry import read_parts
from oneshot.search.scorer import Scorer
from oneshot.search.settings import SearchSettings
from oneshot.spaces.registry import get_space
from oneshot.training.checkpoints import refusing
from oneshot.training.environment import Environment

SEARCH_LOG = Columns(
    {
        "epoch": int,
        "train_loss": float,
        "train_accuracy": float,
        "val_loss": float,
        "val_accuracy": float,
        "learning_rate": float,
        "tau": float,
        "arch": str,
        "index": int,
        "benchmark_val_accuracy": float,
        "benchmark_test_accuracy": float,
        "rank": int,
        "regret": float,
        "images_per_second": float,  # this and the next column depend on the machine
        "seconds": float,
    }
)
SEARCH = RunKind(SEARCH_LOG.header, stage="search", sync=True)


def parse_record(
    record: Mapping[str, Any], path: str | Path
) -> tuple[SearchSettings, SearchConfig, tuple[PartSettings, ...], Environment]:
    """Return the settings of search, method, parts and environment in a run's config.json."""
    with refusing(f"{path}/config.json is damaged, of another version or not of a one-shot search"):
        settings = SearchSettings.from_json(record["search"], "search", complete=True)
        kind = get_method(settings.method).config_class
        config = kind.from_json(record["config"], "config", complete=True)
        parts = read_parts(record.get("parts", {}))
        environment = Environment.from_json(record["places"], "places")
        for part in ("data", "table"):
            unscored = part == "table" and not get_space(settings.space).in_benchmark
            if not isinstance(record[part], dict) and not (unscored and record[part] is None):
                raise TypeError(f"{part} is not an object")
        return settings, config, parts, environment


def load_scorer(
    record: Mapping[str, Any], settings: SearchSettings, environment: Environment, path: str | Path
) -> Scorer | None:
    """Open the table that scores a run; return None for a space without a benchmark.

    It may differ from the table that the run started with if it has all values of cells in the log; otherwise
    raise a ConfigError.
    """
    if record["table"] is None:
        return None
    scorer = Scorer(settings.dataset, environment.store, path)
    before, now = record["table"].get("checksum"), scorer.table["checksum"]
    for row in read_log(path, SEARCH_LOG) if now != before else ():
        scores = scorer.row(row["arch"])
        for name in ("benchmark_val_accuracy", "benchmark_test_accuracy", "rank", "regret"):
            if row[name] not in (None, scores[name]):
                first = record["places"]["store"] or "the default table"
                recorded = "missing" if scores[name] is None else scores[name]
                raise ConfigError(
                    f"{path} was scored by {first} (checksum {str(before)[:8]}), but"
                    f" {scorer.bench.store.path} (checksum {now[:8]}) has other values: {name} of cell"
                    f" {row['index']} is {recorded}, not {row[name]}; try the first one as --store"
                )
    return scorer
