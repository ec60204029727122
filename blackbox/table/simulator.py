"""Workers on a simulated clock: a multi-fidelity search on a benchmark's learning curves."""

from argparse import ArgumentTypeError
from dataclasses import dataclass
from heapq import heappop, heappush

from blackbox.errors import ConfigError
from blackbox.search.jobs import JobHistory
from blackbox.search.loop import check_limits
from blackbox.search.space import space_of_table
from blackbox.table.curves import Curves
from blackbox.table.settings import TableConfig, seconds, where_of
from nasbench.runs.settings import MANY, option, whole

_JOBS = 1000  # about as many as other searches have evaluations by default


def epochs_list(text):
    """Numbers of epochs between commas, a tuple."""
    try:
        return tuple(int(epochs) for epochs in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"fidelities are numbers of epochs, such as 12,200; got {text!r}") from None


def checked_fidelities(fidelities):
    """Numbers of epochs, at least one, a tuple; ConfigError or InvalidArgumentError for what is not."""
    if isinstance(fidelities, str) or not len(fidelities):
        raise ConfigError(f"fidelities are numbers of epochs, got {fidelities!r}")
    return tuple(whole("a fidelity", epochs, 1) for epochs in fidelities)


@dataclass(frozen=True)
class SimulationConfig(TableConfig):
    """What a multi-fidelity search on a table is told beside its own settings."""

    limits = ("jobs", "budget")  # what a run that goes on may raise

    jobs: int | None = option(
        None, f"jobs that end in a trial (default: {_JOBS}, or what the budget allows)", type=int
    )
    budget: float | None = option(
        None,
        "simulated time that a trial takes: 20000s, 90m, 12h, 2d; a job that would end later does not count",
        type=seconds,
    )
    workers: int = option(1, "that train at the same time; one is the clock of searches without fidelities")
    fidelities: tuple | None = option(
        None,
        "the rungs in epochs, such as 12,200 (default: down from the whole learning curve by factors of eta;"
        " without a curve, the protocols that the store has)",
        type=epochs_list,
        metavar="EPOCHS,EPOCHS",
    )
    from_scratch: bool = option(
        False, "a promoted cell is trained from the start, not on from where it stopped"
    )

    def __post_init__(self):
        if self.jobs is None and self.budget is None:
            object.__setattr__(self, "jobs", _JOBS)
        check_limits(None if self.jobs is None else whole("jobs", self.jobs, 1), self.budget)
        whole("workers", self.workers, 1, MANY)
        if self.fidelities is not None:
            object.__setattr__(self, "fidelities", checked_fidelities(self.fidelities))
        super().__post_init__()

    def curves(self, bench):
        """What the search sees and what jobs take, by the table of a Benchmark."""
        return Curves(
            bench,
            self.dataset,
            self.metric,
            signal=self.signal,
            fidelities=self.fidelities,
            from_scratch=self.from_scratch,
            noise=self.noise == "seed",
            seed=self.seed,
            where=where_of(self),
        )


def simulate(search_class, config, settings, bench, trials=None):
    """The JobHistory of trials of a multi-fidelity search on the table of a Benchmark.

    `config`: of the search's own `config_class`, or None; `settings`: a SimulationConfig; `trials`: their
    numbers (default: `settings.trials` of them, from 0).

    >>> from blackbox.asha import ASHA
    >>> from nasbench import NB201
    >>> bench = NB201()
    >>> settings = SimulationConfig(budget=86_400.0, workers=4, fidelities=(200,))
    >>> history = simulate(ASHA, None, settings, bench)
    >>> bool(history.end.max() <= 86_400), sorted(set(history.worker.tolist()))
    (True, [0, 1, 2, 3])
    """
    curves = settings.curves(bench)
    numbers = range(settings.trials) if trials is None else trials
    rows = []
    for trial in numbers:
        search = search_class(space_of_table(bench.space), curves.fidelities, config, trial, settings.seed)
        rows += simulate_trial(search, curves, settings.workers, settings.jobs, settings.budget)
    return JobHistory(numbers, rows)


def simulate_trial(search, curves, workers, jobs=None, budget=None, look=None):
    """The jobs of a search that end, rows of `blackbox.search.jobs.JOB` as tuples, as they end.

    Until `jobs` of them have, or `budget` seconds have passed, or there is no more to do. A free worker asks;
    where several are free, the lowest first, once all jobs that end at that moment have been told.
    `look(rows)` is called after each moment; a true answer ends the trial.
    """
    trial = search.trial
    scores = curves.scores(trial, search.rungs)
    seconds = {}  # by (epochs done, epochs)
    limit = float("inf") if budget is None else budget
    most = float("inf") if jobs is None else jobs
    free = list(range(workers))  # a heap
    running = []  # a heap of (end, number, start, worker, job)
    rows = []
    now = 0.0
    while len(rows) < most:
        while free:
            job = search.ask()
            if job is None:
                break
            number, code, epochs, done, _ = job
            try:
                takes = seconds[done, epochs]
            except KeyError:
                takes = seconds[done, epochs] = curves.seconds(done, epochs)
            heappush(running, (now + takes[code], number, now, heappop(free), job))
        if not running or running[0][0] > limit:
            break
        now = running[0][0]
        while running and running[0][0] == now and len(rows) < most:
            _, number, start, worker, job = heappop(running)
            score = scores[job.epochs][job.code]
            rows.append((number, trial, job.code, job.epochs, score, start, now, worker))
            search.tell(job, score)
            heappush(free, worker)
        if look is not None and look(rows):
            break
    return rows
