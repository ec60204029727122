"""The processes that train one network together: sums, agreement, and an end for all when one ends."""

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
    """The processes that train together; this one is the `rank`-th of `size`, by default the only one.

    >>> ProcessGroup().any((False, True)), ProcessGroup().run_on_all(lambda: 3)
    ((False, True), 3)

    If another process is lost, the methods that communicate raise GroupError.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @classmethod
    def present(cls) -> "ProcessGroup":
        """Return the group that this process has joined, or this process alone."""
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls()

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes files and prints."""
        return self.rank == 0

    @property
    def part(self) -> tuple[int, int]:
        """This process's part (k, n) of each batch, as a Loader takes it."""
        return self.rank, self.size

    def device(self, name: str | None) -> torch.device:
        """Return this process's device for a name: each process of a machine has its own GPU."""
        if self.size == 1 or name == "cpu":
            return get_device(name)
        if name not in (None, "cuda"):
            raise ConfigError(
                f"{name} is one device, and there are {self.size} processes; --device cuda gives each its own"
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
        """Return the part that a process's mean loss over `count` images has in the mean over all images."""
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
        """Overwrite tensors with those of the main process."""
        if self.size > 1:
            with self.watching(), torch.no_grad():
                _in_one_message(tensors, lambda flat: dist.broadcast(flat, src=0))

    def any(self, flags: Sequence[bool]) -> tuple[bool, ...]:
        """Return for each flag whether it is true in any process, without waiting for a GPU."""
        return tuple(count > 0 for count in self.sum_integers(flags))

    def sum_integers(self, values: Sequence[int]) -> tuple[int, ...]:
        """Return the sum of each value over the processes, without waiting for a GPU."""
        if self.size == 1:
            return tuple(values)
        return tuple(self.sum(torch.tensor(values, dtype=torch.int64)).tolist())

    def run_on_all(self, make: Callable[[], _T]) -> _T:
        """Return `make()` of this process; an error in one process is an error in all."""
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
        """Return `make()`, called in the main process first and, once that is done, in the others."""
        results = self.run_on_all(lambda: [make()] if self.is_main else [])
        return self.run_on_all(lambda: results[0] if results else make())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Turn torch's error about a lost process into a GroupError."""
        try:
            yield
        except RuntimeError as error:
            if self.size > 1 and (isinstance(error, dist.DistError) or any(w in str(error) for w in _LOST)):
                raise GroupError(
                    f"another of the {self.size} processes has ended; its own last line says why"
                ) from None
            raise


def _in_one_message(tensors: Sequence[Tensor], exchange: Callable[[Tensor], object]) -> None:
    """Exchange tensors in place, those of each type joined into one."""
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        alike = [tensor for tensor in tensors if tensor.dtype == dtype]
        flat = torch.cat([tensor.flatten() for tensor in alike])
        sizes = [tensor.numel() for tensor in alike]
        exchange(flat)
        for tensor, part in zip(alike, torch.split(flat, sizes), strict=True):
            tensor.copy_(part.view_as(tensor))


@contextmanager
def joined() -> Iterator[ProcessGroup]:
    """Join the group in which torchrun started this process, if it did, until the end of the block."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or dist.is_initialized():
        yield ProcessGroup.present()
        return
    dist.init_process_group()  # tensors on the CPU by gloo, those on GPUs by NCCL
    try:
        yield ProcessGroup.present()
    finally:
        dist.destroy_process_group()


def leave(code: int) -> NoReturn:
    """End this process with an exit code; one of several at once, without the interpreter's own end.

    In that, threads of torch that still talk to other processes abort at times ("terminate called without an
    active exception"), for which torchrun would stop them all.
    """
    if "WORLD_SIZE" in os.environ:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    sys.exit(code)
