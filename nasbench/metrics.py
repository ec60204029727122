"""One table of what every number means: data sets, splits, metrics, units, directions, sources."""

from collections.abc import Iterator
from typing import NamedTuple

from nasbench.errors import UnknownDatasetError, UnknownMetricError, shown


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


# Dong & Yang 2020 (arXiv:2001.00326), section 2.2. CIFAR-10 has two training runs: on half of its training
# images, which validation belongs to, and on all of them, which the papers' test accuracy belongs to.
SPLITS = {
    ("cifar10", "train"): Split("cifar10-valid", "train", 25_000, 25_000),
    ("cifar10", "val"): Split("cifar10-valid", "x-valid", 25_000, 25_000),
    ("cifar10", "test"): Split("cifar10", "ori-test", 50_000, 10_000),
    ("cifar10", "test_25k"): Split("cifar10-valid", "ori-test", 25_000, 10_000),
    ("cifar10", "train_50k"): Split("cifar10", "train", 50_000, 50_000),
    ("cifar100", "train"): Split("cifar100", "train", 50_000, 50_000),
    ("cifar100", "val"): Split("cifar100", "x-valid", 50_000, 5_000),
    ("cifar100", "test"): Split("cifar100", "x-test", 50_000, 5_000),
    ("cifar100", "valtest"): Split("cifar100", "ori-test", 50_000, 10_000),
    ("imagenet16-120", "train"): Split("ImageNet16-120", "train", 151_700, 151_700),
    ("imagenet16-120", "val"): Split("ImageNet16-120", "x-valid", 151_700, 3_000),
    ("imagenet16-120", "test"): Split("ImageNet16-120", "x-test", 151_700, 3_000),
    ("imagenet16-120", "valtest"): Split("ImageNet16-120", "ori-test", 151_700, 6_000),
}


# The papers that define and measure the metrics.
NAS_BENCH_201 = "Dong & Yang 2020, NAS-Bench-201, arXiv:2001.00326"
HW_NAS_BENCH = "Li et al. 2021, HW-NAS-Bench, arXiv:2103.10584"
HELP = "Lee et al. 2021, HELP, arXiv:2106.08630"

UNKNOWN_SEED = -1  # of values that are means over seeds, or of a run whose seed is not known
NOT_COMPILED = -1.0  # published by HW-NAS-Bench if a network does not compile for a device: not recorded


class Metric(NamedTuple):
    """A quantity that a store may hold of each cell."""

    name: str
    unit: str
    higher_is_better: bool
    meaning: str
    source: str  # the paper that defines it
    split: str | None = None  # what exists only where SPLITS has it; None: on every data set
    kind: str | None = None  # accuracy, loss or time of a pass over the split
    of_the_network: bool = False  # one value per cell and data set: no protocol, epoch or seed
    accumulates: bool = False  # over the epochs of a run

    @property
    def hardware(self) -> bool:
        """Whether it was measured or estimated on a device of HW-NAS-Bench or HELP."""
        return self.source in (HW_NAS_BENCH, HELP)


_IMAGES = {
    "train": "the training images",
    "val": "the validation images",
    "test": "the test images",
    "valtest": "validation and test images together",
    "train_50k": "all training images, by the run for the test accuracy",
    "test_25k": "the test images, by the run for the validation accuracy",
}


def _metrics_of_splits(kind: str, unit: str, higher_is_better: bool, meaning: str) -> Iterator[Metric]:
    """Yield the metrics of a kind, one for each split."""
    for split, images in _IMAGES.items():
        base, _, run = split.partition("_")
        name = f"{base}_{kind}_{run}" if run else f"{base}_{kind}"
        accumulates = kind == "time" and base == "train"
        said = (
            f"training time, from the start to the epoch, on {images}"
            if accumulates
            else f"{meaning} {images}"
        )
        yield Metric(name, unit, higher_is_better, said, NAS_BENCH_201, split, kind, accumulates=accumulates)


def _network_metric(
    name: str, unit: str, meaning: str, source: str = NAS_BENCH_201, higher_is_better: bool = False
) -> Metric:
    """Return a metric of the network itself, which no training changes."""
    return Metric(name, unit, higher_is_better, meaning, source, of_the_network=True)


