"""Comparisons that are stopped, killed, or run out of room: what is left of them, and where they end."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from blackbox.compare.pool import Watch, Worker, carry_out
from blackbox.compare.record import open_comparison, write_findings
from blackbox.compare.spec import Spec
from blackbox.compare.study import Part, Study
from blackbox.errors import RunFolderError
from blackbox.table.settings import RunConfig
from tests.blackbox.compare.tasks import Alone
from tests.blackbox.compare.test_main import files
from tests.blackbox.terminal import shown_on_terminal

ODD = "tests.blackbox.compare.searches:Odd"
COMMAND = [sys.executable, "-m", "blackbox.compare"]


class StopAfter(Watch):
    """Stops a task after so many looks at it, at each of which it is saved."""

    def __init__(self, looks):
        super().__init__(Alone())
        self._left = looks

    @property
    def stopped(self):
        return self._left <= 0

    def is_time(self):
        self._left -= 1
        return True


def study_of(texts, folder, **settings):
    """A Study, whose folder exists as that of a comparison."""
    if folder is not None:
        folder.mkdir(exist_ok=True)
    settings = RunConfig(**{"space": "tss", "signal": "val_accuracy@200"} | settings)
    return Study(tuple(map(Spec.parse, texts)), settings, None, folder, "now")


# Parts


@pytest.mark.parametrize("trials", [1, 15, 16, 17, 100, 499, 800, 801, 5000, 20_000, 100_000])
def test_parts_are_all_trials_once(trials):
    parts = study_of(["re", "rs"], None, trials=trials).parts
    for number in range(2):
        own = [part for part in parts if part.number == number]
        assert [trial for part in own for trial in part.trials] == list(range(trials))
        assert len(own) <= 400
        assert len(own) >= min(trials, 9)


def test_folders_of_labels_that_are_alike(tmp_path):
    study = study_of(["re:sample=3", f"{ODD}:flag=a/b", f"{ODD}:flag=a_b", f"{ODD}:flag=../a"], tmp_path)
    names = [study.run_folder(number).name for number in range(4)]
    odd = "tests.blackbox.compare.searches_Odd_flag="
    assert names == ["re_sample=3", f"{odd}a_b", f"{odd}a_b_2", f"{odd}.._a"]
    assert all(study.run_folder(number).parent == tmp_path for number in range(4))


@pytest.mark.parametrize("text", ["re:population=10,sample=3", "ls", "bananas"])
@pytest.mark.parametrize("looks", [0, 1, 25])
def test_a_part_goes_on_from_its_log(home, tmp_path, text, looks):
    settings = {"trials": 20, "evals": 40, "noise": "seed"}
    whole, stopped = (study_of([text], tmp_path / name, **settings) for name in ("whole", "stopped"))
    part = Part(0, 4, 6)
    assert Worker(whole).part(part, Watch(Alone())) == (40, None)
    assert Worker(stopped).part(part, StopAfter(looks)) is None
    log = stopped.part_folder(part) / "log.csv"
    assert len(log.read_bytes().splitlines()) == 1 + 2 * max(1, looks)
    with open(log, "ab") as file:
        file.write(b"99,5,12")  # a row that was cut short
    task = Alone()
    assert Worker(stopped).part(part, Watch(task)) == (40, None)
    assert task.share == 1.0
    assert log.read_bytes() == (whole.part_folder(part) / "log.csv").read_bytes()


@pytest.mark.parametrize("looks", [0, 1, 60, 150])
def test_a_part_of_a_simulation_goes_on_from_its_log(curves, tmp_path, looks):
    settings = {"trials": 20, "budget": 8000.0}
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole, stopped = (
        Study(
            (Spec.parse("asha"),),
            RunConfig(space="tss", signal="val_accuracy@200", **settings),
            str(curves),
            tmp_path / name,
            "now",
        )
        for name in ("whole", "stopped")
    )
    part = Part(0, 4, 7)
    steps, _ = Worker(whole).part(part, Watch(Alone()))
    assert steps > 200
    assert Worker(stopped).part(part, StopAfter(looks)) is None
    assert Worker(stopped).part(part, Watch(Alone())) == (steps, None)
    log = stopped.part_folder(part) / "log.csv"
    assert log.read_bytes() == (whole.part_folder(part) / "log.csv").read_bytes()
    # Once more, when it was ended: the last trial is simulated again.
    assert Worker(stopped).part(part, Watch(Alone())) == (steps, None)
    assert log.read_bytes() == (whole.part_folder(part) / "log.csv").read_bytes()
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([lines[0], *lines[:0:-1]]))
    with pytest.raises(RunFolderError, match="is damaged"):
        Worker(stopped).part(part, Watch(Alone()))


def test_a_damaged_log_of_a_part_is_an_error(home, tmp_path):
    study = study_of(["rs"], tmp_path, trials=4, evals=10)
    Worker(study).part(Part(0, 0, 1), Watch(Alone()))
    log = study.part_folder(Part(0, 0, 1)) / "log.csv"
    log.write_text(re.sub(r"(?m)^1,0,\d+,", "1,0,7,", log.read_text()))
    with pytest.raises(RunFolderError, match="is damaged: its scores or costs differ from the table"):
        Worker(study).part(Part(0, 0, 1), Watch(Alone()))


def test_a_run_that_was_half_joined_is_joined_anew(home, tmp_path):
    undisturbed, killed = (
        study_of(["rs"], tmp_path / name, trials=4, budget=20_000.0) for name in ("undisturbed", "killed")
    )
    carry_out(undisturbed, 2)
    worker = Worker(killed)
    for part in killed.parts[:3]:
        worker.part(part, Watch(Alone()))
    half = killed.parts_folder(0) / "whole"
    half.mkdir(parents=True)
    (half / "config.json").write_text("{}")
    carry_out(killed, 1)
    assert files(killed.folder / "rs") == files(undisturbed.folder / "rs")


# The command


def test_what_a_search_raises_passes(home):
    with pytest.raises(ArithmeticError, match="intended failure"):
        carry_out(study_of([f"{ODD}:fail=3"], None, trials=2, evals=5), 2)


def start(*argv, **options):
    return subprocess.Popen(
        [*COMMAND, *map(str, argv)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def finish(*argv):
    """The command to its end: (exit code, stdout, stderr)."""
    with start(*argv) as process:
        out, err = process.communicate()
    return process.returncode, out, err


SLOW = ["rs", f"{ODD}:wait=0.02", "--trials", 2, "--evals", 90, "--workers", 2]


@pytest.fixture(scope="module")
def undisturbed(home, tmp_path_factory):
    path = tmp_path_factory.mktemp("undisturbed") / "out"
    code, out, _ = finish(*SLOW, "--out", path)
    assert code == 0
    return path, out


def test_an_interrupt(compare, tmp_path):
    path = tmp_path / "out"
    argv = [f"{ODD}:wait=0.05", "--trials", 1, "--evals", 200, "--out", path]

    def interrupt():
        until(lambda: list(path.glob(".parts/*/0/log.csv")))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    code, out, err = compare(*argv)
    thread.join()
    assert (code, out) == (130, "")
    assert err == f"interrupted; continue with: python -m blackbox.compare --resume {path}\n"
    [log] = path.glob(".parts/*/0/log.csv")
    assert 1 < len(log.read_text().splitlines()) < 200


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_it_goes_on_to_the_same_end(undisturbed, tmp_path, number):
    path = tmp_path / "out"
    process = start(*SLOW, "--out", path)
    logs = path / ".parts"
    until(lambda: any(log.stat().st_size > 1000 for log in logs.glob("tests*/*/log.csv")))
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert out == ""
        assert err == f"interrupted; continue with: python -m blackbox.compare --resume {path}\n"
    else:
        assert process.returncode == -signal.SIGKILL
        time.sleep(0.5)  # its processes end, too
    assert "findings" not in json.loads((path / "comparison.json").read_text())
    code, out, err = finish("--resume", path)
    assert (code, err) == (0, "")
    assert files(path) == files(undisturbed[0])
    assert out.replace(str(path), "") == undisturbed[1].replace(str(undisturbed[0]), "")


@pytest.mark.slow
def test_without_a_folder_an_interrupt_leaves_nothing(home):
    process = start(f"{ODD}:wait=0.05")
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "interrupted; use --out FOLDER to keep completed work\n"


def test_a_process_that_is_killed(tmp_path, compare, plain):
    flag, path = tmp_path / "flag", tmp_path / "out"
    flag.write_text("")
    argv = ["rs", f"{ODD}:fail=5,flag={flag}", "--trials", 4, "--evals", 10, "--out", path]
    code, out, err = compare(*argv)
    assert (code, out) == (2, "")
    assert err == (
        "python -m blackbox.compare: error: a process died: it ran out of memory or was killed;"
        " try fewer --workers; run the same command again to continue\n"
    )
    flag.unlink()
    assert compare(*argv)[0] == 0
    assert compare(*argv[:-2], "--out", tmp_path / "other")[0] == 0
    assert files(path) == files(tmp_path / "other")


@pytest.mark.slow
def test_a_full_disk(home, tmp_path):
    """Files may have only so many bytes: less than the log of a part, or only less than that of a run."""
    path = tmp_path / "out"
    argv = ["rs", "--trials", "4", "--evals", "300", "--out", path]

    def limit(size):
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    for size, name in ((10_000, r"\.parts/rs/\d/log\.csv"), (30_000, r"\.parts/rs/whole/log\.csv")):
        process = start(*argv, preexec_fn=limit(size))
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (2, "")
        said = re.fullmatch(r"python -m blackbox.compare: error: cannot write (.*): File too large\n", err)
        assert re.search(name, said[1]), said[1]
    assert finish(*argv)[0] == 0
    assert finish(*argv[:-1], tmp_path / "other")[0] == 0
    assert files(path) == files(tmp_path / "other")


def test_a_terminal_sees_how_far_it_is(home):
    program = [*COMMAND, f"{ODD}:wait=0.005", "--trials", "2", "--evals", "40"]
    shown = shown_on_terminal(program)
    assert b"comparison: 100%" in shown
    assert b"2/2" in shown


@pytest.mark.parametrize("text", ["re", "rs"])
def test_a_part_does_not_create_a_removed_folder_again(tmp_path, text):
    study = study_of([text], tmp_path / "a", trials=20, evals=5)
    study.folder.rmdir()
    with pytest.raises(RunFolderError, match="cannot write to the folder .*: No such file or directory"):
        Worker(study).part(study.parts[0], StopAfter(100))
    assert list(tmp_path.iterdir()) == []


def test_findings_of_a_removed_folder_are_an_error(tmp_path):
    with open_comparison(tmp_path / "a", {"algorithms": ["re"]}) as folder:
        shutil.rmtree(tmp_path / "a")
        with pytest.raises(RunFolderError, match="a was removed or replaced during the comparison"):
            write_findings(folder, {})
    assert list(tmp_path.iterdir()) == []


def test_a_comparison_whose_folder_is_removed_ends_with_an_error(tmp_path):
    out = tmp_path / "a"
    command = [
        *COMMAND,
        "re",
        "rs",
        "--trials",
        "5000",
        "--evals",
        "1000",
        "--workers",
        "2",
        "--out",
        str(out),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(out.glob(".parts/*/*/log.csv")):
        assert process.poll() is None
        time.sleep(0.02)
    out.rename(tmp_path / "b")  # at once, as no process writes in between
    shutil.rmtree(tmp_path / "b", ignore_errors=True)
    said, err = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, "")
    assert err.count("\n") == 1
    assert "error: " in err
    assert not out.exists()
