"""The training loop: steps, epochs, their measurements, and the state for resuming."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, NoReturn, Protocol, TypeVar

import torch
from torch import Tensor

from oneshot.errors import DivergedError
from oneshot.training.distributed import ProcessGroup
from oneshot.training.metrics import Measured, Outcome, Tally

Result = TypeVar("Result")
_Result_co = TypeVar("_Result_co", covariant=True)
_Batch = TypeVar("_Batch")


class Stepping(Protocol[_Batch, _Result_co]):
    """A task that a Trainer can train step by step, with a state like the state of torch's modules."""

    #: name in the progress bar
    name: str
    #: number of epochs
    epochs: int
    #: number of splits of the images that a step measures
    splits: int
    #: images per step, over all processes
    images_per_step: int
    #: device of the current process
    device: torch.device
    #: the processes
    group: ProcessGroup
    #: all trained tensors, which must stay finite
    parameters: Sequence[Tensor]

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of steps in an epoch."""

    @abstractmethod
    def begin_epoch(self, epoch: int) -> None:
        """Update what depends on `epoch`, counted from 0; called at its start and when it is resumed."""

    @abstractmethod
    def batches(self, epoch: int, start: int) -> Iterator[_Batch]:
        """Yield the current process's parts of the batches of an epoch, starting at batch `start`."""

    @abstractmethod
    def step(self, batch: _Batch) -> Sequence[Outcome]:
        """Train on a batch; return an outcome for each of the first splits."""

    @abstractmethod
    def end_epoch(self, epoch: int) -> _Result_co:
        """End epoch number `epoch`, counted from 1; return its values other than the measurements."""

    @abstractmethod
    def position(self, batch: int, bad_step: int) -> str:
        """Return the position in an epoch of a divergence: found at `batch`, at `bad_step` if known (> 0)."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values with which another task continues exactly."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""


class Epoch(NamedTuple, Generic[Result]):
    """Measurements of an epoch, over the images of all processes."""

    #: number of the epoch, counted from 1
    number: int
    #: loss and accuracy on each split
    splits: list[Measured]
    #: values returned by the task's `end_epoch`
    result: Result
    #: images per second of training
    images_per_second: float
    #: duration of training and testing in seconds
    seconds: float


class Trainer(Generic[Result]):
    """The training of a task, which can be stopped and resumed after any step.

    Each of several processes has a trainer; they stop, fail and are saved together.
    """

    def __init__(self, task: Stepping[Any, Result]) -> None:  # Any: type of its batches
        self.task = task
        self.epoch = 0  # completed epochs
        self.batch = 0  # completed steps of the current epoch
        self.seconds = 0.0  # duration of the current epoch
        self._tally = Tally(task.splits, task.device)
        self._diverged = False  # noticed by this process, not yet raised by all

    @property
    def is_complete(self) -> bool:
        """Whether all epochs are complete."""
        return self.epoch == self.task.epochs

    @property
    def steps(self) -> int:
        """Number of steps completed."""
        return self.epoch * len(self.task) + self.batch

    def run(
        self,
        stop: Callable[[], bool],
        on_step: Callable[[], object],
        on_epoch: Callable[[Epoch[Result]], object],
    ) -> bool:
        """Train until the last epoch or until `stop()` is true in any process.

        Parameters
        ----------
        stop
            Called before the first step and after each step.
        on_step
            Called after each step.
        on_epoch
            Called after each epoch, when the state can be saved.

        Returns
        -------
        bool
            Whether all epochs are complete.

        Raises
        ------
        DivergedError
            If a loss or parameter becomes NaN or infinite; it was finite at earlier calls of `on_epoch`.
        """
        while not self.is_complete:
            if self._stops(stop):
                return False
            if self.batch == 0:
                self._tally = Tally(self.task.splits, self.task.device)
                self.task.begin_epoch(self.epoch)
            if not self._finish_steps(stop, on_step):
                return False
            on_epoch(self._end_epoch())
        return True

    def _stops(self, stop: Callable[[], bool]) -> bool:
        stopped, diverged = self.task.group.any((stop(), self._diverged))
        if diverged:
            self._raise_diverged()
        return stopped

    def _finish_steps(self, stop: Callable[[], bool], on_step: Callable[[], object]) -> bool:
        begin, before = time.perf_counter(), self.seconds
        try:
            for batch in self.task.batches(self.epoch, self.batch):
                with self.task.group.watching():
                    outcomes = self.task.step(batch)
                self._tally.add(outcomes)
                self.batch += 1
                self.seconds = before + time.perf_counter() - begin
                on_step()
                if self.batch < len(self.task) and self._stops(stop):
                    return False
        finally:
            self.seconds = before + time.perf_counter() - begin
        return True

    def _end_epoch(self) -> Epoch[Result]:
        begin = time.perf_counter()
        self.check()
        totals = self._tally.total(self.task.group).tolist()
        training = self.seconds + time.perf_counter() - begin
        result = self.task.end_epoch(self.epoch + 1)
        self.epoch, self.batch = self.epoch + 1, 0
        seconds = self.seconds + time.perf_counter() - begin
        self.seconds = 0.0
        return Epoch(
            self.epoch,
            [Measured.from_sums(*sums) for sums in totals],
            result,
            sum(count for *_, count in totals) / max(training, 1e-9),
            seconds,
        )

    # Divergence

    def look(self) -> list[Measured]:
        """Return loss and accuracy of each split in this process so far in the epoch; wait for the device.

        If a loss is NaN or infinite, training ends after the next step.
        """
        measured, bad_step = self._tally.read()
        self._diverged |= bad_step > 0
        return measured

    def check(self) -> None:
        """Raise a DivergedError in all processes if a loss or parameter in any is NaN or infinite."""
        self.look()
        finite = torch.stack([each.isfinite().all() for each in self.task.parameters]).all()
        loss, parameters = self.task.group.any((self._diverged, not finite))
        if loss:
            self._raise_diverged()
        if parameters:
            position = self.task.position(self.batch, 0)
            raise DivergedError(f"weights became NaN or infinite at epoch {self.epoch + 1}, {position}")

    def _raise_diverged(self) -> NoReturn:
        steps = self.task.group.gather(self._tally.bad_step)
        position = self.task.position(self.batch, int(steps[steps > 0].min()))
        raise DivergedError(f"the loss became NaN or infinite at epoch {self.epoch + 1}, {position}")

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        """Return the state of the task, the random numbers, and the position in the training.

        All processes must call this together; each gets the state over all processes.
        """
        device = self.task.device
        cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        return self.task.state_dict() | {
            "epoch": self.epoch,
            "batch": self.batch,
            "tally": self._tally.state_dict(self.task.group),
            "seconds": self.seconds,
            "rng": {"cpu": torch.get_rng_state(), "cuda": cuda},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state; the random state of a GPU is restored if the state was saved on one."""
        epoch, batch = int(state["epoch"]), int(state["batch"])
        self.task.load_state_dict(state)  # first, because a task that has stopped has fewer epochs
        is_complete = epoch == self.task.epochs
        if not 0 <= epoch <= self.task.epochs or not 0 <= batch < (1 if is_complete else len(self.task)):
            raise ValueError(f"it has epoch {epoch}, batch {batch}")
        self.epoch, self.batch = epoch, batch
        if batch or is_complete:
            self.task.begin_epoch(epoch - is_complete)
        self._tally = Tally(self.task.splits, self.task.device)
        self._tally.load_state_dict(state["tally"], self.task.group)
        self.seconds = float(state["seconds"])
        torch.set_rng_state(state["rng"]["cpu"])
        if self.task.device.type == "cuda" and state["rng"]["cuda"] is not None:
            torch.cuda.set_rng_state(state["rng"]["cuda"], self.task.device)
