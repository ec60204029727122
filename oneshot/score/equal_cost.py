"""What black-box search on the benchmark finds for the simulated cost of a one-shot search."""

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
_HEADER = b"evaluation,trial,index,score,cost"  # of a log
#: Further options of the searches that are compared with.
BLACKBOX: dict[str, tuple[str, ...]] = {  # python -m blackbox.NAME, and their options
    "rs": (),
    "re": ("--population", "10", "--sample", "3"),  # as within budgets in NATS-Bench, arXiv:2009.00437
}


class Trials(NamedTuple):
    """The best cells of a black-box search's trials after a sum of seconds."""

    #: The name of the search.
    algorithm: str
    #: The metric that it saw.
    signal: str
    #: The metric of each trial's best cell by what it saw, shape ``(T,)``; NaN: it had none yet.
    values: NDArray[np.float64]
    #: The number of evaluations of each trial, shape ``(T,)``.
    evaluations: NDArray[np.intp]
    #: The official index of each trial's best cell, shape ``(T,)``; -1: it had none yet.
    cells: NDArray[np.intp]


@dataclass(frozen=True)
class SearchComparison:
    """A cell's value among those of a black-box search's trials."""

    #: The name of the search.
    algorithm: str
    #: The metric that it saw.
    signal: str
    #: The number of trials.
    trials: int
    #: The number of trials that had no evaluation for the cost; they do not count.
    trials_without_evaluation: int
    #: The mean number of evaluations.
    evaluations: float
    #: Mean of the trials' best values; None without any.
    mean: float | None
    #: Their standard deviation; None with fewer than two.
    std: float | None
    #: The share of trials that the cell beats.
    beaten: float | None
    #: The share of trials with a cell of the same value.
    equal: float | None

    @classmethod
    def compare(cls, value: float, trials: Trials) -> Self:
        """Compare a cell's value with those of trials."""
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
    """Black-box searches for the cost of a one-shot search."""

    #: The cost in seconds.
    seconds: float
    #: Whether it was measured, else given.
    measured: bool
    #: The mean cost of an evaluation in simulated seconds; None if the table lacks times.
    evaluation_seconds: float | None
    #: How many evaluations the cost buys; None if the table lacks times.
    evaluations: float | None
    #: The searches.
    searches: tuple[SearchComparison, ...]
    #: Why there are none.
    note: str | None


def evaluation_seconds(bench: Benchmark, dataset: str) -> float | None:
    """Return the mean over cells of an evaluation's cost in simulated seconds.

    None if it is not recorded for every cell.
    """
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
    """Run `python -m blackbox.NAME` with a budget, in its own process, into a new folder."""
    command = [sys.executable, "-m", f"blackbox.{name}", "--budget", f"{cost!r}s", "--trials", str(trials)]
    command += ["--seed", str(seed), "--dataset", dataset, "--metric", METRIC, *BLACKBOX[name]]
    command += ["--store", str(bench.store.path), "--out", str(folder), "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, process_group=0
    )  # a Ctrl-C ends it with us
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise ConfigError(f"python -m blackbox.{name} failed: {lines[-1]}")


def read_trials(folder: str | Path, bench: Benchmark, dataset: str, cost: float) -> Trials:
    """Return the Trials in the folder of a black-box search, up to a cost in simulated seconds.

    If it searched another table than `bench`, ConfigError unless this one has the same scores; that can be
    known if the search saw the metric itself.
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
            raise ValueError("log.csv is not that of a black-box search")
        lines = lines[: lines.rfind(b"\n") + 1]
        rows = decode_numbers(lines) if lines else np.empty((0, 5))
        steps = len(rows) // trials
        # each (T, S): of T trials, S complete steps
        index, scores, costs = rows[: steps * trials, 2:].reshape(steps, trials, 3).transpose(2, 1, 0)
        if not ((index >= 0) & (index < CELLS)).all():
            raise ValueError("log.csv has an index that no cell has")
        indices = index.astype(np.intp)
    if searched != dataset:
        raise ConfigError(f"{folder} searched {one_line(searched)}, the cell is to be compared on {dataset}")
    column: NDArray[np.float64] = bench.columns(dataset, METRIC)
    saw_metric = (signal, noise) == (f"{METRIC}@{bench.space.full_protocol}", "mean")
    if checksum != bench.store.attributes["checksum"] and not (
        saw_metric and np.array_equal(column[indices], scores)
    ):
        raise ConfigError(f"{folder} was made on another table than {bench.store.path}")
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
    """Compare a cell's value with black-box search for the cost of the run.

    Parameters
    ----------
    value
        The benchmark's value of the cell.
    config
        The cost, if it is given; trials and seed of the searches.
    spent
        Seconds that the run took.
    bench, dataset
        The table and the data set.
    against
        The folder of a search to compare with; None: searches are run.
    run
        Whether to run searches.
    """
    cost, each = spent if config.cost is None else config.cost, evaluation_seconds(bench, dataset)
    searches: list[SearchComparison] = []
    note = None
    if against is not None:
        searches.append(SearchComparison.compare(value, read_trials(against, bench, dataset, cost)))
    elif not run:
        note = "no black-box search was asked for"
    elif (note := why_not(cost, each, bench, dataset)) is None:
        with tempfile.TemporaryDirectory() as folder:
            for name in BLACKBOX:
                path = Path(folder, name)
                search_blackbox(name, cost, bench, dataset, config.trials, config.seed, path)
                searches.append(SearchComparison.compare(value, read_trials(path, bench, dataset, cost)))
    return EqualCost(cost, config.cost is None, each, each and cost / each, tuple(searches), note)


def why_not(cost: float, each: float | None, bench: Benchmark, dataset: str) -> str | None:
    """Return why no search can be run for a cost, at this cost of each evaluation; None if one can."""
    hint = ""
    if each is None:
        reason = "the table lacks training times"
    elif np.isnan(bench.by_code(dataset, METRIC)).any():
        reason = f"the table lacks {METRIC} of some cells"
    elif cost > CELLS * each:
        reason = "more evaluations than there are cells"
    elif cost < each:
        reason, hint = "not even one evaluation", " (--cost names another)"
    else:
        return None
    return f"{reason}, so there is nothing to compare with{hint}"
