"""Complete runs: exact resume, an epoch of a search, and the short protocol of one cell."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from torch import Tensor

from benchmarks.gpu.agreement import difference
from benchmarks.gpu.meter import Meter
from benchmarks.gpu.record import Check, Row, judged
from benchmarks.gpu.sizes import Scale
from data.images import FOLDER, Images
from data.statistics import PUBLISHED
from nasbench import NB201
from nasbench.errors import NASBenchError, one_line
from oneshot.methods.registry import get_method
from oneshot.retrain.session import retrain
from oneshot.retrain.settings import RetrainSettings
from oneshot.search.session import SearchSession
from oneshot.search.settings import SearchSettings
from oneshot.search.task import SearchJob
from oneshot.spaces.base import Sizes
from oneshot.training.environment import Environment
from oneshot.training.images import SearchImages, Subset

CELL = 6111  # the best of the table on CIFAR-10
POINTS = 2.0  # percentage points by which a single training run may differ from the table
CLOSE = 1e-3  # if kernels of the GPU add in an undefined order


class RandomImages(SearchImages):
    """The halves of random images, which need no files."""

    def __init__(self, number: int, side: int) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (number, side, side, 3), dtype=np.uint8)
        labels = np.arange(number) % 10
        images = Images("random", pixels, labels, tuple("0123456789"), PUBLISHED["cifar10"])
        half = number // 2
        self.dataset, self.seed = "random", 0
        self.train_images = Subset(images, np.arange(half))
        self.held_out_images = Subset(images, np.arange(half, number))
        self.counts, self.classes, self.size = (half, number - half), 10, (side, side)


def search_job(
    images: SearchImages, method: str, sizes: Sizes, batch: int, epochs: int, device: str
) -> SearchJob:
    """Return a search in the space of NAS-Bench-201 that no table scores."""
    settings = SearchSettings(
        space="nb201", method=method, channels=sizes.channels, cells=sizes.cells, dataset="cifar10"
    )
    config = get_method(method).config_class(epochs=epochs, batch=batch)
    return SearchJob(images, settings, config, None, environment=Environment(device=device))


def _state(session: SearchSession) -> dict[str, Tensor]:
    optimizer = session.task.optimizer
    tensors = [*optimizer.graph.state_dict().values(), *optimizer.alphas]
    return {str(number): each.detach().cpu() for number, each in enumerate(tensors)}


def _run(job: SearchJob, folder: Path | None, stop: Callable[[], bool]) -> dict[str, Tensor]:
    with SearchSession.begin(lambda group: job, folder) as session:
        session.train(stop)
        return _state(session)


def _resumed(job: SearchJob, folder: Path) -> dict[str, Tensor]:
    with SearchSession.resume(lambda path, record, group: job, folder) as session:
        session.train()
        return _state(session)


def _after(steps: int) -> Callable[[], bool]:
    """Return a function that returns True after its first `steps` calls."""
    calls = count(1)
    return lambda: next(calls) > steps


def _resume(scale: Scale, meter: Meter) -> Iterator[Row]:
    """Interrupt a search within an epoch, resume it, and compare it with uninterrupted ones."""
    for method in ("darts", "gdas"):
        images = RandomImages(min(scale.images, 512), scale.side)
        batch = max(2, images.counts[0] // 4)
        job = search_job(images, method, scale.compared["nb201"], batch, 2, str(meter.device))
        first, second = (_run(job, None, lambda: False) for _ in range(2))
        with tempfile.TemporaryDirectory() as folder:
            _run(job, Path(folder) / "run", _after(3))
            third = _resumed(job, Path(folder) / "run")
        again, resumed = difference(second, first), difference(third, first)
        row = judged(method, resumed, CLOSE if again else 0.0)
        values = {**row.values, "between uninterrupted runs": f"{again:.2g}"}
        yield Row(method, row.verdict, values, row.reason)


def _epoch(scale: Scale, images: str | None, meter: Meter) -> Iterator[Row]:
    """Time one epoch of a search with each method."""
    sizes, batch = scale.timed["nb201"]
    found = (
        RandomImages(scale.images, scale.side)
        if images is None
        else SearchImages(FOLDER + images, Environment(device=str(meter.device)))
    )
    for method in ("darts", "gdas"):
        meter.release()
        meter.reset_peak()
        job = search_job(found, method, sizes, batch, 1, str(meter.device))
        with SearchSession.begin(lambda group, job=job: job) as session:  # type: ignore[misc]  # mypy #12557
            session.train()
            (row,) = session.log
        values: dict[str, float | int | str] = {
            "images": 2 * found.counts[0],
            "images/s": round(float(row["images_per_second"] or 0)),
            "seconds": round(float(row["seconds"] or 0), 1),
            "train loss": f"{row['train_loss']:.3f}",
            "train accuracy": f"{row['train_accuracy']:.1f}",
            "peak [MiB]": round(meter.peak()),
        }
        yield Row(method, "ok", values)


def _protocol(scale: Scale, images: str | None, meter: Meter) -> Iterator[Row]:
    """Train a cell by the short protocol, and compare its accuracy with the table's."""
    name = f"cell {CELL}, {scale.protocol} epochs"
    if images is None:
        yield Row(name, "skipped", reason="random images have no accuracy to compare; try --images FOLDER")
        return
    settings = RetrainSettings(dataset=FOLDER + images, split="half", protocol=12, epochs=scale.protocol)
    result = retrain(str(CELL), settings, environment=Environment(device=str(meter.device)))
    accuracy = float(result.log[-1]["top1"] or 0)
    values: dict[str, float | int | str] = {
        "top-1 [%]": f"{accuracy:.2f}",
        "seconds": round(result.seconds, 1),
    }
    try:
        recorded = NB201().query(CELL, "cifar10", "val_accuracy", protocol=12)
    except NASBenchError as error:
        yield Row(name, "skipped", values, f"no table to compare with: {one_line(error)}")
        return
    values |= {"table [%]": f"{recorded:.2f}"}
    if abs(accuracy - recorded) <= POINTS:
        yield Row(name, "ok", values)
    else:
        reason = f"differs from the table by more than {POINTS} points; is {images} CIFAR-10?"
        yield Row(name, "FAILED", values, reason)


def _digest(folder: Path) -> str:
    """Return a short hash of the names and sizes of a folder's files."""
    files = sorted((str(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*.*"))
    return hashlib.sha256(repr(files).encode()).hexdigest()[:8]


def checks(scale: Scale, images: str | None) -> list[Check]:
    """Return the checks of complete runs."""
    kind = "random images" if images is None else f"{Path(images).name} ({_digest(Path(images))})"
    return [
        Check("correctness", "resume", partial(_resume, scale)),
        Check("epoch", f"one epoch in nb201, {kind}", partial(_epoch, scale, images)),
        Check("protocol", kind, partial(_protocol, scale, images)),
    ]
