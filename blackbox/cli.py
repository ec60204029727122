"""The command of every search: flags, progress, the run's folder, the report."""

import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from blackbox import plot
from blackbox.config import add_flags, given, option
from blackbox.errors import BlackboxError, ConfigError, RunFolderError
from blackbox.folder import RunFolder, read_config
from blackbox.objective import TableObjective
from blackbox.search import run
from blackbox.space import NB201 as SPACE
from blackbox.summary import print_summary, regrets, summarize
from nasbench import NB201, __version__
from nasbench.cell import official_index, official_order
from nasbench.console import INTERRUPTED, Parser, call, print_json
from nasbench.errors import NASBenchError
from nasbench.files import utc_now
from nasbench.metrics import METRICS

_EVALS = 1000  # NASLib paper, appendix A.1


def seconds(text):
    """A duration such as 20000, 20000s, 90m, 12h or 2d, in seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    return float(number) * unit


@dataclass(frozen=True)
class RunConfig:
    """What every search is told beside its own settings."""

    evals: int | None = option(
        None, f"evaluations a trial (default: {_EVALS}, or what the budget allows)", type=int
    )
    budget: float | None = option(
        None, "simulated training time that a trial may spend: 20000s, 90m, 12h, 2d", type=seconds
    )
    trials: int = option(1, "independent trials")
    dataset: str = option("cifar10", "cifar10, cifar100 or imagenet16-120")
    metric: str = option("val_accuracy", "what to optimize, in its better direction")
    noise: str = option(
        "mean",
        "an evaluation's score: the mean over seeds, or that of one recorded seed, drawn",
        choices=("mean", "seed"),
    )
    seed: int = option(0, "of all that is drawn")

    def __post_init__(self):
        if self.evals is None and self.budget is None:
            object.__setattr__(self, "evals", _EVALS)
        if self.evals is not None and self.evals < 1:
            raise ConfigError(f"evals is at least 1, got {self.evals}")
        if self.budget is not None and not 0 < self.budget < float("inf"):
            raise ConfigError(f"budget is a positive number of seconds, got {self.budget}")
        if self.trials < 1:
            raise ConfigError(f"trials is at least 1, got {self.trials}")
        if self.seed < 0:
            raise ConfigError(f"seed is at least 0, got {self.seed}")


def main(search_class, config_class, argv=None):
    """The command line of a search on the NAS-Bench-201 table; returns the exit code.

    `search_class(space, config, trials, seed, history)` is a `Search` with a `name`; `config_class` is a
    dataclass whose fields are `option`s.
    """
    spec = sys.modules[search_class.__module__].__spec__
    parser = Parser(
        prog=f"python -m {spec.name}" if spec else Path(sys.argv[0]).name,
        description=f"{search_class.name.capitalize()} on the NAS-Bench-201 table.",
    )
    add_flags(parser.add_argument_group(search_class.name), config_class)
    add_flags(parser.add_argument_group("run"), RunConfig)
    files = parser.add_argument_group("files")
    files.add_argument("--store", metavar="FILE", help="a store that `python -m nasbench build` made")
    where = files.add_mutually_exclusive_group()
    where.add_argument("--out", metavar="FOLDER", help="a new folder for settings, log and summary")
    where.add_argument("--resume", metavar="FOLDER", help="go on with a run; may raise --evals or --budget")
    files.add_argument("--plot", metavar="FILE", help="draw regret against evaluations (.png, .svg, .pdf)")
    files.add_argument("--json", action="store_true", help="print the summary as JSON")
    args = parser.parse_args(argv)
    errors = (BlackboxError, NASBenchError)
    return call(lambda: _search(parser.prog, search_class, config_class, args), parser.prog, errors)


def _search(prog, search_class, config_class, args):
    if args.plot is not None:
        plot.check(args.plot)
    if args.resume is None:
        config, settings = config_class(**given(args, config_class)), RunConfig(**given(args, RunConfig))
        bench = NB201(args.store)
    else:
        config, settings, bench, record = _resumed(search_class, config_class, args)
    noise = settings.noise == "seed"
    who = {"trials": range(settings.trials), "seed": settings.seed}
    objective = TableObjective(bench, settings.dataset, settings.metric, noise=noise, **who)
    folder = history = None
    if args.out is not None:
        folder = RunFolder.create(args.out, _record(search_class, config, settings, args.store, bench))
    elif args.resume is not None:
        folder, history = RunFolder.reopen(args.resume, settings.trials, official_order())
    with folder or nullcontext():
        if args.resume is not None:
            if not noise and (history.scores != objective.scores[history.codes]).any():
                raise RunFolderError(f"{args.resume} is damaged: its scores are not those of the table")
            folder.write_config(record)
        search = search_class(SPACE, config, history=history, **who)
        history = search.history
        objective.skip(len(history))
        complete = _run(search, objective, settings, folder)
        summary = {
            "algorithm": search.name,
            "settings": asdict(config) | asdict(settings),
            "complete": complete,
            **summarize(history, objective, bench, settings.dataset, settings.metric, settings.budget),
        }
        if folder is not None:
            folder.write_summary(summary)

    if args.plot is not None:
        regret = regrets(history, objective, settings.budget)
        title = f"{search.name} on {settings.dataset} {settings.metric}"
        plot.plot_regret(args.plot, regret, title, METRICS[settings.metric].unit)
    if args.json:
        print_json(summary)
    else:
        print_summary(summary)
        kept = (
            f"saved in {folder.path}" if folder else "not saved; --out FOLDER keeps settings, log and summary"
        )
        print(f"\n{kept}" + (f"; picture in {args.plot}" if args.plot else ""))
    if not complete:
        resume = f"; go on with: {prog} --resume {folder.path}" if folder else ""
        print(f"interrupted after {len(history):,} evaluations a trial{resume}", file=sys.stderr)
    return 0 if complete else INTERRUPTED


def _run(search, objective, settings, folder):
    """Search to the end, and say so; or until Ctrl-C, which is passed on only where nothing was found yet."""
    watch = _Watch(search, folder, settings.evals)
    limits = {"evals": settings.evals, "budget": settings.budget}
    try:
        run(search, objective, **limits, cost=objective.cost, after_step=watch.look)
    except KeyboardInterrupt:
        if not len(search.history):
            raise
        return False
    finally:
        watch.close()
    return True


def _record(search_class, config, settings, store, bench):
    """What a run's config.json holds."""
    attributes = bench.store.attributes
    return {
        "algorithm": search_class.name,
        "search": asdict(config),
        "run": asdict(settings),
        "table": {
            "store": store and str(Path(store).absolute()),
            **{name: attributes[name] for name in ("source", "source_version", "checksum")},
        },
        "versions": {
            "nas-toolkit": __version__,
            "numpy": np.__version__,
            "python": sys.version.split()[0],
        },
        "created": utc_now(),
    }


