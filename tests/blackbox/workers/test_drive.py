"""The loop, its tasks and its record, on evaluations that end in an order that a generator decides."""

import csv
import resource
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from blackbox.algorithms import algorithm
from blackbox.errors import ObjectiveError, RunFolderError, WorkersError
from blackbox.re import EvolutionConfig, RegularizedEvolution
from blackbox.rs import RandomSearch
from blackbox.search.loop import run
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201_SPACE, CategoricalSpace
from blackbox.workers.drive import drive
from blackbox.workers.evaluation import Outcome
from blackbox.workers.record import Record, run_kind
from blackbox.workers.tasks import Cells, Jobs
from nasbench import Cell
from nasbench.runs.folder import RunFolder
from nasbench.spaces import TOPOLOGY


def score_of(text, epochs=1):
    """Scores with many equal values."""
    return float(Cell.from_string(text).code * 7919 % 1009 // 10 + epochs)


class StopError(Exception):
    """What a kill is to the loop."""


class Shuffled:
    """As a Pool, of workers whose evaluations end in any order."""

    def __init__(self, workers, seed=0, kill_at=None, outcome=None):
        self.workers = workers
        self.calls = []
        self.out = {}
        self._generator = np.random.default_rng(seed)
        self._kill_at = kill_at
        self._outcome = outcome or (lambda *arguments: Outcome(score_of(*arguments), 0.25, "one"))

    def size(self):
        return self.workers

    def submit(self, number, *arguments):
        assert number not in self.out
        assert len(self.out) < self.workers
        self.out[number] = arguments

    def next(self, wait):
        if len(self.calls) == self._kill_at:
            raise StopError
        if not self.out:
            return None
        number = list(self.out)[self._generator.integers(len(self.out))]
        arguments = self.out.pop(number)
        self.calls.append(arguments)
        return number, self._outcome(*arguments)


EVOLUTION = EvolutionConfig(population=10, sample=3)
OF_CELLS = ["re", "rs", "ls"]
SEARCHES = [*OF_CELLS, "sh", "hyperband", "asha", "bohb"]


def tasks_of(name, record=None):
    search_class = algorithm(name)
    if name in OF_CELLS:
        history = None if record is None else record.history()
        config = EVOLUTION if name == "re" else None
        return Cells(search_class(NB201_SPACE, config, seed=3, history=history))
    return Jobs(search_class(NB201_SPACE, 9, seed=3), () if record is None else record.rows())


@contextmanager
def create(path, name):
    with RunFolder.create(path, run_kind(name not in OF_CELLS), {}) as folder:
        yield Record(folder, TOPOLOGY)


@contextmanager
def reopened(path, name):
    with RunFolder.resume(path, run_kind(name not in OF_CELLS)) as folder:
        record = Record.resume(folder, TOPOLOGY)
        tasks = tasks_of(name, record)
        yield record, tasks, record.restore(tasks)


def log(path):
    return [line.split(",") for line in (path / "log.csv").read_text().splitlines()[1:]]


def asked(path):
    return [line.split(",") for line in (path / "asked.csv").read_text().splitlines()[1:]]


def told_cells(path, name):
    if name in OF_CELLS:
        return sorted(row[2] for row in log(path))
    return sorted((row[0], row[2]) for row in log(path))


def asked_cells(path, name):
    return sorted(row[1] if name in OF_CELLS else (row[0], row[1]) for row in asked(path))


def test_one_worker_is_the_loop_of_every_search():
    tasks = tasks_of("re")
    assert drive(tasks, Shuffled(1), 60, Cell)
    search = RegularizedEvolution(NB201_SPACE, EVOLUTION, seed=3)
    history = run(search, lambda codes: [score_of(str(Cell(codes[0])))], evals=60)
    np.testing.assert_array_equal(tasks.search.history.codes, history.codes)
    np.testing.assert_array_equal(tasks.search.history.scores, history.scores)
    assert tasks.seconds == 15


@pytest.mark.parametrize("name", SEARCHES)
def test_every_task_is_evaluated_once_and_told(tmp_path, name):
    pool = Shuffled(5)
    tasks = tasks_of(name)
    with create(tmp_path / "run", name) as record:
        assert drive(tasks, pool, 70, Cell, record)
    assert len(tasks) == len(pool.calls) == 70
    assert not pool.out
    assert told_cells(tmp_path / "run", name) == asked_cells(tmp_path / "run", name)
    best = tasks.best()
    if name in OF_CELLS:
        assert best.score == max(score_of(*arguments) for arguments in pool.calls)
    else:
        assert best.score == max(score_of(*arguments) for arguments in pool.calls if arguments[1] == 9)
        assert best.epochs == 9
        assert {row[7] for row in log(tmp_path / "run")} == {"0"}
        ends = [float(row[6]) for row in log(tmp_path / "run")]
        assert ends == sorted(ends)


def test_asynchronous_steps_of_a_random_search_are_those_of_a_sequential_one():
    tasks = Cells(RandomSearch(NB201_SPACE, seed=3))
    drive(tasks, Shuffled(7), 50, Cell)
    history = run(RandomSearch(NB201_SPACE, seed=3), lambda codes: codes * 1.0, evals=50)
    assert sorted(tasks.search.history.codes[0]) == sorted(history.codes[0])


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("kill_at", [0, 1, 4, 30, 69])
def test_a_killed_run_goes_on_and_nothing_is_lost_or_made_twice(tmp_path, name, kill_at):
    path = tmp_path / "run"
    first = Shuffled(4, kill_at=kill_at)
    with create(path, name) as record, pytest.raises(StopError):
        drive(tasks_of(name), first, 70, Cell, record)
    before = log(path)
    assert len(before) == kill_at
    with open(path / "log.csv", "a") as file:
        file.write("71,0,1")  # a row that the kill cut short
    with open(path / "asked.csv", "a") as file:
        file.write("99,1")
    second = Shuffled(2, seed=1)
    with reopened(path, name) as (record, tasks, unfinished):
        out = sorted(arguments[0] for arguments in first.out.values())
        assert sorted(str(Cell(task.code)) for task in unfinished) == out
        assert drive(tasks, second, 70, Cell, record, unfinished)
    assert log(path)[:kill_at] == before
    assert len(log(path)) == 70
    assert len(second.calls) == 70 - kill_at
    assert told_cells(path, name) == asked_cells(path, name)
    assert name != "ls" or len(set(told_cells(path, name))) == 70  # it knows what is out, so no cell is twice
    assert len(asked(path)) == 70


@pytest.mark.parametrize("name", SEARCHES)
def test_what_is_resumed_asks_as_what_was_never_stopped(tmp_path, name):
    path = tmp_path / "run"
    whole = tasks_of(name)
    pool = Shuffled(4, kill_at=37)
    with create(path, name) as record, pytest.raises(StopError):
        drive(whole, pool, 70, Cell, record)
    with reopened(path, name) as (_, tasks, unfinished):
        pass
    assert tasks.end == whole.end
    for task in unfinished:
        outcome = Outcome(score_of(str(Cell(task.code))), 0.25, "one")
        whole.tell(task, outcome, 1e6)
        tasks.tell(task, outcome, 1e6)
    for _ in range(20):
        task = tasks.ask(0)
        assert task == whole.ask(0)
        for each in (tasks, whole):
            each.tell(task, Outcome(score_of(str(Cell(task.code))), 0.25, "one"), 1e6)


def test_limits_are_raised_when_a_finished_run_goes_on(tmp_path):
    path = tmp_path / "run"
    with create(path, "re") as record:
        drive(tasks_of("re"), Shuffled(3), 20, Cell, record)
    with reopened(path, "re") as (record, tasks, unfinished):
        assert not unfinished
        assert drive(tasks, Shuffled(3), 20, Cell, record)
        assert len(asked(path)) == 20
        drive(tasks, Shuffled(3), 25, Cell, record)
    assert len(log(path)) == len(asked(path)) == 25


def test_a_search_that_is_over_ends_before_its_limit():
    space = CategoricalSpace((2, 2))
    tasks = Jobs(algorithm("sh")(space, 3))
    assert drive(tasks, Shuffled(3), 100, Cell)
    codes = {row[2] for row in tasks.rows}
    assert codes == {0, 1, 2, 3}
    assert len(tasks) < 8


def failing(text, *_):
    if "none" in text:
        return Outcome(FAILED, 0.25, "one", "ZeroDivisionError: none", 'Traceback\nof two lines, at "none"\n')
    return Outcome(1.0, 0.25, "one")


def test_a_failure_ends_the_run_and_is_evaluated_again(tmp_path):
    path = tmp_path / "run"
    pool = Shuffled(3, outcome=failing)
    with create(path, "re") as record, pytest.raises(ObjectiveError, match="failed: ZeroDivisionError: none"):
        drive(tasks_of("re"), pool, 70, Cell, record)
    failed = pool.calls[-1][0]
    assert len(log(path)) == len(pool.calls) - 1
    with open(path / "failures.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["cell"], row["error"], row["worker"]) == (failed, "ZeroDivisionError: none", "one")
    assert row["traceback"] == 'Traceback\nof two lines, at "none"'
    assert Cell.from_index(int(row["index"])) == Cell.from_string(failed)
    with reopened(path, "re") as (record, tasks, unfinished):
        assert Cell.from_string(failed).code in [task.code for task in unfinished]
        drive(tasks, Shuffled(3), 70, Cell, record, unfinished)
    assert len(log(path)) == 70


@pytest.mark.parametrize("name", ["re", "asha"])
def test_keep_going_counts_a_failure_as_the_worst_score(tmp_path, name):
    path = tmp_path / "run"
    tasks = tasks_of(name)
    with create(path, name) as record:
        assert drive(tasks, Shuffled(3, outcome=failing), 60, Cell, record, keep_going=True)
    failed = [row for row in log(path) if row[4 if name == "asha" else 3] == "-inf"]
    assert 0 < len(failed) == tasks.failures < 60
    with open(path / "failures.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(failed)
    assert tasks.best().score == 1
    with reopened(path, name) as (_, again, unfinished):
        pass
    assert (again.failures, unfinished) == (tasks.failures, [])


def test_without_one_success_there_is_no_best():
    for name in ("rs", "asha"):
        tasks = tasks_of(name)
        assert tasks.best() is None
        drive(
            tasks, Shuffled(2, outcome=lambda *_: Outcome(FAILED, 0.0, "", "bad")), 9, Cell, keep_going=True
        )
        assert tasks.best() is None


def test_a_failure_that_the_objective_says_itself_is_none_to_stop_for():
    tasks = tasks_of("rs")
    assert drive(tasks, Shuffled(2, outcome=lambda *_: Outcome(FAILED, 0.0, "")), 9, Cell)
    assert tasks.failures == 9


def test_without_workers_it_waits_and_then_gives_up():
    pool = Shuffled(0)
    looks = []

    def look(out, workers):
        looks.append((out, workers))
        if len(looks) == 3:
            pool.workers = 2
        return False

    tasks = tasks_of("rs")
    assert drive(tasks, pool, 5, Cell, patience=60, look=look)
    assert looks[:3] == [(0, 0)] * 3
    assert len(tasks) == 5
    with pytest.raises(WorkersError, match="no worker for 0.01 s"):
        drive(tasks_of("rs"), Shuffled(0), 5, Cell, patience=0.01)


def test_a_look_can_end_it():
    tasks = tasks_of("rs")
    assert not drive(tasks, Shuffled(2), 50, Cell, look=lambda out, workers: len(tasks) == 7)
    assert len(tasks) == 7
    assert drive(tasks, Shuffled(2), 7, Cell, look=lambda out, workers: True)


@pytest.mark.parametrize("name", ["re", "asha"])
@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("asked.csv", lambda rows: ["nonsense", *rows[1:]], "its first line must be evaluation,index,told"),
        ("asked.csv", lambda rows: [*rows[:3], "2,x,0", *rows[4:]], "its row 3 is not a task"),
        ("asked.csv", lambda rows: [*rows[:3], *rows[4:]], "its row 3 is not a task"),
        ("asked.csv", lambda rows: [*rows[:3], "2,15625,0", *rows[4:]], "its row 3 is not a task"),
        ("asked.csv", lambda rows: [*rows[:3], "2,1,3", *rows[4:]], "its row 3 is not a task"),
        ("asked.csv", lambda rows: rows[:4], "its log (has|lacks)"),
        ("log.csv", lambda rows: ["nonsense", *rows[1:]], "its first line must be"),
    ],
)
def test_damage_is_said(tmp_path, name, file, change, message):
    path = tmp_path / "run"
    with create(path, name) as record:
        drive(tasks_of(name), Shuffled(2), 20, Cell, record)
    rows = (path / file).read_text().splitlines()
    (path / file).write_text("\n".join(change(rows)) + "\n")
    with pytest.raises(RunFolderError, match=f"damaged: {message}"), reopened(path, name):
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:4], "its log lacks completed jobs"),
        (
            lambda rows: [*rows[:2], rows[2].replace(",1,", ",3,"), *rows[3:]],
            "its log has jobs that the search did not ask",
        ),
    ],
)
def test_a_log_of_other_jobs_is_damage(tmp_path, change, message):
    path = tmp_path / "run"
    with create(path, "asha") as record:
        drive(tasks_of("asha"), Shuffled(1), 20, Cell, record)
    rows = (path / "log.csv").read_text().splitlines()
    (path / "log.csv").write_text("\n".join(change(rows)) + "\n")
    with pytest.raises(RunFolderError, match=message), reopened(path, "asha"):
        pass


