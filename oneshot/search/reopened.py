"""A run of a search, opened again to look at what it learned."""

from pathlib import Path
from typing import Any

from nasbench.runs.folder import read_record
from oneshot.errors import RunFolderError
from oneshot.methods.base import SearchConfig
from oneshot.search.record import SEARCH
from oneshot.search.scorer import Scorer
from oneshot.search.settings import SearchSettings
from oneshot.search.task import SearchJob, SearchTask
from oneshot.training.checkpoints import read_checkpoint
from oneshot.training.distributed import ProcessGroup
from oneshot.training.images import Batches
from oneshot.training.session import own_random_numbers, restore
from oneshot.training.trainer import Trainer


class ReopenedSearch:
    """What a run has learned: the method with its trained supernet, and validation batches."""

    def __init__(self, task: SearchTask, epoch: int) -> None:
        """`epoch`: the number of epochs done."""
        self._task = task
        self.epoch = epoch
        self.settings: SearchSettings = task.job.settings
        self.config: SearchConfig = task.job.config
        #: None in a space without a benchmark.
        self.scorer: Scorer | None = task.job.scorer
        self.optimizer = task.optimizer
        self.device = task.device
        #: Numbers of images of the two halves.
        self.train_count, self.val_count = task.job.images.counts
        #: Whether the method has made its final choice.
        self.complete = task.is_concluded
        #: Seconds that the final choice took.
        self.concluding = task.concluding
        #: The method's final choice, or the present one of a run that is not complete.
        self.architecture: Any = task.chosen()  # of the space

    def val_loader(self, batch: int | None = None) -> Batches:
        """Return the validation half in batches (images, labels), not augmented; the same each time.

        `batch`: images in each; None: as the search had it.
        """
        return self._task.evaluation(batch)


def reopen(
    path: str | Path,
    device: str | None = "cpu",
    store: str | Path | None = None,
    folder: str | Path | None = None,
) -> ReopenedSearch:
    """Open the run in a folder, as its last checkpoint has it, to look at; nothing is written.

    Parameters
    ----------
    path
        The run's folder.
    device
        Where its supernet computes.
    store, folder
        The table, and the folder of the data sets' archives, if they have moved.

    Raises
    ------
    RunFolderError
        If there is no checkpoint, or it is damaged.
    ConfigError
        If the images, or the table's scores, are others now.
    """
    record, group = read_record(path, SEARCH), ProcessGroup()
    state = read_checkpoint(path)
    if state is None:
        raise RunFolderError(f"{path} has no checkpoint.pt, which each epoch of a search saves")
    environment = {"device": device, "store": store, "folder": folder}
    job = SearchJob.resume(Path(path), record, group, environment=environment)
    place = group.device(job.environment.device)
    with own_random_numbers(job.images.seed, place):
        task = job.build(place, group)
        trainer = Trainer(task)
        restore(trainer, task, state, Path(path))
    return ReopenedSearch(task, trainer.epoch)
