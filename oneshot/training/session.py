"""Training sessions, which start or resume a training run and optionally save it in a folder."""

import io
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

import torch

from nasbench.runs.files import quoted
from nasbench.runs.folder import RunFolder, RunKind, check_new, read_record
from nasbench.runs.log import Columns, Row, read_log
from nasbench.runs.progress import Progress
from nasbench.runs.text import counted, duration
from oneshot.errors import DivergedError, MissingDependencyError, RunFolderError
from oneshot.spaces.registry import get_space
from oneshot.training.checkpoints import CHECKPOINT, encode_tensors, read_checkpoint, refusing
from oneshot.training.distributed import ProcessGroup
from oneshot.training.environment import Environment
from oneshot.training.images import ImageSplits
from oneshot.training.memory import is_out_of_memory
from oneshot.training.metrics import Measured
from oneshot.training.tensorboard import TensorBoardWriter, check_requested
from oneshot.training.trainer import Epoch, Stepping, Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INTERVAL = 1.0  # seconds between checks of a training run, each of which waits for the device
Files = Mapping[str, bytes | memoryview]  # contents of files in a run folder, by name


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """Common part of the results of searches and retrainings."""

    #: settings of the search or the retraining
    settings: Any
    #: whether the training is complete
    complete: bool
    #: number of epochs completed
    epochs: int
    #: number of steps completed
    steps: int
    #: one row per epoch, {column: value or None}
    log: list[Row]
    #: numbers of training and of held-out images
    images: tuple[int, int]
    #: duration of the training in seconds
    seconds: float
    #: names of the pictures in the run folder
    pictures: tuple[str, ...] = ()
    #: why there are no pictures; None if there are some or none were requested
    note: str | None = None

    @abstractmethod
    def to_json(self) -> dict[str, Any]:  # plain values, nested
        """Return the contents of summary.json, which depend only on the settings."""

    def heading(
        self, title: str, epochs: int, held_out: str, processes: int, work: str = "", cells: str | None = None
    ) -> str:
        """Return the first lines of a report.

        Parameters
        ----------
        title
            Start of the first line.
        epochs
            Total number of epochs.
        held_out
            Name of the held-out images, such as "test".
        processes
            Number of processes that trained.
        work
            Text after the duration, such as " of search".
        cells
            Numbers of cells, if they differ from the settings.
        """
        settings, (train, other) = self.settings, self.images
        done = "" if self.epochs == epochs else f"{self.epochs:,} of "
        by = f" by {processes} processes" if processes > 1 else ""
        stage = " per stage" if get_space(settings.space).cells_per_stage else ""
        return (
            f"{title} {counted(settings.channels, 'channel')} and"
            f" {cells or counted(settings.cells, 'cell')}{stage}\n{done}{counted(epochs, 'epoch')},"
            f" {self.steps:,} steps, {train:,} training and {other:,} {held_out} images;"
            f" seed {settings.seed}; {duration(self.seconds)}{work}{by}"
        )


_R = TypeVar("_R", bound=TrainingResult)
_R_co = TypeVar("_R_co", bound=TrainingResult, covariant=True)


