"""NASLib's files, written value by value as its format has them."""

import collections
import math
import pickle
import random
import re

import numpy as np
import pytest

from nasbench import Cell
from nasbench.build.sources.naslib import NASLib, naslib_files
from nasbench.build.sources.registry import open_source
from nasbench.errors import NASBenchError, SourceError, UnsafePickleError
from nasbench.metrics import DATASETS

INDICES = (0, 11, 284, 6111, 15_624)
# {key in the file: (file, data set here, metric of each epoch, metrics of the values behind it)}
FILES = {
    "cifar10-valid": ("cifar10", "cifar10", "val_{}", ["test_{}_25k"]),
    "cifar100": ("cifar100", "cifar100", "valtest_{}", ["val_{}", "test_{}"]),
    "ImageNet16-120": ("ImageNet16", "imagenet16-120", "valtest_{}", ["val_{}", "test_{}"]),
}
ARCH = str(Cell.from_index(0))


def table_of(key, indices=INDICES, scalars=False):
    """What a file holds: random numbers that a cell may have; with `scalars`, as numpy has them."""
    number = np.float64 if scalars else float
    rng = np.random.default_rng(len(key))
    dataset = DATASETS[FILES[key][1]]
    table = {}
    for cell in map(Cell.from_index, indices):
        evaluations = 200 + len(FILES[key][3])
        run = {
            "train_losses": rng.uniform(0, 5, 200),
            "eval_losses": rng.uniform(0, 5, evaluations),
            "train_acc1es": rng.uniform(0, 100, 200),
            "eval_acc1es": rng.uniform(0, 100, evaluations),
        }
        run = {name: [number(value) for value in values] for name, values in run.items()}
        run["cost_info"] = {
            "flops": cell.flops(dataset.classes, dataset.image_size) / 1e6,
            "params": number(cell.params(dataset.classes) / 1e6),
            "latency": number(rng.uniform(0.01, 0.03)),
            "train_time": number(rng.uniform(5, 50)),
        }
        table[str(cell)] = {key: run}
    return table


def write(folder, key, table, protocol=4):
    path = folder / f"nb201_{FILES[key][0]}_full_training.pickle"
    path.write_bytes(pickle.dumps(table, protocol))
    return path


def read(path):
    """{code: {array: row}}; each has all the arrays of the layout, in its shape."""
    source = open_source(path)
    (task,) = source.tasks
    found = {}
    for batch in source.read(task):
        assert batch.cells == 1
        assert {name: rows.shape[1:] for name, rows in batch.rows.items()} == source.layout
        found[batch.start] = {name: rows[0] for name, rows in batch.rows.items()}
    return source, found


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize(("protocol", "scalars"), [(4, False), (2, False), (3, True), (4, True), (5, True)])
def test_every_number_is_read_and_no_other(tmp_path, key, protocol, scalars):
    table = table_of(key, scalars=scalars)
    source, found = read(write(tmp_path, key, table, protocol))
    _, dataset, each, last = FILES[key]
    assert source.seeds == {(dataset, 200): (888,)}
    assert sorted(found) == sorted(Cell.from_index(index).code for index in INDICES)
    for arch, runs in table.items():
        run, rows = runs[key], found[Cell.from_string(arch).code]
        group = f"{dataset}/200"
        for kind, stem in (("accuracy", "acc1es"), ("loss", "losses")):
            train, evaluated = run[f"train_{stem}"], run[f"eval_{stem}"]
            assert rows.pop(f"{group}/curve/train_{kind}").tolist() == [train]
            assert rows.pop(f"{group}/final/train_{kind}").tolist() == [train[199]]
            assert rows.pop(f"{group}/curve/{each.format(kind)}").tolist() == [evaluated[:200]]
            assert rows.pop(f"{group}/final/{each.format(kind)}").tolist() == [evaluated[199]]
            for metric, value in zip(last, evaluated[200:], strict=True):
                assert rows.pop(f"{group}/final/{metric.format(kind)}").tolist() == [value]
        for metric in ("params", "flops", "latency"):
            assert rows.pop(f"{dataset}/{metric}") == run["cost_info"][metric]
        assert not rows


def test_a_latency_that_was_not_measured_is_not_recorded(tmp_path):
    table = table_of("cifar100", [0])
    table[ARCH]["cifar100"]["cost_info"]["latency"] = None
    _, found = read(write(tmp_path, "cifar100", table))
    assert math.isnan(found[Cell.from_index(0).code]["cifar100/latency"])


