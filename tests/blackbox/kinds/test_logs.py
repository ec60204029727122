"""Logs against rows that are formatted one by one, and what is damaged in them."""

import numpy as np
import pytest

from blackbox.errors import RunFolderError
from blackbox.kinds.logs import EvaluationLog
from blackbox.kinds.simulation import JobLog
from blackbox.search.history import History
from blackbox.search.jobs import JobHistory
from nasbench.cell import official_index
from nasbench.spaces import TOPOLOGY
from tests.blackbox.search.test_jobs import made

HEADER = "evaluation,trial,index,score,cost\n"


def history_of(steps, trials=2, objectives=1):
    """A history of random evaluations."""
    rng = np.random.default_rng(0)
    history, shape = History(trials, objectives), (trials, steps)
    scores = rng.random(shape if objectives == 1 else (*shape, objectives)) / 3
    history.extend(rng.integers(15625, size=shape), scores, rng.random(shape) * 1e4)
    return history


def extended(steps, more):
    """A history, and one of which it is the beginning."""
    whole = history_of(more)
    part = History(whole.trials)
    part.extend(whole.codes[:, :steps], whole.scores[:, :steps], whole.costs[:, :steps])
    return part, whole


def assert_same(again, history):
    np.testing.assert_array_equal(again.codes, history.codes)
    np.testing.assert_array_equal(again.scores, history.scores)
    np.testing.assert_array_equal(again.costs, history.costs)


def one_by_one(history, trials):
    """The rows of a log, formatted one after the other."""
    lines = []
    for step in range(len(history)):
        for row, trial in enumerate(trials):
            scores = np.ravel(history.scores[row, step]).tolist()
            index = int(official_index()[history.codes[row, step]])
            values = [step + 1, trial, index, *map(repr, scores), repr(float(history.costs[row, step]))]
            lines.append(",".join(map(str, values)) + "\n")
    return lines


# Evaluations


def test_the_log_has_a_row_an_evaluation():
    history, log = history_of(3), EvaluationLog(TOPOLOGY, range(2))
    lines = (log.header + log.encode(history)).decode().splitlines(keepends=True)
    assert lines[0] == HEADER
    assert [line.split(",")[:2] for line in lines[1:]] == [
        [str(n), str(t)] for n in (1, 2, 3) for t in (0, 1)
    ]
    _, _, index, score, cost = lines[4].split(",")  # step 2, trial 1
    assert int(index) == official_index()[history.codes[1, 1]]
    assert (float(score), float(cost)) == (history.scores[1, 1], history.costs[1, 1])


@pytest.mark.parametrize("objectives", [1, 2])
@pytest.mark.parametrize("repeated", [1, 2, 30])
def test_rows_of_equal_cells_are_formatted_as_one_by_one(repeated, objectives):
    """Each of a few cells has several scores and costs; 0.0 and -0.0 among them, and failures."""
    rng, shape = np.random.default_rng(repeated), (5, 80)
    history = History(5, objectives)
    values = np.concatenate([rng.random(repeated), [0.0, -0.0, -np.inf]])
    scores = rng.choice(values, size=shape if objectives == 1 else (*shape, objectives))
    history.extend(rng.integers(7, size=shape), scores, rng.choice([0.0, 1.5, 1e22], size=shape))
    trials = [3, 4, 10, 99_999, 7]
    expected = one_by_one(history, trials)
    log = EvaluationLog(TOPOLOGY, trials, objectives)
    assert log.encode(history).decode() == "".join(expected)
    assert b"".join(log.blocks(history, 33)).decode() == "".join(expected[33 * 5 :])
    assert b"".join(log.blocks(history, 80)) == b""
    assert_same(log.decode(log.header + log.encode(history), "log.csv"), history)


def test_infinite_scores_come_back():
    history, log = History(1), EvaluationLog(TOPOLOGY, [0])
    history.append([5], [-np.inf], 0.0)
    assert log.decode(log.header + log.encode(history), "log.csv").scores.tolist() == [[-np.inf]]


