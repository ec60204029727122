"""What to say where a device has no memory left for a batch: which one it has."""

import torch

from oneshot.training.memory import is_out_of_memory


def largest_batch(step, batch):
    """The first of batch / 2, batch / 4, ... that `step(batch)` has memory for; None if not even 2 images.

    >>> def step(batch):
    ...     if batch > 30:
    ...         raise torch.OutOfMemoryError
    >>> largest_batch(step, 96)
    24
    """
    while batch >= 4:
        batch //= 2
        if _fits(step, batch):
            return batch
    return None


def _fits(step, batch):
    try:
        step(batch)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True
