"""A benchmark's learning curves as the objective of a multi-fidelity search: scores and times by epochs."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from blackbox.errors import ConfigError
from blackbox.search.jobs import JobHistory, JobRow
from blackbox.table.base import NOISE, SignalTable
from nasbench.answers import Recorded
from nasbench.arrays import Scores, Seconds
from nasbench.benchmark import Benchmark
from nasbench.constraints import Where
from nasbench.errors import NotRecordedError
from nasbench.runs.text import counted


class Curves(SignalTable):
    """The objective of a multi-fidelity search on a table: scores of codes by epochs, and times of jobs.

    The fidelities are the epochs of the signal's learning curve. If the store has no curve, its protocols of
    different lengths serve as fidelities; they are separate training runs, so none continues another. Scores,
    times and targets are means over the recorded seeds. The time of a job is its training time plus one pass
    over the validation images, if the table records it. Scores and targets are -inf for infeasible cells,
    whose jobs take their usual time.

    Parameters
    ----------
    benchmark
        The table, with N cells.
    dataset
        Name of the data set, such as ``"cifar10"``.
    metric
        The metric to report: ``"METRIC"``, or ``"METRIC@EPOCHS"`` after a shorter protocol.
    signal
        The metric to optimize, in the same form; None for `metric`.
    fidelities
        Maximum number of epochs, or a sequence of rungs in epochs; None for the complete curve, or for the
        protocols.
    from_scratch
        Whether promoted cells are trained from scratch instead of continued.
    noise
        Whether each cell has the curve of one recorded seed, chosen at random, instead of the mean over
        seeds.
    seed
        Seed of the search, for the noise.
    where
        Limits as for ``Benchmark.feasible``; None if all cells are feasible.

    Raises
    ------
    ConfigError
        If the store has neither a learning curve nor protocols of the signal, or if a feasible cell has no
        value.
    NotRecordedError
        If the table lacks the metric; the error lists the metrics that it has.
    """

    targets: Scores  #: the metric as a score, mean over seeds, (N,)
    fidelities: int | Sequence[int]  #: maximum number of epochs, or the rungs
    has_curve: bool  #: whether the signal has a learning curve
    from_scratch: bool  #: whether promoted cells are trained from scratch

    def __init__(
        self,
        benchmark: Benchmark,
        dataset: str,
        metric: str,
        *,
        signal: str | None = None,
        fidelities: int | Sequence[int] | None = None,
        from_scratch: bool = False,
        noise: bool = False,
        seed: int = 0,
        where: Where | None = None,
    ) -> None:
        super().__init__(benchmark, dataset, metric, signal, where)
        self._recorded = [r for r in benchmark.recorded() if r.dataset == dataset]
        self._protocols, self.has_curve = self._find_fidelities(given=fidelities is not None)
        self.from_scratch = from_scratch or not self.has_curve
        if fidelities is None:
            fidelities = self._protocols[0] if self.has_curve else self._protocols
        self.fidelities = fidelities
        self._noise = noise
        self._seed = seed
        self._means: dict[int, Sequence[float]] = {}  # by epochs
        self._noisy: dict[int, tuple[Scores, NDArray[np.intp]]] = {}  # runs by seed, by epochs
        self._seconds: dict[tuple[int, int], Sequence[float]] = {}  # by (epochs done, epochs)
        self.targets = self._target_scores()

    def scores(self, trial: int, rungs: Sequence[int]) -> dict[int, Sequence[float]]:
        """Return the scores of all codes by epochs.

        Parameters
        ----------
        trial
            Number of the trial, for the noise.
        rungs
            Numbers of epochs.

        Returns
        -------
        dict[int, Sequence[float]]
            ``{epochs: scores}``, the scores as memoryviews of shape ``(N,)``.

        Raises
        ------
        ConfigError
            If a rung is not a fidelity of the table.
        """
        if not self._noise:
            return {epochs: self._mean(epochs) for epochs in rungs}
        stream = np.random.SeedSequence(self._seed, spawn_key=(trial, NOISE))
        uniform = np.random.default_rng(stream).random(len(self.targets))
        by_seed = {epochs: self._by_seed(epochs) for epochs in rungs}
        cells = np.arange(len(uniform))
        return {
            epochs: runs[cells, (uniform * counts).astype(np.intp)].data
            for epochs, (runs, counts) in by_seed.items()
        }

    def agrees(self, history: JobHistory) -> bool:
        """Return whether the jobs of a history have the scores and times of this table.

        Parameters
        ----------
        history
            Completed jobs.

        Returns
        -------
        bool
            True if all scores and times are equal.
        """
        for trial in history.trials:
            rows = history.trial_jobs(trial)
            scores = self.scores(trial, np.unique(rows["epochs"]).tolist())
            done: dict[int, int] = {}  # epochs that each cell has been trained for
            for row in map(JobRow._make, rows[np.argsort(rows["job"])].tolist()):
                takes = self.seconds(done.get(row.code, 0), row.epochs)[row.code]
                if row.score != scores[row.epochs][row.code] or row.end != row.start + takes:
                    return False
                done[row.code] = row.epochs
        return True

    def seconds(self, done: int, epochs: int) -> Sequence[float]:
        """Return the duration of a job for each code.

        Parameters
        ----------
        done
            Epochs that the cell has been trained for.
        epochs
            Epochs at the end of the job.

        Returns
        -------
        Sequence[float]
            Seconds, a memoryview of shape ``(N,)``.

        Raises
        ------
        ConfigError
            If the table lacks a time, or if a time is not positive.
        """
        done = 0 if self.from_scratch else done
        if (done, epochs) not in self._seconds:
            self._seconds[done, epochs] = self._job_seconds(done, epochs).data
        return self._seconds[done, epochs]

    def _job_seconds(self, done: int, epochs: int) -> Seconds:
        seconds = self._column("train_time", *self._at(epochs))
        if done:
            seconds = seconds - self._column("train_time", *self._at(done))
        seconds = self._with_validation(seconds, *self._at(epochs))
        self._require(~np.isnan(seconds), f"training time up to epoch {epochs}")
        if seconds.min() <= 0:
            raise ConfigError(
                f"the time of a job must be > 0; in this store, training from {done} to {epochs} epochs takes"
                f" {seconds.min():g} s for a cell"
            )
        return seconds

    def _find_fidelities(self, given: bool) -> tuple[tuple[int, ...], bool]:
        """Return the protocols that the signal is recorded after, and whether it has a learning curve.

        Raise ConfigError if there is only one protocol, unless fidelities are `given`.
        """
        metric, protocol = self.signal
        if protocol is None:
            raise ConfigError(
                f"{metric} is the same after any number of epochs; a multi-fidelity search needs a metric of"
                " training, such as val_accuracy"
            )
        has_curve = {r.protocol: _has_curve(r) for r in self._recorded if r.metric == metric and r.protocol}
        if has_curve.get(protocol):
            return (protocol,), True
        protocols = tuple(sorted(epochs for epochs in has_curve if epochs <= protocol))
        if len(protocols) < (1 if given else 2):
            raise ConfigError(
                "a multi-fidelity search needs a learning curve, or protocols of different lengths; this"
                f" store has {self.dataset} {metric} {_after(protocols)}, and {self._curves()};"
                " try --store FILE with a store that python -m nasbench build FOLDER --out FILE has built"
                " from the published files"
            )
        return protocols, False

    def _curves(self) -> str:
        recorded = [r for r in self._recorded if r.protocol and _has_curve(r)]
        curves = [f"{r.metric}@{r.protocol}" for r in recorded if not r.metric.endswith("_time")]
        return f"curves of {', '.join(curves)} (for --signal)" if curves else "no curves"

    def _mean(self, epochs: int) -> Sequence[float]:
        """Return the signal as scores after a number of epochs, (N,); the error lists the fidelities."""
        if epochs in self._means:
            return self._means[epochs]
        try:
            scores = self._signed(self.signal, *self._at(epochs))
            self._means[epochs] = self._complete(scores, f"{self.signal.metric} after {epochs} epochs").data
        except (NotRecordedError, ConfigError) as error:
            known: Iterable[int] = self._protocols
            if self.has_curve:
                known = filter(self._is_fidelity, range(1, self._protocols[0] + 1))
            raise ConfigError(
                f"a fidelity must be a number of epochs for which every cell is recorded: {_listed(known)}"
                f" for {self.dataset} {self.signal}; got {epochs} ({error})"
            ) from None
        return self._means[epochs]

    def _by_seed(self, epochs: int) -> tuple[Scores, NDArray[np.intp]]:
        if epochs not in self._noisy:
            self._mean(epochs)  # raises if epochs is not a fidelity
            self._noisy[epochs] = self._runs(*self._at(epochs))
        return self._noisy[epochs]

    def _is_fidelity(self, epochs: int) -> bool:
        """Return whether the signal is recorded for all feasible cells after a number of epochs."""
        return not np.isnan(self._signed(self.signal, *self._at(epochs))[self.feasible]).any()

    def _at(self, epochs: int) -> tuple[int, int | None]:
        """Return the protocol and the epoch of a column after a number of epochs."""
        return (self._protocols[0], epochs - 1) if self.has_curve else (epochs, None)


def _has_curve(recorded: Recorded) -> bool:
    return recorded.epochs is not None and len(recorded.epochs) > 1


def _after(protocols: Sequence[int]) -> str:
    return f"only after {counted(protocols[0], 'epoch')}" if protocols else "after no protocol"


def _listed(numbers: Iterable[int]) -> str:
    """Return ascending numbers as text, with runs shortened: `1 to 3, 7`."""
    runs = [list(run) for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    texts = (f"{run[0][1]} to {run[-1][1]}" if len(run) > 1 else str(run[0][1]) for run in runs)
    return ", ".join(texts) or "none"
