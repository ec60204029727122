"""A search from its beginning, or from where a run stopped, to its end."""

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
    """A search that can be stopped."""

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
    parts
        Settings of the parts that are added to the method; None for those of a published method.
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
    job = partial(SearchJob.create, settings, config, environment, parts=parts)
    with SearchSession.begin(job, out, tensorboard=tensorboard) as session:
        return session.run(stop)


resume = SearchSession.complete
