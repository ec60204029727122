"""Whether an error says that a device has no memory left."""

import torch

from nasbench.runs import command as console
from oneshot.errors import GraphError


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or the machine, has no memory left."""
    if isinstance(error, GraphError):  # which gives the text of what failed in an edge
        error = RuntimeError(str(error))
    return isinstance(error, torch.OutOfMemoryError) or console.is_out_of_memory(error)
