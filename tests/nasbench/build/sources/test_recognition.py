import pickle
import shutil

import pytest

from nasbench.build import build
from nasbench.build.sources import hpo_bench
from nasbench.build.sources.naslib import FILES
from nasbench.build.sources.registry import KINDS, open_source, recognize
from nasbench.errors import SourceError
from nasbench.spaces import TOPOLOGY
from tests import published, stores


def nats(folder):
    published.write_folder(folder / "x", TOPOLOGY, (5,))
    return folder / "x"


def nats_tar(folder):
    published.write_tar(folder / "x.bin", nats(folder))
    return folder / "x.bin"


def nats_file(folder):
    path, _ = published.write_file(folder, TOPOLOGY, (5,))
    return path.rename(folder / "x.bin")


def first_release(folder, zipped=True):
    torch = pytest.importorskip("torch")
    release = published.first_release((5,))
    torch.save(release, folder / "x.bin", _use_new_zipfile_serialization=zipped)
    return folder / "x.bin"


def old_first_release(folder):
    return first_release(folder, zipped=False)


def naslib(folder):
    run = {name: [1.0] * 200 for name in ("train_acc1es", "train_losses")}
    run |= {name: [1.0] * 201 for name in ("eval_acc1es", "eval_losses")}
    cell = TOPOLOGY.cell(5)
    run["cost_info"] = {
        "flops": cell.flops() / 1e6,
        "params": cell.params() / 1e6,
        "latency": 0.1,
        "train_time": 1.0,
    }
    (folder / "x.bin").write_bytes(pickle.dumps({str(cell): {"cifar10-valid": run}}))
    return folder / "x.bin"


def hpo(folder):
    shutil.copytree(hpo_bench.installed_folder(), folder / "x")
    return folder / "x"


def hw(folder):
    table = {"nasbench201": {"cifar10": {"edgegpu_latency": [1.0] * TOPOLOGY.cells}}}
    (folder / "x.bin").write_bytes(pickle.dumps(table))
    return folder / "x.bin"


def table(folder):
    (folder / "x.bin").write_text("index,cifar10:200:val_accuracy\n5,50.0\n")
    return folder / "x.bin"


def store(folder):
    arrays = {"index": TOPOLOGY.official_index()}
    return stores.write(folder / "x.bin", arrays)


WRITERS = {
    nats: "nats",
    nats_tar: "nats",
    nats_file: "nats-file",
    first_release: "nas-bench-201",
    old_first_release: "nas-bench-201",
    naslib: "naslib",
    hpo: "hpo-bench",
    hw: "hw-nas-bench",
    table: "table",
    store: "store",
}


@pytest.mark.slow
@pytest.mark.parametrize("write", [nats, naslib, hpo])
def test_a_folder_may_be_inside_its_namesake(tmp_path, write):
    """As some archives unpack."""
    made, inner = write(tmp_path), tmp_path / "outer" / "outer"
    if made.is_dir():
        shutil.copytree(made, inner)
    else:
        inner.mkdir(parents=True)
        shutil.copy(made, inner / FILES[0])
    kind = WRITERS[write]
    assert recognize(tmp_path / "outer") == kind
    sources = [open_source(path, kind) for path in (tmp_path / "outer", inner)]
    assert sources[0].layout == sources[1].layout
    assert sources[0].provenance == sources[1].provenance
    assert build(tmp_path / "outer", tmp_path / "made.h5", workers=1).cells == TOPOLOGY.cells
    (inner / "outer").mkdir()  # a folder with files of its own is meant itself
    assert open_source(inner, kind).identity() == sources[1].identity()
    inner.rename(tmp_path / "outer" / "other")
    with pytest.raises(SourceError, match="outer has no file of a known source"):
        recognize(tmp_path / "outer")


@pytest.mark.parametrize(
    ("write", "kind"), WRITERS.items(), ids=lambda value: getattr(value, "__name__", value)
)
def test_every_kind_is_recognized_by_its_content(tmp_path, write, kind):
    path = write(tmp_path)
    assert recognize(path) == kind
    assert open_source(path).kind == open_source(path, kind).kind == kind


def test_every_kind_is_written_here():
    assert set(WRITERS.values()) == set(KINDS)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 600, b"some text\nof two lines", b"\x7fELF", pickle.dumps([1]), pickle.dumps({1: 2})],
)
def test_what_is_of_no_kind_is_an_error_that_names_the_kinds(tmp_path, data):
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    with pytest.raises(
        SourceError, match="x.bin is .*(known|unknown) kind.*; sources are NATS-Bench: a folder"
    ):
        recognize(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match="folder has no file of a known source; sources are"):
        recognize(tmp_path / "folder")
    with pytest.raises(SourceError, match="cannot read .*nowhere: No such file"):
        recognize(tmp_path / "nowhere")


def test_kinds_and_maps_that_do_not_fit_are_errors(tmp_path):
    with pytest.raises(SourceError, match="unknown kind of source 'x'; the kinds are nats, nats-file"):
        open_source(table(tmp_path), "x")
    for kind in KINDS:
        with pytest.raises((SourceError, OSError)):
            open_source(tmp_path / "nowhere", kind)
