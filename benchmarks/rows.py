"""Tables whose rows are processes, which take turns, one step each, with the seconds and the peak memory."""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from nasbench.runs.text import format_table

WARM = 2  # steps that are not counted


def batch(count: int, device: str, seed: int) -> tuple[Tensor, Tensor]:
    """Return random images of 32×32 and labels of 10 classes."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 3, 32, 32, generator=generator)
    return images.to(device), torch.randint(10, (count,), generator=generator).to(device)


def serve(step: Callable[[], object], device: str) -> None:
    """Answer each line on stdin with the seconds of a step and the peak memory so far in MiB, as JSON."""
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        if device != "cpu":
            torch.cuda.synchronize()
            peak = torch.cuda.max_memory_allocated() / 2**20
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([time.perf_counter() - start, peak]), flush=True)


def compare(title: str, commands: Mapping[str, Sequence[str]], runs: int) -> None:
    """Print a table of processes, {row: arguments of Python}, compared with the first row."""
    processes = {
        row: subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for row, command in commands.items()
    }
    measured: dict[str, list[tuple[float, float]]] = {row: [] for row in commands}
    for run in range(runs + WARM):
        for row, process in processes.items():
            seconds, peak = _take_step(process)
            if run >= WARM:
                measured[row].append((seconds, peak))
    for process in processes.values():
        process.communicate()  # closes its stdin, which ends the process
    base = next(iter(measured.values()))
    rows = []
    for row, results in measured.items():
        times, peaks = zip(*results, strict=True)
        faster = [plain / own for (plain, _), own in zip(base, times, strict=True)]
        memory = peaks[-1] / base[-1][1]
        shown = (f"{value:.3f}" for value in (statistics.median(times), min(times), max(times)))
        rows.append([row, *shown, f"{statistics.median(faster):.2f}", round(peaks[-1]), f"{memory:.2f}"])
    print(title)
    print(format_table(["", "median [s]", "min", "max", "times faster", "peak [MiB]", "x memory"], rows))
    print()


def _take_step(process: subprocess.Popen[str]) -> tuple[float, float]:
    """Let a process take a step; return its seconds and peak memory."""
    assert process.stdin is not None
    assert process.stdout is not None
    print("step", file=process.stdin, flush=True)
    seconds, peak = json.loads(process.stdout.readline())
    return seconds, peak
