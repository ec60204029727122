"""Run a search, or resume one."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from oneshot.methods.base import SearchConfig
from oneshot.parts.base import PartSettings
from oneshot.search.record import SEARCH, SEARCH_LOG
from oneshot.search.report import SearchResult
from oneshot.search.settings import SearchSettings
from oneshot.search.task import SearchJob, SearchTask
from oneshot.training.environment import Environment
from oneshot.training.session import TrainingSession


class SearchSession(TrainingSession[SearchTask, SearchResult]):
    """A search that can be stopped and resumed."""

    kind, log_format, read_job = SEARCH, SEARCH_LOG, SearchJob.resume


def search(
    settings: SearchSettings | None = None,
    config: SearchConfig | None = None,
    out: str | Path | None = None,
    *,
    parts: Sequence[PartSettings] | None = None,
    environment: Environment | None = None,
    stop: Callable[[], bool] | None = None,
    tensorboard: bool = False,
) -> SearchResult:
    """Search a space of architectures by gradient.

    >>> from oneshot.methods.darts import DARTSConfig
    >>> result = search(SearchSettings(channels=2), DARTSConfig(epochs=1, batch=256))
    >>> result.complete, len(result.log), result.log[0]["arch"] == str(result.architecture)
    (True, 1, True)

    The random state of the process is not changed. Equal settings give equal results, bit for bit on a CPU
    with the same number of threads. If several processes search together, in
    `oneshot.training.distributed.joined`, all must make the same call.

    Parameters
    ----------
    settings
        Space, method, data set and sizes; None for the defaults.
    config
        Settings of the method; None for its defaults with the recipe of `settings`.
    out
        New folder to save the run in; None to save nothing.
    parts
        Settings of the parts to add to the method; None for the parts of a published method, if it is one.
    environment
        Device and file locations; None for the defaults.
    stop
        Called after each step; if it returns True, the search is saved and ends, and `resume` continues it.
    tensorboard
        Whether to write a TensorBoard log to the folder.

    Returns
    -------
    SearchResult
        The architecture found, its scores and the log.

    Raises
    ------
    ConfigError
        If settings contradict each other, or do not fit the images or the table.
    RunFolderError
        If the folder exists or cannot be written.
    DivergedError
        If a loss or weight becomes NaN or infinite; the last good checkpoint is kept.
    MemoryError
        If a batch does not fit in memory.
    """
    job = partial(SearchJob.create, settings, config, environment, parts=parts)
    with SearchSession.begin(job, out, tensorboard=tensorboard) as session:
        return session.run(stop)


resume = SearchSession.complete