def _hw_nas_bench_metrics() -> Iterator[Metric]:
    """Yield HW-NAS-Bench's measurements and estimates (section 3), each on all three data sets."""
    devices = {
        "edgegpu": "an NVIDIA Jetson TX2",
        "raspi4": "a Raspberry Pi 4",
        "edgetpu": "a Coral Edge TPU",
        "pixel3": "a Pixel 3 phone",
        "eyeriss": "the Eyeriss accelerator",
        "fpga": "an FPGA, a Xilinx ZC706",
    }
    for device, what in devices.items():
        yield _network_metric(f"{device}_latency", "ms", f"one image on {what}", HW_NAS_BENCH)
        if device in ("edgegpu", "eyeriss", "fpga"):
            yield _network_metric(f"{device}_energy", "mJ", f"energy of one image on {what}", HW_NAS_BENCH)
        if device == "eyeriss":
            meaning = f"arithmetic intensity on {what}"
            yield _network_metric(
                "eyeriss_arithmetic_intensity", "operations/byte", meaning, HW_NAS_BENCH, True
            )


def _help_metrics() -> Iterator[Metric]:
    """Yield HELP's measured latencies of the CIFAR-10 networks; the names are its device names."""
    gpus = {
        "1080ti": "GeForce GTX 1080 Ti",
        "2080ti": "GeForce RTX 2080 Ti",
        "titan_rtx": "Titan RTX",
        "titanx": "Titan X",
        "titanxp": "Titan Xp",
    }
    for device, gpu in gpus.items():
        for batch in (1, 32, 256):
            images = "one image" if batch == 1 else f"a batch of {batch} images"
            yield _network_metric(f"{device}_b{batch}_latency", "ms", f"{images} on an NVIDIA {gpu}", HELP)
    others = {
        "gold_6226": "an Intel Xeon Gold 6226 CPU",
        "gold_6240": "an Intel Xeon Gold 6240 CPU",
        "silver_4114": "an Intel Xeon Silver 4114 CPU",
        "silver_4210r": "an Intel Xeon Silver 4210R CPU",
        "essential_ph_1": "an Essential PH-1 phone",
        "pixel2": "a Pixel 2 phone",
        "samsung_a50": "a Samsung A50 phone",
        "samsung_s7": "a Samsung S7 phone",
    }
    for device, what in others.items():
        yield _network_metric(f"{device}_latency", "ms", f"inference on {what}", HELP)


METRICS = {
    metric.name: metric
    for metric in (
        *_metrics_of_splits("accuracy", "%", True, "top-1 accuracy on"),
        *_metrics_of_splits("loss", "nats", False, "mean cross-entropy on"),
        *_metrics_of_splits("time", "s", False, "one pass over"),
        _network_metric("latency", "s", "one forward pass of a batch of 256 images"),
        _network_metric("params", "M", "trainable parameters, in millions"),
        _network_metric("flops", "M", "multiply-adds for one image, in millions"),
        *_hw_nas_bench_metrics(),
        *_help_metrics(),
    )
}

_NOT_HARDWARE = [name for name, metric in METRICS.items() if not metric.hardware]
_KNOWN_METRICS = f"{', '.join(_NOT_HARDWARE)}, and {len(METRICS) - len(_NOT_HARDWARE)} of hardware"
METRIC_OF = {(metric.split, metric.kind): metric.name for metric in METRICS.values() if metric.split}

# Names from other tools that are met often, and what they are here.
_KNOWN_AS = {
    "cifar10-valid": "it is the training run behind cifar10's val_accuracy: ask for dataset 'cifar10'",
    "train_accuracy_25k": "it is written 'train_accuracy' here",
    "val_accuracy_25k": "it is written 'val_accuracy' here",
    "test_accuracy_50k": "it is written 'test_accuracy' here",
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
    return _look_up(name, "dataset", DATASETS, UnknownDatasetError, ", ".join(DATASETS))


def metric_of(name):
    """The Metric of that name; UnknownMetricError names those there are."""
    return _look_up(name, "metric", METRICS, UnknownMetricError, _KNOWN_METRICS)


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


def _look_up(name, kind, table, error, known):
    try:
        return table[name]
    except (KeyError, TypeError):
        from difflib import get_close_matches  # imported here because only errors need it

        text = name if isinstance(name, str) else ""
        hint = f" ({_KNOWN_AS[text]})" if text in _KNOWN_AS else ""
        close = [] if hint else get_close_matches(text, table)
        advice = f"try {' or '.join(close)}" if close else f"the {kind}s are {known}"
        raise error(f"unknown {kind} {shown(name)}{hint}; {advice}") from None
