"""Import of a full-size NATS-Bench folder, compared with unpacking it (`python -m benchmarks.imports`).

The command writes the folder itself: 15,625 files in the published format with about 1.3 GB, which takes some
minutes. Then it imports the folder, queries the resulting store, and removes both.
"""

import argparse
import bz2
import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from benchmarks.timing import in_turn, print_conditions, print_times
from nasbench import NB201
from nasbench.cell import official_order
from nasbench.runs.text import format_table
from nasbench.spaces import TOPOLOGY
from tests.published import meta_of, packed, write_cell

RUNS = 3
CALLS = 1000
BATCH = 25  # files per task
THIRD_SEEDS = 8_169 / 15_625  # cells with a third run
R = TypeVar("R")


def make(folder: Path, indices: Iterable[int]) -> None:
    """Write some of the files."""
    for index in indices:
        path = folder / f"{index:06d}.pickle.pbz2"
        if not path.exists():
            write_cell(folder, TOPOLOGY, index, third_seed=random.Random(index).random() < THIRD_SEEDS)


def unpack(paths: Iterable[str]) -> int:
    """Read and unpack some of the files; return the number of unpacked bytes."""
    return sum(len(bz2.decompress(Path(path).read_bytes())) for path in paths)


def in_processes(function: Callable[..., R], *arguments: Iterable[object], workers: int) -> list[R]:
    """Return the results of a function for each of the arguments, as `map` does, from several processes."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(function, *arguments))


def unpack_all(paths: Sequence[str], workers: int) -> float:
    """Return the seconds of only reading and unpacking."""
    start = time.perf_counter()
    in_processes(unpack, batched(paths), workers=workers)
    return time.perf_counter() - start


def batched(items: Sequence[R]) -> list[Sequence[R]]:
    """Return the items of each task."""
    return [items[i : i + BATCH] for i in range(0, len(items), BATCH)]


def import_all(folder: Path, out: Path, workers: int) -> tuple[float, float]:
    """Return the seconds of the import command, and the peak resident MiB of all its processes together."""
    command = [sys.executable, "-m", "nasbench", "build", str(folder), "--out", str(out), "--force"]
    start = time.perf_counter()
    with subprocess.Popen([*command, "--workers", str(workers)], stdout=subprocess.DEVNULL) as process:
        peak = [0]
        watch = threading.Thread(target=watch_memory, args=(process, peak))
        watch.start()
        status = process.wait()
        seconds = time.perf_counter() - start
        watch.join()
    if status:
        raise SystemExit(f"the import ended with status {status}")
    return seconds, peak[0] / (1 << 20)


def watch_memory(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    """Keep the maximum sum of resident bytes of a process and its descendants; shared pages count twice."""
    page = os.sysconf("SC_PAGE_SIZE")
    while process.poll() is None:
        parents, sizes = {}, {}
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            parents[int(pid)], sizes[int(pid)] = int(state[1]), int(state[21]) * page
        family = {process.pid}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        peak[0] = max(peak[0], sum(sizes.get(pid, 0) for pid in family))
        time.sleep(0.05)


def ask(out: Path, indices: Sequence[int]) -> None:
    """Print the time of queries of the imported store in this process."""
    cells = random.Random(0).choices(indices, k=CALLS)
    bench = NB201(out)

    def queries() -> None:
        for cell in cells:
            bench.query(cell, "cifar100", "test_accuracy")

    def curves() -> None:
        for cell in cells:
            bench.curve(cell, "cifar10", "val_accuracy")

    def column() -> None:
        NB201(bench.store).by_code("cifar10", "val_accuracy")

    print("The imported store, in a warm process")
    print_times(in_turn({"query()": queries, "curve()": curves}, RUNS), "us", CALLS)
    print("A new table on the open store, also with the mean over seeds of all cells at the last epoch")
    tasks = {"table": lambda: NB201(bench.store), "table and by_code()": column}
    print_times(in_turn(tasks, RUNS), "ms")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.imports", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--cells", type=int, default=TOPOLOGY.cells, help="number of cells (default: all)")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument(
        "--folder", type=Path, help="folder in which to keep the files (default: a temporary folder)"
    )
    args = parser.parse_args()
    place: AbstractContextManager[str | Path] = (
        tempfile.TemporaryDirectory() if args.folder is None else nullcontext(args.folder)
    )
    with place as root:
        folder, out = Path(root) / "NATS-tss-v1_0-made-simple", Path(root) / "imported.h5"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "meta.pickle.pbz2").write_bytes(packed(meta_of(TOPOLOGY)))
        indices = official_order()[: args.cells].tolist()
        in_processes(make, itertools.repeat(folder), batched(indices), workers=args.workers)
        paths = [str(folder / f"{index:06d}.pickle.pbz2") for index in indices]
        size = sum(os.path.getsize(path) for path in paths)
        print_conditions(RUNS, numpy=version("numpy"), h5py=version("h5py"))
        print(f"{len(paths):,} files, {size / 1e9:.2f} GB; {args.workers} processes\n")
        floors: list[float] = []
        imports: list[tuple[float, float]] = []
        for round_ in range(RUNS + 1):
            floor, imported = unpack_all(paths, args.workers), import_all(folder, out, args.workers)
            if round_:  # the first round warms up
                floors.append(floor)
                imports.append(imported)
        seconds, memory = zip(*imports, strict=True)
        rows: list[list[object]] = []
        for name, runs in (("read and unpack", floors), ("nasbench build", seconds)):
            ratio = statistics.median(s / floor for s, floor in zip(runs, floors, strict=True))
            spread = (statistics.median(runs), min(runs), max(runs))
            rows.append([name, *(round(value, 1) for value in spread), round(ratio, 2)])
        print(format_table(["", "median [s]", "min", "max", "x read and unpack"], rows))
        print(f"peak memory of all processes of the import together: {max(memory):.0f} MiB")
        print(f"the store has {os.path.getsize(out) / 1e9:.2f} GB\n")
        ask(out, indices)
        if len(indices) == TOPOLOGY.cells:  # the processes query any cell
            print("The imported store, in separate processes", flush=True)
            subprocess.run([sys.executable, "-m", "benchmarks.processes", "--store", str(out)], check=True)
        out.unlink()


if __name__ == "__main__":
    main()
