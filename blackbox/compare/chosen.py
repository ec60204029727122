"""The algorithms and earlier runs that a command line selects, and checks whether they are comparable."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from blackbox.algorithms import ALGORITHMS
from blackbox.compare.spec import Spec, format_label
from blackbox.compare.study import Study
from blackbox.errors import ConfigError, RunFolderError
from blackbox.kinds.base import as_recorded
from blackbox.kinds.reader import Run, gives, open_table, read_run
from blackbox.results.anytime import Trajectories
from blackbox.results.comparison import ComparisonResult, Entry, compare, shared_settings
from blackbox.table.objective import TableObjective
from blackbox.table.settings import RunConfig
from nasbench.benchmark import Benchmark
from nasbench.runs.settings import format_flag, setting_text
from nasbench.spaces import get_space


@dataclass(frozen=True)
class Chosen:
    """The selected algorithms and runs, in the order of the command line."""

    #: Specs of algorithms and runs from folders.
    items: tuple[Spec | Run, ...]

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Self:
        """Parse arguments; raise ConfigError if one is repeated or cannot be compared."""
        items: list[Spec | Run] = []
        for text in texts:
            item = _run(text) if _names_a_folder(text) else Spec.parse(text)
            if _same(item) in map(_same, items):
                raise ConfigError(f"{_same(item)} is listed twice; give one of them different settings")
            items.append(item)
        return cls(tuple(items))

    @property
    def specs(self) -> tuple[Spec, ...]:
        """The algorithms."""
        return tuple(item for item in self.items if isinstance(item, Spec))

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs from folders."""
        return tuple(item for item in self.items if isinstance(item, Run))

    @property
    def texts(self) -> list[str]:
        """The arguments, with absolute paths."""
        return list(map(_same, self.items))

    def settings(self, flags: Mapping[str, Any]) -> RunConfig:
        """Return the settings from flags; if there are runs, flags must match the first run."""
        if not self.runs:
            return RunConfig(**flags)
        first = self.runs[0]
        shared = shared_settings(first.settings)
        if shared.pop("jobs") is not None:
            raise ConfigError(
                f"{first.path} is a multi-fidelity search that is limited by --jobs; only runs limited by"
                " --budget can be compared"
            )
        settings = RunConfig(**shared, seed=first.settings.seed)
        return agreed(settings, {"seed": settings.seed, **flags}, str(first.path), free=("seed",))

    def entries(self, study: Study, found: Iterable[Trajectories]) -> Iterator[Entry]:
        """Yield the entries of all items; `found` are the trajectories of the specs in their order."""
        labels = [format_label(item) if isinstance(item, Run) else item.label for item in self.items]
        done = iter(zip(range(len(study.specs)), found, strict=True))
        for item, label in zip(self.items, labels, strict=True):
            if isinstance(item, Spec):
                number, trials = next(done)
                own, name = asdict(item.config) | item.own, item.search_class.name
                folder = None if study.folder is None else study.run_folder(number).name
                yield Entry(label, name, own, study.settings.seed, item.kind.counts, trials, folder)
            else:
                yield item.entry(f"{label} ({item.path})" if labels.count(label) > 1 else label)


def agreed(
    settings: RunConfig, asked: Mapping[str, Any], owner: str, free: Collection[str] = ()
) -> RunConfig:
    """Return settings with flags; raise ConfigError if they differ, with the owner of the settings.

    `free` are the names of flags that may differ.
    """
    flags = as_recorded(asked, get_space(settings.space))
    for name, value in flags.items():
        before = vars(settings)[name]
        if value != before and name not in free:
            text = f"{format_flag(name)} {setting_text(value)}"
            raise ConfigError(f"{text} differs from {setting_text(before)} in {owner}")
    return replace(settings, **flags)


def begun(chosen: Chosen, settings: RunConfig, bench: Benchmark) -> tuple[RunConfig, TableObjective]:
    """Return the settings with the table's space and signal, and the objective.

    Raise ConfigError unless all algorithms can start and all runs can be compared with them.
    """
    settings = settings.on(bench)
    objective = replace(settings, trials=1).objective(bench)
    for spec in chosen.specs:
        experiment = spec.experiment(replace(settings, trials=1), bench)
        experiment.kind.driver(experiment)
    wanted = shared_settings(settings)
    for run in chosen.runs:
        others = "the algorithms" if run is chosen.runs[0] else chosen.runs[0].path
        if not gives(bench, run):
            raise ConfigError(f"{run.path} cannot be compared with {others}: it has a different table")
        for name, value in shared_settings(run.settings).items():
            if value != wanted[name]:
                raise ConfigError(
                    f"{run.path} cannot be compared with {others}: its {name} is {setting_text(value)}, not"
                    f" {setting_text(wanted[name])}"
                )
        if run.kind.counts == "jobs" and settings.budget is None:
            raise ConfigError(
                f"{run.path} is a multi-fidelity search, which can only be compared by --budget"
            )
    return settings, objective


def compare_runs(*folders: str | Path, store: str | None = None) -> ComparisonResult:
    """Return the comparison of finished runs of searches with one objective.

    Parameters
    ----------
    *folders
        Folders of the runs, which must have the same settings and table.
    store
        Path of the table; None for the path that the first run has recorded.

    Returns
    -------
    ComparisonResult
        The results, which notebooks show as a table; `plot` draws them.

    Raises
    ------
    ConfigError, RunFolderError
        If a folder has no finished run, or the runs cannot be compared.
    """
    if not folders:
        raise ConfigError("compare_runs needs at least one run folder, got none")
    chosen = Chosen(tuple(_run(str(folder)) for folder in folders))
    bench = open_table(chosen.runs[0], store)
    settings, objective = begun(chosen, chosen.settings({}), bench)
    return compare(list(chosen.entries(Study((), settings), [])), objective, bench, settings)


def _names_a_folder(text: str) -> bool:
    """Return whether an argument is the path of a folder; names of algorithms take precedence."""
    name = text.partition(":")[0]
    return name not in ALGORITHMS and (os.sep in name or os.path.isdir(text))


def _run(path: str) -> Run:
    run = read_run(path)
    if run.objectives > 1:
        raise RunFolderError(f"{path} has two objectives, so it has no incumbent to compare")
    if not run.complete:
        raise RunFolderError(f"{path} is not complete; continue it with its own command and --resume")
    return run


def _same(item: Spec | Run) -> str:
    """Return a text that identifies an item."""
    return item.label if isinstance(item, Spec) else str(item.path.resolve())