def test_the_key_says_which_data_set_it_is_and_not_the_name(tmp_path):
    path = write(tmp_path, "cifar100", table_of("cifar100")).rename(tmp_path / "renamed.pickle")
    source, _ = read(path)
    assert set(source.seeds) == {("cifar100", 200)}
    assert source.provenance["source_version"] == "renamed.pickle"
    assert len(source.provenance["source_sha256"]) == 64
    assert source.identity()["size"] == path.stat().st_size
    assert any("train_time" in note for note in source.notes)


def test_a_folder_of_one_file_is_read(tmp_path):
    write(tmp_path, "cifar100", table_of("cifar100"))
    _, found = read(tmp_path)
    assert len(found) == len(INDICES)


def test_a_folder_of_several_files_gives_their_paths(tmp_path):
    paths = [write(tmp_path, key, table_of(key, [0])) for key in FILES]
    assert naslib_files(tmp_path) == paths
    assert naslib_files(paths[1]) == paths[1:2]
    with pytest.raises(SourceError, match="has 3 NASLib files; build them one at a time"):
        NASLib(tmp_path)


def test_two_files_of_one_data_set_are_refused(tmp_path):
    path = write(tmp_path, "cifar100", table_of("cifar100", [0]))
    (tmp_path / "nb201_cifar10_full_training.pickle").write_bytes(path.read_bytes())
    with pytest.raises(SourceError, match=r"cifar10_full.*cifar100_full.* have the same data set"):
        naslib_files(tmp_path)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(SourceError, match="has none of nb201_cifar10_full_training.pickle"):
        NASLib(tmp_path)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r"cannot read .*missing.pickle: No such file"):
        NASLib(tmp_path / "missing.pickle")


def test_a_file_that_may_not_be_read_is_an_error(unprivileged):
    def check(folder):
        path = write(folder, "cifar100", table_of("cifar100", [0]))
        path.chmod(0)
        with pytest.raises(SourceError, match="cannot read .*: Permission denied"):
            NASLib(path)

    unprivileged(check)


def test_a_file_that_goes_away_before_it_is_read_is_an_error(tmp_path):
    path = write(tmp_path, "cifar100", table_of("cifar100", [0]))
    source = NASLib(path)
    path.unlink()
    with pytest.raises(SourceError, match="cannot read"):
        next(source.read(None))
    with pytest.raises(SourceError, match="cannot read"):
        source.identity()


