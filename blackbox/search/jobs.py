"""The completed jobs of multi-fidelity searches, as rows and as an array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, get_type_hints

import numpy as np
from numpy.typing import NDArray

from blackbox.errors import ConfigError
from blackbox.search.scores import FAILED
from nasbench.arrays import Codes, Seconds
from nasbench.runs.text import counted, duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 400  # of time, in a plot


class JobRow(NamedTuple):
    """A completed job."""

    job: int  #: number of the job in the order of asking, from 0
    trial: int  #: number of the trial
    code: int  #: code of the cell
    epochs: int  #: epochs that the cell has been trained for at the end of the job
    score: float  #: higher is better; -inf if the job failed
    start: float  #: start of the job, in seconds from the start of the trial
    end: float  #: end of the job, in seconds from the start of the trial
    worker: int  #: number of the worker, from 0


JOB = np.dtype([(name, np.dtype(kind)) for name, kind in get_type_hints(JobRow).items()])
JobRows = NDArray[np.void]  # (n,), of dtype JOB


class JobHistory:
    """The completed jobs of some trials, sorted by trial, then by the time of completion.

    >>> first, second = (0, 0, 7, 1, 60.0, 0.0, 5.0, 0), (1, 0, 9, 1, 50.0, 5.0, 9.0, 0)
    >>> history = JobHistory([0], [first, second, (2, 0, 7, 3, 65.0, 9.0, 20.0, 0)])
    >>> history.code.tolist(), history.epochs.tolist(), history.end.tolist()
    ([7, 9, 7], [1, 1, 3], [5.0, 9.0, 20.0])
    >>> [changes.tolist() for changes in history.anytime(0)]
    [[1], [5.0], [7]]

    The fields of `JobRow` are attributes, read-only arrays of shape (n,). The attribute `rows` is the array
    of all fields, of dtype `JOB`.

    Parameters
    ----------
    trials
        Numbers of the trials.
    rows
        The fields of `JobRow` for each job, or an array of dtype `JOB`; the jobs of each trial must be in the
        order of completion.
    """

    def __init__(
        self,
        trials: Iterable[int],
        rows: Sequence[tuple[int, int, int, int, float, float, float, int]] | JobRows,
    ) -> None:
        self.trials = list(trials)
        place = {trial: n for n, trial in enumerate(self.trials)}
        jobs: JobRows = np.array(rows, dtype=JOB)
        places = np.array([place[trial] for trial in jobs["trial"].tolist()], dtype=np.intp)
        self.rows = jobs[np.argsort(places, kind="stable")]
        self.rows.flags.writeable = False
        self.job = self.rows["job"]
        self.trial = self.rows["trial"]
        self.code = self.rows["code"]
        self.epochs = self.rows["epochs"]
        self.score = self.rows["score"]
        self.start = self.rows["start"]
        self.end = self.rows["end"]
        self.worker = self.rows["worker"]
        ends = np.bincount(places, minlength=len(self.trials)).cumsum().tolist()
        limits = zip(self.trials, pairwise([0, *ends]), strict=True)
        self._slices = {trial: slice(*ends) for trial, ends in limits}

    def __len__(self) -> int:
        """Return the number of jobs of all trials."""
        return len(self.rows)

    def trial_jobs(self, trial: int) -> JobRows:
        """Return the jobs of a trial in the order of completion.

        Parameters
        ----------
        trial
            Number of the trial.

        Returns
        -------
        JobRows
            Structured array of dtype `JOB`.
        """
        return self.rows[self._slices[trial]]

    def anytime(self, trial: int) -> tuple[Codes, Seconds, Codes]:
        """Return when the incumbent of a trial changed.

        The incumbent is the cell with the best score among those trained for the most epochs so far.

        Parameters
        ----------
        trial
            Number of the trial.

        Returns
        -------
        tuple[Codes, Seconds, Codes]
            The number of completed jobs, the time in seconds and the code of the new incumbent, each an array
            with one item per change.
        """
        rows = self.trial_jobs(trial)
        steps = incumbent_steps(rows)
        codes = np.where(steps < 0, -1, rows["code"][steps])
        changed = np.flatnonzero(np.diff(codes, prepend=-1))
        return changed + 1, rows["end"][changed], codes[changed]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Plot the score of the incumbents, as in `anytime`, over simulated time.

        The score can fall when a cell is the first to be trained for more epochs.

        Parameters
        ----------
        ax
            Axes to draw on; None for the axes of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes, with the median over trials and percentiles.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        ConfigError
            If there are no jobs.
        """
        from blackbox.search.shown import plot_scores
        from nasbench.axes import given_or_new

        if not len(self):
            raise ConfigError("a plot needs completed jobs, got none")
        axes = given_or_new(ax)
        times = np.linspace(self.end.min(), self.end.max(), _POINTS)
        scores = np.full((len(self.trials), _POINTS), np.nan)
        for curve, trial in zip(scores, self.trials, strict=True):
            rows = self.trial_jobs(trial)
            steps = incumbent_steps(rows)
            last = np.searchsorted(rows["end"], times, side="right") - 1
            steps = np.where(last < 0, -1, steps[last]) if len(rows) else np.full(_POINTS, -1)
            curve[steps >= 0] = rows["score"][steps[steps >= 0]]
        return plot_scores(axes, times / 3600, scores, "simulated hours")

    def _repr_html_(self) -> str:
        from nasbench.display import block, paragraphs, table

        heading = f"{type(self).__name__}: {counted(len(self.trials), 'trial')}, {counted(len(self), 'job')}"
        if len(self):
            heading += f"\nlast end after {duration(float(self.end.max()))} of simulated time"
        rows = []
        for epochs in np.unique(self.epochs).tolist():
            scores = self.score[self.epochs == epochs]
            worked = scores[scores != FAILED]
            best = float(worked.max()) if len(worked) else "-"
            rows.append((epochs, len(scores), len(scores) - len(worked), best))
        header = ("epochs", "jobs", "failed", "best score (higher is better)")
        return block(paragraphs(heading), table(header, rows))


def incumbent_steps(rows: JobRows) -> Codes:
    """Return the row of the incumbent after each row of a trial, integers (n,); -1 if all jobs so far failed.

    The incumbent has the best score at the most epochs so far; ties go to the earliest.
    """
    epochs, scores = rows["epochs"], rows["score"]
    order = np.lexsort((scores, epochs))
    better = np.ones(len(rows), dtype=np.intp)  # 1 if better than the previous row in that order, 0 if equal
    better[1:] = (np.diff(epochs[order]) != 0) | (scores[order][1:] != scores[order][:-1])
    rank = np.empty(len(rows), dtype=np.intp)
    rank[order] = better.cumsum()
    rank[scores == FAILED] = 0
    best = np.maximum.accumulate(rank)
    improved = np.diff(best, prepend=0) > 0
    return np.maximum.accumulate(np.where(improved, np.arange(len(rows)), -1))
