"""Files that torch saved, in both of its containers; they are read without torch."""

import pickle
import random
import shutil
import subprocess
import sys
import zipfile

import pytest

from nasbench.build.sources.registry import open_source
from nasbench.errors import SourceError, UnsafePickleError
from nasbench.spaces import TOPOLOGY
from tests import published
from tests.nasbench.build.sources import attacks
from tests.nasbench.build.sources.test_nats import assert_rows_equal_file, read

torch = pytest.importorskip("torch")

INDICES = (0, 11, 284, 777)


def save(path, value, zipped=True):
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_every_value_is_read_from_both_containers(tmp_path, zipped):
    release = published.first_release(INDICES)
    path = save(tmp_path / "NAS-Bench-201-v1_1-096897.pth", release, zipped)
    with torch.serialization.safe_globals([*torch_globals()]):
        assert torch.load(path, weights_only=True)["total_archs"] == 15_625
    source = open_source(path)
    assert source.kind == "nas-bench-201"
    assert source.provenance["source"] == "NAS-Bench-201"
    found = read(source)
    assert len(found) == len(INDICES)
    for index, results in release["arch2infos"].items():
        assert_rows_equal_file(source, found[int(TOPOLOGY.official_order()[index])], results)


def torch_globals():
    import numpy as np

    return [
        np.dtype,
        type(np.dtype("float64")),
        (np._core.multiarray.scalar, "numpy._core.multiarray.scalar"),
    ]


def test_the_older_release_lacks_times_and_trials(tmp_path):
    release = published.first_release(INDICES, without=("cifar10", "cifar100", "ImageNet16-120"))
    for results in release["arch2infos"].values():
        for run in results["full"]["all_results"].values():
            run.update(train_times=None, eval_times=None)
    source = open_source(save(tmp_path / "NAS-Bench-201-v1_0-e61699.pth", release))
    assert ("cifar100", 12) not in source.seeds
    assert "cifar10/12/final/test_accuracy" not in source.layout
    found = read(source)
    for index, results in release["arch2infos"].items():
        rows = found[int(TOPOLOGY.official_order()[index])]
        run = results["full"]["all_results"]["cifar100", 777]
        assert rows["cifar100/200/final/test_accuracy"][0] == run["eval_acc1es"]["x-test@199"]
        assert rows["cifar100/200/curve/train_loss"][0].tolist() == list(run["train_losses"].values())
        assert str(rows["cifar100/200/final/train_time"].tolist()) == "[nan, nan, nan]"
        run = results["less"]["all_results"]["cifar10-valid", 111]
        assert rows["cifar10/12/final/train_time"][0] == sum(run["train_times"].values())


def test_sets_recorded_only_at_the_last_epoch_have_no_curve(tmp_path):
    release = published.first_release((0,))
    run = release["arch2infos"][0]["less"]["all_results"]["cifar100", 111]
    for name in ("eval_acc1es", "eval_losses"):
        run[name] = {key: value for key, value in run[name].items() if key.endswith("@11")}
    (rows,) = read(open_source(save(tmp_path / "some.pth", release))).values()
    assert rows["cifar100/12/final/val_accuracy"][0] == run["eval_acc1es"]["x-valid@11"]
    assert rows["cifar100/12/curve/val_accuracy"][0, -1] == run["eval_acc1es"]["x-valid@11"]
    assert str(rows["cifar100/12/curve/val_accuracy"][0, 0]) == "nan"


def test_evaluations_that_the_benchmark_has_not_are_left_out_and_noted(tmp_path):
    release = published.first_release((0,))
    run = release["arch2infos"][0]["full"]["all_results"]["cifar100", 777]
    run["eval_acc1es"].update({"x-valid@57": 1.0, "x-valid@58": 1.0})
    source = open_source(save(tmp_path / "some.pth", release))
    read(source)
    assert any("left out 2 evaluations at epochs" in note for note in source.notes)


def test_weights_are_skipped(tmp_path):
    release = published.first_release((0,))
    run = release["arch2infos"][0]["full"]["all_results"]["cifar100", 777]
    run["net_state_dict"] = {"stem": torch.arange(100.0)}
    for zipped in (True, False):
        assert len(read(open_source(save(tmp_path / f"{zipped}.pth", release, zipped)))) == 1


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda cells: cells[11]["less"].update(arch_index=3), "cell 11: protocol less has index 3"),
        (lambda cells: cells[11].update(more={}), r"cell 11: has the protocols|cell 11: it does not match"),
        (lambda cells: cells.update({15_625: cells[0]}), "cell 15625: is not an official index"),
        (lambda cells: cells.update({11: 5}), "cell 11"),
        (
            lambda cells: cells[0]["full"]["all_results"].update({("cifar100", "x"): {}}),
            "cell 0: .*seed must be an integer, got 'x'",
        ),
    ],
)
def test_what_the_format_does_not_foresee_is_an_error(tmp_path, edit, message):
    release = published.first_release((0, 11))
    edit(release["arch2infos"])
    with pytest.raises(SourceError, match=message):
        read(open_source(save(tmp_path / "some.pth", release)))


def test_a_global_is_refused_by_name(tmp_path):
    release = published.first_release((0,))
    release["more"] = shutil.rmtree
    with pytest.raises(UnsafePickleError, match="needs the global shutil.rmtree; refused"):
        read(open_source(save(tmp_path / "some.pth", release)))


@pytest.mark.slow
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("damage", ["truncate", "flip"])
def test_damage_is_an_error_or_changes_no_more_than_a_number(tmp_path, zipped, damage):
    """Only the zip archive has checksums; a value in the other may change within its range."""
    release = published.first_release((0,))
    data = save(tmp_path / "whole.pth", release, zipped).read_bytes()
    path = tmp_path / "damaged.pth"
    rng = random.Random(0)
    refused = 0
    for _ in range(50):
        place = rng.randrange(len(data))
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        path.write_bytes(data[:place] if damage == "truncate" else flipped)
        try:
            read(open_source(path, kind="nas-bench-201"))
        except SourceError as error:
            refused += "damaged.pth" in str(error)
    assert refused > (47 if damage == "truncate" else 4)


def test_other_files_are_errors(tmp_path):
    path = tmp_path / "some.pth"
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(SourceError, match="is truncated or damaged|has no dictionary"):
        open_source(path, kind="nas-bench-201")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.txt", "x")
    with pytest.raises(SourceError, match="is not a torch file: it has no data.pkl"):
        open_source(path)


def test_a_compressed_archive_is_refused_unread(tmp_path):
    path = tmp_path / "some.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(100_000_000))
    with pytest.raises(
        SourceError, match=r"some.pth: archive/data.pkl is compressed, which torch never does"
    ):
        open_source(path)


@pytest.mark.parametrize("name", [*attacks.ENDLESS, *attacks.DAMAGED])
def test_what_is_made_to_take_memory_or_time_is_refused(tmp_path, name):
    data = attacks.DAMAGED.get(name) or b"".join(attacks.ENDLESS[name])
    path = tmp_path / "some.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + data + b".")
    with pytest.raises(SourceError, match=r"some.pth"):
        open_source(path)
    path.write_bytes(b"\x80\x02" + data + b".")
    with pytest.raises(SourceError, match=r"some.pth"):
        open_source(path, kind="nas-bench-201")


def test_torch_is_not_loaded(tmp_path):
    path = save(tmp_path / "some.pth", published.first_release((0,)))
    code = "from nasbench.build.sources.registry import open_source\n"
    code += f"list(open_source({str(path)!r}).read(None))"
    code += "\nimport sys; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
