"""Processes that train one network together: sums over processes, and common decisions and errors."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from oneshot.errors import ConfigError, GroupError
from oneshot.training.environment import get_device

_LOST = ("gloo", "Connection closed by peer", "Connection reset by peer", "NCCL")
_T = TypeVar("_T")


class ProcessGroup:
    """The processes that train together, by default only the current one.

    >>> ProcessGroup().any((False, True)), ProcessGroup().run_on_all(lambda: 3)
    ((False, True), 3)

    Methods that communicate raise a GroupError if another process is lost.

    Parameters
    ----------
    rank
        Number of the current process, counted from 0.
    size
        Number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @classmethod
    def present(cls) -> "ProcessGroup":
        """Return the group that the current process has joined, or a group of this process only."""
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls()

    @property
    def is_main(self) -> bool:
        """Whether the current process is the main one, which writes files and prints."""
        return self.rank == 0

    @property
    def part(self) -> tuple[int, int]:
        """Part (k, n) of each batch that the current process has, for a Loader."""
        return self.rank, self.size

    def device(self, name: str | None) -> torch.device:
        """Return the device of the current process; with cuda, each process on a machine has its own GPU."""
        if self.size == 1 or name == "cpu":
            return get_device(name)
        if name not in (None, "cuda"):
            raise ConfigError(
                f"{name} is one device, but there are {self.size} processes; try --device cuda, which gives"
                " each process its own"
            )
        if name is None and not torch.cuda.is_available():
            return get_device("cpu")
        device = get_device(f"cuda:{os.environ.get('LOCAL_RANK', self.rank)}")
        torch.cuda.set_device(device)
        return device

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the processes, in place, and return it."""
        if self.size > 1:
            with self.watching():
                dist.all_reduce(tensor)
        return tensor

    def sum_all(self, tensors: Sequence[Tensor]) -> None:
        """Sum each of several tensors over the processes, in place."""
        if self.size > 1:
            _in_one_message(tensors, self.sum)

    def sums(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the sum of each of several tensors over the processes."""
        if self.size == 1:
            return list(tensors)
        copies = [tensor.contiguous().clone() for tensor in tensors]
        self.sum_all(copies)
        return copies

    def weighted(self, loss: Tensor, count: int) -> Tensor:
        """Return a process's contribution, its mean loss over `count` images, to the mean over all images."""
        return loss if self.size == 1 else loss * (count / self.sum(loss.new_full((), float(count))))

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the processes' tensors of equal shape, stacked: (size, ...)."""
        if self.size == 1:
            return tensor[None]
        parts = tensor.new_empty(self.size, *tensor.shape)
        with self.watching():
            dist.all_gather(list(parts.unbind()), tensor)
        return parts

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors with the main process's tensors."""
        if self.size > 1:
            with self.watching(), torch.no_grad():
                _in_one_message(tensors, lambda flat: dist.broadcast(flat, src=0))

    def any(self, flags: Sequence[bool]) -> tuple[bool, ...]:
        """Return, for each flag, whether it is true in any process, without waiting for a GPU."""
        return tuple(count > 0 for count in self.sum_integers(flags))

    def sum_integers(self, values: Sequence[int]) -> tuple[int, ...]:
        """Return the sum of each value over the processes, without waiting for a GPU."""
        if self.size == 1:
            return tuple(values)
        return tuple(self.sum(torch.tensor(values, dtype=torch.int64)).tolist())

    def run_on_all(self, make: Callable[[], _T]) -> _T:
        """Return `make()` of the current process; if it fails in one process, raise an error in all."""
        error: Exception | None = None
        try:
            result = make()
        except Exception as raised:
            error = raised
        if self.size > 1:
            texts: list[str | None] = [None] * self.size
            with self.watching():
                dist.all_gather_object(texts, None if error is None else str(error))
        if error is not None:
            raise error
        if self.size > 1:
            for rank, text in enumerate(texts):
                if text is not None:
                    raise GroupError(f"process {rank} of {self.size}: {text}")
        return result

    def main_process_first(self, make: Callable[[], _T]) -> _T:
        """Return `make()`, called in the main process first, and in the others once it has returned."""
        results = self.run_on_all(lambda: [make()] if self.is_main else [])
        return self.run_on_all(lambda: results[0] if results else make())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Convert torch's error about a lost process into a GroupError."""
        try:
            yield
        except RuntimeError as error:
            if self.size > 1 and (isinstance(error, dist.DistError) or any(w in str(error) for w in _LOST)):
                raise GroupError(
                    f"another of the {self.size} processes has ended; see the last line of its output"
                ) from None
            raise


def _in_one_message(tensors: Sequence[Tensor], exchange: Callable[[Tensor], object]) -> None:
    """Exchange tensors in place, concatenated by data type."""
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        alike = [tensor for tensor in tensors if tensor.dtype == dtype]
        flat = torch.cat([tensor.flatten() for tensor in alike])
        sizes = [tensor.numel() for tensor in alike]
        exchange(flat)
        for tensor, part in zip(alike, torch.split(flat, sizes), strict=True):
            tensor.copy_(part.view_as(tensor))


@contextmanager
def joined() -> Iterator[ProcessGroup]:
    """Join the group of processes started by torchrun, if any, until the end of the block."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or dist.is_initialized():
        yield ProcessGroup.present()
        return
    dist.init_process_group()  # gloo for tensors on the CPU, NCCL for tensors on GPUs
    try:
        yield ProcessGroup.present()
    finally:
        dist.destroy_process_group()


def leave(code: int) -> NoReturn:
    """Exit with a code; a process started by torchrun exits immediately, without Python's own shutdown.

    During the shutdown, threads of torch that still communicate sometimes abort ("terminate called without an
    active exception"), and torchrun would then stop all processes.
    """
    if "WORLD_SIZE" in os.environ:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    sys.exit(code)
