"""NATS-Bench files: those that tests write value by value, and the genuine samples where there are some."""

import bz2
import os
import pickle
import random
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from nasbench.build.sources.registry import open_source
from nasbench.errors import NASBenchError, SourceError, UnsafePickleError
from nasbench.metrics import METRICS, SPLITS
from nasbench.spaces import SIZE, TOPOLOGY
from tests import published
from tests.nasbench.build.sources import attacks

INDICES = (0, 11, 284, 300, 777, 888, 1999, 15_624)
NAN, INFINITY = float("nan"), float("inf")
STEMS = {"accuracy": "acc1es", "loss": "losses", "time": "times"}


@pytest.fixture(scope="module")
def topology(tmp_path_factory):
    """A folder of the topology space, and what is in it."""
    folder = tmp_path_factory.mktemp("published") / "NATS-tss-v1_0-made-simple"
    return folder, published.write_folder(folder, TOPOLOGY, INDICES)


@pytest.fixture(scope="module")
def size(tmp_path_factory):
    """A folder of the size space, and what is in it."""
    folder = tmp_path_factory.mktemp("published") / "NATS-sss-v1_0-made-simple"
    return folder, published.write_folder(folder, SIZE, (0, 11, 284, 32_767))


def read(source):
    """All that a source gives: {code: {array: row}}."""
    found = {}
    for task in source.tasks:
        for batch in source.read(task):
            for place in range(batch.cells):
                rows = {name: rows[place] for name, rows in batch.rows.items()}
                if not all(np.isnan(row).all() for row in rows.values()):
                    assert batch.start + place not in found
                    found[batch.start + place] = rows
    return found


def assert_rows_equal_file(source, rows, results):
    """Every number of a cell's file is in its row, at its place, and nothing else is."""
    left = {name: np.array(row) for name, row in rows.items()}
    for key, runs in results.items():
        epochs = published.EPOCHS[key]
        for (trial, seed), run in runs["all_results"].items():
            for (dataset, split), place in SPLITS.items():
                if place.trial != trial:
                    continue
                column = source.seeds[dataset, epochs].index(seed)
                for kind, stem in STEMS.items():
                    metric = next(m.name for m in METRICS.values() if (m.split, m.kind) == (split, kind))
                    if place.evaluation_set == "train":
                        values = dict(run[f"train_{stem}"])
                    else:
                        values = {
                            epoch: run[f"eval_{stem}"][f"{place.evaluation_set}@{epoch}"]
                            for epoch in range(epochs)
                            if f"{place.evaluation_set}@{epoch}" in run[f"eval_{stem}"]
                        }
                    group = f"{dataset}/{epochs}"
                    final = values[epochs - 1]
                    if kind == "time":
                        assert take(left, f"{group}/per_epoch/{metric}", column) == values[0]
                        if METRICS[metric].accumulates:
                            final = sum(values.values())
                    elif f"{group}/curve/{metric}" in left:
                        assert len(values) == epochs
                        curve = take(left, f"{group}/curve/{metric}", column)
                        assert curve.tolist() == list(values.values())
                    elif epochs > 1:
                        assert list(values) == [epochs - 1]
                    assert take(left, f"{group}/final/{metric}", column) == final
            if trial != "cifar10":
                for name, metric in (("params", "params"), ("flop", "flops")):
                    assert rows[f"{dataset_of(trial)}/{metric}"] == run[name]
                assert rows[f"{dataset_of(trial)}/latency"] == run["latency"][0]
    for name, row in left.items():
        assert np.isnan(row).all() or name.count("/") == 1, name


def attempt(path):
    """Read a folder or archive that may be damaged: (what it is refused for, source, what is read)."""
    try:
        source = open_source(path, kind="nats")
        return None, source, read(source)
    except NASBenchError as error:
        return str(error), None, None


def take(left, name, column):
    """A value, which is then no longer left."""
    value = left[name][column].copy()
    left[name][column] = np.nan
    return value


def dataset_of(trial):
    return next(dataset for (dataset, _), place in SPLITS.items() if place.trial == trial)


@pytest.mark.parametrize("space", ["topology", "size"])
def test_every_value_of_every_file_is_read(space, request):
    folder, written = request.getfixturevalue(space)
    source = open_source(folder)
    assert source.kind == "nats"
    found = read(source)
    order = source.space.official_order()
    assert set(found) == {order[index] for index in written}
    for index, results in written.items():
        assert_rows_equal_file(source, found[int(order[index])], results)


