"""What multi-fidelity searches did: the jobs of their trials as an array."""

import numpy as np

from blackbox.search.base import FAILED

JOB = np.dtype(
    [
        ("job", np.int64),  # its number, in the order of asking
        ("trial", np.int64),
        ("code", np.int64),
        ("epochs", np.int64),  # that the cell had been trained for at its end
        ("score", np.float64),  # higher is better; -inf: it failed
        ("start", np.float64),  # seconds from the start of the trial
        ("end", np.float64),
        ("worker", np.int64),  # from 0
    ]
)


class JobHistory:
    """The jobs of some trials that have ended: trial after trial, each in the order of their ends.

    >>> first, second = (0, 0, 7, 1, 60.0, 0.0, 5.0, 0), (1, 0, 9, 1, 50.0, 5.0, 9.0, 0)
    >>> history = JobHistory([0], [first, second, (2, 0, 7, 3, 65.0, 9.0, 20.0, 0)])
    >>> history.code.tolist(), history.epochs.tolist(), history.end.tolist()
    ([7, 9, 7], [1, 1, 3], [5.0, 9.0, 20.0])
    >>> [changes.tolist() for changes in history.anytime(0)]
    [[1], [5.0], [7]]

    `trials`: their numbers, a list; `rows`: read-only (n,) of dtype JOB, whose fields are attributes too.
    """

    def __init__(self, trials, rows):
        """`rows`: tuples, or an array of dtype JOB; those of a trial in their order."""
        self.trials = list(trials)
        place = {trial: n for n, trial in enumerate(self.trials)}
        rows = np.array(rows, dtype=JOB)
        places = np.array([place[trial] for trial in rows["trial"].tolist()], dtype=np.intp)
        rows = rows[np.argsort(places, kind="stable")]
        rows.flags.writeable = False
        self.rows = rows
        ends = np.bincount(places, minlength=len(self.trials)).cumsum().tolist()
        self._slices = {
            trial: slice(*ends)
            for trial, ends in zip(self.trials, zip([0, *ends], ends, strict=False), strict=True)
        }

    def __len__(self):
        """Jobs of all trials."""
        return len(self.rows)

    @property
    def job(self):
        return self.rows["job"]

    @property
    def trial(self):
        return self.rows["trial"]

    @property
    def code(self):
        return self.rows["code"]

    @property
    def epochs(self):
        return self.rows["epochs"]

    @property
    def score(self):
        return self.rows["score"]

    @property
    def start(self):
        return self.rows["start"]

    @property
    def end(self):
        return self.rows["end"]

    @property
    def worker(self):
        return self.rows["worker"]

    def of(self, trial):
        """The rows of a trial, in the order of their ends."""
        return self.rows[self._slices[trial]]

    def anytime(self, trial):
        """When the incumbent of a trial changed: (jobs done, seconds, its code), arrays (changes,).

        The incumbent is the cell with the best score among those trained for the most epochs so far.
        """
        rows = self.of(trial)
        steps = incumbent_steps(rows)
        codes = np.where(steps < 0, -1, rows["code"][steps])
        changed = np.flatnonzero(np.diff(codes, prepend=-1))
        return changed + 1, rows["end"][changed], codes[changed]


def incumbent_steps(rows):
    """The row of the incumbent after each of a trial's rows, int64 (n,); -1: all jobs so far failed.

    The best score at the most epochs so far; the earliest of equals.
    """
    epochs, scores = rows["epochs"], rows["score"]
    order = np.lexsort((scores, epochs))
    better = np.ones(len(rows), dtype=np.int64)  # than the one before it in that order, not as good
    better[1:] = (np.diff(epochs[order]) != 0) | (scores[order][1:] != scores[order][:-1])
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = better.cumsum()
    rank[scores == FAILED] = 0
    best = np.maximum.accumulate(rank)
    improved = np.diff(best, prepend=0) > 0
    return np.maximum.accumulate(np.where(improved, np.arange(len(rows)), -1))