def test_a_log_of_evaluations_ends_with_its_last_whole_step():
    history, log = history_of(4, trials=3), EvaluationLog(TOPOLOGY, range(3))
    data = log.header + log.encode(history)
    for cut in range(len(log.header), len(data) + 1):
        steps = (data[:cut].count(b"\n") - 1) // 3
        assert len(log.decode(data[:cut], "log.csv")) == steps
        assert data[: log.whole(data[:cut])] + b"".join(log.blocks(history, steps)) == data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first line must be"),
        ("a,b\n", "its first line must be"),
        (HEADER + "\n\n", "its rows are empty"),
        (HEADER + "1,0,5,0.5\n", "cannot reshape array"),
        (HEADER + "1,0,5,x,1\n", "is damaged: could not convert"),
        (HEADER + "2,0,5,0.5,1\n", "its rows are not"),
        (HEADER + "1,1,5,0.5,1\n", "its rows are not"),
        (HEADER + "1,0,15625,0.5,1\n", "its rows are not"),
        (HEADER + "1,0,-1,0.5,1\n", "its rows are not"),
        (HEADER + "1,0,1.5,0.5,1\n", "its rows are not"),
        (HEADER + "1,0,5,nan,1\n", "its rows are not"),
        (HEADER + "1,0,5,0.5,nan\n", "its rows are not"),
        (HEADER + "1,0,5,0.5,inf\n", "its rows are not"),
        (HEADER + "1,0,5,inf,1\n", "its rows are not"),
        (HEADER + "1,0,5,0.5,1\n1,0,5,0.5,1\n", "its rows are not 2 evaluations"),
        (HEADER + "1,0,5,0.5,1\n\n", "is damaged"),
    ],
)
def test_a_damaged_log_is_an_error(text, message):
    with pytest.raises(RunFolderError, match=message):
        EvaluationLog(TOPOLOGY, [0]).decode(text.encode(), "log.csv")


def test_a_log_that_is_not_text_is_an_error():
    with pytest.raises(RunFolderError, match="log.csv is damaged"):
        EvaluationLog(TOPOLOGY, [0]).decode(HEADER.encode() + b"\xff\xfe\x00,,,,\n", "log.csv")


def test_a_log_of_two_objectives_has_a_column_for_each():
    history, log = history_of(4, objectives=2), EvaluationLog(TOPOLOGY, range(2), 2)
    data = log.header + log.encode(history)
    lines = data.decode().splitlines()
    assert lines[0] == "evaluation,trial,index,score,score2,cost"
    number, trial, index, first, second, cost = lines[4].split(",")  # step 2, trial 1
    assert (number, trial, int(index)) == ("2", "1", official_index()[history.codes[1, 1]])
    assert [float(first), float(second)] == history.scores[1, 1].tolist()
    assert float(cost) == history.costs[1, 1]
    assert_same(log.decode(data, "log.csv"), history)
    with pytest.raises(RunFolderError, match="its first line must be evaluation,trial,index,score,cost"):
        EvaluationLog(TOPOLOGY, range(2)).decode(data, "log.csv")


