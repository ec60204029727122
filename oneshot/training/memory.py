"""Handling of errors when a device runs out of memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from nasbench.runs import command
from oneshot.errors import GraphError


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error was caused by a device or the machine running out of memory."""
    if isinstance(error, GraphError):  # it has the text of the error that an edge raised
        error = RuntimeError(str(error))
    return isinstance(error, torch.OutOfMemoryError) or command.is_out_of_memory(error)


@contextmanager
def advising(advice: str) -> Iterator[None]:
    """Convert an out-of-memory error within the block into a MemoryError with advice."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError(advice) from None
        raise


def largest_batch(step: Callable[[int], object], batch: int) -> int | None:
    """Return the first of batch / 2, batch / 4, ... for which `step(batch)` fits in memory; None if below 2.

    >>> def step(batch):
    ...     if batch > 30:
    ...         raise torch.OutOfMemoryError
    >>> largest_batch(step, 96)
    24
    """
    while batch >= 4:
        batch //= 2
        try:
            step(batch)
            return batch
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        finally:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    return None
