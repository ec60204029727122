"""What NAS-Bench-201 has for the network that was retrained."""

from contextlib import suppress
from dataclasses import asdict
from typing import NamedTuple

from nasbench.benchmark import NB201
from nasbench.errors import NotRecordedError
from oneshot.retrain.pipelines import PIPELINES, sizes_of
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
    seeds: int  # how many
    differs: list  # settings that are not those of the table's trainings


def open_table(settings, store=None):
    """The table that has the like of a retraining, an NB201; None where none has."""
    comparable = (settings.dataset, settings.split) in _METRICS
    return NB201(store) if space_of(settings.space).in_benchmark and comparable else None


def entry_of(table, job):
    """The Entry that a table has for a Job; None where it has none."""
    cell, settings = job.architecture.value, job.settings
    metric = _METRICS[settings.dataset, settings.split]
    of = (cell, settings.dataset, metric)
    with suppress(NotRecordedError):
        values = [
            table.query(*of, protocol=settings.protocol, seed=seed)
            for seed in table.seeds(*of, protocol=settings.protocol)
        ]
        mean = table.query(*of, protocol=settings.protocol)
        where = (settings.dataset, metric, settings.protocol)
        return Entry(*where, mean, min(values), max(values), len(values), _differences(settings))
    return None


def _differences(settings):
    """The names of settings that are not those of the table's trainings."""
    published = PIPELINES[settings.space]._asdict() | sizes_of(settings.space, settings.dataset)._asdict()
    published["epochs"], published["split"] = settings.protocol, settings.split
    ours = asdict(settings)
    return [name for name, value in published.items() if name in ours and ours[name] != value]
