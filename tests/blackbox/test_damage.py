"""Each value in the JSON files of runs replaced by others: a reader succeeds, or says what is wrong."""

import argparse
import shutil

import pytest

from blackbox import cli
from blackbox.algorithms import algorithm
from blackbox.compare import __main__ as compare_command
from blackbox.compare.record import open_comparison, read_comparison
from blackbox.errors import BlackboxError, RunFolderError
from blackbox.kinds.reader import read_run
from blackbox.report.__main__ import expanded, main, open_run_table
from blackbox.report.gather import gather
from blackbox.workers.__main__ import resumed
from blackbox.workers.record import Record, run_kind
from nasbench.errors import NASBenchError
from nasbench.runs.command import INTERRUPTED
from nasbench.runs.folder import RunFolder
from nasbench.spaces import get_space
from tests.damage import failures

ERRORS = (BlackboxError, NASBenchError)
SEARCHES = {
    "re": ("--evals", "12", "--population", "5", "--sample", "3"),
    "nsga2": ("--evals", "12", "--population", "5"),
    "sh": ("--jobs", "12", "--fidelities", "200"),
}


@pytest.fixture(scope="module")
def runs(bench, tmp_path_factory):
    """The folders of a small run of each kind, and of a comparison."""
    folder = tmp_path_factory.mktemp("runs")
    for name, limits in SEARCHES.items():
        assert command_of(name)([*limits, "--out", str(folder / name)]) == 0
    options = ["--evals", "12", "--trials", "2", "--workers", "1", "--out", str(folder / "compared")]
    assert compare_command.main(["re:population=5,sample=3", "rs", *options]) == 0
    return folder


def command_of(name):
    search_class = algorithm(name)
    return lambda argv: cli.main(search_class, argv)


@pytest.fixture
def copied(runs, tmp_path):
    return shutil.copytree(runs, tmp_path / "runs")


def ended(main, *argv):
    """Run a command in this process, which must end with an exit code."""
    assert main(list(map(str, argv))) in (0, 2, INTERRUPTED)


ONE_OF_SEARCHES = pytest.mark.parametrize(
    "name", ["re", *(pytest.param(name, marks=pytest.mark.slow) for name in ("nsga2", "sh"))]
)


@ONE_OF_SEARCHES
def test_a_run_is_read_or_refused(copied, name):
    assert failures(copied / name / "config.json", lambda: read_run(copied / name), ERRORS) == []
    assert failures(copied / name / "summary.json", lambda: read_run(copied / name), ERRORS) == []


@ONE_OF_SEARCHES
def test_a_run_is_resumed_or_refused(copied, name, capsys):
    main, path = command_of(name), copied / name
    log = (path / "log.csv").read_bytes()

    def resume():
        ended(main, "--resume", path)
        (path / "log.csv").write_bytes(log)

    assert failures(path / "config.json", resume, ()) == []


def test_a_comparison_is_read_or_refused(copied):
    path = copied / "compared"
    record = read_comparison(path)

    def reopen():
        read_comparison(path)
        open_comparison(path, record).close()

    assert failures(path / "comparison.json", reopen, ERRORS) == []


@pytest.mark.slow
def test_a_comparison_is_resumed_or_refused(copied, capsys, monkeypatch):
    monkeypatch.setattr(compare_command, "carry_out", lambda *_: None)  # which reads no more JSON of it
    path = copied / "compared"
    assert (
        failures(
            path / "comparison.json",
            lambda: ended(compare_command.main, "--resume", path, "--workers", 1),
            (),
        )
        == []
    )


def test_a_run_is_reported_or_skipped(copied):
    path = copied / "sh"

    def report():
        run = read_run(path)
        gather([([run], open_run_table(run, None))])

    assert failures(path / "config.json", report, RunFolderError) == []
    inside = len(expanded([copied / "compared"]))
    assert (
        failures(copied / "compared" / "comparison.json", lambda: expanded([copied / "compared"]), ()) == []
    )
    assert inside == 2


def test_one_damaged_folder_does_not_end_a_report(copied, tmp_path, capsys):
    (copied / "re" / "config.json").write_text("[" * 100_000)
    assert main([str(copied), "--out", str(tmp_path / "report.html")]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 runs in ")
    assert f"note: skipped {copied}/re: {copied}/re/config.json is damaged: it is nested too deeply" in err


@pytest.mark.parametrize("name", ["re", "asha"])
def test_a_run_of_workers_is_resumed_or_refused(tmp_path, name):
    search_class = algorithm(name)
    settings = {"objective": "math:sqrt", "evals": 5, "space": "tss", "seed": 0, "fidelities": None}
    if name == "asha":
        settings["fidelities"] = [1, 3]
    config = vars(search_class.config_class())
    record = {"algorithm": search_class.name, "search": dict(config), "run": settings, "table": None}
    with RunFolder.create(tmp_path / "a", run_kind(name == "asha"), record) as folder:
        Record(folder, get_space("tss"))

    def resume():
        with RunFolder.resume(tmp_path / "a", run_kind(name == "asha")) as folder:
            resumed(folder, search_class, argparse.Namespace()).tasks()

    assert failures(tmp_path / "a" / "config.json", resume, ERRORS) == []
