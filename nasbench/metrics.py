"""Meanings of all numbers: data sets, splits, metrics, units, directions, sources."""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal, NamedTuple, TypeVar

from nasbench.errors import NASBenchError, UnknownDatasetError, UnknownMetricError, shown
from nasbench.runs.text import counted

DatasetName = Literal["cifar10", "cifar100", "imagenet16-120"]
MetricName = Literal[
    "train_accuracy",
    "val_accuracy",
    "test_accuracy",
    "valtest_accuracy",
    "train_accuracy_50k",
    "test_accuracy_25k",
    "train_loss",
    "val_loss",
    "test_loss",
    "valtest_loss",
    "train_loss_50k",
    "test_loss_25k",
    "train_time",
    "val_time",
    "test_time",
    "valtest_time",
    "train_time_50k",
    "test_time_25k",
    "latency",
    "params",
    "flops",
    "edgegpu_latency",
    "edgegpu_energy",
    "raspi4_latency",
    "edgetpu_latency",
    "pixel3_latency",
    "eyeriss_latency",
    "eyeriss_energy",
    "eyeriss_arithmetic_intensity",
    "fpga_latency",
    "fpga_energy",
    "1080ti_b1_latency",
    "1080ti_b32_latency",
    "1080ti_b256_latency",
    "2080ti_b1_latency",
    "2080ti_b32_latency",
    "2080ti_b256_latency",
    "titan_rtx_b1_latency",
    "titan_rtx_b32_latency",
    "titan_rtx_b256_latency",
    "titanx_b1_latency",
    "titanx_b32_latency",
    "titanx_b256_latency",
    "titanxp_b1_latency",
    "titanxp_b32_latency",
    "titanxp_b256_latency",
    "gold_6226_latency",
    "gold_6240_latency",
    "silver_4114_latency",
    "silver_4210r_latency",
    "essential_ph_1_latency",
    "pixel2_latency",
    "samsung_a50_latency",
    "samsung_s7_latency",
    "epe_nas",
    "fisher",
    "grad_norm",
    "grasp",
    "jacov",
    "l2_norm",
    "meco",
    "nwot",
    "plain",
    "snip",
    "swap",
    "synflow",
    "zen",
    "az_nas",
    "az_expressivity",
    "az_progressivity",
    "az_trainability",
]


class Dataset(NamedTuple):
    """An image data set of the benchmark."""

    #: name, such as `cifar10`
    name: str
    #: number of classes
    classes: int
    #: height and width of an image, in pixels
    image_size: int


DATASETS: dict[str, Dataset] = {  # by DatasetName
    dataset.name: dataset
    for dataset in (
        Dataset("cifar10", 10, 32),
        Dataset("cifar100", 100, 32),
        Dataset("imagenet16-120", 120, 16),
    )
}


class Split(NamedTuple):
    """The images of a training run and of an evaluation set, with their published names."""

    #: name of the training run in the published files
    trial: str
    #: name of the evaluation set in that run
    evaluation_set: str
    #: number of training images
    trained_on: int
    #: number of images in the evaluation set
    evaluated_on: int


def _halved_test_set(dataset: str, trial: str, trained_on: int, half: int) -> dict[tuple[str, str], Split]:
    """Return the splits of a data set whose official test set is halved for validation and testing."""
    return {
        (dataset, "train"): Split(trial, "train", trained_on, trained_on),
        (dataset, "val"): Split(trial, "x-valid", trained_on, half),
        (dataset, "test"): Split(trial, "x-test", trained_on, half),
        (dataset, "valtest"): Split(trial, "ori-test", trained_on, 2 * half),
    }


# Dong & Yang 2020 (arXiv:2001.00326), section 2.2. CIFAR-10 has two training runs: one on half of its
# training images, for the validation accuracy, and one on all of them, for the papers' test accuracy.
SPLITS = {
    ("cifar10", "train"): Split("cifar10-valid", "train", 25_000, 25_000),
    ("cifar10", "val"): Split("cifar10-valid", "x-valid", 25_000, 25_000),
    ("cifar10", "test"): Split("cifar10", "ori-test", 50_000, 10_000),
    ("cifar10", "test_25k"): Split("cifar10-valid", "ori-test", 25_000, 10_000),
    ("cifar10", "train_50k"): Split("cifar10", "train", 50_000, 50_000),
    **_halved_test_set("cifar100", "cifar100", 50_000, 5_000),
    **_halved_test_set("imagenet16-120", "ImageNet16-120", 151_700, 3_000),
}


