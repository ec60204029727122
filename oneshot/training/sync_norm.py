"""Batch normalization by the whole batch, of which each of several processes has a part."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from oneshot.errors import GraphError
from oneshot.graph.graph import Graph

_OVER = (0, 2, 3)  # images, height, width


def synchronize(network, group):
    """Let the normalizations of a network use the batch of all processes of a group.

    GraphError for one that stands right at an edge of a graph, which the graph would not see replaced.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                if isinstance(parent, Graph):
                    raise GraphError(
                        f"{name} of {parent.name} is a normalization alone; put it into an operation, so that"
                        " it can be replaced, or normalize by --local-bn"
                    )
                setattr(parent, name, GroupBatchNorm2d(child, group))


class GroupBatchNorm2d(nn.BatchNorm2d):
    """What a BatchNorm2d, whose weights and statistics it takes over, is of the batch of all processes."""

    def __init__(self, norm, group):
        super().__init__(norm.num_features, norm.eps, norm.momentum, affine=False, track_running_stats=False)
        self.group = group
        self.affine, self.track_running_stats = norm.affine, norm.track_running_stats
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.train(norm.training)

    def forward(self, x):
        if not self.training and self.running_mean is not None:
            return super().forward(x)
        y, mean, variance = _Normalized.apply(x, self.weight, self.bias, self.eps, self.group)
        if self.running_mean is not None:
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
                self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)
        return y


class _Normalized(torch.autograd.Function):
    """The normalized part of the batch, and mean and unbiased variance of the whole, both (C,).

    The parts' means and squared deviations are put together as in Chan et al. 1979, which loses no digits.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, eps, group):
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        variance, mean = torch.var_mean(exact, _OVER, correction=0)
        count = mean.new_full((1,), x.numel() / x.shape[1])
        found = group.gather(torch.cat([mean, variance, count]))
        means, variances = found[:, : len(mean)], found[:, len(mean) : -1]
        shares = found[:, -1:] / found[:, -1].sum()
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean).square())).sum(0)
        total = found[:, -1].sum()
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), total)
        ctx.group = group
        y = F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)
        unbiased = variance * (total / (total - 1))
        ctx.mark_non_differentiable(mean, unbiased)
        return y, mean, unbiased

    @staticmethod
    def backward(ctx, grad, *_):
        x, weight, mean, scale, total = ctx.saved_tensors
        shape = (1, -1, 1, 1)
        normal = (x - mean.view(shape)) * scale.view(shape)
        of_bias = grad.sum(_OVER, dtype=mean.dtype)
        of_weight = (grad * normal).sum(_OVER)
        sums = ctx.group.sum(torch.cat([of_bias, of_weight])) / total
        shift, slope = sums.view(2, *shape)
        factor = scale if weight is None else scale * weight
        of_x = (grad - shift - normal * slope) * factor.view(shape)
        if weight is None:
            return of_x.to(x.dtype), None, None, None, None
        return of_x.to(x.dtype), of_weight.to(weight.dtype), of_bias.to(weight.dtype), None, None