@pytest.mark.slow
def test_templates_and_unpickling_give_the_same(tmp_path):
    """Of many cells most are read by template: those that hold the same kinds of operations."""
    indices = range(400, 450)
    written = published.write_folder(tmp_path, TOPOLOGY, indices)
    source = open_source(tmp_path)
    found = read(source)
    extract, unpickled = source._templates._extract, []
    source._templates._extract = lambda results, index: unpickled.append(index) or extract(results, index)
    again = read(source)
    assert len(unpickled) < len(indices) / 2, "hardly a template was used, so this would show nothing"
    for code, rows in found.items():
        for name, row in rows.items():
            np.testing.assert_array_equal(again[code][name], row)
    for index, results in written.items():
        assert_rows_equal_file(source, found[int(TOPOLOGY.official_order()[index])], results)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: run["train_losses"].update({5: NAN}),
        lambda run: run["eval_acc1es"].update({"x-test@199": NAN}),
        lambda run: run.update(latency=[np.float64(NAN)]),
        lambda run: run["eval_losses"].update({"ori-test@7": INFINITY}),
    ],
)
def test_a_template_takes_no_nan_or_infinity_for_a_value_that_is_not_recorded(tmp_path, spoil):
    published.write_folder(tmp_path, TOPOLOGY, range(400, 420))
    source = open_source(tmp_path)
    read(source)  # makes the templates
    for index in (404, 411, 418):
        published.write_cell(tmp_path, TOPOLOGY, index)
        change(tmp_path, index, lambda results: spoil(run_of(results)))
        with pytest.raises(SourceError, match=f"{index:06d}.pickle.pbz2"):
            read(source)
        published.write_cell(tmp_path, TOPOLOGY, index)


def test_an_archive_is_read_as_its_folder(topology, tmp_path):
    folder, written = topology
    path = tmp_path / "some.tar"
    published.write_tar(path, folder)
    source = open_source(path)
    assert source.kind == "nats"
    assert source.provenance["source_version"] == folder.name
    expected = read(open_source(folder))
    for code, rows in read(source).items():
        for name, row in rows.items():
            np.testing.assert_array_equal(row, expected[code][name])


def test_a_single_file_is_read_as_a_folder(tmp_path):
    for space, indices in ((TOPOLOGY, INDICES), (SIZE, (0, 11, 32_767))):
        path, written = published.write_file(tmp_path, space, indices)
        source = open_source(path)
        assert source.kind == "nats-file"
        found = read(source)
        assert len(found) == len(indices)
        for index, results in written.items():
            assert_rows_equal_file(source, found[int(space.official_order()[index])], results)


def test_weights_are_skipped(tmp_path):
    """Files of the full release hold tensors, pickled through torch's own functions."""
    torch = pytest.importorskip("torch")
    weights = {"stem.0.weight": torch.arange(2000.0).reshape(10, 200)}
    results = published.write_cell(tmp_path, TOPOLOGY, 284, weights=weights)
    assert b"_rebuild_tensor" in bz2.decompress((tmp_path / "000284.pickle.pbz2").read_bytes())
    source = open_source(tmp_path)
    (rows,) = read(source).values()
    assert_rows_equal_file(source, rows, results)


def test_a_folder_without_its_meta_file_is_read(tmp_path):
    published.write_folder(tmp_path, SIZE, (5,), meta=False)
    source = open_source(tmp_path)
    assert source.space is SIZE
    assert any("there is no meta file" in note for note in source.checks)


# What is wrong with a file is said with its name


def change(folder, index, edit):
    """Write a cell's file anew, changed; `edit(results)`."""
    path = folder / f"{index:06d}.pickle.pbz2"
    results = pickle.loads(bz2.decompress(path.read_bytes()))
    edited = edit(results)
    path.write_bytes(published.packed(results if edited is None else edited))


def run_of(results, key="200", trial="cifar100", seed=777):
    return results[key]["all_results"][trial, seed]


def with_an_unknown_seed(results):
    results["200"]["all_results"]["cifar100", 5] = run_of(results)
    results["200"]["dataset_seed"]["cifar100"].append(5)


