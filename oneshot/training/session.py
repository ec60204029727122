"""A training from its beginning, or from where a run stopped, to its end: in memory or in a run's folder."""

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

_INTERVAL = 1.0  # seconds between looks at a training; each waits for the device once
Files = Mapping[str, bytes | memoryview]  # the contents of files of a run's folder, by their names


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What every training gives; subclasses add what it found."""

    #: Settings of the search or of the retraining.
    settings: Any
    #: Whether the training came to its end.
    complete: bool
    #: Number of epochs done.
    epochs: int
    #: Number of steps done.
    steps: int
    #: A row per epoch, {column: value or None}.
    log: list[Row]
    #: Numbers of images that are trained on, and that are held out.
    images: tuple[int, int]
    #: Duration of the epochs, in seconds.
    seconds: float
    #: Names of the pictures in the run's folder.
    pictures: tuple[str, ...] = ()
    #: Why there are no pictures.
    note: str | None = None

    @abstractmethod
    def to_json(self) -> dict[str, Any]:  # plain values, nested
        """Return the summary in summary.json; it depends on nothing but the settings."""

    def heading(self, title: str, epochs: int, held_out: str, processes: int, work: str = "") -> str:
        """Return the first lines of a report.

        `epochs`: how many there are in all; `held_out`: the name of the images held out; `work`: of the
        duration.
        """
        settings, (train, other) = self.settings, self.images
        done = "" if self.epochs == epochs else f"{self.epochs:,} of "
        by = f" by {processes} processes" if processes > 1 else ""
        stage = " a stage" if get_space(settings.space).cells_per_stage else ""
        return (
            f"{title} {counted(settings.channels, 'channel')} and {counted(settings.cells, 'cell')}"
            f"{stage}\n{done}{counted(epochs, 'epoch')},"
            f" {self.steps:,} steps, {train:,} training and {other:,} {held_out} images;"
            f" seed {settings.seed}; {duration(self.seconds)}{work}{by}"
        )


_R = TypeVar("_R", bound=TrainingResult)
_R_co = TypeVar("_R_co", bound=TrainingResult, covariant=True)


class TrainingTask(Stepping[Any, Any], Protocol[_R_co]):  # the task alone knows its batches and epochs
    """What a search or a retraining adds to the loop of a training; derive from it for the defaults."""

    @abstractmethod
    def row(self, epoch: Epoch[Any]) -> Row:
        """Return the row of the log of an epoch."""

    def epoch_files(self, row: Row) -> Files:
        """Return the files to be kept after an epoch."""
        return {}

    def conclude(self, progress: bool) -> bool:
        """Decide what is left to be decided after the last epoch; return whether anything was.

        `progress`: show a bar, if that takes long.
        """
        return False

    def conclusion(self) -> dict[str, Any]:
        """Return plain values for a checkpoint, by which a task that has concluded knows it."""
        return {}

    def load_conclusion(self, state: Mapping[str, Any]) -> None:
        """Go back to a conclusion."""
        return

    @abstractmethod
    def result(self, trainer: Trainer[Any], log: list[Row]) -> _R_co:
        """Return the result after the epochs in a log."""

    @abstractmethod
    def result_files(self, result: Any) -> Files:  # of type _R_co
        """Return the files to be kept with a result."""

    @abstractmethod
    def figures(self, result: Any) -> "Mapping[str, Figure]":  # of type _R_co
        """Draw the pictures of a result; MissingDependencyError without matplotlib."""

    @abstractmethod
    def memory_advice(self) -> str:
        """Return what did not fit on the device, and what to do about it."""


_Task = TypeVar("_Task", bound=TrainingTask[Any])
_Task_co = TypeVar("_Task_co", bound=TrainingTask[Any], covariant=True)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingJob(ABC, Generic[_Task_co]):
    """What is to be trained, on which images; checked, before a folder or a network exists."""

    #: Where it runs.
    environment: Environment
    #: Its images; their seed is that of all its random numbers.
    images: ImageSplits
    #: Lines about what is not as it would be by default.
    notes: Sequence[str] = ()

    @abstractmethod
    def record(self, environment: Environment, group: ProcessGroup) -> dict[str, Any]:
        """Return what config.json holds."""

    @abstractmethod
    def build(self, device: torch.device, group: ProcessGroup) -> _Task_co:
        """Return the task before its first step, by the random numbers of the process."""


@contextmanager
def own_random_numbers(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's random numbers within the block; after it they are as they were."""
    is_cuda = device.type == "cuda"
    with torch.random.fork_rng([device] if is_cuda else []):
        torch.default_generator.manual_seed(seed)
        if is_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def restore(trainer: Trainer[Any], task: TrainingTask[Any], state: Mapping[str, Any], path: Path) -> int:
    """Put a trainer and its task where a run's checkpoint was; return its position in the log."""
    with refusing(f"{path}/{CHECKPOINT} is not of this run, or of another version"):
        trainer.load_state_dict(state["training"])
        task.load_conclusion(state)
        return int(state["log"])


