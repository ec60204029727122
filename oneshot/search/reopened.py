"""Open the run of a search again, to analyse its supernet."""

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
    """A run of a search with its trained supernet and validation images, as `reopen` returns it.

    Parameters
    ----------
    task
        The search, restored from its checkpoint.
    epoch
        Number of epochs completed.
    """

    def __init__(self, task: SearchTask, epoch: int) -> None:
        self._task = task
        #: number of epochs completed
        self.epoch = epoch
        #: settings of the search
        self.settings: SearchSettings = task.job.settings
        #: settings of the method
        self.config: SearchConfig = task.job.config
        #: scores of cells by the table; None in a space without a benchmark
        self.scorer: Scorer | None = task.job.scorer
        #: the method, with its trained supernet
        self.optimizer = task.optimizer
        #: device of the supernet
        self.device = task.device
        #: numbers of images in the two halves
        self.train_count, self.val_count = task.job.images.counts
        #: whether the method has made its final selection
        self.complete = task.is_concluded
        #: duration of the final selection in seconds
        self.concluding = task.concluding
        #: the final architecture; the currently selected one if the run is not complete
        self.architecture: Any = task.chosen()  # type depends on the space

    def val_loader(self, batch: int | None = None) -> Batches:
        """Return the validation half in batches, without augmentation and in the same order each time.

        Parameters
        ----------
        batch
            Images per batch; None for the search's batch size.

        Returns
        -------
        Batches
            Images, float32 ``(N, 3, H, W)``, and labels, int64 ``(N,)``.
        """
        return self._task.evaluation(batch)


def reopen(
    path: str | Path,
    device: str | None = "cpu",
    store: str | Path | None = None,
    folder: str | Path | None = None,
    download: bool = False,
) -> ReopenedSearch:
    """Load a run from its last checkpoint for analysis; nothing is written.

    Parameters
    ----------
    path
        Run folder of the search.
    device
        Device of the supernet: cpu, cuda or cuda:N; None for the run's.
    store, folder
        Path of the table, and folder of the data sets' archives; None for the run's.
    download
        Whether to download a missing data set.

    Returns
    -------
    ReopenedSearch
        The run, which need not be complete.

    Raises
    ------
    RunFolderError
        If there is no checkpoint, or it is damaged.
    ConfigError
        If the images or the table's scores differ from the run's.
    DeviceError
        If the device does not exist.
    """
    record, group = read_record(path, SEARCH), ProcessGroup()
    state = read_checkpoint(path)
    if state is None:
        raise RunFolderError(f"{path} has no checkpoint.pt; a search saves one after each epoch")
    environment = {"device": device, "store": store, "folder": folder, "download": download}
    job = SearchJob.resume(Path(path), record, group, environment=environment)
    place = group.device(job.environment.device)
    with own_random_numbers(job.images.seed, place):
        task = job.build(place, group)
        trainer = Trainer(task)
        restore(trainer, task, state, Path(path))
    return ReopenedSearch(task, trainer.epoch)
