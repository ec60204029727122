import numpy as np
import pytest

from blackbox.errors import RunFolderError
from blackbox.search.jobs import HEADER, JOB, JobHistory, incumbent_steps, log_rows, parse_jobs
from blackbox.search.scores import FAILED
from nasbench.spaces import TOPOLOGY

INDEX, CODES = TOPOLOGY.official_index(), TOPOLOGY.official_order()


def made(jobs, seed=0, trials=(0,), workers=1):
    """Jobs of trials with many equal scores, some of them failed; trials take turns."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(jobs * len(trials), dtype=JOB)
    rows["job"] = np.repeat(np.arange(jobs), len(trials))
    rows["trial"] = np.tile(trials, jobs)
    rows["code"] = rng.integers(15625, size=len(rows))
    rows["epochs"] = rng.choice([1, 3, 9], p=[0.7, 0.2, 0.1], size=len(rows))
    rows["score"] = np.where(rng.random(len(rows)) < 0.2, FAILED, rng.integers(10, size=len(rows)) / 3)
    rows["end"] = np.cumsum(rng.random(len(rows)))
    rows["start"] = rows["end"] * 0.9
    rows["worker"] = rng.integers(workers, size=len(rows))
    return rows


def plain_incumbents(rows):
    """The definition, one job after the other: the best at the most epochs so far, the earliest of equals."""
    found, best = [], None
    for step, row in enumerate(rows):
        key = (row["epochs"], row["score"])
        if row["score"] > FAILED and (best is None or key > best[0]):
            best = key, step
        found.append(-1 if best is None else best[1])
    return found


@pytest.mark.parametrize("seed", range(20))
def test_incumbents_are_those_of_the_plain_loop(seed):
    rows = made(100, seed)
    assert incumbent_steps(rows).tolist() == plain_incumbents(rows)
    history = JobHistory([0], rows)
    done, seconds, codes = history.anytime(0)
    steps = np.array(plain_incumbents(rows))
    before = -1
    changes = []
    for step, best in enumerate(steps):
        code = -1 if best < 0 else rows["code"][best]
        if code != before:
            changes.append((step + 1, rows["end"][step], code))
            before = code
    assert list(zip(done, seconds, codes, strict=True)) == changes


def test_there_is_no_incumbent_where_all_jobs_failed():
    rows = made(5)
    rows["score"] = FAILED
    assert incumbent_steps(rows).tolist() == [-1] * 5
    for none in (rows, made(0)):
        assert [len(part) for part in JobHistory([0], none).anytime(0)] == [0, 0, 0]


def test_trials_are_kept_apart():
    rows = made(50, trials=(2, 0, 1))
    history = JobHistory([2, 0, 1, 7], rows)
    assert len(history) == 150
    assert history.trial.tolist() == [2] * 50 + [0] * 50 + [1] * 50
    for trial in (0, 1, 2):
        np.testing.assert_array_equal(history.of(trial), rows[rows["trial"] == trial])
    assert len(history.of(7)) == 0


def test_fields_are_attributes_and_read_only():
    history = JobHistory([0], made(20))
    fields = (history.job, history.trial, history.code, history.epochs, history.score, history.start)
    fields += (history.end, history.worker)
    for name, field in zip(JOB.names, fields, strict=True):
        np.testing.assert_array_equal(field, history.rows[name])
        with pytest.raises(ValueError, match="read-only"):
            field[0] = 0


def test_a_log_keeps_every_digit():
    history = JobHistory([0, 1], made(200, trials=(0, 1), workers=3))
    data = HEADER.encode() + log_rows(history.rows, INDEX)
    again = parse_jobs(data, "log.csv", [0, 1], CODES)
    np.testing.assert_array_equal(again.rows, history.rows)
    first = data.splitlines()[1].split(b",")
    assert int(first[2]) == INDEX[history.code[0]]
    assert float(first[6]) == history.end[0]


def test_a_log_ends_with_its_last_whole_line():
    history = JobHistory([0], made(10))
    data = HEADER.encode() + log_rows(history.rows, INDEX)
    for cut in range(len(HEADER), len(data) + 1):
        whole = data[:cut].count(b"\n") - 1
        np.testing.assert_array_equal(parse_jobs(data[:cut], "x", [0], CODES).rows, history.rows[:whole])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("", "not jobs"),
        ("0,0,1,1,5.0,0.0,1.0", "damaged"),
        ("0,0,1,1,5.0,0.0,1.0,a", "damaged"),
        ("0,0,1,1,5.0,0.0,1.0,0#", "damaged"),
        ("\n", "its rows are empty"),
        ("1e300,0,1,1,5.0,0.0,1.0,0", "not jobs of 1 trials"),
        ("0,0,1,inf,5.0,0.0,1.0,0", "not jobs of 1 trials"),
        ("0.5,0,1,1,5.0,0.0,1.0,0", "not jobs of 1 trials"),
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
def test_a_damaged_log_is_an_error(row, message):
    if not row:
        with pytest.raises(
            RunFolderError, match="x is damaged: its first line should be job,trial,index,epoch"
        ):
            parse_jobs(b"evaluation,trial\n", "x", [0], CODES)
        return
    with pytest.raises(
        RunFolderError, match=f"x is damaged: .*{message}" if message != "damaged" else "damaged"
    ):
        parse_jobs(HEADER.encode() + row.encode() + b"\n", "x", [0], CODES)
