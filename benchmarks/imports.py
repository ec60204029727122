"""Import of a full-size NATS-Bench folder, beside reading and unpacking it (`python -m benchmarks.imports`).

The command makes the folder itself, 15,625 files in the published format with about 1.3 GB (some minutes),
imports it, asks the store that comes of it, and removes both.
"""

import argparse
import bz2
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from benchmarks.timing import in_turn, print_conditions, print_times
from nasbench import NB201
from nasbench.cell import official_order
from nasbench.runs.command import print_table
from nasbench.spaces import TOPOLOGY
from tests.published import meta_of, packed, write_cell

RUNS = 3
CALLS = 1000
BATCH = 25  # files a task
THIRD_SEEDS = 8_169 / 15_625  # cells with a third run


def make(folder, indices):
    """Write some of the files."""
    for index in indices:
        path = folder / f"{index:06d}.pickle.pbz2"
        if not path.exists():
            write_cell(folder, TOPOLOGY, index, third_seed=random.Random(index).random() < THIRD_SEEDS)


def unpack(paths):
    """Read and unpack some of the files; the bytes that come out."""
    return sum(len(bz2.decompress(Path(path).read_bytes())) for path in paths)


def in_processes(function, parts, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return [future.result() for future in [pool.submit(*function, part) for part in parts]]


def unpack_all(paths, workers):
    """The floor, as a whole: seconds."""
    start = time.perf_counter()
    in_processes((unpack,), [paths[i : i + BATCH] for i in range(0, len(paths), BATCH)], workers)
    return time.perf_counter() - start


def import_all(folder, out, workers):
    """The import as a command: seconds, and the peak of resident MiB of all its processes together."""
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


def watch_memory(process, peak):
    """Keep the largest sum of a process's and its descendants' resident bytes; shared pages count again."""
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


def ask(out):
    """What the imported store costs to ask, in this process."""
    rng = random.Random(0)
    cells = [rng.randrange(TOPOLOGY.cells) for _ in range(CALLS)]
    bench = NB201(out)

    def queries():
        for cell in cells:
            bench.query(cell, "cifar100", "test_accuracy")

    def curves():
        for cell in cells:
            bench.curve(cell, "cifar10", "val_accuracy")

    def column():
        NB201(bench.store).by_code("cifar10", "val_accuracy")

    print("The imported store, in a warm process")
    print_times(in_turn({"query()": queries, "curve()": curves}, RUNS), "us", CALLS)
    print("A new table on the open store; the same, and the mean over seeds of all cells' last epochs")
    tasks = {"table": lambda: NB201(bench.store), "table and by_code()": column}
    print_times(in_turn(tasks, RUNS), "ms")


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=TOPOLOGY.cells, help="fewer, for a quick look")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="where to put the files, and keep them")
    args = parser.parse_args()
    place = tempfile.TemporaryDirectory() if args.folder is None else nullcontext(args.folder)
    with place as root:
        folder, out = Path(root) / "NATS-tss-v1_0-made-simple", Path(root) / "imported.h5"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "meta.pickle.pbz2").write_bytes(packed(meta_of(TOPOLOGY)))
        indices = official_order()[: args.cells].tolist()
        parts = [indices[i : i + BATCH] for i in range(0, len(indices), BATCH)]
        in_processes((make, folder), parts, args.workers)
        paths = [str(folder / f"{index:06d}.pickle.pbz2") for index in indices]
        size = sum(os.path.getsize(path) for path in paths)
        print_conditions(RUNS, numpy=version("numpy"), h5py=version("h5py"))
        print(f"{len(paths):,} files, {size / 1e9:.2f} GB; {args.workers} processes\n")
        floors, imports = [], []
        for round_ in range(RUNS + 1):
            floor, imported = unpack_all(paths, args.workers), import_all(folder, out, args.workers)
            if round_:  # the first round warms up
                floors.append(floor)
                imports.append(imported)
        seconds, memory = zip(*imports, strict=True)
        rows = []
        for name, runs in (("read and unpack", floors), ("nasbench build", seconds)):
            ratio = statistics.median(s / floor for s, floor in zip(runs, floors, strict=True))
            rows.append(
                [name, *(round(v, 1) for v in (statistics.median(runs), min(runs), max(runs), ratio))]
            )
            rows[-1][-1] = round(ratio, 2)
        print_table(["", "median [s]", "least", "most", "x read and unpack"], rows)
        print(f"peak memory of all processes of the import together: {max(memory):.0f} MiB")
        print(f"the store has {os.path.getsize(out) / 1e9:.2f} GB\n")
        ask(out)
        print("The imported store, by whole processes", flush=True)
        subprocess.run([sys.executable, "-m", "benchmarks.processes", "--store", str(out)], check=True)
        out.unlink()


if __name__ == "__main__":
    main()
