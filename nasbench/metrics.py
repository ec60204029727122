"""One table of what every number means: data sets, splits, metrics, units, directions."""

from typing import NamedTuple

from nasbench.errors import UnknownDatasetError, UnknownMetricError


class Dataset(NamedTuple):
    """An image data set of the benchmark."""

    name: str
    classes: int
    image_size: int  # pixels a side


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("cifar10", 10, 32),
        Dataset("cifar100", 100, 32),
        Dataset("imagenet16-120", 120, 16),
    )
}


class Split(NamedTuple):
    """Images that a network is trained on or evaluated on, and the published names for them."""

    trial: str  # the training run in the published files
    evaluation_set: str  # the set's name in that run
    trained_on: int  # images
    evaluated_on: int  # images


# Dong & Yang 2020 (arXiv:2001.00326), section 2.2. CIFAR-10's two rows are two different training runs.
SPLITS = {
    ("cifar10", "train"): Split("cifar10-valid", "train", 25_000, 25_000),
    ("cifar10", "val"): Split("cifar10-valid", "x-valid", 25_000, 25_000),
    ("cifar10", "test"): Split("cifar10", "ori-test", 50_000, 10_000),
    ("cifar100", "train"): Split("cifar100", "train", 50_000, 50_000),
    ("cifar100", "val"): Split("cifar100", "x-valid", 50_000, 5_000),
    ("cifar100", "test"): Split("cifar100", "x-test", 50_000, 5_000),
    ("cifar100", "valtest"): Split("cifar100", "ori-test", 50_000, 10_000),
    ("imagenet16-120", "train"): Split("ImageNet16-120", "train", 151_700, 151_700),
    ("imagenet16-120", "val"): Split("ImageNet16-120", "x-valid", 151_700, 3_000),
    ("imagenet16-120", "test"): Split("ImageNet16-120", "x-test", 151_700, 3_000),
    ("imagenet16-120", "valtest"): Split("ImageNet16-120", "ori-test", 151_700, 6_000),
}


class Metric(NamedTuple):
    """A quantity that a store may hold of each cell."""

    name: str
    unit: str
    higher_is_better: bool
    meaning: str
    split: str | None = None
    of_the_network: bool = False  # one value a cell and data set: no protocol, epoch or seed


METRICS = {
    metric.name: metric
    for metric in (
        Metric("train_accuracy", "%", True, "top-1 accuracy on the training images", "train"),
        Metric("val_accuracy", "%", True, "top-1 accuracy on the validation images", "val"),
        Metric("test_accuracy", "%", True, "top-1 accuracy on the test images", "test"),
        Metric(
            "valtest_accuracy", "%", True, "top-1 accuracy on validation and test images together", "valtest"
        ),
        Metric("train_loss", "nats", False, "mean cross-entropy on the training images", "train"),
        Metric("val_loss", "nats", False, "mean cross-entropy on the validation images", "val"),
        Metric("test_loss", "nats", False, "mean cross-entropy on the test images", "test"),
        Metric("valtest_loss", "nats", False, "mean cross-entropy on validation and test images", "valtest"),
        Metric(
            "train_time",
            "s",
            False,
            "training time of the validation run, from its start to this epoch; one synthetic value a cell",
        ),
        Metric("latency", "s", False, "one forward pass of a batch of 256 images", of_the_network=True),
        Metric("params", "M", False, "trainable parameters, in millions", of_the_network=True),
        Metric("flops", "M", False, "multiply-adds for one image, in millions", of_the_network=True),
    )
}

# Names from other tools that are met often, and what they are here.
_KNOWN_AS = {
    "cifar10-valid": "it is the training run behind cifar10's val_accuracy: ask for dataset 'cifar10'",
    "ImageNet16-120": "it is written 'imagenet16-120' here",
    "imagenet": "it is written 'imagenet16-120' here",
    "valid_acc": "it is written 'val_accuracy' here",
    "val_acc": "it is written 'val_accuracy' here",
    "test_acc": "it is written 'test_accuracy' here",
    "flop": "it is written 'flops' here",
    "model_size": "it is written 'params' here",
}


def dataset_of(name):
    """The Dataset of that name; UnknownDatasetError names those there are."""
    return _look_up(name, "dataset", DATASETS, UnknownDatasetError)


def metric_of(name):
    """The Metric of that name; UnknownMetricError names those there are."""
    return _look_up(name, "metric", METRICS, UnknownMetricError)


def meaning_of(dataset, metric):
    """One line that says what a metric means on a data set: which run, which images, which unit."""
    split = SPLITS.get((dataset, metric.split))
    if split is None:
        return f"{metric.meaning} [{metric.unit}]"
    return (
        f"{metric.meaning} [{metric.unit}]; {split.evaluated_on:,} images of {split.evaluation_set!r},"
        f" in the run {split.trial!r} (trained on {split.trained_on:,})"
    )


def exists(dataset, metric):
    """Whether the benchmark defines the metric on that data set: CIFAR-10 has no validation+test union."""
    return metric.split is None or (dataset, metric.split) in SPLITS


def _look_up(name, kind, table, error):
    try:
        return table[name]
    except (KeyError, TypeError):
        hint = _KNOWN_AS.get(name, "") if isinstance(name, str) else ""
        hint = f" ({hint})" if hint else ""
        raise error(f"unknown {kind} {name!r}{hint}; the {kind}s are {', '.join(table)}") from None
