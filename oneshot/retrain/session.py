"""Run a retraining, or resume one."""

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
    """A retraining that can be stopped and resumed."""

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
    """Train the network of an architecture from scratch and test it.

    >>> result = retrain("6111", RetrainSettings(channels=2, epochs=2, batch=128))
    >>> result.complete, len(result.log), result.log[-1]["top1"] == result.top1
    (True, 2, True)

    The random state of the process is not changed. Equal settings give equal results, bit for bit on a CPU
    with the same number of threads. If several processes train together, in
    `oneshot.training.distributed.joined`, all must make the same call.

    Parameters
    ----------
    architecture
        An Architecture, its text or value, or the folder of a finished search.
    settings
        Settings that differ from the published pipeline of its space; None for the defaults.
    out
        New folder to save the run in; None to save nothing.
    environment
        Device and file locations; None for the defaults.
    stop
        Called after each step; if it returns True, the training is saved and ends, and `resume` continues it.
    tensorboard
        Whether to write a TensorBoard log to the folder.

    Returns
    -------
    RetrainResult
        The trained network, its accuracy and the log.

    Raises
    ------
    ConfigError
        If settings contradict each other, or do not fit the images or the architecture.
    GenotypeError
        If the text is not an architecture.
    RunFolderError
        If the folder exists or cannot be written.
    DivergedError
        If a loss or weight becomes NaN or infinite; the last good checkpoint is kept.
    MemoryError
        If a batch does not fit in memory.
    """
    job = partial(RetrainJob.create, architecture, settings, environment)
    with RetrainSession.begin(job, out, tensorboard=tensorboard) as session:
        return session.run(stop)


resume = RetrainSession.complete
