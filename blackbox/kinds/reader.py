"""Finished and unfinished runs of searches, read from their folders without a lock."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blackbox.algorithms import ALGORITHMS, algorithm
from blackbox.errors import ConfigError, RunFolderError, UnknownAlgorithmError
from blackbox.folder import read_config
from blackbox.kinds.registry import kind_of_record
from blackbox.results.comparison import Entry
from nasbench.benchmark import open_benchmark
from nasbench.errors import InvalidArgumentError, NASBenchError, StoreError, said
from nasbench.runs.files import read_json
from nasbench.spaces import space_of

if TYPE_CHECKING:
    from blackbox.kinds.registry import Kind
    from blackbox.results.anytime import Changes, Trajectories
    from nasbench.arrays import Codes
    from nasbench.benchmark import Benchmark
    from nasbench.spaces import Space

_LOG, _SUMMARY = "log.csv", "summary.json"


@dataclass(frozen=True)
class Run:
    """The content of a run's folder, up to the last whole step of its log.

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
    kind: Kind
    #: The algorithm's name in reports.
    algorithm: str
    #: The content of config.json.
    record: dict[str, Any]
    #: Of the kind's `settings_class`.
    settings: Any
    space: Space
    #: Of the kind: a `History` or a `JobHistory`.
    history: Any
    #: Whether the run reached its limits.
    complete: bool

    @property
    def trials(self) -> range:
        """The numbers of its trials."""
        return range(self.settings.trials)

    @property
    def objectives(self) -> int:
        """The number of objectives; with several there is no incumbent."""
        return self.kind.objectives

    @cached_property
    def label(self) -> str:
        """The algorithm, and its settings that differ from the defaults."""
        search, name = self.record["search"], name_of(self.algorithm)
        if name is not None:
            defaults = asdict(algorithm(name).config_class())
            search = {key: v for key, v in search.items() if key not in defaults or v != defaults[key]}
        texts = (key if value is True else f"{key} {value}" for key, value in search.items())
        return ", ".join([self.algorithm, *texts])

    @cached_property
    def codes(self) -> list[Codes]:
        """The codes that each trial evaluated within its budget, in order."""
        return self.kind.evaluated(self.settings, self.history)

    @cached_property
    def trajectories(self) -> Trajectories:
        """How the incumbents of its trials changed; ConfigError with two objectives, which have none."""
        return self.kind.trajectories(self.history, self.settings.budget)

    def anytime(self) -> list[Changes]:
        """Return when the incumbent of each trial changed within its budget.

        A trial whose evaluations all failed, or that has none, has no changes. ConfigError with two
        objectives, which have no incumbent.
        """
        return self.trajectories.changes

    def entry(self, label: str | None = None) -> Entry:
        """Return its entry in a comparison; ConfigError with two objectives."""
        own, seed = self.record["search"], self.settings.seed
        label = self.label if label is None else label
        return Entry(label, self.algorithm, own, seed, self.kind.counts, self.trajectories, str(self.path))


def read_run(path: str | Path, empty: bool = False) -> Run:
    """Return the Run in a folder; RunFolderError names the folder and what is wrong with it.

    Nothing is locked or changed: of a run that is being written, it is what it has so far. `empty`: read a
    run whose log has no whole step yet, too.
    """
    path = Path(path)
    record = read_config(path)
    kind, name, settings, space = _read_record(path, record)
    try:
        data = (path / _LOG).read_bytes()
    except FileNotFoundError:
        raise RunFolderError(f"{path} is not the folder of a run: it has no {_LOG}") from None
    except OSError as error:
        raise RunFolderError(f"cannot read {path / _LOG}: {error.strerror}") from None
    history = kind.log(settings, space).decode(data, path / _LOG)
    complete = kind.is_complete(settings, history, _read_summary(path))
    if not len(history) and not empty:
        raise RunFolderError(f"{path} has no whole step of its trials yet: its log is empty")
    return Run(path, kind, name, record, settings, space, history, complete)


def _read_record(path: Path, record: dict[str, Any]) -> tuple[Kind, str, Any, Space]:
    """Return the kind, the algorithm's name, the settings and the space in what a config.json holds."""
    lacking = [name for name in ("algorithm", "search", "run", "table") if name not in record]
    if lacking:
        raise RunFolderError(
            f"{path} is not the folder of a search on a table: its config.json has no {lacking[0]!r}"
        )
    name, run, table = record["algorithm"], record["run"], record["table"]
    try:
        if table is None:
            raise RunFolderError(f"{path} is a run of the objective {said(run['objective'])}, not of a table")
        kind = kind_of_record(record)
        settings = kind.settings_class(**run)
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
    return kind, name, settings, space


def _read_summary(path: Path) -> dict[str, Any]:
    """Return the content of a run's summary.json; nothing if there is none, or a damaged one."""
    with suppress(OSError, ValueError):
        summary = read_json(path / _SUMMARY)
        return summary if isinstance(summary, dict) else {}
    return {}


def open_table(run: Run, store: str | None = None) -> Benchmark:
    """Return the Benchmark that a run was made on, in the file `store` or where the run had it.

    A table with other contents is accepted if it has the scores and costs in the run's log. RunFolderError if
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
        return run.kind.agrees(run.settings, bench, run.history)
    except (NASBenchError, ConfigError):  # the table lacks something that the run needs
        return False


def name_of(algorithm_name: str) -> str | None:
    """Return the short name of the algorithm that reports call so; None for a custom one."""
    for short in ALGORITHMS:
        with suppress(UnknownAlgorithmError):
            if algorithm(short).name == algorithm_name:
                return short
    return None
