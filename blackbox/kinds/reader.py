"""Finished and unfinished runs of searches, read from their folders without a lock."""

from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from blackbox.algorithms import ALGORITHMS, algorithm
from blackbox.errors import ConfigError, RunFolderError, UnknownAlgorithmError
from blackbox.folder import parse_log, read_config
from blackbox.search.history import History
from blackbox.search.jobs import JobHistory, parse_jobs
from blackbox.search.loop import is_finished
from blackbox.search.scores import FAILED
from blackbox.table.objective import agrees
from blackbox.table.settings import PairConfig, RunConfig, SimulationConfig, TableConfig
from nasbench.benchmark import Benchmark, open_benchmark
from nasbench.errors import InvalidArgumentError, NASBenchError, StoreError, said
from nasbench.runs.files import read_json
from nasbench.spaces import Space, space_of

_LOG, _SUMMARY = "log.csv", "summary.json"
_KINDS = (RunConfig, PairConfig, SimulationConfig)  # each with settings of its own, which tell them apart
_ADDED = {"at_most", "at_least"}  # settings that runs of earlier releases lack


@dataclass(frozen=True)
class Run:
    """What a run's folder says, up to the last whole step of its log.

    >>> import tempfile
    >>> from blackbox.cli import main
    >>> from blackbox.rs import RandomSearch
    >>> folder = tempfile.mkdtemp() + "/rs"
    >>> main(RandomSearch, ["--evals", "50", "--trials", "3", "--out", folder])  # doctest: +ELLIPSIS
    random search on cifar10 ...
    0
    >>> run = read_run(folder)
    >>> run.label, run.settings.evals, run.complete, [len(codes) for codes in run.codes]
    ('random search', 50, True, [50, 50, 50])
    >>> evaluations, seconds, codes = run.anytime()[0]
    >>> len(evaluations) == len(seconds) == len(codes) <= 50
    True
    """

    path: Path
    algorithm: str  # its name in reports
    record: dict  # what config.json holds
    settings: TableConfig  # a RunConfig, a PairConfig or a SimulationConfig
    space: Space
    history: History | JobHistory
    complete: bool  # whether it came to its limits

    @property
    def trials(self):
        """The numbers of its trials."""
        return range(self.settings.trials)

    @property
    def objectives(self):
        """How many; with more than one there is no incumbent."""
        return 2 if isinstance(self.settings, PairConfig) else 1

    @cached_property
    def label(self):
        """Its algorithm, and the settings that differ from the defaults."""
        search, name = self.record["search"], name_of(self.algorithm)
        if name is not None:
            defaults = asdict(algorithm(name).config_class())
            search = {of: v for of, v in search.items() if of not in defaults or v != defaults[of]}
        said = (of if value is True else f"{of} {value}" for of, value in search.items())
        return ", ".join([self.algorithm, *said])

    @cached_property
    def codes(self):
        """The codes that each trial evaluated within its budget, in order: a list of integer arrays."""
        if isinstance(self.history, JobHistory):
            return [self.history.of(trial)["code"] for trial in self.trials]
        counted = self.history.counted(self.settings.budget).tolist()
        return [codes[:n] for codes, n in zip(self.history.codes, counted, strict=True)]

    def anytime(self):
        """When the incumbent of each trial changed within its budget, a list of three arrays (changes,).

        Evaluations or jobs done, simulated seconds, the incumbent's code. A trial whose evaluations all
        failed, or that has none, has no changes. ConfigError for two objectives, where there is no incumbent.
        """
        if isinstance(self.history, JobHistory):
            return [self.history.anytime(trial) for trial in self.trials]
        return changes_of(self.history, self.settings.budget)


def changes_of(history, budget=None):
    """When the incumbent of each trial of a History changed: as `Run.anytime`."""
    if not len(history):
        nothing = np.empty(0, dtype=np.intp)
        return [(nothing, nothing.astype(np.float64), nothing)] * history.trials
    steps = history.incumbent_steps(budget)
    rows = np.arange(history.trials)[:, None]
    codes = history.codes[rows, steps]
    codes[(steps < 0) | (history.scores[rows, steps] == FAILED)] = -1
    changed = np.diff(codes, prepend=-1, axis=1) != 0
    seconds = history.costs.cumsum(axis=1)
    return [
        (np.flatnonzero(of) + 1, spent[of], found[of])
        for of, spent, found in zip(changed, seconds, codes, strict=True)
    ]


