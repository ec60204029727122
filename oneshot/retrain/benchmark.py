"""NAS-Bench-201's accuracies of an architecture that is retrained."""

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

# {(data set, split): metric} on the images that a retraining is tested on (see nasbench.metrics.SPLITS)
_METRICS = {
    ("cifar10", "full"): "test_accuracy",
    ("cifar10", "half"): "val_accuracy",
    ("cifar100", "full"): "valtest_accuracy",
    ("cifar100", "half"): "val_accuracy",
    ("imagenet16-120", "full"): "valtest_accuracy",
    ("imagenet16-120", "half"): "val_accuracy",
}


class Entry(NamedTuple):
    """Top-1 accuracies of an architecture in the table."""

    #: data set in the table
    dataset: str
    #: metric in the table
    metric: str
    #: epochs of training
    protocol: int
    #: mean over seeds, percent
    mean: float
    #: minimum over seeds, percent
    least: float
    #: maximum over seeds, percent
    greatest: float
    #: number of seeds; None if the table has only a mean
    seeds: int | None
    #: names of the settings that differ from the table's training runs
    differs: list[str]


def open_table(
    settings: RetrainSettings, store: str | None = None, run: str | Path | None = None
) -> NB201 | None:
    """Open the table to compare a retraining with, as `open_nb201`; None if it is not comparable."""
    comparable = (settings.dataset, settings.split) in _METRICS
    return open_nb201(store, run) if get_space(settings.space).in_benchmark and comparable else None


def lacking(table: NB201 | None, architecture: Architecture, settings: RetrainSettings) -> str | None:
    """Return a note if a table has no entry to compare a retraining with, else None."""
    if table is None or find_entry(table, architecture, settings) is not None:
        return None
    metric = _METRICS[settings.dataset, settings.split]
    return (
        f"{table.store.path} has no {metric} of this cell on {settings.dataset} after {settings.protocol}"
        " epochs, so the report has no comparison"
    )


def find_entry(table: NB201 | None, architecture: Architecture, settings: RetrainSettings) -> Entry | None:
    """Return a table's entry for a retraining, or None."""
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
    """Return the names of the settings that differ from the table's training runs."""
    published = default_settings(settings.space, PIPELINES[settings.space], settings.dataset)
    published |= {"epochs": settings.protocol, "split": settings.split}
    ours = settings.to_json()
    return [name for name, value in published.items() if name in ours and ours[name] != value]