def without_a_trial(results):
    del results["200"]["dataset_seed"]["cifar100"]
    for seed in (777, 888, 999):
        del results["200"]["all_results"]["cifar100", seed]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda r: r["12"].update(arch_index=12), "protocol 12 has index 12, expected 11"),
        (
            lambda r: r["200"].update(arch_str=r["200"]["arch_str"].replace("none", "avg_pool_3x3")),
            "but index",
        ),
        (lambda r: r.pop("12") and None, r"has the protocols \['200'\]; expected \['12', '200'\]"),
        (lambda r: r.update({"90": r["12"]}), r"has the protocols \['12', '200', '90'\]"),
        (lambda r: [1], r"must be a dictionary of protocols, got \[1\]"),
        (lambda r: r.update({"12": 5}), "protocol 12 must be a dictionary, got 5"),
        (lambda r: r["12"].pop("all_results") and None, "it has no 'all_results'"),
        (lambda r: run_of(r)["train_acc1es"].pop(199) and None, "train_acc1es has 199 epochs, expected 200"),
        (lambda r: run_of(r)["train_acc1es"].update({200: 1.0}), "train_acc1es has 201 epochs, expected 200"),
        (
            lambda r: run_of(r)["eval_losses"].pop("ori-test@57") and None,
            "eval_losses of ori-test lacks 1 of 200",
        ),
        (
            lambda r: run_of(r)["eval_losses"].update({"x-valid@57": 1.0}),
            "eval_losses has 203 values, expected",
        ),
        (
            lambda r: run_of(r)["eval_acc1es"].update({"other@199": 1.0}),
            "eval_acc1es has 203 values, expected",
        ),
        (lambda r: run_of(r).update(eval_times=None), "eval_times must be a dictionary, got None"),
        (
            lambda r: run_of(r)["train_losses"].update({5: NAN}),
            "train_losses of train contains NaN",
        ),
        (lambda r: run_of(r)["train_losses"].update({5: INFINITY}), "200 epochs: train loss is inf"),
        (lambda r: run_of(r)["train_losses"].update({5: -0.5}), "train loss is -0.5"),
        (
            lambda r: run_of(r)["train_losses"].update({5: "1"}),
            "train_losses of train must be numbers, got '1'",
        ),
        (lambda r: run_of(r)["train_losses"].update({5: True}), "must be numbers, got True"),
        (lambda r: run_of(r)["eval_acc1es"].update({"x-test@199": 100.5}), "x-test accuracy is 100.5"),
        (lambda r: run_of(r)["train_times"].update({3: -1.0}), "train time is -1.0"),
        (lambda r: run_of(r).update(name="cifar10"), "the run identifies itself as"),
        (lambda r: run_of(r).update(seed="0778"), "the run identifies itself as"),
        (lambda r: run_of(r).update(epochs=199), "the run identifies itself as"),
        (lambda r: run_of(r).update(latency=[]), r"latency must be one number in a list, got \[\]"),
        (lambda r: run_of(r).update(params=None), "params must be a number, got None"),
        (
            lambda r: run_of(r).update(params=0.5),
            r"params on cifar100 is \[.*0.5.*\]; a network of this cell has",
        ),
        (lambda r: run_of(r).update(flop=1.0), "flops on cifar100 is"),
        (lambda r: run_of(r).pop("params") and None, "it has no 'params'"),
        (lambda r: r["200"]["all_results"].update({("cifar100", 5): run_of(r)}), "lists the seeds"),
        (lambda r: r["200"]["dataset_seed"].update(cifar100=[777, 888]), "lists the seeds"),
        (with_an_unknown_seed, "no such run is published"),
        (without_a_trial, r"has no run of \['cifar100'\]"),
    ],
)
def test_what_the_format_does_not_foresee_is_an_error(tmp_path, edit, message):
    published.write_folder(tmp_path, TOPOLOGY, (0, 11), meta=False)
    published.write_cell(tmp_path, TOPOLOGY, 11)
    change(tmp_path, 11, edit)
    with pytest.raises(SourceError, match=message) as caught:
        read(open_source(tmp_path))
    assert "000011.pickle.pbz2" in str(caught.value)


