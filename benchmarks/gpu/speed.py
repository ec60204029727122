"""Steps of supernets: images per second, launches, memory; relative to plain modules in the same run."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import torch

from benchmarks.gpu.agreement import adapted, compile_method, random_batch
from benchmarks.gpu.meter import Meter
from benchmarks.gpu.record import Check, Row
from benchmarks.gpu.sizes import Scale, build
from benchmarks.plain import darts, hierarchical, nb201
from benchmarks.plain.mixing import PlainSearch, Supernet
from benchmarks.supernet import TAU
from oneshot.spaces.base import Sizes
from oneshot.training.memory import largest_batch

WARM, RUNS = 3, 10
SECONDS = 4.0  # after which no further run of a row starts
Step = Callable[[], object]


class Kind(NamedTuple):
    """Implementation that takes the steps of a row."""

    plain: bool = False
    amp: bool = False
    channels_last: bool = True
    compiles: bool = False


ROWS = {
    "plain modules": Kind(plain=True, channels_last=False),
    "plain, channels last": Kind(plain=True),
    "plan": Kind(),
    "plan, weights not channels last": Kind(channels_last=False),
    "plan, bf16": Kind(amp=True),
}
COMPILED = {
    "plain modules": Kind(plain=True, channels_last=False),
    "plan": Kind(),
    "torch.compile": Kind(compiles=True),
    "torch.compile, bf16": Kind(amp=True, compiles=True),
}


class Speed(NamedTuple):
    """The measurements of a row."""

    milliseconds: float
    launches: int | None  # None if unknown, as for code that is compiled for the CPU
    peak: float  # MiB

    def values(self, batch: int, base: "Speed | None") -> dict[str, float | int | str]:
        """Return the columns of the table; `base` is for plain modules at the same batch size, if it fits."""
        values: dict[str, float | int | str] = {
            "images/s": round(2000 * batch / self.milliseconds),
            "ms/step": float(f"{self.milliseconds:.4g}"),
            "launches": "" if self.launches is None else self.launches,
            "peak [MiB]": round(self.peak),
        }
        if base is not None:
            values |= {
                "x faster": f"{base.milliseconds / self.milliseconds:.2f}",
                "x memory": f"{self.peak / base.peak:.2f}",
            }
            if self.launches is not None and base.launches:
                values["x launches"] = f"{self.launches / base.launches:.2f}"
        return values


def plain_supernet(space: str, method: str, sizes: Sizes) -> Supernet:
    """Return the supernet in plain modules."""
    tau = TAU if method == "gdas" else None
    widths = [sizes.channels * 2**stage for stage in range(3)]
    if space == "nb201":
        return nb201.PlainSupernet(tau, widths, sizes.cells)
    if space == "darts":
        return darts.PlainSupernet(tau, sizes.channels, sizes.cells)
    return hierarchical.PlainSupernet(tau, widths)


def build_step(
    space: str, method: str, sizes: Sizes, kind: Kind, side: int, meter: Meter
) -> Callable[[int], Step]:
    """Return a function from a batch size to a step of a new supernet."""
    torch.manual_seed(0)
    layout = torch.channels_last if kind.channels_last else torch.contiguous_format
    if kind.plain:
        network = plain_supernet(space, method, sizes).to(memory_format=layout)
        search = PlainSearch(network, str(meter.device))
        take: Callable[..., object] = search.step
    else:
        settings = {"estimator": "sampled"} if method == "gdas" else {}  # as the plain modules
        optimizer = adapted(method, build(space, sizes), meter.device, kind.amp, **settings)
        optimizer.graph.to(memory_format=layout)
        if kind.compiles:
            compile_method(optimizer, meter)
        take = optimizer.step

    def of_batch(batch: int) -> Step:
        data = []
        for seed in (0, 1):
            images, labels = random_batch(batch, side, meter.device, seed)
            data.append((images.float(), labels))
        return partial(take, *data)

    return of_batch


def measure(step: Step, meter: Meter, compiled: bool, runs: int = RUNS) -> Speed:
    """Return the median time of steps, the launches of one and the peak memory."""
    meter.reset_peak()
    for _ in range(WARM):
        step()
    launches = None if compiled and meter.device.type == "cpu" else meter.launches(step)
    seconds: list[float] = []
    while len(seconds) < runs and sum(seconds) < SECONDS:
        meter.synchronize()
        begin = time.perf_counter()
        step()
        meter.synchronize()
        seconds.append(time.perf_counter() - begin)
    return Speed(1e3 * statistics.median(seconds), launches, meter.peak())


def _timed(
    space: str,
    method: str,
    sizes: Sizes,
    batch: int,
    kinds: Mapping[str, Kind],
    largest: bool,
    side: int,
    meter: Meter,
) -> Iterator[Row]:
    """Measure rows at a batch size or, if `largest`, at the largest size up to it that fits in memory."""
    base: tuple[int, Speed] | None = None  # batch and speed of plain modules
    for name, kind in kinds.items():
        if kind.amp and meter.without_bf16 is not None:
            yield Row(name, "skipped", reason=meter.without_bf16)
            continue
        meter.release()
        step_of = build_step(space, method, sizes, kind, side, meter)
        fits = largest_batch(partial(_try, step_of), 2 * batch)  # tries `batch` first
        if fits is None or (fits < batch and not largest):
            advice = "not even 2 images fit" if fits is None else f"batch {fits} fits"
            yield Row(name, "FAILED", reason=f"out of memory for batch {batch}; {advice}")
            continue
        meter.release()
        speed = measure(step_of(fits), meter, kind.compiles)
        del step_of
        if base is None and kind.plain:
            base = fits, speed
        same = base[1] if base is not None and base[0] == fits else None
        yield Row(name, "ok", {"batch": fits} | speed.values(fits, same))


def _try(step_of: Callable[[int], Step], batch: int) -> None:
    step_of(batch)()


def checks(scale: Scale) -> list[Check]:
    """Return the checks of speed."""
    found = []
    for space, (sizes, batch) in scale.timed.items():
        for method in ("darts", "gdas"):
            timed = partial(_timed, space, method, sizes, batch, ROWS, False, scale.side)
            found.append(Check("speed", f"{method} in {space}, batch {batch}", timed))
    sizes, batch = scale.timed["nb201"]
    timed = partial(_timed, "nb201", "darts", scale.compiled, batch, COMPILED, False, scale.side)
    found.append(
        Check("speed", f"torch.compile, darts in nb201, {scale.compiled.cells} cell per stage", timed)
    )
    timed = partial(_timed, "nb201", "darts", sizes, scale.largest, ROWS, True, scale.side)
    found.append(Check("speed", "darts in nb201, the largest batch", timed))
    return found
