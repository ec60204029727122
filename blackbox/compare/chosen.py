"""What a command line asks to compare: algorithms and earlier runs, and whether they can be."""

import os
from dataclasses import asdict, dataclass, fields, replace

from blackbox.algorithms import ALGORITHMS
from blackbox.cli import begin
from blackbox.compare.spec import Spec, label_of
from blackbox.compare.study import Trials
from blackbox.errors import ConfigError, RunFolderError
from blackbox.jobs_cli import check_curves
from blackbox.kinds.reader import Run, gives, read_run
from blackbox.results.comparison import Entry
from blackbox.search.space import space_of_table
from blackbox.table.settings import RunConfig, SimulationConfig, TableConfig, setting_text, short_names
from blackbox.table.signal import Signal
from nasbench.spaces import space_of

_SHARED = (*(f.name for f in fields(TableConfig) if f.name != "seed"), "evals", "jobs", "budget")


@dataclass(frozen=True)
class Chosen:
    """Specs of algorithms and Runs from folders, in the order of the command line."""

    items: tuple

    @classmethod
    def of(cls, texts):
        """Those that arguments name; ConfigError where one is named twice, or cannot be compared."""
        items = []
        for text in texts:
            item = _run(text) if _names_a_folder(text) else Spec.of(text)
            if _same(item) in map(_same, items):
                raise ConfigError(f"{_same(item)} is named twice; with other settings it would be another")
            items.append(item)
        return cls(tuple(items))

    @property
    def specs(self):
        return tuple(item for item in self.items if isinstance(item, Spec))

    @property
    def runs(self):
        return tuple(item for item in self.items if isinstance(item, Run))

    @property
    def texts(self):
        """Arguments that name the same again, from anywhere."""
        return list(map(_same, self.items))

    def settings(self, flags):
        """The RunConfig of flags, a dict, and if there are runs, of the first of them."""
        if not self.runs:
            return RunConfig(**flags)
        first = self.runs[0]
        shared = shared_by(first)
        if shared.pop("jobs") is not None:
            raise ConfigError(
                f"{first.path} is of a multi-fidelity search that ends by jobs; these are compared by"
                " --budget alone"
            )
        settings = RunConfig(**shared, seed=first.settings.seed)
        return agreed(settings, {"seed": settings.seed} | flags, first.path, free=("seed",))

    def entries(self, study, found):
        """Entries of all; `found`: the Trials of the specs, in their order."""
        labels = [label_of(item) if isinstance(item, Run) else item.label for item in self.items]
        found, numbers = iter(found), iter(range(len(study.specs)))
        for item, label in zip(self.items, labels, strict=True):
            if isinstance(item, Spec):
                own, seed, by_jobs = asdict(item.config) | item.simulation, study.settings.seed, item.by_jobs
                number = next(numbers)
                where = None if study.folder is None else study.run_folder(number).name
                yield Entry(label, item.search_class.name, own, seed, by_jobs, next(found), where)
            else:
                if labels.count(label) > 1:
                    label = f"{label} ({item.path})"
                by_jobs = isinstance(item.settings, SimulationConfig)
                trials = Trials.of(item.history, item.settings.budget)
                own, seed = item.record["search"], item.settings.seed
                yield Entry(label, item.algorithm, own, seed, by_jobs, trials, str(item.path))


def agreed(settings, flags, of, free=()):
    """Settings with flags, once they say the same; ConfigError names `of`, which has these settings.

    `free`: the names of flags that may differ.
    """
    longest = space_of(settings.space).full_protocol
    flags = flags | short_names(flags, longest)
    if "signal" in flags:
        flags["signal"] = str(Signal.parse(flags["signal"], longest))
    for name, value in flags.items():
        before = vars(settings)[name]
        if value != before and name not in free:
            flag = name.replace("_", "-")
            raise ConfigError(f"--{flag} {setting_text(value)} is not that of {of}, {setting_text(before)}")
    return replace(settings, **flags)


def begun(chosen, settings, bench):
    """The settings with the table's space and signal, and the objective, once all algorithms could begin."""
    settings = settings.on(bench)
    objective = replace(settings, trials=1).objective(bench)
    for spec in chosen.specs:
        own = replace(spec.settings(settings), trials=1)
        if spec.by_jobs:
            curves, space = own.curves(bench), space_of_table(bench.space)
            search = spec.search_class(space, curves.fidelities, spec.config, 0, own.seed)
            check_curves(curves, search.rungs, own.budget)
        elif spec.search_class.objectives != 1:
            raise ConfigError(
                f"{spec.label} has {spec.search_class.objectives} objectives, and so no incumbent to compare"
            )
        else:
            begin(spec.search_class, spec.config, own, bench)
    _check_runs(chosen, settings, bench)
    return settings, objective


def shared_by(run):
    """What runs must have in common to be compared, a dict."""
    own = vars(run.settings)
    return {name: own.get(name) for name in _SHARED}


def _check_runs(chosen, settings, bench):
    """Raise ConfigError unless all runs are of this table and of these settings."""
    wanted = {name: vars(settings).get(name) for name in _SHARED}
    for run in chosen.runs:
        of = "the algorithms" if run is chosen.runs[0] else chosen.runs[0].path
        if not gives(bench, run):
            raise ConfigError(f"{run.path} cannot be compared with {of}: it is of another table")
        for name, value in shared_by(run).items():
            if value != wanted[name]:
                raise ConfigError(
                    f"{run.path} cannot be compared with {of}: its {name} is {setting_text(value)}, not"
                    f" {setting_text(wanted[name])}"
                )
        if isinstance(run.settings, SimulationConfig) and settings.budget is None:
            raise ConfigError(
                f"{run.path} is of a multi-fidelity search; these are compared by --budget alone"
            )


def _names_a_folder(text):
    """Whether an argument is a folder's path; where an algorithm has the same name, that is meant."""
    name = text.partition(":")[0]
    return name not in ALGORITHMS and (os.sep in name or os.path.isdir(text))


def _run(path):
    run = read_run(path)
    if run.objectives > 1:
        raise RunFolderError(f"{path} has two objectives, and so no incumbent to compare")
    if not run.complete:
        raise RunFolderError(f"{path} is not complete; --resume of the command that made it goes on with it")
    return run


def _same(item):
    """A text that two items have in common if they are the same."""
    return item.label if isinstance(item, Spec) else str(item.path.resolve())
