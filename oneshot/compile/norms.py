"""Normalizations, one or several side by side, with mixing weights in their scales."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from oneshot.compile.expr import Kernel
from oneshot.compile.folding import folded_norm


@dataclass(frozen=True)
class Norm(Kernel):
    """Batch normalization, one or several side by side, optionally with a further scale."""

    text = "batch norm"
    #: the normalizations, one after the other along the channels
    modules: tuple[nn.BatchNorm2d, ...]
    #: different for each use that updates running statistics; None without them
    number: int | None = None

    @property
    def keeps_zero(self) -> bool:
        return all(module.bias is None and module.running_mean is None for module in self.modules)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(module.num_features for module in self.modules)

    @property
    def alike(self) -> tuple[object, ...]:
        """Key that is equal for normalizations that can run side by side."""
        first = self.modules[0]
        missing = first.weight is None, first.bias is None, first.running_mean is None
        return first.eps, first.momentum, missing

    def __call__(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        if x.dim() != 4:
            raise ValueError(f"expected 4D input (got {x.dim()}D input)")  # the same message as the modules'
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
            return folded_norm(x, None, scale, shift, 0.0, first.eps)
        means, variances = ([getattr(m, f"running_{name}") for m in self.modules] for name in ("mean", "var"))
        mean, variance = _joined(means), _joined(variances)
        if not first.training:
            return F.batch_norm(x, mean, variance, scale, shift, eps=first.eps)
        for module in self.modules:
            if module.num_batches_tracked is not None:
                module.num_batches_tracked.add_(1)
        momentum = first.momentum or 0.0  # None, the mean over all batches, is handled by _apart
        out = folded_norm(x, (mean, variance), scale, shift, momentum, first.eps)
        if len(self.modules) > 1:
            for buffers, joined in ((means, mean), (variances, variance)):
                data = [buffer.data for buffer in buffers]  # an earlier pass may need them for gradients
                torch._foreach_copy_(data, torch.split(joined, list(self.sizes)))
        return out

    @property
    def _are_alike(self) -> bool:
        """Whether the modules have the same mode and update running statistics with the same momentum."""
        states = {(module.training, module.momentum) for module in self.modules}
        return len(states) == 1 and (True, None) not in states

    def _apart(self, x: Tensor, scale: Tensor | None) -> Tensor:
        parts = zip(self.modules, torch.split(x, list(self.sizes), dim=1), strict=True)
        out = torch.cat([module(part) for module, part in parts], dim=1)
        return out if scale is None else out * scale[:, None, None].to(out.dtype)

    def _dtype(self, x: Tensor) -> torch.dtype:
        """Return the dtype of the modules' tensors, or the one that they would have for images like x."""
        first = self.modules[0]
        tensor = first.running_mean if first.weight is None else first.weight
        return torch.promote_types(x.dtype, torch.float32) if tensor is None else tensor.dtype


def _joined(tensors: list[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)
