"""What black-box search on the benchmark finds for the simulated cost of a one-shot search."""

import csv
import io
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nasbench.cell import CELLS
from nasbench.errors import NASBenchError, NotRecordedError, said
from nasbench.runs.files import read_json
from nasbench.runs.settings import whole
from oneshot.errors import ConfigError, RunFolderError

_METRIC = "val_accuracy"
_BLACKBOX = {  # the searches that are compared with, python -m blackbox.NAME, and their options
    "rs": (),
    "re": ("--population", "10", "--sample", "3"),  # as within budgets in NATS-Bench, arXiv:2009.00437
}


class Trials(NamedTuple):
    """What the trials of a black-box search had found once they had spent a sum of seconds."""

    algorithm: str
    signal: str  # what it saw of a cell
    values: np.ndarray  # the metric of each trial's best cell by what it saw, (T,); NaN: it had none yet
    evaluations: np.ndarray  # (T,)


def evaluation_seconds(bench, dataset):
    """Return the mean over cells of an evaluation's cost in simulated seconds.

    None if it is not recorded for every cell.
    """
    try:
        seconds = bench.by_code(dataset, "train_time")
    except NotRecordedError:
        return None
    with suppress(NotRecordedError):
        validation = bench.by_code(dataset, "val_time")
        if not np.isnan(validation).all():
            seconds = seconds + validation
    return None if np.isnan(seconds).any() else float(seconds.mean())


def search_blackbox(name, cost, bench, dataset, trials, seed, folder):
    """Run `python -m blackbox.NAME` with a budget, a process of its own, into a new folder."""
    command = [sys.executable, "-m", f"blackbox.{name}", "--budget", f"{cost!r}s", "--trials", str(trials)]
    command += ["--seed", str(seed), "--dataset", dataset, "--metric", _METRIC, *_BLACKBOX[name]]
    command += ["--store", str(bench.store.path), "--out", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise ConfigError(f"python -m blackbox.{name} failed: {said[-1]}")


def read_trials(folder, bench, dataset, cost):
    """Return the Trials in the folder of a black-box search, up to a cost in simulated seconds.

    If it searched another table than `bench`, ConfigError unless this one has the same scores; that can be
    told if the search saw the metric itself.
    """
    folder = Path(folder)
    try:
        config = read_json(folder / "config.json")
        algorithm, run, checksum = config["algorithm"], config["run"], config["table"]["checksum"]
        of, trials, signal = run["dataset"], whole("trials", run["trials"], 1), run["signal"]
        text = (folder / "log.csv").read_text(encoding="utf-8")
        rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
        if rows[0] != ["evaluation", "trial", "index", "score", "cost"]:
            raise ValueError("log.csv is not that of a black-box search")
        rows = np.array(rows[1:], dtype=np.float64).reshape(-1, 5)
        steps = len(rows) // trials
        index, scores, costs = rows[: steps * trials, 2:].reshape(steps, trials, 3).transpose(2, 1, 0)
        if not ((index >= 0) & (index < CELLS)).all():
            raise ValueError("log.csv has an index that no cell has")
        index = index.astype(np.intp)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunFolderError(
            f"{folder} is not the folder of a black-box search: it has no {Path(error.filename).name}"
        ) from None
    except OSError as error:
        raise RunFolderError(f"cannot read {folder}: {error.strerror}") from None
    except (LookupError, TypeError, ValueError, NASBenchError) as error:
        raise RunFolderError(
            f"{folder} is not the folder of a black-box search, or damaged: {said(error)}"
        ) from None
    if of != dataset:
        raise ConfigError(f"{folder} searched {said(of)}, the cell is to be compared on {dataset}")
    column = bench.columns(dataset, _METRIC)
    if checksum != bench.store.attributes["checksum"] and not (
        (signal, run.get("noise")) == (f"{_METRIC}@{bench.space.full_protocol}", "mean")
        and np.array_equal(column[index], scores)
    ):
        raise ConfigError(f"{folder} was made on another table than {bench.store.path}")
    if not costs.all():
        raise ConfigError(f"{folder} has no costs: its table has no training times")
    counts = (costs.cumsum(axis=1) <= cost).sum(axis=1)
    values = np.full(trials, np.nan)
    for trial in np.flatnonzero(counts):
        best = scores[trial, : counts[trial]].argmax()
        values[trial] = column[index[trial, best]]
    return Trials(algorithm, signal, values, counts)


def _compared(found, trials):
    """How a cell's value stands among those of trials, a dict."""
    known = trials.values[~np.isnan(trials.values)]
    some = len(known) > 0
    return {
        "algorithm": trials.algorithm,
        "signal": trials.signal,
        "trials": len(trials.values),
        "trials_without_evaluation": len(trials.values) - len(known),
        "evaluations": float(trials.evaluations.mean()),
        "mean": float(known.mean()) if some else None,
        "std": float(known.std(ddof=1)) if len(known) > 1 else None,
        "beaten": float((known < found).mean()) if some else None,
        "equal": float((known == found).mean()) if some else None,
    }


def at_equal_cost(value, config, spent, bench, dataset, against):
    """Black-box search for the cost of the run, a dict."""
    cost, each = spent if config.cost is None else config.cost, evaluation_seconds(bench, dataset)
    result = {
        "seconds": cost,
        "measured": config.cost is None,
        "evaluation_seconds": each,
        "evaluations": each and cost / each,
        "searches": [],
        "note": None,
    }
    if against is not None:
        result["searches"] = [_compared(value, read_trials(against, bench, dataset, cost))]
    elif each is None:
        result["note"] = "the table lacks training times, so there is nothing to compare with"
    elif np.isnan(bench.by_code(dataset, _METRIC)).any():
        result["note"] = f"the table lacks {_METRIC} of some cells, so there is nothing to compare with"
    elif cost > CELLS * each:
        result["note"] = "more evaluations than there are cells, so there is nothing to compare with"
    elif cost < each:
        result["note"] = "not even one evaluation, so there is nothing to compare with (--cost names another)"
    else:
        with tempfile.TemporaryDirectory() as folder:
            for name in _BLACKBOX:
                path = Path(folder, name)
                search_blackbox(name, cost, bench, dataset, config.trials, config.seed, path)
                trials = read_trials(path, bench, dataset, cost)
                result["searches"].append(_compared(value, trials))
    return result