# The papers that define and measure the metrics.
NAS_BENCH_201 = "Dong & Yang 2020, NAS-Bench-201, arXiv:2001.00326"
HW_NAS_BENCH = "Li et al. 2021, HW-NAS-Bench, arXiv:2103.10584"
HELP = "Lee et al. 2021, HELP, arXiv:2106.08630"

UNKNOWN_SEED = -1  # seed of means over seeds, and of runs with an unknown seed
NOT_COMPILED = -1.0  # HW-NAS-Bench's value for networks that do not compile for a device; not recorded


class Metric(NamedTuple):
    """A quantity that a store can record for each cell."""

    #: name, a MetricName
    name: str
    #: unit, such as `%` or `ms`
    unit: str
    #: whether higher values are better
    higher_is_better: bool
    #: description in a few words
    meaning: str
    #: paper that defines the metric
    source: str
    #: split it is measured on, which a data set must have in SPLITS; None for metrics without a split
    split: str | None = None
    #: accuracy, loss, or time of a pass over the split; proxy; None for other metrics
    kind: str | None = None
    #: whether there is one value per cell and data set, without protocol and epoch, and without seed
    #: unless it is a proxy
    of_the_network: bool = False
    #: whether it accumulates over the epochs of a run
    accumulates: bool = False

    @property
    def is_proxy(self) -> bool:
        """Whether it is a score before training, by the seed of images and initial weights."""
        return self.kind == "proxy"

    @property
    def hardware(self) -> bool:
        """Whether the metric belongs to a hardware device of HW-NAS-Bench or HELP."""
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
    """Yield the metrics of a kind, one per split."""
    for split, images in _IMAGES.items():
        base, _, run = split.partition("_")
        name = f"{base}_{kind}_{run}" if run else f"{base}_{kind}"
        accumulates = kind == "time" and base == "train"
        text = (
            f"training time, from the start to the epoch, on {images}"
            if accumulates
            else f"{meaning} {images}"
        )
        yield Metric(name, unit, higher_is_better, text, NAS_BENCH_201, split, kind, accumulates=accumulates)


def _network_metric(
    name: str, unit: str, meaning: str, source: str = NAS_BENCH_201, higher_is_better: bool = False
) -> Metric:
    """Return a metric of the network, which does not depend on training."""
    return Metric(name, unit, higher_is_better, meaning, source, of_the_network=True)


def _hw_nas_bench_metrics() -> Iterator[Metric]:
    """Yield the measurements and estimates of HW-NAS-Bench (section 3), which cover all data sets."""
    devices = {  # name, whether energy is recorded
        "edgegpu": ("an NVIDIA Jetson TX2", True),
        "raspi4": ("a Raspberry Pi 4", False),
        "edgetpu": ("a Coral Edge TPU", False),
        "pixel3": ("a Pixel 3 phone", False),
        "eyeriss": ("the Eyeriss accelerator", True),
        "fpga": ("an FPGA, a Xilinx ZC706", True),
    }
    for device, (hardware, has_energy) in devices.items():
        yield _network_metric(f"{device}_latency", "ms", f"one image on {hardware}", HW_NAS_BENCH)
        if has_energy:
            meaning = f"energy of one image on {hardware}"
            yield _network_metric(f"{device}_energy", "mJ", meaning, HW_NAS_BENCH)
        if device == "eyeriss":
            meaning = f"arithmetic intensity on {hardware}"
            yield _network_metric(
                "eyeriss_arithmetic_intensity", "operations/byte", meaning, HW_NAS_BENCH, True
            )


def _help_metrics() -> Iterator[Metric]:
    """Yield the latencies of the CIFAR-10 networks in HELP, by its device names."""
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
    for device, hardware in others.items():
        yield _network_metric(f"{device}_latency", "ms", f"inference on {hardware}", HELP)


