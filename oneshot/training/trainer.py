"""The loop of a training: steps and epochs, their measurements, and where to go on from."""

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
    """What is trained, by a Trainer: its steps, and its state as torch's modules have it."""

    name: str  # of the progress bar
    epochs: int
    splits: int  # of the images that a step measures
    images_per_step: int
    device: torch.device
    group: ProcessGroup
    parameters: Sequence[Tensor]  # everything that is trained, which has to stay finite

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of steps in an epoch."""

    @abstractmethod
    def begin_epoch(self, epoch: int) -> None:
        """Set what changes with the epochs, counted from 0; called again where a run goes on within one."""

    @abstractmethod
    def batches(self, epoch: int, start: int) -> Iterator[_Batch]:
        """Yield this process's part of an epoch's batches, from batch `start` on."""

    @abstractmethod
    def step(self, batch: _Batch) -> Sequence[Outcome]:
        """Train on a batch; return its outcomes, of the first splits."""

    @abstractmethod
    def end_epoch(self, epoch: int) -> _Result_co:
        """Do what ends an epoch, now the `epoch`-th; return what it gave beside its measurements."""

    @abstractmethod
    def position(self, batch: int, bad_step: int) -> str:
        """Return where in an epoch a training diverged: seen by `batch`, at `bad_step` if that is known."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values, by which another task goes on exactly."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""


class Epoch(NamedTuple, Generic[Result]):
    """The measurements of an epoch, over the images of all processes."""

    number: int  # from 1
    splits: list[Measured]
    result: Result  # of the task
    images_per_second: float  # of training
    seconds: float  # of training and testing


class Trainer(Generic[Result]):
    """A task under way: `epoch` epochs are done, and `batch` steps of the next.

    Of several processes each has one; they stop, diverge and are saved together.
    """

    def __init__(self, task: Stepping[Any, Result]) -> None:  # the task alone knows its batches
        self.task = task
        self.epoch = 0
        self.batch = 0
        self.seconds = 0.0  # spent on the epoch under way
        self._tally = Tally(task.splits, task.device)
        self._diverged = False  # seen by this process, to be said by all

    @property
    def is_complete(self) -> bool:
        """Whether all epochs are done."""
        return self.epoch == self.task.epochs

    @property
    def steps(self) -> int:
        """The number of steps done."""
        return self.epoch * len(self.task) + self.batch

    def run(
        self,
        stop: Callable[[], bool],
        on_step: Callable[[], object],
        on_epoch: Callable[[Epoch[Result]], object],
    ) -> bool:
        """Train to the end, or until `stop()` is true in a process after a step; whether the end was reached.

        `on_epoch` is called when all is in place to be saved. DivergedError when a loss or a parameter is not
        finite any more; what was last saved is sound.
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

    # A training that diverges

    def look(self) -> list[Measured]:
        """Return what the splits of this process measured in the epoch so far; the device is waited for.

        A loss that is not finite ends the training after the next step.
        """
        measured, bad_step = self._tally.read()
        self._diverged |= bad_step > 0
        return measured

    def check(self) -> None:
        """Raise a DivergedError in all processes if a loss or a parameter is not finite any more in one."""
        self.look()
        finite = torch.stack([each.isfinite().all() for each in self.task.parameters]).all()
        loss, parameters = self.task.group.any((self._diverged, not finite))
        if loss:
            self._raise_diverged()
        if parameters:
            position = self.task.position(self.batch, 0)
            raise DivergedError(f"weights are no numbers any more: epoch {self.epoch + 1}, {position}")

    def _raise_diverged(self) -> NoReturn:
        steps = self.task.group.gather(self._tally.bad_step)
        position = self.task.position(self.batch, int(steps[steps > 0].min()))
        raise DivergedError(f"the loss is no number any more: epoch {self.epoch + 1}, {position}")

    # To be saved, and to go on

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        """Return the state of the task, the random numbers and the place in the epochs.

        All processes have to ask for it at once; each gets the state of all.
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
        """Go back to a state; the GPU's random numbers are restored where there are any."""
        epoch, batch = int(state["epoch"]), int(state["batch"])
        self.task.load_state_dict(state)  # first, because a task that has stopped has fewer epochs
        is_complete = epoch == self.task.epochs
        if not 0 <= epoch <= self.task.epochs or not 0 <= batch < (1 if is_complete else len(self.task)):
            raise ValueError(f"it stands at epoch {epoch}, batch {batch}")
        self.epoch, self.batch = epoch, batch
        if batch or is_complete:
            self.task.begin_epoch(epoch - is_complete)
        self._tally = Tally(self.task.splits, self.task.device)
        self._tally.load_state_dict(state["tally"], self.task.group)
        self.seconds = float(state["seconds"])
        torch.set_rng_state(state["rng"]["cpu"])
        if self.task.device.type == "cuda" and state["rng"]["cuda"] is not None:
            torch.cuda.set_rng_state(state["rng"]["cuda"], self.task.device)
