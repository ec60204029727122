"""A retraining from its beginning, or from where a run stopped, to its end."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from oneshot.retrain.report import RetrainResult
from oneshot.retrain.settings import RetrainSettings
from oneshot.retrain.task import RetrainJob, RetrainTask
from oneshot.retrain.weights import RETRAINING, RETRAINING_LOG
from oneshot.training.environment import Environment
from oneshot.training.session import TrainingSession


class RetrainSession(TrainingSession[RetrainTask, RetrainResult]):
    """A retraining that can be stopped."""

    kind, log_format, read_job = RETRAINING, RETRAINING_LOG, RetrainJob.resume


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
    job = partial(RetrainJob.create, architecture, settings, environment)
    with RetrainSession.begin(job, out, tensorboard=tensorboard) as session:
        return session.run(stop)


resume = RetrainSession.complete
