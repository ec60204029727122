"""Workers on a simulated clock: a multi-fidelity search on a benchmark's learning curves."""

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Protocol

from blackbox.search.fidelity import Job, MultiFidelitySearch, R
from blackbox.search.jobs import JobHistory, JobRow
from blackbox.search.space import space_of_table
from blackbox.table.settings import SimulationConfig
from nasbench.benchmark import Benchmark

_new = tuple.__new__  # JobRow(...) itself, a function of Python, takes several times as long


class JobTable(Protocol):
    """What a simulation must know of jobs; `blackbox.table.curves.Curves` is one."""

    def scores(self, trial: int, rungs: Sequence[int], /) -> Mapping[int, Sequence[float]]:
        """Return the scores of all codes in a trial by epochs, {epochs: (N,)}."""

    def seconds(self, done: int, epochs: int, /) -> Sequence[float]:
        """Return what a job from `done` to `epochs` epochs takes for each code, seconds (N,)."""


def simulate(
    search_class: type[MultiFidelitySearch[R]],
    config: R | None,
    settings: SimulationConfig,
    bench: Benchmark,
    trials: Sequence[int] | None = None,
) -> JobHistory:
    """Run trials of a multi-fidelity search on a table, with workers on a simulated clock.

    >>> from blackbox.asha import ASHA
    >>> from nasbench import NB201
    >>> bench = NB201()
    >>> settings = SimulationConfig(budget=86_400.0, workers=4, fidelities=(200,))
    >>> history = simulate(ASHA, None, settings, bench)
    >>> bool(history.end.max() <= 86_400), sorted(set(history.worker.tolist()))
    (True, [0, 1, 2, 3])

    Parameters
    ----------
    search_class
        The search.
    config
        Its settings, of its own ``config_class``; None for the defaults.
    settings
        The settings of the simulation.
    bench
        The table.
    trials
        The numbers of the trials; None for ``settings.trials`` of them, from 0.

    Returns
    -------
    JobHistory
        The jobs that ended.

    Raises
    ------
    ConfigError
        If the table has no such fidelities or lacks the values of a cell.
    """
    curves = settings.curves(bench)
    numbers = range(settings.trials) if trials is None else trials
    rows: list[JobRow] = []
    for trial in numbers:
        search = search_class(space_of_table(bench.space), curves.fidelities, config, trial, settings.seed)
        rows += simulate_trial(search, curves, settings.workers, settings.jobs, settings.budget)
    return JobHistory(numbers, rows)


def simulate_trial(
    search: MultiFidelitySearch[Any],
    curves: JobTable,
    workers: int,
    jobs: int | None = None,
    budget: float | None = None,
    look: Callable[[list[JobRow]], object] | None = None,
) -> list[JobRow]:
    """Return the jobs of a search that end, as they end.

    The trial ends after `jobs` of them or `budget` seconds, or if there is no more to do. A free worker asks;
    of several, the lowest first, once all jobs that end at that moment have been told. `look(rows)` is called
    after each moment; if it returns something true, the trial ends.
    """
    trial = search.trial
    scores = curves.scores(trial, search.rungs)
    seconds: dict[tuple[int, int], Sequence[float]] = {}  # by (epochs done, epochs)
    limit = float("inf") if budget is None else budget
    most = float("inf") if jobs is None else jobs
    free = list(range(workers))  # a heap
    running: list[tuple[float, int, JobRow, Job]] = []  # a heap of (end, number, row, job)
    rows: list[JobRow] = []
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
            end = now + takes[code]
            row = _new(JobRow, (number, trial, code, epochs, scores[epochs][code], now, end, heappop(free)))
            heappush(running, (end, number, row, job))
        if not running or running[0][0] > limit:
            break
        now = running[0][0]
        while running and running[0][0] == now and len(rows) < most:
            _, _, row, job = heappop(running)
            rows.append(row)
            search.tell(job, row.score)
            heappush(free, row.worker)
        if look is not None and look(rows):
            break
    return rows
