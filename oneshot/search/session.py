"""A search from its beginning, or from where a run stopped, to its end."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from oneshot.methods.base import SearchConfig
from oneshot.search.record import SEARCH
from oneshot.search.report import SearchResult
from oneshot.search.settings import SearchSettings
from oneshot.search.task import SearchJob, SearchTask
from oneshot.training.environment import Environment
from oneshot.training.session import TrainingSession

SearchSession = TrainingSession[SearchTask, SearchResult]


def search(
    settings: SearchSettings | None = None,
    config: SearchConfig | None = None,
    out: str | Path | None = None,
    *,
    environment: Environment | None = None,
    stop: Callable[[], bool] | None = None,
    tensorboard: bool = False,
) -> SearchResult:
    """Search a space of architectures by gradient.

    >>> from oneshot.methods.darts import DARTSConfig
    >>> result = search(SearchSettings(channels=2), DARTSConfig(epochs=1, batch=256))
    >>> result.complete, len(result.log), result.log[0]["arch"] == str(result.architecture)
    (True, 1, True)

    The process's random numbers stay as they were. Equal settings give equal results, bit for bit on a CPU
    with as many threads. Several processes, in `oneshot.training.distributed.joined`, all call this alike.

    Parameters
    ----------
    settings
        Space, method, data set and sizes.
    config
        Settings of the method; None for its own with the recipe of `settings`.
    out
        A new folder to save the run in.
    environment
        Device, and where files are.
    stop
        Called after each step; if it returns True, the search ends, saved so that `resume` goes on there.
    tensorboard
        Whether to write the log for TensorBoard, in the folder.

    Raises
    ------
    ConfigError
        If settings contradict each other, the images or the table.
    RunFolderError
        If the folder exists or cannot be written.
    DivergedError
        If a loss or a weight is not finite any more; the last sound checkpoint is kept.
    MemoryError
        If a batch does not fit on the device.
    """
    with begin_search(settings, config, out, environment=environment, tensorboard=tensorboard) as session:
        return session.run(stop)


def resume(
    path: str | Path,
    *,
    stop: Callable[[], bool] | None = None,
    tensorboard: bool = False,
    **environment: Any,  # values of fields of Environment
) -> SearchResult:
    """Go on with the run in a folder to its end, which is where it would have ended undisturbed.

    Parameters
    ----------
    path
        The run's folder.
    stop, tensorboard
        As in `search`.
    **environment
        Fields of Environment that differ from the run's.

    Raises
    ------
    RunFolderError
        If the folder is damaged, or another process writes to it.
    ConfigError
        If the images, or the table's scores, are others now.
    """
    with resume_search(path, environment=environment, tensorboard=tensorboard) as session:
        return session.run(stop)


def begin_search(
    settings: SearchSettings | None = None,
    config: SearchConfig | None = None,
    out: str | Path | None = None,
    *,
    environment: Environment | None = None,
    tensorboard: bool = False,
) -> AbstractContextManager[SearchSession]:
    """Open a new search that can be stopped; the parameters are those of `search`."""
    chosen = SearchSettings() if settings is None else settings
    where = Environment() if environment is None else environment
    return SearchSession.begin(
        lambda group: SearchJob.create(chosen, config, where, group), SEARCH, out, tensorboard=tensorboard
    )


def resume_search(
    path: str | Path,
    *,
    environment: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    tensorboard: bool = False,
) -> AbstractContextManager[SearchSession]:
    """Open a run to go on with; `environment`: what differs now; `settings`, `config`: what has to agree."""
    return SearchSession.resume(
        lambda record, group: SearchJob.resume(record, path, environment or {}, group, settings, config),
        path,
        SEARCH,
        tensorboard=tensorboard,
    )