def _resumed(search_class, config_class, args):
    """The settings of the run to go on with, checked against the flags, its table and its record."""
    record = read_config(args.resume)
    try:
        algorithm, table = record["algorithm"], record["table"]
        if algorithm != search_class.name:
            raise ConfigError(f"{args.resume} is a run of {algorithm}, not of {search_class.name}")
        config, settings = config_class(**record["search"]), RunConfig(**record["run"])
        store, checksum = table["store"], table["checksum"]
    except (KeyError, TypeError, AttributeError) as error:
        raise RunFolderError(f"{args.resume}/config.json is damaged or of another version: {error}") from None
    raised = {}
    for cls, recorded in ((config_class, asdict(config)), (RunConfig, asdict(settings))):
        for name, value in given(args, cls).items():
            before = recorded[name]
            if name in ("evals", "budget") and before is not None and value > before:
                raised[name] = value
            elif value != before:
                raise ConfigError(
                    f"--{name} {value} is not the run's, {before}; only --evals and --budget may be raised"
                )
    settings = replace(settings, **raised)
    bench = NB201(store if args.store is None else args.store)
    if bench.store.attributes["checksum"] != checksum:
        raise ConfigError(
            f"{args.resume} was made on another table than {bench.store.path}; name it with --store"
        )
    return config, settings, bench, {**record, "run": asdict(settings)}


class _Watch:
    """Looks in after each step: once a second it saves the log and moves the progress bar."""

    def __init__(self, search, folder, evals):
        self._search = search
        self._folder = folder
        self._evals = evals
        self._bar = None
        self._next = time.monotonic() + 1.0

    def look(self):
        if time.monotonic() >= self._next:
            self._save()
            self._show()
            self._next = time.monotonic() + 1.0

    def close(self):
        self._save()
        if self._bar is not None:
            self._show()
            self._bar.close()

    def _save(self):
        if self._folder is not None:
            self._folder.append(self._search.history, official_index())

    def _show(self):
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=self._evals, desc=self._search.name, unit=" evaluations", disable=None)
        self._bar.update(len(self._search.history) - self._bar.n)