class TrainingTask(Stepping[Any, Any], Protocol[_R_co]):  # Any: types of its batches and epochs
    """A search or a retraining as a session runs it; derive from this class for its defaults."""

    @abstractmethod
    def row(self, epoch: Epoch[Any]) -> Row:
        """Return the row of the log for an epoch."""

    def epoch_files(self, row: Row) -> Files:
        """Return the files to save after the epoch of `row`."""
        return {}

    def conclude(self, progress: bool) -> bool:
        """Do the work after the last epoch, unless it is done; return whether any was done.

        `progress` is whether to show a progress bar for long work.
        """
        return False

    def conclusion(self) -> dict[str, Any]:
        """Return the result of `conclude` as plain values for a checkpoint."""
        return {}

    def load_conclusion(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `conclusion` returned."""
        return

    @abstractmethod
    def result(self, trainer: Trainer[Any], log: list[Row]) -> _R_co:
        """Return the result after the epochs in `log`."""

    @abstractmethod
    def result_files(self, result: Any) -> Files:  # of type _R_co
        """Return the files to save with a result."""

    @abstractmethod
    def figures(self, result: Any) -> "Mapping[str, Figure]":  # of type _R_co
        """Return the pictures of a result by file name; raise MissingDependencyError without matplotlib."""

    @abstractmethod
    def memory_advice(self) -> str:
        """Return what did not fit in memory, and advice."""


_Task = TypeVar("_Task", bound=TrainingTask[Any])
_Task_co = TypeVar("_Task_co", bound=TrainingTask[Any], covariant=True)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingJob(ABC, Generic[_Task_co]):
    """Settings and images of a training run, checked before a folder or a network exists."""

    #: device and file locations
    environment: Environment
    #: images; their seed is the seed of all random numbers
    images: ImageSplits
    #: notes on unusual settings, for stderr
    notes: Sequence[str] = ()

    @abstractmethod
    def record(self, environment: Environment, group: ProcessGroup) -> dict[str, Any]:
        """Return the contents of config.json."""

    @abstractmethod
    def build(self, device: torch.device, group: ProcessGroup) -> _Task_co:
        """Return the task before its first step, initialized by the random numbers of the process."""


@contextmanager
def own_random_numbers(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's random numbers within the block, and restore their state after it."""
    is_cuda = device.type == "cuda"
    with torch.random.fork_rng([device] if is_cuda else []):
        torch.default_generator.manual_seed(seed)
        if is_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def restore(trainer: Trainer[Any], task: TrainingTask[Any], state: Mapping[str, Any], path: Path) -> int:
    """Restore a trainer and its task from a run's checkpoint; return the checkpoint's offset in the log."""
    with refusing(f"{path}/{CHECKPOINT} is of another run or version"):
        trainer.load_state_dict(state["training"])
        task.load_conclusion(state)
        return int(state["log"])


class TrainingSession(Generic[_Task, _R]):
    """A training run that can be stopped: `begin` or `resume` it in a `with`, then `train` and `finish`.

    With several processes, all make the same calls; only the main one writes. Subclasses define the kind of
    run folder.

    Parameters
    ----------
    job
        Settings and images.
    task
        The search or retraining.
    path
        Run folder; None if the run is not saved.
    folder
        The open run folder, in the process that writes; None in others.
    """

    #: kind of run folder
    kind: ClassVar[RunKind]
    #: columns of the log
    log_format: ClassVar[Columns]
    #: returns the job of a run, given folder, config.json, processes and changed fields of Environment
    read_job: ClassVar[Callable[..., TrainingJob[Any]]]

    def __init__(
        self, job: TrainingJob[_Task], task: _Task, path: Path | None, folder: RunFolder | None
    ) -> None:
        self.job, self.task, self.path = job, task, path
        self.trainer: Trainer[Any] = Trainer(task)
        self.log: list[Row] = []
        self._folder = folder
        self._writer: TensorBoardWriter | None = None

    @classmethod
    @contextmanager
    def begin(
        cls,
        prepare: Callable[[ProcessGroup], TrainingJob[_Task]],
        out: str | Path | None = None,
        *,
        tensorboard: bool = False,
    ) -> Iterator[Self]:
        """Start the job that `prepare` returns; with `out`, create its folder."""
        group = ProcessGroup.present()
        path = None if out is None else Path(out)

        def prepared() -> TrainingJob[_Task]:
            check_requested(tensorboard, path)
            if path is not None and group.is_main:
                check_new(path, cls.kind)
            return prepare(group)

        def created() -> RunFolder | None:
            if path is None or not group.is_main:
                return None
            device = group.device(job.environment.device)
            name = str(device) if group.size == 1 else device.type
            record = job.record(replace(job.environment, device=name), group)
            return RunFolder.create(path, cls.kind, record)

        job = group.main_process_first(prepared)
        folder = group.run_on_all(created)
        with folder or nullcontext(), cls._opened(job, path, folder, tensorboard) as session:
            yield session

    @classmethod
    @contextmanager
    def resume(
        cls,
        read: Callable[[Path, dict[str, Any], ProcessGroup], TrainingJob[_Task]],
        path: str | Path,
        *,
        tensorboard: bool = False,
    ) -> Iterator[Self]:
        """Resume the run in a folder; `read` returns its job, given the contents of config.json."""
        group = ProcessGroup.present()
        path = Path(path)
        folder = group.run_on_all(lambda: RunFolder.resume(path, cls.kind) if group.is_main else None)

        def recorded() -> TrainingJob[_Task]:
            check_requested(tensorboard, path)
            return read(path, read_record(path, cls.kind), group)

        with folder or nullcontext():
            job = group.main_process_first(recorded)
            with cls._opened(job, path, folder, tensorboard) as session:
                yield session

    @classmethod
    def complete(
        cls,
        path: str | Path,
        *,
        stop: Callable[[], bool] | None = None,
        tensorboard: bool = False,
        **environment: Any,  # values of fields of Environment
    ) -> _R:
        """Resume and complete the run in a folder; the result is the same as without an interruption.

        Parameters
        ----------
        path
            The run folder.
        stop
            Called after each step; if it returns True, the run is saved and ends, and can be resumed again.
        tensorboard
            Whether to write a TensorBoard log to the folder.
        **environment
            Fields of Environment that differ from the run's.

        Returns
        -------
        TrainingResult
            A SearchResult or RetrainResult.

        Raises
        ------
        RunFolderError
            If the folder is damaged, or another process writes to it.
        ConfigError
            If the images or the table's scores differ from the run's.
        DivergedError
            If a loss or weight becomes NaN or infinite; the last good checkpoint is kept.
        MemoryError
            If a batch does not fit in memory.
        """
        read = partial(cls.read_job, environment=environment)
        with cls.resume(read, path, tensorboard=tensorboard) as session:
            return session.run(stop)

    @classmethod
    @contextmanager
    def _opened(
        cls, job: TrainingJob[_Task], path: Path | None, folder: RunFolder | None, tensorboard: bool
    ) -> Iterator[Self]:
        group = ProcessGroup.present()
        device = group.device(job.environment.device)
        with own_random_numbers(job.images.seed, device), ExitStack() as stack:
            session = cls(job, job.build(device, group), path, folder)
            if path is not None:
                group.run_on_all(session._load)
            if tensorboard and folder is not None:
                session._writer = TensorBoardWriter(folder.path / "tensorboard", session.trainer.epoch)
                stack.callback(session._writer.close)
            yield session

    def run(self, stop: Callable[[], bool] | None = None) -> _R:
        """Train until the last epoch or until `stop()` is true, and return the result."""
        self.train(stop)
        return self.finish()

    def train(self, stop: Callable[[], bool] | None = None, progress: bool = False) -> None:
        """Train until the last epoch or until `stop()` is true after a step, and save.

        Parameters
        ----------
        stop
            Called after each step.
        progress
            Whether to show a progress bar.

        Raises
        ------
        DivergedError
            If a loss or weight becomes NaN or infinite; the last good checkpoint is kept.
        MemoryError
            If a batch does not fit in memory; the error has advice.
        """
        is_full = False
        try:
            self._train(stop or (lambda: False), progress)
        except DivergedError as error:
            raise DivergedError(f"{error}; {self._kept()}; try a lower --learning-rate") from None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            is_full = True  # after this block, the memory that the error references is free
        if is_full:
            raise MemoryError(self.task.memory_advice())

    def _train(self, stop: Callable[[], bool], progress: bool) -> None:
        shown = progress and self.task.group.is_main
        watch = _Watch(self.trainer)
        total = self.task.epochs * len(self.task)
        with Progress(
            self.task.name,
            "steps",
            total,
            done=self.trainer.steps,
            shown=shown,
            on_tick=[watch.look],
            interval=_INTERVAL,
        ) as bar:
            done = self.trainer.run(
                stop, lambda: bar.update(self.trainer.steps, watch.text), self._after_epoch
            )
            bar.finish(self.trainer.steps)
        if not done:
            self.trainer.check()
            self._save()

    def finish(self, conclude: bool = True, progress: bool = False) -> _R:
        """Conclude the task if all epochs are complete, and save and return the result.

        `conclude` is False after an interrupt; `progress` is whether to show a progress bar.
        """
        group = self.task.group
        (skips,) = group.any((not conclude,))
        if self.trainer.is_complete and not skips and self.task.conclude(progress and group.is_main):
            self._save()
        result: _R = self.task.result(self.trainer, self.log)
        if self._folder is None:
            return result
        result = self._draw(self._folder, result)
        self._folder.write_summary(result.to_json())  # last, because it marks the run as complete
        return result

    def _draw(self, folder: RunFolder, result: _R) -> _R:
        """Write the files and pictures of a result; return it with the names of its pictures."""
        self._write(self.task.result_files(result))
        try:
            figures = self.task.figures(result)
        except MissingDependencyError as error:
            return replace(result, note=f"no pictures: {error}")
        self._write({name: _encode(figure) for name, figure in figures.items()})
        return replace(result, pictures=tuple(sorted(figures)))

    def _after_epoch(self, epoch: Epoch[Any]) -> None:
        row = self.task.row(epoch)
        self.log.append(row)
        if self._folder is not None:
            self._folder.log.append(self.log_format.encode([row]))
            self._write(self.task.epoch_files(row))
        self._save()
        if self._writer is not None:
            self._writer.add(row)

    # Checkpoints

    def _write(self, files: Files) -> None:
        for name, data in files.items():
            if self._folder is not None:
                self._folder.write_bytes(name, data)

    def _save(self) -> None:
        if self.path is None:
            return
        training = self.trainer.state_dict()
        if self._folder is not None:
            state = {"training": training, "log": self._folder.log.offset} | self.task.conclusion()
            self._write({CHECKPOINT: encode_tensors(state)})

    def _load(self) -> None:
        path, folder = self.path, self._folder
        if path is None:
            return
        state = read_checkpoint(path)
        if state is None:
            if folder is not None:
                rows = len(read_log(path, self.log_format))
                if rows > 1:  # the first row is written before the first checkpoint
                    raise RunFolderError(f"{path} has no {CHECKPOINT}, though its log has {rows:,} epochs")
                folder.log.truncate(None)
            return
        position = restore(self.trainer, self.task, state, path)
        if folder is not None:
            folder.log.truncate(position, self.trainer.epoch)
        self.log = read_log(path, self.log_format)[: self.trainer.epoch]

    def _kept(self) -> str:
        """Describe the last checkpoint of a run that diverged."""
        if self.path is None:
            return "nothing was saved because --out was not given"
        state = read_checkpoint(self.path)
        if state is None:
            return "no epoch was completed"
        epoch, batch = state["training"]["epoch"], state["training"]["batch"]
        position = f"epoch {epoch}" + (f" and {batch} steps" if batch else "")
        return f"the last good checkpoint is {quoted(self.path / CHECKPOINT)} ({position})"


class _Watch:
    """Observer of a Trainer: reads the measurements of its epoch once a second, and checks them."""

    def __init__(self, trainer: Trainer[Any]) -> None:
        self._trainer = trainer
        self._measured: list[Measured] = []
        self._steps, self._time = trainer.steps, time.monotonic()

    def look(self) -> None:
        self._measured = self._trainer.look()

    def text(self) -> str:
        """Return the measurements and the speed since the last call."""
        images = (self._trainer.steps - self._steps) * self._trainer.task.images_per_step
        now = time.monotonic()
        rate = images / max(now - self._time, 1e-9)
        self._steps, self._time = self._trainer.steps, now
        parts = [
            f"{name} loss {measured.loss:.3f} accuracy {measured.accuracy:.1f} %"
            for name, measured in zip(("train", "val"), self._measured, strict=False)
            if not math.isnan(measured.loss)  # NaN without images
        ]
        return ", ".join([f"epoch {self._trainer.epoch + 1}", *parts, f"{rate:,.0f} images/s"])


def _encode(figure: "Figure") -> memoryview:
    """Return a picture as the bytes of a PNG file."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150)
    return data.getbuffer()
