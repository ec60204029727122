"""Rows of a table that are processes: a step of each in turn, with its seconds and its peak of memory."""

import json
import resource
import statistics
import subprocess
import sys
import time

import torch

from nasbench.runs.command import print_table

WARM = 2  # steps that are not counted


def batch(count, device, seed):
    """Random images of 32×32 and labels of 10 classes."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 3, 32, 32, generator=generator)
    return images.to(device), torch.randint(10, (count,), generator=generator).to(device)


def serve(step, device):
    """Answer each line on stdin with the seconds of a step and the peak of memory so far in MiB, as JSON."""
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        if device != "cpu":
            torch.cuda.synchronize()
            peak = torch.cuda.max_memory_allocated() / 2**20
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([time.perf_counter() - start, peak]), flush=True)


def compare(title, commands, runs):
    """Print a table of {row: arguments of Python for a process that serves}, the first as the base."""
    processes = {
        row: subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for row, command in commands.items()
    }
    measured = {row: [] for row in commands}
    for run in range(runs + WARM):
        for row, process in processes.items():
            process.stdin.write("step\n")
            process.stdin.flush()
            result = json.loads(process.stdout.readline())
            if run >= WARM:
                measured[row].append(result)
    for process in processes.values():
        process.stdin.close()
        process.wait()
    base = next(iter(measured.values()))
    rows = []
    for row, results in measured.items():
        seconds, peaks = zip(*results, strict=True)
        faster = [plain / own for (plain, _), own in zip(base, seconds, strict=True)]
        memory = peaks[-1] / base[-1][1]
        times = (f"{value:.3f}" for value in (statistics.median(seconds), min(seconds), max(seconds)))
        rows.append([row, *times, f"{statistics.median(faster):.2f}", round(peaks[-1]), f"{memory:.2f}"])
    print(title)
    print_table(["", "median [s]", "least", "most", "times faster", "peak [MiB]", "x memory"], rows)
    print()
