"""Batch normalization over a batch whose parts are in several processes."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from oneshot.errors import GraphError
from oneshot.graph.graph import Graph
from oneshot.training.distributed import ProcessGroup

_AXES = (0, 2, 3)  # images, height, width


def synchronize(network: nn.Module, group: ProcessGroup) -> None:
    """Replace the batch normalizations of a network by `GroupBatchNorm2d`, over the batch of all processes.

    Raises
    ------
    GraphError
        If a normalization is itself the operation of an edge, because the graph would not use a replacement.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                if isinstance(parent, Graph):
                    raise GraphError(
                        f"{name} of {parent.name} is only a normalization, which cannot be replaced; put it"
                        " into an operation, or use --local-bn"
                    )
                setattr(parent, name, GroupBatchNorm2d(child, group))


class GroupBatchNorm2d(nn.BatchNorm2d):
    """A BatchNorm2d over the batch of all processes, with the weights and statistics of `norm`."""

    def __init__(self, norm: nn.BatchNorm2d, group: ProcessGroup) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, affine=False, track_running_stats=False)
        self.group = group
        self.affine, self.track_running_stats = norm.affine, norm.track_running_stats
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training and self.running_mean is not None:
            return super().forward(x)
        y, mean, variance = _Normalized.apply(x, self.weight, self.bias, self.eps, self.group)
        if self.running_mean is not None:
            self._update_statistics(mean, variance)
        normalized: Tensor = y
        return normalized

    @torch.no_grad()
    def _update_statistics(self, mean: Tensor, variance: Tensor) -> None:
        count, means, variances = self.num_batches_tracked, self.running_mean, self.running_var
        if count is not None and means is not None and variances is not None:
            count.add_(1)
            # without a momentum, the mean over all batches
            rate = count.to(means.dtype).reciprocal() if self.momentum is None else self.momentum
            means.lerp_(mean.to(means.dtype), rate)
            variances.lerp_(variance.to(variances.dtype), rate)


class _Normalized(torch.autograd.Function):
    """The normalized part of the batch, and mean and unbiased variance of the whole batch, both (C,).

    Means and squared deviations of the parts are combined as in Chan et al. 1979, which is numerically
    stable.
    """

    @staticmethod
    def forward(
        ctx: Any,  # torch's context has no type
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        group: ProcessGroup,
    ) -> tuple[Tensor, Tensor, Tensor]:
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        variance, mean = torch.var_mean(exact, _AXES, correction=0)
        count = mean.new_full((1,), x.numel() / x.shape[1])
        parts = group.gather(torch.cat([mean, variance, count]))
        means, variances = parts[:, : len(mean)], parts[:, len(mean) : -1]
        shares = parts[:, -1:] / parts[:, -1].sum()
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean).square())).sum(0)
        total = parts[:, -1].sum()
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), total)
        ctx.group = group
        y = F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)
        unbiased = variance * (total / (total - 1))
        ctx.mark_non_differentiable(mean, unbiased)
        return y, mean, unbiased

    @staticmethod
    def backward(
        ctx: Any,  # torch's context has no type
        grad: Tensor,
        *_: Tensor,
    ) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale, total = ctx.saved_tensors
        shape = (1, -1, 1, 1)
        normal = (x - mean.view(shape)) * scale.view(shape)
        bias_grad = grad.sum(_AXES, dtype=mean.dtype)
        weight_grad = (grad * normal).sum(_AXES)
        sums = ctx.group.sum(torch.cat([bias_grad, weight_grad])) / total
        shift, slope = sums.view(2, *shape)
        factor = scale if weight is None else scale * weight
        x_grad = (grad - shift - normal * slope) * factor.view(shape)
        if weight is None:
            return x_grad.to(x.dtype), None, None, None, None
        return x_grad.to(x.dtype), weight_grad.to(weight.dtype), bias_grad.to(weight.dtype), None, None
