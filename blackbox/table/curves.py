"""A benchmark's learning curves as the objective of a multi-fidelity search: scores and seconds by epochs."""

from contextlib import suppress

import numpy as np

from blackbox.errors import ConfigError
from blackbox.search.jobs import JobHistory
from blackbox.search.scores import FAILED
from blackbox.table.objective import Signal, completed, feasible_cells, recorded_runs, targets_of
from nasbench.constraints import named
from nasbench.errors import NotRecordedError

_NOISE = 100  # the purpose of the stream, as in `blackbox.table.objective`


class Curves:
    """A signal after so many epochs of training as scores of codes, and the seconds that jobs take.

    Fidelities are the epochs of the signal's learning curve. Where the store has none, they are its protocols
    of different lengths; these are trainings of their own, and none goes on from another. A score is the mean
    over the recorded seeds; with `noise`, that of one of them, drawn for each cell, all along its curve.
    Seconds are those of training and of one pass over the validation images at the end of a job where the
    table has its time, means over seeds. What counts in the end, `targets` (N,), is the metric, the mean
    over seeds. Cells that do not satisfy `where` are not feasible: scores and targets are -inf for them, and
    their jobs take their usual time.

    `fidelities`: the longest training in epochs, or the rungs, as a search takes them.
    """

    def __init__(
        self,
        benchmark,
        dataset,
        metric,
        *,
        signal=None,
        fidelities=None,
        from_scratch=False,
        noise=False,
        seed=0,
        where=None,
    ):
        """`metric`, `signal`: texts for `Signal.of`; `fidelities`: the rungs in epochs; `from_scratch`: no
        job goes on from an earlier one; `seed`: that of the search, for the noise alone; `where`: limits as
        for `Benchmark.feasible`."""
        longest = benchmark.space.full_protocol
        self.target = Signal.of(metric, longest)
        self.dataset = dataset
        self.metric = named(metric, longest)
        self.signal = self.target if signal is None else Signal.of(signal, longest)
        self.sees_the_metric = self.signal == self.target
        self.where = where
        self.feasible = feasible_cells(benchmark, dataset, where)  # (N,)
        self._benchmark = benchmark
        self._recorded = [r for r in benchmark.recorded() if r.dataset == dataset]
        self._protocols, self.has_curve = self._find(asked=fidelities is not None)
        self.from_scratch = from_scratch or not self.has_curve
        if fidelities is not None:
            self.fidelities = fidelities
        elif self.has_curve:
            self.fidelities = self.signal.protocol
        else:
            self.fidelities = self._protocols
        self._noise = noise
        self._seed = seed
        self._scores = {}  # of the mean over seeds, by epochs
        self._runs = {}  # with noise, by epochs: (N, S), the recorded ones first, and their number (N,)
        self._seconds = {}  # by (epochs done, epochs)
        self.targets = targets_of(benchmark, dataset, self.target, self.feasible)  # (N,)

    def scores(self, trial, rungs):
        """The scores of all codes in a trial by epochs, {epochs: memoryview (N,)}."""
        if not self._noise:
            return {epochs: self._mean(epochs) for epochs in rungs}
        stream = np.random.SeedSequence(self._seed, spawn_key=(trial, _NOISE))
        uniform = np.random.default_rng(stream).random(len(self.targets))
        found = {}
        for epochs in rungs:
            runs, counts = self._of_seeds(epochs)
            drawn = (uniform * counts).astype(np.intp)
            found[epochs] = memoryview(runs[np.arange(len(runs)), drawn])
        return found

    def agrees(self, history: JobHistory) -> bool:
        """Return whether the jobs of a JobHistory have the scores and times of this table."""
        for trial in history.trials:
            rows = history.of(trial)
            scores = self.scores(trial, np.unique(rows["epochs"]).tolist())
            done = {}  # epochs that each cell has been trained for
            for row in rows[np.argsort(rows["job"])].tolist():
                _, _, code, epochs, score, start, end, _ = row
                takes = self.seconds(done.get(code, 0), epochs)[code]
                if score != scores[epochs][code] or end != start + takes:
                    return False
                done[code] = epochs
        return True

    def seconds(self, done, epochs):
        """What a job takes for each code, seconds, memoryview (N,)."""
        done = 0 if self.from_scratch else done
        found = self._seconds.get((done, epochs))
        if found is None:
            seconds = self._training(epochs)
            if done:
                seconds = seconds - self._training(done)
            with suppress(NotRecordedError):
                validation = self._column("val_time", epochs)
                if not np.isnan(validation).all():
                    seconds = seconds + validation
            unknown = np.count_nonzero(np.isnan(seconds))
            if unknown:
                raise ConfigError(
                    f"a search needs every cell; this store has no {self.dataset} time of training up to"
                    f" {epochs} epochs for {unknown:,}"
                )
            if seconds.min() <= 0:
                raise ConfigError(
                    f"a job takes some time; by this store, training from {done} to {epochs} epochs takes"
                    f" {seconds.min():g} s for a cell"
                )
            found = self._seconds[done, epochs] = memoryview(seconds)
        return found

    def _find(self, asked):
        """The protocols that the signal is recorded after, and whether it has a learning curve.

        One protocol alone is an error, unless fidelities were `asked` for.
        """
        metric, protocol = self.signal
        if self.signal.of_the_network:
            raise ConfigError(
                f"{metric} belongs to the network, after any number of epochs; a multi-fidelity search needs"
                " a metric of training, such as val_accuracy"
            )
        found = {r.protocol: len(r.epochs) > 1 for r in self._recorded if r.metric == metric}
        if found.get(protocol):
            return (protocol,), True
        protocols = tuple(sorted(epochs for epochs in found if epochs <= protocol))
        if len(protocols) < (1 if asked else 2):
            raise ConfigError(
                "a multi-fidelity search needs a learning curve, or protocols of different lengths; this"
                f" store has {self.dataset} {metric} {_after(protocols)}, and {self._curves()}; what would"
                " do: --store FILE, made of the published files by python -m nasbench build FOLDER --out FILE"
            )
        return protocols, False

    def _curves(self):
        curves = [
            f"{r.metric}@{r.protocol}"
            for r in self._recorded
            if r.protocol and len(r.epochs) > 1 and not r.metric.endswith("_time")
        ]
        return f"curves of {', '.join(curves)} (--signal takes them)" if curves else "no curves"

    def _mean(self, epochs):
        found = self._scores.get(epochs)
        if found is None:
            found = self._scores[epochs] = memoryview(self._signal_at(epochs))
        return found

    def _of_seeds(self, epochs):
        if epochs not in self._runs:
            self._mean(epochs)  # which says what is wrong
            protocol = self.signal.protocol if self.has_curve else epochs
            seeds = recorded_runs(self._benchmark, self.dataset, self.signal, protocol)
            runs = np.stack([self._signed(epochs, seed) for seed in seeds], axis=1)
            runs[~self.feasible] = FAILED
            recorded = ~np.isnan(runs)
            first = np.argsort(~recorded, axis=1, kind="stable")  # the recorded runs, then the others
            self._runs[epochs] = np.take_along_axis(runs, first, axis=1), recorded.sum(axis=1)
        return self._runs[epochs]

    def _signal_at(self, epochs):
        """The signal as scores after so many epochs, (N,); an error lists the fidelities that there are."""
        try:
            what = f"{self.dataset} {self.signal.metric} after {epochs} epochs"
            return completed(self._signed(epochs), self.feasible, what)
        except (NotRecordedError, ConfigError) as error:
            known = self._protocols
            if self.has_curve:
                known = [
                    e + 1
                    for e in range(self.signal.protocol)
                    if not np.isnan(self._signed(e + 1)[self.feasible]).any()
                ]
            raise ConfigError(
                f"a fidelity is a number of epochs after which every cell is recorded: {_listed(known)} for"
                f" {self.dataset} {self.signal}; got {epochs} ({error})"
            ) from None

    def _signed(self, epochs, seed=None):
        column = self._column(self.signal.metric, epochs, seed)
        return column if self.signal.higher_is_better else -column

    def _training(self, epochs):
        return self._column("train_time", epochs)

    def _column(self, metric, epochs, seed=None):
        if self.has_curve:
            options = {"protocol": self.signal.protocol, "epoch": epochs - 1}
        else:
            options = {"protocol": epochs}
        return self._benchmark.by_code(self.dataset, metric, seed=seed, **options)


def _after(protocols):
    return f"after {protocols[0]} epochs alone" if protocols else "after no protocol"


def _listed(numbers):
    """Numbers in ascending order as text, runs of them shortened: `1 to 3, 7`."""
    runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in runs) or "none"