class TrainingSession(Generic[_Task, _R]):
    """A training that can be stopped: `begin` or `resume` it in a `with`, `train`, and `finish`.

    Of several processes all do so alike; the main one writes. A subclass says what its folders are.
    """

    kind: ClassVar[RunKind]
    log_format: ClassVar[Columns]
    #: Returns the job of a folder, its config.json, the processes and the changed fields of Environment.
    read_job: ClassVar[Callable[..., TrainingJob[Any]]]

    def __init__(
        self, job: TrainingJob[_Task], task: _Task, path: Path | None, folder: RunFolder | None
    ) -> None:
        """`path`: of the run's folder; `folder`: its RunFolder, in the process that writes."""
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
        """Open a new training of the job that `prepare` returns; with `out`, create its folder."""
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
        """Open the run in a folder, whose job `read` returns from its config.json."""
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
        """Go on with the run in a folder to its end, which is where it would have ended undisturbed.

        Parameters
        ----------
        path
            The run's folder.
        stop
            Called after each step; if it returns True, the run ends, saved so that it can be resumed again.
        tensorboard
            Whether to write the log for TensorBoard, in the folder.
        **environment
            Fields of Environment that differ from the run's.

        Raises
        ------
        RunFolderError
            If the folder is damaged, or another process writes to it.
        ConfigError
            If the images, or the table's scores, are others now.
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
        """Train, and finish."""
        self.train(stop)
        return self.finish()

    def train(self, stop: Callable[[], bool] | None = None, progress: bool = False) -> None:
        """Go on to the last epoch, or until `stop()` is true after a step, and save.

        DivergedError when a loss or a weight is not finite any more; the last sound checkpoint is kept.
        MemoryError, with advice, when the device has no room for a batch.
        """
        is_full = False
        try:
            self._train(stop or (lambda: False), progress)
        except DivergedError as error:
            raise DivergedError(f"{error}; {self._kept()}; a lower --learning-rate may do") from None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            is_full = True  # and what the error holds on to is let go, before less is tried
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
        """Let the task conclude if all epochs are done, report, and write what there is to keep.

        Without `conclude` the task is left as it is, as after an interrupt.
        """
        group = self.task.group
        (skips,) = group.any((not conclude,))
        if self.trainer.is_complete and not skips and self.task.conclude(progress and group.is_main):
            self._save()
        result: _R = self.task.result(self.trainer, self.log)
        if self._folder is None:
            return result
        result = self._drawn(self._folder, result)
        self._folder.write_summary(result.to_json())  # last: with it, the run is done
        return result

    def _drawn(self, folder: RunFolder, result: _R) -> _R:
        """Write the files of a result; return it with the names of its pictures."""
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

    # Saved, and loaded

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
                if rows > 1:  # one is written before the first checkpoint
                    raise RunFolderError(f"{path} has no {CHECKPOINT}, though its log has {rows:,} epochs")
                folder.log.truncate(None)
            return
        position = restore(self.trainer, self.task, state, path)
        if folder is not None:
            folder.log.truncate(position, self.trainer.epoch)
        self.log = read_log(path, self.log_format)[: self.trainer.epoch]

    def _kept(self) -> str:
        """Return what is left of a training that diverged."""
        if self.path is None:
            return "nothing is saved without --out"
        state = read_checkpoint(self.path)
        if state is None:
            return "no epoch was finished"
        epoch, batch = state["training"]["epoch"], state["training"]["batch"]
        where = f"epoch {epoch}" + (f" and {batch} steps" if batch else "")
        return f"{quoted(self.path / CHECKPOINT)} is that of the last good moment, after {where}"


class _Watch:
    """Looks at a Trainer once a second: the measurements of its epoch so far, and whether they are finite."""

    def __init__(self, trainer: Trainer[Any]) -> None:
        self._trainer = trainer
        self._measured: list[Measured] = []
        self._steps, self._time = trainer.steps, time.monotonic()

    def look(self) -> None:
        self._measured = self._trainer.look()

    def text(self) -> str:
        """Return the measurements, and the speed since the last text."""
        images = (self._trainer.steps - self._steps) * self._trainer.task.images_per_step
        now = time.monotonic()
        rate = images / max(now - self._time, 1e-9)
        self._steps, self._time = self._trainer.steps, now
        parts = [
            f"{name} loss {measured.loss:.3f} accuracy {measured.accuracy:.1f} %"
            for name, measured in zip(("train", "val"), self._measured, strict=False)
            if not math.isnan(measured.loss)  # of images
        ]
        return ", ".join([f"epoch {self._trainer.epoch + 1}", *parts, f"{rate:,.0f} images/s"])


def _encode(figure: "Figure") -> memoryview:
    """Return a picture as bytes of a PNG."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150)
    return data.getbuffer()