def test_a_file_under_another_name_is_an_error(topology, tmp_path):
    folder, _ = topology
    shutil.copy(folder / "000284.pickle.pbz2", tmp_path / "000283.pickle.pbz2")
    with pytest.raises(SourceError, match="000283.pickle.pbz2: protocol 12 has index 284, expected 283"):
        read(open_source(tmp_path))


def test_a_global_is_refused_by_name_and_never_called(tmp_path):
    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    published.write_folder(tmp_path, TOPOLOGY, (0, 11), meta=False)
    change(tmp_path, 11, lambda results: results.update(extra=Harmful()))
    with pytest.raises(UnsafePickleError, match=r"000011.pickle.pbz2 needs the global \w+.mkdir; refused"):
        read(open_source(tmp_path))
    assert not (tmp_path / "made").exists()


def test_a_bomb_is_refused_before_memory_is_taken(tmp_path):
    published.write_folder(tmp_path, TOPOLOGY, (0, 11))
    (tmp_path / "000011.pickle.pbz2").write_bytes(bz2.compress(bytes(100_000_000)))
    with pytest.raises(
        SourceError, match=r"000011.pickle.pbz2 unpacks to more than 16,\d+,\d+ bytes; refused"
    ):
        read(open_source(tmp_path))
    (tmp_path / "meta.pickle.pbz2").write_bytes(bz2.compress(bytes(100_000_000)))
    with pytest.raises(SourceError, match=r"meta.pickle.pbz2 unpacks to more than"):
        open_source(tmp_path)


@pytest.mark.parametrize("name", attacks.DAMAGED)
def test_a_cell_made_to_take_the_stack_or_time_is_refused(tmp_path, name):
    published.write_folder(tmp_path, TOPOLOGY, (0, 11), meta=False)
    (tmp_path / "000011.pickle.pbz2").write_bytes(bz2.compress(attacks.damaged(name)(-1)))
    with pytest.raises(SourceError, match=r"000011.pickle.pbz2 (is|asks for|needs the global)"):
        read(open_source(tmp_path))


def test_a_cell_that_makes_much_of_little_is_refused(tmp_path):
    published.write_folder(tmp_path, TOPOLOGY, (0, 11), meta=False)
    (tmp_path / "000011.pickle.pbz2").write_bytes(
        bz2.compress(attacks.endless("bytes of a text, thrown away")(3 << 20))
    )
    with pytest.raises(SourceError, match=r"000011.pickle.pbz2 is damaged or malicious"):
        read(open_source(tmp_path))


def test_a_single_file_that_is_a_bomb_is_refused(tmp_path):
    path = tmp_path / "cells.pickle.pbz2"
    path.write_bytes(bz2.compress((b"B\0\0\x10\0" + bytes(1 << 20) + b"0") * 40))
    with pytest.raises(SourceError, match="cells.pickle.pbz2 unpacks to more than 16 times its size"):
        open_source(path)


def test_seeds_that_are_no_plain_values_are_an_error(tmp_path):
    published.write_folder(tmp_path, TOPOLOGY, (0, 11))
    change(tmp_path, 11, lambda results: results["200"]["dataset_seed"].update(cifar100=[((1,),)]))
    with pytest.raises(SourceError, match="a key must be a short plain value"):
        read(open_source(tmp_path))


def test_text_of_a_file_is_short_and_printable_in_messages(tmp_path):
    text = "\x1b[31m\n" * 1000
    for edit in (
        lambda results: results["200"].update(arch_str=text),
        lambda results: results["200"].update(arch_index=text),
        lambda results: run_of(results).update(name=text),
        lambda results: run_of(results).update(params=text),
        lambda results: results.update({text: {}}),
        lambda results: results["200"]["all_results"].update({(text, 777): {}}),
    ):
        published.write_folder(tmp_path, TOPOLOGY, (0, 11))
        change(tmp_path, 11, edit)
        with pytest.raises(SourceError, match="000011.pickle.pbz2") as caught:
            read(open_source(tmp_path))
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 700


def test_a_truncated_file_is_refused_wherever_it_ends(topology, tmp_path):
    folder, _ = topology
    path = tmp_path / "000284.pickle.pbz2"
    data = (folder / path.name).read_bytes()
    rng = random.Random(0)
    for end in [0, 1, len(data) - 1, *(rng.randrange(len(data)) for _ in range(50))]:
        path.write_bytes(data[:end])
        with pytest.raises(SourceError, match=r"000284.pickle.pbz2 is (truncated|damaged)"):
            read(open_source(tmp_path, kind="nats"))