def read_run(path, empty=False):
    """The Run in a folder; RunFolderError names the folder and what is wrong with it.

    Nothing is locked or changed: of a run that is being written, what it has so far. `empty`: read one whose
    log has no whole step yet, too.
    """
    path = Path(path)
    record = read_config(path)
    name, settings, space = _read_record(path, record)
    try:
        data = (path / _LOG).read_bytes()
    except FileNotFoundError:
        raise RunFolderError(f"{path} is not the folder of a run: it has no {_LOG}") from None
    except OSError as error:
        raise RunFolderError(f"cannot read {path / _LOG}: {error.strerror}") from None
    trials, codes = range(settings.trials), space.official_order()
    if isinstance(settings, SimulationConfig):
        history = parse_jobs(data, path / _LOG, trials, codes)
        complete = _says_complete(path, settings)
    else:
        objectives = 2 if isinstance(settings, PairConfig) else 1
        history, _ = parse_log(data, path / _LOG, trials, codes, objectives)
        complete = is_finished(history, settings.evals, settings.budget)
    if not len(history) and not empty:
        raise RunFolderError(f"{path} has no whole step of its trials yet: its log is empty")
    return Run(path, name, record, settings, space, history, complete)


def _read_record(path, record):
    """The algorithm's name, the settings and the space in what a config.json holds."""
    lacking = [name for name in ("algorithm", "search", "run", "table") if name not in record]
    if lacking:
        raise RunFolderError(
            f"{path} is not the folder of a search on a table: its config.json has no {lacking[0]!r}"
        )
    name, run, table = record["algorithm"], record["run"], record["table"]
    try:
        if table is None:
            raise RunFolderError(f"{path} is a run of the objective {said(run['objective'])}, not of a table")
        kind = next((kind for kind in _KINDS if {f.name for f in fields(kind)} == _ADDED | set(run)), None)
        if kind is None:
            raise TypeError(f"its settings are {', '.join(map(str, run))}")
        settings = kind(**run)
        space = space_of(settings.space)
        for what, value, types in (
            ("algorithm", name, str),
            ("search", record["search"], dict),
            ("versions", record.get("versions", {}), dict),
            ("table.store", table["store"], (str, type(None))),
            ("table.checksum", table["checksum"], str),
        ):
            if not isinstance(value, types):
                raise TypeError(f"{what} is {value!r}")
    except (LookupError, TypeError, AttributeError, InvalidArgumentError, ConfigError) as error:
        raise RunFolderError(f"{path}/config.json is damaged or of another version: {said(error)}") from None
    return name, settings, space


def _says_complete(path, settings):
    """Whether a summary says that a run came to the limits in its settings."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        summary = read_json(path / _SUMMARY)
        limits = {name: vars(settings)[name] for name in settings.limits}
        return summary["complete"] is True and limits.items() <= summary["settings"].items()
    return False


def open_table(run, store=None):
    """The Benchmark that a run was made on, in the file `store` or where the run had it.

    A table with other contents will do if it has the scores and costs in the run's log. RunFolderError where
    it cannot be opened, or is another one.
    """
    table = run.record["table"]
    try:
        bench = open_benchmark(table["store"] if store is None else store, run.space.flag)
    except StoreError as error:
        raise RunFolderError(
            f"the table of {run.path} cannot be opened; --store names it: {said(error)}"
        ) from None
    if not gives(bench, run):
        raise RunFolderError(
            f"{run.path} was made on another table than {bench.store.path}; name it with --store"
        )
    return bench


def gives(bench: Benchmark, run: Run) -> bool:
    """Return whether a Run could have been made on a table: the table is its own, or gives the same log."""
    if bench.store.attributes["checksum"] == run.record["table"]["checksum"]:
        return True
    try:
        if isinstance(run.settings, SimulationConfig):
            return run.settings.curves(bench).agrees(run.history)
        return agrees(run.settings.objective(bench), run.history)
    except (NASBenchError, ConfigError):  # the table lacks something that the run needs
        return False


def name_of(algorithm_name):
    """The short name of the algorithm that reports call so; None for one of the user's own."""
    for short in ALGORITHMS:
        with suppress(UnknownAlgorithmError):
            if algorithm(short).name == algorithm_name:
                return short
    return None
