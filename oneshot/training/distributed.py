"""The processes that train one network together: sums, agreement, and an end for all when one ends."""

import os
import sys
from contextlib import contextmanager

import torch
from torch import distributed as dist

from oneshot.errors import ConfigError, GroupError
from oneshot.search.settings import device_of

_LOST = ("gloo", "Connection closed by peer", "Connection reset by peer", "NCCL")


class Group:
    """The processes that train together, of which this is the `rank`-th of `size`; by default it is alone.

    >>> Group().any((False, True)), Group().together(lambda: 3)
    ((False, True), 3)

    A process that another one was lost to raises GroupError.
    """

    def __init__(self, rank=0, size=1):
        self.rank, self.size = rank, size

    @classmethod
    def present(cls):
        """The group that this process has joined, or this process alone."""
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls()

    @property
    def leads(self):
        """Whether it is this process that writes files and prints."""
        return self.rank == 0

    @property
    def part(self):
        """(k, n): this process's part of each batch, as of a Loader."""
        return self.rank, self.size

    def device(self, name):
        """The device of a name for this process: of several GPUs of one machine each has its own."""
        if self.size == 1 or name == "cpu":
            return device_of(name)
        if name not in (None, "cuda"):
            raise ConfigError(
                f"{name} is one device, and there are {self.size} processes; --device cuda gives each its own"
            )
        if name is None and not torch.cuda.is_available():
            return device_of("cpu")
        device = device_of(f"cuda:{os.environ.get('LOCAL_RANK', self.rank)}")
        torch.cuda.set_device(device)
        return device

    def sum(self, tensor):
        """The sum of a tensor over the processes, in its place."""
        if self.size > 1:
            with self.watching():
                dist.all_reduce(tensor)
        return tensor

    def sum_all(self, tensors):
        """The sum of each of several tensors over the processes, in their places."""
        if self.size > 1:
            _by_one_message(tensors, self.sum)

    def gather(self, tensor):
        """A tensor of each process, stacked: (size, ...)."""
        if self.size == 1:
            return tensor[None]
        parts = tensor.new_empty(self.size, *tensor.shape)
        with self.watching():
            dist.all_gather(list(parts.unbind()), tensor)
        return parts

    def spread(self, tensors):
        """Give all processes the first one's tensors, in their places."""
        if self.size > 1:
            with self.watching(), torch.no_grad():
                _by_one_message(tensors, lambda flat: dist.broadcast(flat, src=0))

    def any(self, flags):
        """For each of some truths, whether it is one in any process; no GPU is waited for."""
        if self.size == 1:
            return tuple(flags)
        return tuple(bool(count) for count in self.sum(torch.tensor(flags, dtype=torch.int32)).tolist())

    def together(self, make):
        """What `make()` gives in this process; an error in one process is an error in all."""
        error = result = None
        try:
            result = make()
        except Exception as raised:
            error = raised
        if self.size > 1:
            said = [None] * self.size
            with self.watching():
                dist.all_gather_object(said, None if error is None else str(error))
        if error is not None:
            raise error
        if self.size > 1 and any(text is not None for text in said):
            rank, text = next((rank, text) for rank, text in enumerate(said) if text is not None)
            raise GroupError(f"process {rank} of {self.size}: {text}")
        return result

    def first(self, make):
        """What `make()` gives, in the first process first; then, when that is done, in the others."""
        result = self.together(lambda: make() if self.leads else None)
        return self.together(lambda: result if self.leads else make())

    @contextmanager
    def watching(self):
        """Turn what torch says where another process is lost into a GroupError."""
        try:
            yield
        except RuntimeError as error:
            if self.size > 1 and (isinstance(error, dist.DistError) or any(w in str(error) for w in _LOST)):
                raise GroupError(
                    f"another of the {self.size} processes has ended; its own last line says why"
                ) from None
            raise


def _by_one_message(tensors, exchange):
    """Exchange tensors of each type one after the other as one, in their places."""
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        alike = [tensor for tensor in tensors if tensor.dtype == dtype]
        flat = torch.cat([tensor.flatten() for tensor in alike])
        exchange(flat)
        for tensor, part in zip(alike, flat.split([tensor.numel() for tensor in alike]), strict=True):
            tensor.copy_(part.view_as(tensor))


@contextmanager
def joined():
    """Within the block this process is in the Group that torchrun started it in, if any did."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or dist.is_initialized():
        yield Group.present()
        return
    dist.init_process_group()  # tensors on the CPU by gloo, those on GPUs by NCCL
    try:
        yield Group.present()
    finally:
        dist.destroy_process_group()


def leave(code):
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