def test_a_log_of_two_objectives_goes_on_after_a_cut():
    whole, log = history_of(8, objectives=2), EvaluationLog(TOPOLOGY, range(2), 2)
    expected = log.header + log.encode(whole)
    for size in range(len(expected) // 2, len(expected), 17):
        history = log.decode(expected[:size], "log.csv")
        done = len(history)
        np.testing.assert_array_equal(history.scores, whole.scores[:, :done])
        assert expected[: log.whole(expected[:size])] + b"".join(log.blocks(whole, done)) == expected


@pytest.mark.parametrize("row", ["1,0,5,0.5,nan,1", "1,0,5,nan,0.5,1", "1,0,5,0.5,x,1", "1,0,5,0.5,1"])
def test_a_damaged_log_of_two_objectives_is_an_error(row):
    log = EvaluationLog(TOPOLOGY, [0], 2)
    with pytest.raises(RunFolderError, match="log.csv is damaged"):
        log.decode(log.header + row.encode() + b"\n", "log.csv")


def test_trials_have_the_numbers_that_they_have_in_the_run():
    part, whole = extended(2, 5)
    log = EvaluationLog(TOPOLOGY, [7, 3])
    data = log.header + log.encode(part) + b"".join(log.blocks(whole, 2))
    rows = [line.split(",")[:2] for line in data.decode().splitlines()[1:]]
    assert rows == [[str(n), t] for n in range(1, 6) for t in ("7", "3")]
    np.testing.assert_array_equal(log.decode(data, "log.csv").codes, whole.codes)
    for trials in ([3, 7], range(2), [7]):
        with pytest.raises(RunFolderError, match="its rows are not"):
            EvaluationLog(TOPOLOGY, trials).decode(data, "log.csv")


@pytest.mark.parametrize("sizes", [(2, 3, 1), (1, 1, 4), (6,)])
def test_logs_of_parts_are_joined_to_that_of_all_trials(tmp_path, sizes):
    history, whole = history_of(230, trials=6), EvaluationLog(TOPOLOGY, range(6))
    expected, lines = whole.encode(history), one_by_one(history, range(6))
    logs, first = [], 0
    for size in sizes:
        part = [line for n, line in enumerate(lines) if first <= n % 6 < first + size]
        logs.append(tmp_path / f"{first}.csv")
        logs[-1].write_bytes(whole.header + "".join(part).encode())
        first += size
    assert b"".join(whole.join(logs, sizes)) == expected


# Jobs


def test_a_log_of_jobs_keeps_every_digit():
    history, log = JobHistory([0, 1], made(200, trials=(0, 1), workers=3)), JobLog(TOPOLOGY, [0, 1])
    data = log.header + log.encode(history)
    again = log.decode(data, "log.csv")
    np.testing.assert_array_equal(again.rows, history.rows)
    first = data.splitlines()[1].split(b",")
    assert int(first[2]) == official_index()[history.code[0]]
    assert float(first[6]) == history.end[0]


def test_a_log_of_jobs_ends_with_its_last_whole_line():
    history, log = JobHistory([0], made(10)), JobLog(TOPOLOGY, [0])
    data = log.header + log.encode(history)
    for cut in range(len(log.header), len(data) + 1):
        whole = data[:cut].count(b"\n") - 1
        np.testing.assert_array_equal(log.decode(data[:cut], "x").rows, history.rows[:whole])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("", "not jobs"),
        ("0,0,1,1,5.0,0.0,1.0", "damaged"),
        ("0,0,1,1,5.0,0.0,1.0,a", "damaged"),
        ("0,0,1,1,5.0,0.0,1.0,0#", "damaged"),
        ("\n", "its rows are empty"),
        ("1e300,0,1,1,5.0,0.0,1.0,0", "not jobs of 1 trial"),
        ("0,0,1,inf,5.0,0.0,1.0,0", "not jobs of 1 trial"),
        ("0.5,0,1,1,5.0,0.0,1.0,0", "not jobs of 1 trial"),
        ("0,3,1,1,5.0,0.0,1.0,0", "not jobs"),
        ("0,0,15625,1,5.0,0.0,1.0,0", "not jobs"),
        ("0,0,-1,1,5.0,0.0,1.0,0", "not jobs"),
        ("0,0,1,0,5.0,0.0,1.0,0", "not jobs"),
        ("0,0,1,1,nan,0.0,1.0,0", "not jobs"),
        ("0,0,1,1,5.0,2.0,1.0,0", "not jobs"),
        ("0,0,1,1,5.0,0.0,inf,0", "not jobs"),
        ("0,0,1,1,5.0,-1.0,1.0,0", "not jobs"),
        ("0,nan,1,1,5.0,0.0,1.0,0", "not jobs"),
    ],
)
def test_a_damaged_log_of_jobs_is_an_error(row, message):
    if not row:
        with pytest.raises(
            RunFolderError, match="x is damaged: its first line must be job,trial,index,epoch"
        ):
            JobLog(TOPOLOGY, [0]).decode(b"evaluation,trial\n", "x")
        return
    with pytest.raises(
        RunFolderError, match=f"x is damaged: .*{message}" if message != "damaged" else "damaged"
    ):
        JobLog(TOPOLOGY, [0]).decode(JobLog.header + row.encode() + b"\n", "x")


def test_logs_of_jobs_are_joined_trial_after_trial(tmp_path):
    rows, whole = JobHistory(range(4), made(30, trials=range(4))).rows, JobLog(TOPOLOGY, range(4))
    logs = []
    for trials in ([0, 1, 2], [3]):
        logs.append(tmp_path / f"{trials[0]}.csv")
        logs[-1].write_bytes(whole.header + whole.lines(rows[np.isin(rows["trial"], trials)]))
    assert b"".join(whole.join(logs, [3, 1])) == whole.lines(rows)
