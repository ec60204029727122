"""Runs of searches, complete or not, read from their folders without a lock."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from blackbox.algorithms import algorithm, find_short_name
from blackbox.errors import ConfigError, RunFolderError
from blackbox.kinds.base import Kind, kind_of_record
from blackbox.results.anytime import Changes, Trajectories
from blackbox.results.comparison import Entry
from nasbench.arrays import Codes
from nasbench.benchmark import Benchmark, open_benchmark
from nasbench.errors import InvalidArgumentError, NASBenchError, StoreError, one_line
from nasbench.runs.folder import RunKind, read_record, read_summary
from nasbench.runs.log import read_log
from nasbench.spaces import Space, get_space


@dataclass(frozen=True)
class Run:
    """The content of a run folder, up to the last complete step of its log.

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

    #: The folder.
    path: Path
    #: Kind of the search.
    kind: Kind
    #: Name of the algorithm in reports.
    algorithm: str
    #: Content of config.json.
    record: dict[str, Any]
    #: Settings of the run, an instance of the kind's `settings_class`.
    settings: Any
    #: The search space.
    space: Space

    @classmethod
    def parse(cls, path: Path, record: dict[str, Any]) -> Self:
        """Return the run in a folder, given the content of config.json; the log is read on demand."""
        with undamaged(path):
            name, table, search, run = (record[part] for part in ("algorithm", "table", "search", "run"))
            if table is None:
                raise RunFolderError(
                    f"{path} must be a run on a table, but its objective is {one_line(run['objective'])}"
                )
            kind = kind_of_record(record)
            settings = kind.settings_class.from_json(run, "run")
            space = get_space(settings.space)
            for part, value, types in (
                ("algorithm", name, str),
                ("search", search, dict),
                ("versions", record.get("versions", {}), dict),
                ("table.store", table["store"], (str, type(None))),
                ("table.checksum", table["checksum"], str),
            ):
                if not isinstance(value, types):
                    raise ConfigError(f"{part} is invalid: {value!r}")
        return cls(path, kind, name, record, settings, space)

    @cached_property
    def history(self) -> Any:
        """The evaluations in the log: a `History`, or a `JobHistory` for multi-fidelity searches."""
        return read_log(self.path, self.kind.log_format(self.settings, self.space))

    @cached_property
    def complete(self) -> bool:
        """Whether the run reached its limits."""
        summary: dict[str, Any] = {}
        with suppress(RunFolderError):
            summary = read_summary(self.path) or {}
        return self.kind.is_complete(self.settings, self.history, summary)

    @property
    def trials(self) -> range:
        """The numbers of the trials."""
        return range(self.settings.trials)

    @property
    def objectives(self) -> int:
        """The number of objectives; with several there is no incumbent."""
        return self.kind.objectives

    @cached_property
    def label(self) -> str:
        """The algorithm with its settings that differ from the defaults."""
        search, name = self.record["search"], find_short_name(self.algorithm)
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
        """The trajectories of the trials' incumbents; ConfigError with two objectives, which have none."""
        return self.kind.trajectories(self.history, self.settings.budget)

    def anytime(self) -> list[Changes]:
        """Return the changes of each trial's incumbent within its budget.

        Returns
        -------
        list[Changes]
            Evaluations or jobs, seconds and codes per trial; empty arrays for a trial without an incumbent.

        Raises
        ------
        ConfigError
            If the run has two objectives, which have no incumbent.
        """
        return self.trajectories.changes

    def entry(self, label: str | None = None) -> Entry:
        """Return the run's entry in a comparison; raise ConfigError with two objectives."""
        own, seed = self.record["search"], self.settings.seed
        label = self.label if label is None else label
        return Entry(label, self.algorithm, own, seed, self.kind.counts, self.trajectories, str(self.path))


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Convert errors about the content of config.json to a RunFolderError that names the file."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, InvalidArgumentError) as error:
        raise RunFolderError(
            f"{path}/config.json is damaged or of another version: {one_line(error)}"
        ) from None


def read_run(path: str | Path, empty: bool = False) -> Run:
    """Read the run in a folder without a lock, so the run may be in progress.

    Parameters
    ----------
    path
        The folder.
    empty
        Whether to accept a run without a completed evaluation.

    Returns
    -------
    Run
        The run up to the last complete step of its log.

    Raises
    ------
    RunFolderError
        If the folder has no run of a search on a table, or a damaged one.
    """
    path = Path(path)
    record = read_record(path, RunKind())
    for name in ("algorithm", "search", "run", "table"):
        if name not in record:
            raise RunFolderError(
                f"{path} is not the folder of a search on a table: its config.json lacks {name!r}"
            )
    run = Run.parse(path, record)
    if not len(run.history) and not empty:
        raise RunFolderError(f"{path} has no completed evaluation yet")
    return run


def open_table(run: Run, store: str | None = None) -> Benchmark:
    """Open the Benchmark of a run, from the file `store` or from the path that the run has recorded.

    A table with other contents is accepted if it has the scores and costs in the run's log. Raise
    RunFolderError if the table cannot be opened or is a different one.
    """
    table = run.record["table"]
    try:
        bench = open_benchmark(table["store"] if store is None else store, run.space.flag)
    except StoreError as error:
        raise RunFolderError(
            f"cannot open the table of {run.path}: {one_line(error)}; try --store FILE"
        ) from None
    if not gives(bench, run):
        raise RunFolderError(
            f"{run.path} is a run on a different table than {bench.store.path}; try --store FILE"
        )
    return bench


def gives(bench: Benchmark, run: Run) -> bool:
    """Return whether a table is the table of a run, or reproduces the run's log."""
    if bench.store.attributes["checksum"] == run.record["table"]["checksum"]:
        return True
    try:
        return run.kind.agrees(run.settings, bench, run.history)
    except (NASBenchError, ConfigError):  # the table lacks something that the run needs
        return False
