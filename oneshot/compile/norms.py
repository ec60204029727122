"""Normalizations, one or several side by side, and the mixing weights in their scales."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch.nn import functional as F  # noqa: N812

from oneshot.compile.folding import fold_of, folded_norm


@dataclass(frozen=True)
class Norm:
    """Batch normalization, of one or several side by side; maybe with a further scale."""

    modules: tuple
    number: int | None = None  # of a use, where running statistics move with it, so that no two are one

    @property
    def keeps_zero(self):
        return all(module.bias is None and module.running_mean is None for module in self.modules)

    @property
    def sizes(self):
        return tuple(module.num_features for module in self.modules)

    @property
    def alike(self):
        """What normalizations have in common that can stand side by side."""
        first = self.modules[0]
        missing = first.weight is None, first.bias is None, first.running_mean is None
        return first.eps, first.momentum, missing

    def __call__(self, x, scale=None):
        if x.dim() != 4:
            raise ValueError(f"expected 4D input (got {x.dim()}D input)")  # as the modules say it
        shift, first = None, self.modules[0]
        if first.running_mean is not None and not self._are_alike:
            return self._apart(x, scale)
        if scale is not None:
            scale = scale.to(self._dtype(x))
        if first.bias is not None:
            shift = _joined([module.bias for module in self.modules])
            shift = shift if scale is None else scale * shift
        if first.weight is not None:
            weight = _joined([module.weight for module in self.modules])
            scale = weight if scale is None else scale * weight
        if first.running_mean is None:
            return _in_training(x, None, scale, shift, 0.0, first.eps)
        means, variances = ([getattr(m, f"running_{name}") for m in self.modules] for name in ("mean", "var"))
        mean, variance = _joined(means), _joined(variances)
        if not first.training:
            return F.batch_norm(x, mean, variance, scale, shift, eps=first.eps)
        for module in self.modules:
            module.num_batches_tracked.add_(1)
        out = _in_training(x, (mean, variance), scale, shift, first.momentum, first.eps)
        if len(self.modules) > 1:
            for buffers, joined in ((means, mean), (variances, variance)):
                unnoticed = [buffer.data for buffer in buffers]  # a pass before may need them for gradients
                torch._foreach_copy_(unnoticed, joined.split(self.sizes))
        return out

    @property
    def _are_alike(self):
        """Whether all are in training, or none is, and their running statistics move alike."""
        states = {(module.training, module.momentum) for module in self.modules}
        return len(states) == 1 and (True, None) not in states

    def _apart(self, x, scale):
        parts = zip(self.modules, x.split(self.sizes, dim=1), strict=True)
        out = torch.cat([module(part) for module, part in parts], dim=1)
        return out if scale is None else out * scale[:, None, None].to(out.dtype)

    def _dtype(self, x):
        """That of the modules' own numbers, or such as they would have for images like x."""
        first = self.modules[0]
        own = first.running_mean if first.weight is None else first.weight
        return torch.promote_types(x.dtype, torch.float32) if own is None else own.dtype

    def __str__(self):
        return "batch norm"


def _in_training(x, running, weight, bias, momentum, eps):
    fold = fold_of(x)
    if fold > 1:
        return folded_norm(x, running, weight, bias, momentum, eps, fold)
    mean, variance = running or (None, None)
    return F.batch_norm(x, mean, variance, weight, bias, True, momentum, eps)


def _joined(tensors):
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


@dataclass(frozen=True)
class Join:
    """The weights of all mixed edges one after the other, and a last one that is 1."""

    def __call__(self, *weights):
        return torch.cat([*weights, weights[0].new_ones(1)])

    def __str__(self):
        return "all weights"


@dataclass(frozen=True)
class Scale:
    """A normalization's scale: of the joined weights, one for so many channels, one for the next ones."""

    picks: tuple
    sizes: tuple

    def __call__(self, weights):
        numbers = spread.__wrapped__ if torch.compiler.is_compiling() else spread
        return weights.index_select(0, numbers(self.picks, self.sizes, weights.shape[0], weights.device))

    def __str__(self):
        return f"scale by weights {', '.join(map(str, self.picks))}"


@lru_cache(maxsize=1024)
def spread(picks, sizes, count, device):
    numbers = [pick % count for pick, size in zip(picks, sizes, strict=True) for _ in range(size)]
    with torch.inference_mode(False):  # it is kept for passes of any kind
        return torch.tensor(numbers, device=device)
