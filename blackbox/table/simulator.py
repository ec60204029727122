"""Workers on a simulated clock: a multi-fidelity search on a benchmark's learning curves."""

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Protocol

from blackbox.search.fidelity import Job, MultiFidelitySearch, R
from blackbox.search.jobs import JobHistory, JobRow
from blackbox.search.space import space_of_table
from blackbox.table.settings import SimulationConfig
from nasbench.benchmark import Benchmark

_new = tuple.__new__  # several times as fast as JobRow(...), which is a Python function


class JobTable(Protocol):
    """The interface of scores and times for a simulation, such as `blackbox.table.curves.Curves`."""

    def scores(self, trial: int, rungs: Sequence[int], /) -> Mapping[int, Sequence[float]]:
        """Return the scores of all codes in a trial by epochs, {epochs: (N,)}."""

    def seconds(self, done: int, epochs: int, /) -> Sequence[float]:
        """Return the duration of a job from `done` to `epochs` epochs for each code, seconds (N,)."""


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
        Class of the search.
    config
        Settings of the search, an instance of its ``config_class``; None for the defaults.
    settings
        Settings of the simulation.
    bench
        The table.
    trials
        Numbers of the trials; None for 0 to ``settings.trials - 1``.

    Returns
    -------
    JobHistory
        The completed jobs.

    Raises
    ------
    ConfigError
        If the table lacks the fidelities or the values of a cell.
    NotRecordedError
        If the table lacks the metric.
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
    """Simulate one trial and return its completed jobs, in the order of completion.

    The trial ends after `jobs` jobs or `budget` seconds, or if there are no more jobs. Once all jobs that end
    at one moment have been told, each free worker asks for a job, the lowest number first. `look(rows)` is
    called after each moment; if it returns a true value, the trial ends.
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
