"""Black-box search on the benchmark at the simulated cost of a one-shot search."""

import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nasbench.benchmark import Benchmark
from nasbench.cell import CELLS
from nasbench.errors import NotRecordedError, one_line
from nasbench.runs.checks import whole
from nasbench.runs.files import read_json
from nasbench.runs.log import decode_numbers, described
from oneshot.errors import ConfigError
from oneshot.score.settings import ScoreConfig
from oneshot.search.scorer import METRIC
from oneshot.training.checkpoints import refusing

_NOUN = "black-box search"
_HEADER = b"evaluation,trial,index,score,cost"  # first line of log.csv
#: black-box searches to compare with, NAME of python -m blackbox.NAME, and their options
BLACKBOX: dict[str, tuple[str, ...]] = {
    "rs": (),
    "re": ("--population", "10", "--sample", "3"),  # as in NATS-Bench, arXiv:2009.00437
}


class Trials(NamedTuple):
    """Incumbents of the trials of a black-box search at a given cost."""

    #: name of the algorithm
    algorithm: str
    #: metric that the search optimized
    signal: str
    #: validation accuracy of each trial's incumbent in percent, shape ``(T,)``; NaN without an evaluation
    values: NDArray[np.float64]
    #: number of evaluations of each trial, shape ``(T,)``
    evaluations: NDArray[np.intp]
    #: official index of each trial's incumbent, shape ``(T,)``; -1 without an evaluation
    cells: NDArray[np.intp]


@dataclass(frozen=True)
class SearchComparison:
    """Comparison of a cell with the trials of a black-box search."""

    #: name of the algorithm
    algorithm: str
    #: metric that the search optimized
    signal: str
    #: number of trials
    trials: int
    #: number of trials without an evaluation at this cost; they are excluded
    trials_without_evaluation: int
    #: mean number of evaluations per trial
    evaluations: float
    #: mean validation accuracy of the trials' incumbents in percent; None without any
    mean: float | None
    #: their sample standard deviation; None for fewer than two
    std: float | None
    #: fraction of trials that the cell beats; None without any
    beaten: float | None
    #: fraction of trials with an incumbent of the same accuracy; None without any
    equal: float | None

    @classmethod
    def compare(cls, value: float, trials: Trials) -> Self:
        """Compare a cell's `value`, its validation accuracy in percent, with the incumbents of `trials`."""
        known = trials.values[~np.isnan(trials.values)]
        some = known.size > 0
        return cls(
            algorithm=trials.algorithm,
            signal=trials.signal,
            trials=len(trials.values),
            trials_without_evaluation=len(trials.values) - len(known),
            evaluations=float(trials.evaluations.mean()),
            mean=float(known.mean()) if some else None,
            std=float(known.std(ddof=1)) if len(known) > 1 else None,
            beaten=float((known < value).mean()) if some else None,
            equal=float((known == value).mean()) if some else None,
        )


@dataclass(frozen=True)
class EqualCost:
    """Black-box searches at the cost of a one-shot search."""

    #: cost in seconds
    seconds: float
    #: whether the cost was measured; otherwise it was given
    measured: bool
    #: mean cost of an evaluation in simulated seconds; None if the table has no times
    evaluation_seconds: float | None
    #: number of evaluations that the cost buys; None if the table has no times
    evaluations: float | None
    #: comparison with each search
    searches: tuple[SearchComparison, ...]
    #: why there are no searches; None if there are some
    note: str | None


def evaluation_seconds(bench: Benchmark, dataset: str) -> float | None:
    """Return the mean cost of an evaluation in simulated seconds; None if not recorded for every cell."""
    try:
        seconds: NDArray[np.float64] = bench.by_code(dataset, "train_time")
    except NotRecordedError:
        return None
    with suppress(NotRecordedError):
        validation = bench.by_code(dataset, "val_time")
        if not np.isnan(validation).all():
            seconds = seconds + validation
    return None if np.isnan(seconds).any() else float(seconds.mean())


def search_blackbox(
    name: str, cost: float, bench: Benchmark, dataset: str, trials: int, seed: int, folder: str | Path
) -> None:
    """Run `python -m blackbox.NAME` with a budget of `cost` seconds in a new process and a new folder."""
    command = [sys.executable, "-m", f"blackbox.{name}", "--budget", f"{cost!r}s", "--trials", str(trials)]
    command += ["--seed", str(seed), "--dataset", dataset, "--metric", METRIC, *BLACKBOX[name]]
    command += ["--store", str(bench.store.path), "--out", str(folder), "--json"]
    # process_group=0: Ctrl-C reaches only this process, which then ends the other
    done = subprocess.run(command, capture_output=True, text=True, process_group=0)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ConfigError(f"python -m blackbox.{name} failed: {lines[-1]}")


