"""The command: which folders it takes, which files it overwrites, what it says."""

import json
import os
import shutil

import pytest

from blackbox import cli
from blackbox.compare.__main__ import main as compare
from blackbox.re import RegularizedEvolution
from blackbox.report.__main__ import expanded, main
from nasbench import NB201
from tests.nasbench.pages.test_pack import read_counts
from tests.running import runner


@pytest.fixture
def command(capsys):
    return runner(main, capsys)


def data_of(path):
    return json.loads(path.read_text().split('id="data">')[1].split("</script>")[0])


def refused(command, *argv):
    """What the command says on stderr, which is one line, when it fails."""
    code, out, err = command(*argv)
    assert (code, out) == (2, "")
    return err


def test_runs_or_a_folder_of_them(command, runs, tmp_path):
    code, out, err = command(runs / "re", runs / "rs", "--out", tmp_path / "two.html", "--title", "A <title>")
    assert (code, err) == (0, "")
    assert out.startswith(f"2 runs in {tmp_path / 'two.html'} (")
    assert "<h1>A &lt;title&gt;</h1>" in (tmp_path / "two.html").read_text()
    code, out, err = command(runs, runs / "re", "--out", tmp_path / "new" / "all.html")
    assert (code, err) == (0, "")
    data = data_of(tmp_path / "new" / "all.html")
    assert sorted(len(comparison["runs"]) for comparison in data["comparisons"]) == [1, 2]


def test_the_folder_of_a_comparison_in_its_order(command, tmp_path):
    options = ["--evals", "30", "--trials", "3", "--workers", "1", "--out", str(tmp_path / "compared")]
    assert compare(["rs", "re:population=20", "ls", *options]) == 0
    code, _, err = command(tmp_path / "compared", "--out", tmp_path / "report.html")
    assert (code, err) == (0, "")
    labels = [series["label"] for series in data_of(tmp_path / "report.html")["series"]]
    assert labels == ["random search", "regularized evolution, population 20", "local search"]


def test_one_run(command, runs, tmp_path):
    _, out, _ = command(runs / "rs", "--out", tmp_path / "one.html")
    assert out.startswith("1 run in ")


def test_what_is_no_run_is_skipped_and_named(command, runs, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    shutil.copytree(runs / "rs", tmp_path / "damaged")
    (tmp_path / "damaged" / "log.csv").write_text("evaluation,trial\n1,2\n")
    shutil.copytree(runs / "rs", tmp_path / "half")
    (tmp_path / "half" / "config.json").unlink()
    (tmp_path / "loop").symlink_to("loop")
    broken = ["empty", "file", "damaged", "half", "absent", "loop", "long" * 100]
    out = tmp_path / "report.html"
    code, _, err = command(*(tmp_path / name for name in broken), runs / "re", "--out", out)
    assert code == 0
    lines = err.splitlines()
    assert len(lines) == 7
    for name, line in zip(broken, lines, strict=True):
        assert line.startswith(f"note: skipped {tmp_path / name}: ")
    assert len(data_of(out)["comparisons"][0]["runs"]) == 1


def test_no_run_at_all(command, tmp_path):
    err = refused(command, tmp_path, "--out", tmp_path / "report.html")
    assert err.splitlines()[-1] == (
        "python -m blackbox.report: error: none of the folders is a run folder;"
        " python -m blackbox.re --out FOLDER creates one"
    )
    assert not (tmp_path / "report.html").exists()


def test_a_table_that_is_elsewhere(command, runs, topology, tmp_path):
    shutil.copytree(runs / "rs", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["table"]["store"] = str(tmp_path / "gone.h5")
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    out = tmp_path / "report.html"
    err = refused(command, tmp_path / "run", "--out", out)
    assert "gone.h5" in err
    assert f"cannot open the table of {tmp_path / 'run'}: " in err
    assert "; try --store FILE" in err
    err = refused(command, tmp_path / "run", "--out", out, "--store", topology)
    assert f"is a run on a different table than {topology}" in err
    code, _, err = command(tmp_path / "run", "--out", out, "--store", NB201().store.path)
    assert (code, err) == (0, "")


def test_only_a_report_is_overwritten(command, runs, tmp_path):
    out = tmp_path / "notes.html"
    out.write_text("my notes")
    err = refused(command, runs / "rs", "--out", out)
    assert err == (
        f"python -m blackbox.report: error: '{out}' exists and is not a report; use --force to overwrite it\n"
    )
    assert out.read_text() == "my notes"
    assert command(runs / "rs", "--out", out, "--force")[0] == 0
    assert command(runs / "re", "--out", out)[0] == 0
    assert len(data_of(out)["comparisons"]) == 1
    assert os.listdir(tmp_path) == ["notes.html"]


def test_what_cannot_be_written(command, runs, tmp_path, unprivileged):
    assert "--out must be a file, got the folder" in refused(command, runs / "rs", "--out", tmp_path)
    (tmp_path / "file").write_text("")
    err = refused(command, runs / "rs", "--out", tmp_path / "file" / "report.html")
    assert "--out cannot write" in err
    assert err.endswith("Not a directory\n")
    os.mkfifo(tmp_path / "pipe")
    for more in ([], ["--force"]):
        err = refused(command, runs / "rs", "--out", tmp_path / "pipe", *more)
        assert "--out must be a file, got the device or pipe" in err
    assert "File name too long" in refused(command, runs / "rs", "--out", tmp_path / ("a" * 300 + ".html"))


def test_folders_without_the_right_to_read(unprivileged):
    def names(folder):
        for name in ("a", "b", "c"):
            (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / "a" / "config.json").write_text("")
        (folder / "runs" / "b").chmod(0)
        assert expanded([folder / "runs"]) == [folder / "runs" / "a", folder / "runs" / "b"]
        (folder / "runs").chmod(0)
        assert expanded([folder / "runs"]) == [folder / "runs"]
        (folder / "runs").chmod(0o700)
        (folder / "runs" / "b").chmod(0o700)

    unprivileged(names)


def test_a_run_is_read_as_it_is_named(command, runs, tmp_path):
    name = "<img src=x onerror=alert(1)>"
    shutil.copytree(runs / "rs", tmp_path / name)
    assert command(tmp_path / name, "--out", tmp_path / "report.html")[0] == 0
    text = (tmp_path / "report.html").read_text()
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


@pytest.mark.slow
def test_five_large_runs_are_a_small_file(command, tmp_path):
    settings = [("10", "5"), ("30", "10"), ("100", "10"), ("100", "50"), ("300", "10")]
    for population, sample in settings:
        options = ["--population", population, "--sample", sample, "--trials", "500", "--evals", "1000"]
        out = str(tmp_path / "runs" / population / sample)
        assert cli.main(RegularizedEvolution, [*options, "--out", out]) == 0
    folders = [tmp_path / "runs" / population / sample for population, sample in settings]
    code, _, err = command(*folders, "--out", tmp_path / "report.html")
    assert (code, err) == (0, "")
    assert (tmp_path / "report.html").stat().st_size < 3e6
    (comparison,) = data_of(tmp_path / "report.html")["comparisons"]
    assert [run["summary"]["trials"] for run in comparison["runs"]] == [500] * 5
    for run in comparison["runs"]:
        assert sum(read_counts(run["visits"])) == 500_000
