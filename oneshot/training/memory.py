"""What to do and say when a device has no memory left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from nasbench.runs import command
from oneshot.errors import GraphError


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or the machine, has no memory left."""
    if isinstance(error, GraphError):  # which gives the text of what failed in an edge
        error = RuntimeError(str(error))
    return isinstance(error, torch.OutOfMemoryError) or command.is_out_of_memory(error)


@contextmanager
def advising(advice: str) -> Iterator[None]:
    """Turn an error of a device without memory into a MemoryError with advice."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError(advice) from None
        raise


def largest_batch(step: Callable[[int], object], batch: int) -> int | None:
    """Return the first of batch / 2, batch / 4, ... that `step(batch)` has memory for; None below 2 images.

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
