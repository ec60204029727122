"""NAS-Bench-201's entry for a network that is retrained."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from nasbench import NB201
from nasbench.errors import NotRecordedError
from nasbench.metrics import UNKNOWN_SEED
from oneshot.retrain.pipelines import PIPELINES, default_settings
from oneshot.retrain.settings import RetrainSettings
from oneshot.search.table import open_nb201
from oneshot.spaces.architectures import Architecture
from oneshot.spaces.registry import get_space

# {(data set, split): metric}: what a retraining of that split is tested on, by nasbench.metrics.SPLITS
_METRICS = {
    ("cifar10", "full"): "test_accuracy",
    ("cifar10", "half"): "val_accuracy",
    ("cifar100", "full"): "valtest_accuracy",
    ("cifar100", "half"): "val_accuracy",
    ("imagenet16-120", "full"): "valtest_accuracy",
    ("imagenet16-120", "half"): "val_accuracy",
}


class Entry(NamedTuple):
    """The table's top-1 accuracies of an architecture, in percent."""

    dataset: str
    metric: str
    protocol: int  # epochs
    mean: float  # over the seeds
    least: float
    greatest: float
    seeds: int | None  # how many; None: the table has a mean alone
    differs: list[str]  # settings that are not those of the table's trainings


def open_table(
    settings: RetrainSettings, store: str | None = None, run: str | Path | None = None
) -> NB201 | None:
    """Return the NB201 to compare a retraining with, None if no table has the like; see `open_nb201`."""
    comparable = (settings.dataset, settings.split) in _METRICS
    return open_nb201(store, run) if get_space(settings.space).in_benchmark and comparable else None


def lacking(table: NB201 | None, architecture: Architecture, settings: RetrainSettings) -> str | None:
    """Return a line on what a table lacks to compare a retraining with, None if it lacks nothing."""
    if table is None or find_entry(table, architecture, settings) is not None:
        return None
    metric = _METRICS[settings.dataset, settings.split]
    return (
        f"{table.store.path} has no {metric} of this cell on {settings.dataset} after {settings.protocol}"
        " epochs, so the report compares with nothing"
    )


def find_entry(table: NB201 | None, architecture: Architecture, settings: RetrainSettings) -> Entry | None:
    """Return a table's entry for a retraining; None if it has none."""
    if table is None or settings.protocol is None:  # a space without a benchmark
        return None
    metric = _METRICS[settings.dataset, settings.split]
    column = (architecture.value, settings.dataset, metric)
    with suppress(NotRecordedError):
        seeds = table.seeds(*column, protocol=settings.protocol)
        values = [table.query(*column, protocol=settings.protocol, seed=seed) for seed in seeds]
        mean = table.query(*column, protocol=settings.protocol)
        where = (settings.dataset, metric, settings.protocol)
        count = None if UNKNOWN_SEED in seeds else len(seeds)
        return Entry(*where, mean, min(values), max(values), count, _differences(settings))
    return None


def _differences(settings: RetrainSettings) -> list[str]:
    """Return the names of the settings that are not those of the table's trainings."""
    published = default_settings(settings.space, PIPELINES[settings.space], settings.dataset)
    published |= {"epochs": settings.protocol, "split": settings.split}
    ours = settings.to_json()
    return [name for name, value in published.items() if name in ours and ours[name] != value]