def read_trials(folder: str | Path, bench: Benchmark, dataset: str, cost: float) -> Trials:
    """Return the trials in the folder of a black-box search, up to a cost in simulated seconds.

    Raise a ConfigError if the search used another data set, or a table with other scores than `bench`. Tables
    with different checksums can be compared only if the search optimized the metric itself.
    """
    folder = Path(folder)
    with refusing(f"{folder} is not the folder of a black-box search, or damaged"):
        with described(folder, _NOUN, f"cannot read {folder}", "config.json"):
            config = read_json(folder / "config.json")
        with described(folder, _NOUN, f"cannot read {folder}", "log.csv"):
            header, _, lines = (folder / "log.csv").read_bytes().partition(b"\n")
        algorithm, checksum, run = config["algorithm"], config["table"]["checksum"], config["run"]
        searched, signal, noise = run["dataset"], run["signal"], run.get("noise")
        trials = whole("trials", run["trials"], 1)
        if header != _HEADER:
            raise ValueError("log.csv is not the log of a black-box search")
        lines = lines[: lines.rfind(b"\n") + 1]
        rows = decode_numbers(lines) if lines else np.empty((0, 5))
        steps = len(rows) // trials
        # each (T, S): T trials, S complete steps
        index, scores, costs = rows[: steps * trials, 2:].reshape(steps, trials, 3).transpose(2, 1, 0)
        if not ((index >= 0) & (index < CELLS)).all():
            raise ValueError("log.csv has an invalid index")
        indices = index.astype(np.intp)
    if searched != dataset:
        raise ConfigError(f"{folder} searched on {one_line(searched)}, but the comparison is on {dataset}")
    column: NDArray[np.float64] = bench.columns(dataset, METRIC)
    saw_metric = (signal, noise) == (f"{METRIC}@{bench.space.full_protocol}", "mean")
    if checksum != bench.store.attributes["checksum"] and not (
        saw_metric and np.array_equal(column[indices], scores)
    ):
        raise ConfigError(f"{folder} used a table other than {bench.store.path}")
    if not costs.all():
        raise ConfigError(f"{folder} has no costs: its table has no training times")
    counts = (costs.cumsum(axis=1) <= cost).sum(axis=1)
    cells = np.full(len(counts), -1)
    for trial in np.flatnonzero(counts):
        cells[trial] = indices[trial, scores[trial, : counts[trial]].argmax()]
    return Trials(algorithm, signal, np.where(cells < 0, np.nan, column[cells]), counts, cells)


def at_equal_cost(
    value: float,
    config: ScoreConfig,
    spent: float,
    bench: Benchmark,
    dataset: str,
    against: str | Path | None,
    run: bool = True,
) -> EqualCost:
    """Compare a cell with black-box search at the cost of the run.

    Parameters
    ----------
    value
        Validation accuracy of the cell in the benchmark, percent.
    config
        Trials and seed of the searches, and their cost unless it is the run's.
    spent
        Duration of the run in seconds.
    bench, dataset
        The table, and the data set in it.
    against
        Folder of a search to compare with; None to run searches.
    run
        Whether to run searches.
    """
    cost, each = spent if config.cost is None else config.cost, evaluation_seconds(bench, dataset)
    searches: list[SearchComparison] = []
    note = None
    if against is not None:
        searches.append(SearchComparison.compare(value, read_trials(against, bench, dataset, cost)))
    elif not run:
        note = "no black-box search was requested"
    elif (note := why_not(cost, each, bench, dataset)) is None:
        with tempfile.TemporaryDirectory() as folder:
            for name in BLACKBOX:
                path = Path(folder, name)
                search_blackbox(name, cost, bench, dataset, config.trials, config.seed, path)
                searches.append(SearchComparison.compare(value, read_trials(path, bench, dataset, cost)))
    return EqualCost(cost, config.cost is None, each, each and cost / each, tuple(searches), note)


def why_not(cost: float, each: float | None, bench: Benchmark, dataset: str) -> str | None:
    """Return why no search can be run at a cost, with `each` the cost of an evaluation; None if one can."""
    hint = ""
    if each is None:
        reason = "the table has no training times"
    elif np.isnan(bench.by_code(dataset, METRIC)).any():
        reason = f"the table has no {METRIC} for some cells"
    elif cost > CELLS * each:
        reason = "the cost buys more evaluations than there are cells"
    elif cost < each:
        reason, hint = "the cost buys not even one evaluation", "; try a higher --cost"
    else:
        return None
    return f"{reason}, so there is nothing to compare with{hint}"
