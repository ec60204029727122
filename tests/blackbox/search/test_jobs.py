import numpy as np
import pytest

from blackbox.search.jobs import JOB, JobHistory, incumbent_steps
from blackbox.search.scores import FAILED


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
        np.testing.assert_array_equal(history.trial_jobs(trial), rows[rows["trial"] == trial])
    assert len(history.trial_jobs(7)) == 0


def test_fields_are_attributes_and_read_only():
    history = JobHistory([0], made(20))
    fields = (history.job, history.trial, history.code, history.epochs, history.score, history.start)
    fields += (history.end, history.worker)
    for name, field in zip(JOB.names, fields, strict=True):
        np.testing.assert_array_equal(field, history.rows[name])
        with pytest.raises(ValueError, match="read-only"):
            field[0] = 0
