"""What NAS-Bench-201 has for the network that was retrained."""

from contextlib import suppress
from dataclasses import asdict
from typing import NamedTuple

from nasbench.errors import NotRecordedError
from nasbench.metrics import UNKNOWN_SEED
from oneshot.retrain.pipelines import PIPELINES, sizes_of
from oneshot.search.table import open_nb201
from oneshot.spaces.registry import space_of

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
    """What the table has: top-1 accuracies, percent."""

    dataset: str
    metric: str
    protocol: int  # epochs
    mean: float  # over the seeds
    least: float
    greatest: float
    seeds: int | None  # how many; None: the table has a mean alone
    differs: list  # settings that are not those of the table's trainings


def open_table(settings, store=None, run=None):
    """Return the NB201 to compare a retraining with, None if no table has the like; see `open_nb201`."""
    comparable = (settings.dataset, settings.split) in _METRICS
    return open_nb201(store, run) if space_of(settings.space).in_benchmark and comparable else None


def lacking(table, job):
    """Return a line on what a table lacks to compare a Job with, None if it lacks nothing."""
    if entry_of(table, job) is not None:
        return None
    settings = job.settings
    metric = _METRICS[settings.dataset, settings.split]
    return (
        f"{table.store.path} has no {metric} of this cell on {settings.dataset} after {settings.protocol}"
        " epochs, so the report compares with nothing"
    )


def entry_of(table, job):
    """The Entry that a table has for a Job; None where it has none."""
    cell, settings = job.architecture.value, job.settings
    metric = _METRICS[settings.dataset, settings.split]
    of = (cell, settings.dataset, metric)
    with suppress(NotRecordedError):
        seeds = table.seeds(*of, protocol=settings.protocol)
        values = [table.query(*of, protocol=settings.protocol, seed=seed) for seed in seeds]
        mean = table.query(*of, protocol=settings.protocol)
        where = (settings.dataset, metric, settings.protocol)
        count = None if UNKNOWN_SEED in seeds else len(seeds)
        return Entry(*where, mean, min(values), max(values), count, _differences(settings))
    return None


def _differences(settings):
    """The names of settings that are not those of the table's trainings."""
    published = PIPELINES[settings.space]._asdict() | sizes_of(settings.space, settings.dataset)._asdict()
    published["epochs"], published["split"] = settings.protocol, settings.split
    ours = asdict(settings)
    return [name for name, value in published.items() if name in ours and ours[name] != value]
