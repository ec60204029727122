"""Steps that write where they read: of what nothing else uses, and what made it has no more use for."""

from collections import Counter
from dataclasses import replace

from oneshot.compile.kernels import DropPath, Relu
from oneshot.compile.norms import Norm


def kernels_in_place(order):
    """The kernels of expressions, those that may be in place, a list.

    A normalization's gradients need what came, not what it made; so do those of what scales images.
    """
    uses = Counter(id(arg) for expr in order for arg in expr.args)
    kernels = []
    for expr in order:
        alone = bool(expr.args) and uses[id(expr.args[0])] == 1
        if alone and isinstance(expr.kernel, (Relu, DropPath)) and isinstance(expr.args[0].kernel, Norm):
            kernels.append(replace(expr.kernel, in_place=True))
        else:
            kernels.append(expr.kernel)
    return kernels