def change(run, name, place, value):
    run[name][place] = value


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda run: run.pop("eval_losses"), r"index 284.* has no eval_losses, got"),
        (lambda run: run.pop("cost_info"), r"index 284.* has no cost_info, got"),
        (lambda run: run["cost_info"].pop("latency"), "cost_info has no latency, got"),
        (lambda run: run.update(cost_info=[1]), r"cost_info has no params, got \[1\]"),
        (lambda run: run["eval_acc1es"].pop(), "eval_acc1es must be 202 numbers, got 201"),
        (lambda run: run["eval_losses"].append(1.0), "must be 202 numbers, got 203"),
        (lambda run: run["train_acc1es"].pop(), "train_acc1es must be 200 numbers, got 199"),
        (
            lambda run: run.update(train_losses="92"),
            "train_losses must be 200 numbers, got '92'",
        ),
        (lambda run: run.update(train_losses=tuple(run["train_losses"])), "must be 200 numbers"),
        (lambda run: change(run, "train_losses", 3, "1.0"), "train_losses must be 200 numbers"),
        (lambda run: change(run, "train_losses", 3, True), "train_losses must be 200 numbers"),
        (lambda run: change(run, "eval_acc1es", 201, None), "eval_acc1es must be 202 numbers"),
        (
            lambda run: change(run, "eval_acc1es", 200, 100.5),
            r"eval_acc1es must be in \[0, 100\], got 100.5",
        ),
        (lambda run: change(run, "eval_acc1es", 0, -0.5), r"eval_acc1es must be in \[0, 100\], got -0.5"),
        (lambda run: change(run, "train_acc1es", 0, math.nan), r"must be in \[0, 100\], got nan"),
        (lambda run: change(run, "eval_losses", 7, math.inf), "must be finite and >= 0, got inf"),
        (lambda run: change(run, "eval_losses", 7, -1e-9), "must be finite and >= 0, got -1e-09"),
        (lambda run: change(run, "cost_info", "latency", -0.1), "latency must be finite and >= 0"),
        (lambda run: change(run, "cost_info", "latency", [0.1]), "latency must be 1 number"),
        (lambda run: change(run, "cost_info", "params", None), "params must be 1 number"),
        (lambda run: change(run, "cost_info", "params", 0.5), r"params is 0.5 million; .* has 0.\d+"),
        (lambda run: change(run, "cost_info", "flops", 1e6), r"flops is 1000000.0 million; .* has \d+.\d+"),
    ],
)
def test_what_the_format_does_not_foresee_is_an_error(tmp_path, edit, message):
    table = table_of("cifar100")
    arch = str(Cell.from_index(284))
    edit(table[arch]["cifar100"])
    path = write(tmp_path, "cifar100", table)
    message = message.replace("index 284", re.escape(f"{path}, {arch}"))
    with pytest.raises(SourceError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}, {arch}")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda table: table | {"|none~0|+|": table[ARCH]}, r"arch string .*, got '\|none~0\|\+\|'"),
        (lambda table: table | {ARCH.replace("skip_connect", "skip"): table[ARCH]}, "arch string .*, got"),
        (lambda table: table | {5: table[ARCH]}, r"arch string .*, got 5"),
        (lambda table: table | {None: table[ARCH]}, r"arch string .*, got None"),
        (lambda table: table | {ARCH: {"cifar10": 1}}, r"its cells must have one of the keys .*'cifar10'"),
        (lambda table: table | {ARCH: {}}, "its cells must have one of the keys cifar10-valid, "),
        (lambda table: table | {ARCH: [1]}, r"its cells must have one of the keys .*, got \[1\]"),
        (
            lambda table: table | {str(Cell(7)): table_of("cifar100", [0])[ARCH]},
            "only the key 'cifar10-valid'",
        ),
        (
            lambda table: table | {str(Cell(7)): {**table[ARCH], "cifar100": {}}},
            "only the key 'cifar10-valid'",
        ),
        (lambda table: table | {str(Cell(7)): None}, "only the key 'cifar10-valid', got None"),
        (lambda table: (table, 5), "has no dictionary, which the format requires"),
    ],
)
def test_what_is_no_table_of_cells_is_an_error(tmp_path, edit, message):
    path = write(tmp_path, "cifar10-valid", edit(table_of("cifar10-valid")))
    with pytest.raises(SourceError, match=message):
        read(path)


@pytest.mark.parametrize("root", [{}, [], [[1.0]], 5, "text"])
def test_a_pickle_of_something_else_is_an_error(tmp_path, root):
    path = tmp_path / "else.pickle"
    path.write_bytes(pickle.dumps(root))
    with pytest.raises(SourceError, match=re.escape(str(path))):
        NASLib(path)


def test_a_cell_that_is_there_twice_is_an_error(tmp_path):
    other = Cell.from_ops(reversed(Cell.from_index(0).ops))  # a string of the same length
    data = pickle.dumps(table_of("cifar10-valid", [0, other.index]))
    path = tmp_path / "twice.pickle"
    path.write_bytes(data.replace(str(other).encode(), ARCH.encode()))
    with pytest.raises(SourceError, match=re.escape(f"{path}, {ARCH} occurs twice")):
        read(path)


def test_a_global_is_refused_by_name(tmp_path):
    table = table_of("cifar10-valid")
    table[ARCH]["cifar10-valid"]["extra"] = collections.Counter
    with pytest.raises(UnsafePickleError, match=r"full_training.pickle needs the global collections.Counter"):
        read(write(tmp_path, "cifar10-valid", table))


def test_a_file_that_is_truncated_anywhere_is_an_error(tmp_path):
    path = write(tmp_path, "cifar10-valid", table_of("cifar10-valid", [0, 11]))
    data = path.read_bytes()
    rng = random.Random(0)
    for size in [0, 1, len(data) - 1, *(rng.randrange(len(data)) for _ in range(200))]:
        path.write_bytes(data[:size])
        with pytest.raises(NASBenchError):
            read(path)


def test_a_flipped_bit_gives_an_error_or_numbers_that_can_be(tmp_path):
    path = write(tmp_path, "cifar10-valid", table_of("cifar10-valid", [0, 11]))
    data = path.read_bytes()
    rng = random.Random(1)
    refused = 0
    for _ in range(200):
        place, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
        path.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
        try:
            _, found = read(path)
        except NASBenchError:
            refused += 1
            continue
        for rows in found.values():
            assert all((np.isfinite(row) & (row >= 0)).all() for row in rows.values())
    assert refused