def test_a_flipped_bit_is_refused_or_changes_no_number(topology, tmp_path):
    folder, written = topology
    path = tmp_path / "000284.pickle.pbz2"
    data = (folder / path.name).read_bytes()
    rng = random.Random(1)
    harmless = 0
    for place in [0, 3, len(data) - 1, *(rng.randrange(len(data)) for _ in range(50))]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        refusal, source, found = attempt(tmp_path)
        if refusal is None:
            harmless += 1
            assert_rows_equal_file(source, *found.values(), written[284])
        else:
            assert "000284.pickle.pbz2" in refusal
    assert harmless < 3


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncate", "flip"])
def test_a_damaged_archive_is_refused_or_lacks_cells(tmp_path, damage):
    """A bit of a member's name can turn its file into one that is not looked for; it is then missing."""
    folder = tmp_path / "made"
    written = published.write_folder(folder, TOPOLOGY, (11, 284))
    whole = tmp_path / "whole.tar"
    published.write_tar(whole, folder)
    data = whole.read_bytes()
    archive_end = len(data.rstrip(b"\0"))
    path = tmp_path / "damaged.tar"
    rng = random.Random(2)
    refused = 0
    for _ in range(50):
        place = rng.randrange(archive_end)
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        path.write_bytes(data[:place] if damage == "truncate" else flipped)
        refusal, source, found = attempt(path)
        if refusal is not None:
            assert "damaged.tar" in refusal
            refused += 1
            continue
        for index, results in written.items():
            code = int(TOPOLOGY.official_order()[index])
            if code in found:
                assert_rows_equal_file(source, found[code], results)
    assert refused > 37


def test_an_archive_with_a_file_twice_is_refused(topology, tmp_path):
    folder, _ = topology
    path = tmp_path / "twice.tar"
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            archive.add(folder / "000284.pickle.pbz2", "x/000284.pickle.pbz2")
    with pytest.raises(SourceError, match="twice.tar has 000284.pickle.pbz2 twice"):
        open_source(path)


def test_a_compressed_archive_is_an_error(topology, tmp_path):
    folder, _ = topology
    path = tmp_path / "packed.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "x")
    with pytest.raises(SourceError, match="is not a known kind of source"):
        open_source(path)


def test_meta_files_that_list_other_cells_are_refused(tmp_path):
    published.write_folder(tmp_path, TOPOLOGY, (5,))
    meta = published.meta_of(TOPOLOGY)
    meta["meta_archs"][3:5] = reversed(meta["meta_archs"][3:5])
    (tmp_path / "meta.pickle.pbz2").write_bytes(published.packed(meta))
    with pytest.raises(SourceError, match="meta.pickle.pbz2: its list of cells matches no known space"):
        open_source(tmp_path)
    (tmp_path / "meta.pickle.pbz2").write_bytes(published.packed([1]))
    with pytest.raises(SourceError, match="meta.pickle.pbz2: its list of cells matches no known space"):
        open_source(tmp_path)


def test_indices_beyond_the_space_are_refused(tmp_path):
    published.write_folder(tmp_path, TOPOLOGY, (5,))
    shutil.copy(tmp_path / "000005.pickle.pbz2", tmp_path / "015625.pickle.pbz2")
    with pytest.raises(SourceError, match="015625.pickle.pbz2: indices of the NAS-Bench-201 end at 15624"):
        open_source(tmp_path)


def test_a_folder_of_other_protocols_is_refused(tmp_path):
    (tmp_path / "000005.pickle.pbz2").write_bytes(published.packed({"7": {}}))
    with pytest.raises(SourceError, match="its protocols match no known space"):
        open_source(tmp_path)


def test_a_single_file_whose_md5_differs_is_refused(tmp_path):
    path, _ = published.write_file(tmp_path, TOPOLOGY, (0, 11))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"its md5 ends in \w+, its name says"):
        open_source(path)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncate", "flip"])
