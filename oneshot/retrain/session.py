"""A retraining from its beginning, or from where a run stopped, to its end."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from oneshot.retrain.report import RetrainResult
from oneshot.retrain.settings import RetrainSettings
from oneshot.retrain.task import RetrainJob, RetrainTask
from oneshot.retrain.weights import RETRAINING
from oneshot.training.environment import Environment
from oneshot.training.session import TrainingSession

RetrainSession = TrainingSession[RetrainTask, RetrainResult]


def retrain(
    architecture: object,
    settings: RetrainSettings | None = None,
    out: str | Path | None = None,
    *,
    environment: Environment | None = None,
    stop: Callable[[], bool] | None = None,
    tensorboard: bool = False,
) -> RetrainResult:
    """Train the network of an architecture from scratch, and test it.

    >>> result = retrain("6111", RetrainSettings(channels=2, epochs=2, batch=128))
    >>> result.complete, len(result.log), result.log[-1]["top1"] == result.top1
    (True, 2, True)

    The process's random numbers stay as they were. Equal settings give equal results, bit for bit on a CPU
    with as many threads. Several processes, in `oneshot.training.distributed.joined`, all call this alike.

    Parameters
    ----------
    architecture
        An Architecture, its text or value, or the folder of a finished search.
    settings
        What differs from the published pipeline of its space.
    out
        A new folder to save the run in.
    environment
        Device, and where files are.
    stop
        Called after each step; if it returns True, the training ends, saved so that `resume` goes on there.
    tensorboard
        Whether to write the log for TensorBoard, in the folder.

    Raises
    ------
    ConfigError
        If settings contradict each other, the images or the architecture.
    GenotypeError
        If the text is no architecture.
    RunFolderError
        If the folder exists or cannot be written.
    DivergedError
        If a loss or a weight is not finite any more; the last sound checkpoint is kept.
    MemoryError
        If a batch does not fit on the device.
    """
    with begin_retraining(
        architecture, settings, out, environment=environment, tensorboard=tensorboard
    ) as session:
        return session.run(stop)


def resume(
    path: str | Path,
    *,
    stop: Callable[[], bool] | None = None,
    tensorboard: bool = False,
    **environment: Any,  # values of fields of Environment
) -> RetrainResult:
    """Go on with the run in a folder to its end, which is where it would have ended undisturbed.

    Parameters
    ----------
    path
        The run's folder.
    stop, tensorboard
        As in `retrain`.
    **environment
        Fields of Environment that differ from the run's.

    Raises
    ------
    RunFolderError
        If the folder is damaged, or another process writes to it.
    ConfigError
        If the images are others now.
    """
    with resume_retraining(path, environment=environment, tensorboard=tensorboard) as session:
        return session.run(stop)


def begin_retraining(
    architecture: object,
    settings: RetrainSettings | None = None,
    out: str | Path | None = None,
    *,
    environment: Environment | None = None,
    tensorboard: bool = False,
) -> AbstractContextManager[RetrainSession]:
    """Open a new retraining that can be stopped; the parameters are those of `retrain`."""
    chosen = RetrainSettings() if settings is None else settings
    where = Environment() if environment is None else environment
    return RetrainSession.begin(
        lambda group: RetrainJob.create(architecture, chosen, where, group),
        RETRAINING,
        out,
        tensorboard=tensorboard,
    )


def resume_retraining(
    path: str | Path,
    *,
    environment: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    architecture: object = None,
    tensorboard: bool = False,
) -> AbstractContextManager[RetrainSession]:
    """Open a run to go on with; `environment`: what differs now; the others: what has to agree."""
    return RetrainSession.resume(
        lambda record, group: RetrainJob.resume(
            record, path, environment or {}, group, settings, architecture
        ),
        path,
        RETRAINING,
        tensorboard=tensorboard,
    )