def _proxies() -> Iterator[Metric]:
    """Yield the zero-cost proxies of `oneshot.proxies`; higher is better for all of them."""
    papers = {
        "epe_nas": "Lopes et al. 2021, arXiv:2102.08099",
        "fisher": "Theis et al. 2018, arXiv:1801.05787",
        "grad_norm": "Abdelfattah et al. 2021, arXiv:2101.08134",
        "grasp": "Wang et al. 2020, arXiv:2002.07376",
        "jacov": "Mellor et al. 2020, arXiv:2006.04647v1",
        "l2_norm": "Abdelfattah et al. 2021, arXiv:2101.08134",
        "meco": "Jiang et al. 2023, MeCo, NeurIPS 2023",
        "nwot": "Mellor et al. 2021, arXiv:2006.04647",
        "plain": "Abdelfattah et al. 2021, arXiv:2101.08134",
        "snip": "Lee et al. 2019, arXiv:1810.02340",
        "swap": "Peng et al. 2024, arXiv:2403.04161",
        "synflow": "Tanaka et al. 2020, arXiv:2006.05467",
        "zen": "Lin et al. 2021, arXiv:2102.01063",
        "az_nas": "Lee & Ham 2024, arXiv:2403.19232",
        "az_expressivity": "Lee & Ham 2024, arXiv:2403.19232",
        "az_progressivity": "Lee & Ham 2024, arXiv:2403.19232",
        "az_trainability": "Lee & Ham 2024, arXiv:2403.19232",
    }
    for name, paper in papers.items():
        yield Metric(name, "-", True, "zero-cost proxy", paper, kind="proxy", of_the_network=True)


METRICS: dict[str, Metric] = {  # by MetricName
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
        *_proxies(),
    )
}


def list_metrics(names: Collection[str]) -> str:
    """Return names of metrics as text; hardware metrics are only counted."""
    shown = [name for name in names if not METRICS[name].hardware]
    hidden = len(names) - len(shown)
    return ", ".join(shown) + (f", and {counted(hidden, 'hardware metric')}" if hidden else "")


METRIC_OF = {(metric.split, metric.kind): metric.name for metric in METRICS.values() if metric.split}

# Names in other tools.
_KNOWN_AS = {
    "cifar10-valid": "it is the training run of cifar10's val_accuracy; use dataset 'cifar10'",
    "train_accuracy_25k": "it is called 'train_accuracy' here",
    "val_accuracy_25k": "it is called 'val_accuracy' here",
    "test_accuracy_50k": "it is called 'test_accuracy' here",
    "ImageNet16-120": "it is called 'imagenet16-120' here",
    "imagenet": "it is called 'imagenet16-120' here",
    "valid_acc": "it is called 'val_accuracy' here",
    "val_acc": "it is called 'val_accuracy' here",
    "test_acc": "it is called 'test_accuracy' here",
    "flop": "it is called 'flops' here",
    "model_size": "it is called 'params' here",
}


def get_dataset(name: object) -> Dataset:
    """Return the data set with a name; if unknown, raise UnknownDatasetError, which suggests names."""
    return _look_up(name, "dataset", DATASETS, UnknownDatasetError, ", ".join(DATASETS))


def get_metric(name: object) -> Metric:
    """Return the metric with a name; if unknown, raise UnknownMetricError, which suggests names."""
    return _look_up(name, "metric", METRICS, UnknownMetricError, list_metrics(METRICS))


def describe_metric(dataset: str, metric: Metric) -> str:
    """Return the meaning of a metric on a data set in one line: quantity, unit, images, training run."""
    split = None if metric.split is None else SPLITS.get((dataset, metric.split))
    if split is None:
        return f"{metric.meaning} [{metric.unit}]"
    return (
        f"{metric.meaning} [{metric.unit}]; {split.evaluated_on:,} images of {split.evaluation_set!r},"
        f" in the run {split.trial!r} (trained on {split.trained_on:,})"
    )


def exists(dataset: str, metric: Metric) -> bool:
    """Return whether the metric is defined on the data set; CIFAR-10 has no valtest metrics."""
    return metric.split is None or (dataset, metric.split) in SPLITS


Entry = TypeVar("Entry", Dataset, Metric)


def _look_up(
    name: object, kind: str, table: Mapping[str, Entry], error: type[NASBenchError], known: str
) -> Entry:
    try:
        return table[name]  # type: ignore[index]  # may be of any type
    except (KeyError, TypeError):
        from difflib import get_close_matches  # imported here because only errors need it

        text = name if isinstance(name, str) else ""
        hint = f" ({_KNOWN_AS[text]})" if text in _KNOWN_AS else ""
        close = [] if hint else get_close_matches(text, table)
        advice = f"try {' or '.join(close)}" if close else f"the {kind}s are {known}"
        raise error(f"unknown {kind} {shown(name)}{hint}; {advice}") from None