def test_settings_that_lead_elsewhere_are_damage(tmp_path):
    path = tmp_path / "run"
    with create(path, "asha") as record:
        drive(tasks_of("asha"), Shuffled(2), 20, Cell, record)
    with RunFolder.resume(path, run_kind(by_jobs=True)) as folder:
        record = Record.resume(folder, TOPOLOGY)
        jobs = Jobs(algorithm("asha")(NB201_SPACE, 9, seed=4), record.rows())
        with pytest.raises(RunFolderError, match="its jobs do not match its settings"):
            record.restore(jobs)


def test_a_folder_that_cannot_be_written_to_is_an_error(unprivileged):
    def check(folder):
        with create(folder / "run", "rs") as record:
            (folder / "run").chmod(0o500)
            task = tasks_of("rs").ask(0)
            with pytest.raises(RunFolderError, match="cannot write .*failures.csv: Permission denied"):
                record.write_failure(task, failing("none"))
        (folder / "run" / "asked.csv").chmod(0o400)
        with (
            RunFolder.resume(folder / "run", run_kind(by_jobs=False)) as folder_again,
            pytest.raises(RunFolderError, match="cannot write .*asked.csv: Permission denied"),
        ):
            Record.resume(folder_again, TOPOLOGY)

    unprivileged(check)


def test_a_full_disk_is_an_error(tmp_path):
    with create(tmp_path / "run", "rs") as record:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))  # the header of asked.csv, no row
        try:
            with pytest.raises(RunFolderError, match="cannot write .*asked.csv: File too large"):
                record.write_task(tasks_of("rs").ask(0), 0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_folder_that_is_removed_during_the_run_is_an_error(tmp_path):
    with create(tmp_path / "run", "rs") as record:
        shutil.rmtree(tmp_path / "run")
        task = tasks_of("rs").ask(0)
        for write in (
            lambda: record.write_task(task, 0),
            lambda: record.write_failure(task, Outcome(None, 0.0, "one")),
        ):
            with pytest.raises(RunFolderError, match="was removed or replaced during the run|No such file"):
                write()
    assert list(tmp_path.iterdir()) == []