def test_a_damaged_single_file_is_refused_even_without_the_md5(tmp_path, damage):
    path, written = published.write_file(tmp_path, TOPOLOGY, (0, 11))
    data = path.read_bytes()
    path = tmp_path / "renamed.pickle.pbz2"
    rng = random.Random(3)
    for _ in range(50):
        place = rng.randrange(len(data))
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        path.write_bytes(data[:place] if damage == "truncate" else flipped)
        with pytest.raises(SourceError, match="renamed.pickle.pbz2"):
            read(open_source(path, kind="nats-file"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda cells: cells.update({15_625: cells[0]}), "cell 15625: is not an official index"),
        (lambda cells: cells.update({"x": cells[0]}), "cell 'x': is not an official index"),
        (lambda cells: cells.update({5: cells[0]}), "cell 5: protocol 12 has index 0, expected 5"),
        (lambda cells: cells[11].pop("12") and None, "cell 11: has the protocols"),
    ],
)
def test_cells_of_a_single_file_are_checked(tmp_path, edit, message):
    cells = {index: published.results_of(TOPOLOGY, index) for index in (0, 11)}
    edit(cells)
    path = tmp_path / "some.pickle.pbz2"
    path.write_bytes(published.packed(published.meta_of(TOPOLOGY, cells)))
    with pytest.raises(SourceError, match=message):
        read(open_source(path))


def test_a_single_file_with_a_cell_twice_is_refused(tmp_path):
    """A pickle can say a key twice, though a dictionary cannot hold it twice."""
    data = pickle.dumps(published.meta_of(TOPOLOGY, {0: published.results_of(TOPOLOGY, 0), 1: 7}), protocol=4)
    assert data.count(b"K\x01K\x07") == 1
    path = tmp_path / "some.pickle.pbz2"
    path.write_bytes(bz2.compress(data.replace(b"K\x01K\x07", b"K\x00K\x07")))
    with pytest.raises(SourceError, match="cell 0: occurs twice"):
        read(open_source(path))


def test_a_single_file_with_bytes_behind_its_end_is_refused(tmp_path):
    path, _ = published.write_file(tmp_path, TOPOLOGY, (0,))
    (tmp_path / "more.pickle.pbz2").write_bytes(path.read_bytes() + b"more")
    with pytest.raises(SourceError, match="more.pickle.pbz2 is damaged: there are bytes after its end"):
        read(open_source(tmp_path / "more.pickle.pbz2"))


def test_a_single_file_with_another_list_of_cells_is_refused(tmp_path):
    meta = published.meta_of(TOPOLOGY, {0: published.results_of(TOPOLOGY, 0)})
    meta["meta_archs"].reverse()
    path = tmp_path / "some.pickle.pbz2"
    path.write_bytes(published.packed(meta))
    with pytest.raises(SourceError, match="its list of cells is not the official one"):
        read(open_source(path))
    path.write_bytes(published.packed(published.meta_of(TOPOLOGY, {})))
    with pytest.raises(SourceError, match="some.pickle.pbz2 has no cell"):
        open_source(path)
    path.write_bytes(published.packed({"meta_archs": []}))
    with pytest.raises(SourceError, match="has no dictionary 'arch2infos'"):
        open_source(path)


def test_files_that_cannot_be_read_are_errors(unprivileged):
    def check(folder):
        published.write_folder(folder / "x", TOPOLOGY, (5,), meta=False)
        (folder / "x" / "000005.pickle.pbz2").chmod(0)
        with pytest.raises(SourceError, match="cannot read .*000005.pickle.pbz2: Permission denied"):
            open_source(folder / "x")
        (folder / "x").chmod(0)
        with pytest.raises(SourceError, match="cannot read .*x: Permission denied"):
            open_source(folder / "x")
        (folder / "x").chmod(0o700)

    unprivileged(check)


# Genuine files


GENUINE = os.environ.get("NASBENCH_SAMPLES")
needs_genuine = pytest.mark.skipif(
    not GENUINE, reason="NASBENCH_SAMPLES names no folder with nats-tss-samples and nats-sss-samples"
)


@needs_genuine
@pytest.mark.parametrize("space", ["tss", "sss"])
def test_every_value_of_the_genuine_samples_is_read(space):
    folder = Path(GENUINE) / f"nats-{space}-samples"
    source = open_source(folder)
    found = read(source)
    assert len(found) == 3
    for path in sorted(folder.glob("0*.pbz2")):
        code = int(source.space.official_order()[int(path.name[:6])])
        results = pickle.loads(bz2.decompress(path.read_bytes()))
        assert_rows_equal_file(source, found[code], results)
