"""Batch normalization for few channels on the CPU: pixels are folded into channels to fill its vectors."""

from math import gcd
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

_VECTOR = 16  # float32 values in 512 bits
_MIN_SIZE = 1 << 17  # elements of a tensor for which folding pays off


def fold_for(x: Tensor) -> int:
    """Return the number of neighbouring pixels to fold into channels; 1: no folding."""
    supported = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and x.dim() == 4
    if not supported or torch.compiler.is_compiling():
        return 1
    _, c, _, w = x.shape
    fold = _VECTOR // gcd(c, _VECTOR) if x.numel() >= _MIN_SIZE else 1
    return fold if w % fold == 0 and x.is_contiguous(memory_format=torch.channels_last) else 1


def folded_norm(
    x: Tensor,
    running: tuple[Tensor, Tensor] | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float,
    eps: float,
    fold: int | None = None,
) -> Tensor:
    """Return `F.batch_norm` in training mode, several times as fast if pixels are folded.

    `running` mean and variance are updated in place; `fold` is by default chosen by `fold_for`.
    """
    if fold is None and (fold := fold_for(x)) == 1:
        mean, variance = running or (None, None)
        return F.batch_norm(x, mean, variance, weight, bias, True, momentum, eps)
    count = x.numel() // x.shape[1]
    if count <= 1:
        raise ValueError(f"expected more than 1 value per channel, got {tuple(x.shape)}")
    out: tuple[Tensor, Tensor, Tensor] = _Folded.apply(x, weight, bias, eps, fold)
    if running is not None:
        with torch.no_grad():  # `data` hides the change from autograd, as F.batch_norm does
            running[0].data.lerp_(out[1], momentum)
            running[1].data.lerp_(out[2] * (count / (count - 1)), momentum)
    return out[0]


class _Folded(torch.autograd.Function):
    """Batch normalization of folded pixels; it returns output, mean and variance."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, fold: int
    ) -> tuple[Tensor, Tensor, Tensor]:  # ctx is torch's
        wide = _wide(x, fold)
        means, variances = torch.batch_norm_update_stats(wide, None, None, 0.0)
        variance, mean = torch.var_mean(means.view(fold, -1), 0, correction=0)
        variance += variances.view(fold, -1).mean(0)
        scale = (variance + eps).rsqrt_()
        slope = scale if weight is None else scale * weight
        shift = torch.addcmul(torch.zeros_like(mean) if bias is None else bias, mean, slope, value=-1)
        slopes, shifts, *statistics = _spread(fold, slope, shift, mean, variance)
        out = torch.empty_like(x)  # not a view, so that in-place changes are allowed
        torch.addcmul(shifts[:, None, None], wide, slopes[:, None, None], out=_wide(out, fold))
        ctx.eps, ctx.fold = eps, fold
        ctx.save_for_backward(x, weight, bias, mean, scale, *statistics)
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, scale, *statistics = ctx.saved_tensors
        needed = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled():  # for second derivatives
            given = [each for each, one in zip((x, weight, bias), needed, strict=True) if one]
            out = F.batch_norm(x, None, None, weight, bias, True, 0.0, ctx.eps)
            grads = iter(torch.autograd.grad(out, given, grad, create_graph=True))
            return *(next(grads) if one else None for one in needed), None, None
        fold, count = ctx.fold, x.numel() // x.shape[1]
        wide, grad = _wide(x, fold), _wide(grad.contiguous(memory_format=torch.channels_last), fold)
        _, weight_grad, bias_grad = torch.ops.aten.native_batch_norm_backward(
            grad, wide, None, *statistics, None, None, False, ctx.eps, (False, True, True)
        )
        weight_grad, bias_grad = weight_grad.view(fold, -1).sum(0), bias_grad.view(fold, -1).sum(0)
        input_grad = None
        if needed[0]:
            slope = scale if weight is None else scale * weight
            slope_x = (slope * scale).mul_(weight_grad).div_(-count)
            shift = torch.addcmul(slope * bias_grad / count, slope_x, mean).neg_()
            slope, slope_x, shift = (each[:, None, None] for each in _spread(fold, slope, slope_x, shift))
            input_grad = _narrow(torch.addcmul(shift, wide, slope_x).addcmul_(grad, slope), fold)
        return input_grad, weight_grad if needed[1] else None, bias_grad if needed[2] else None, None, None


def _spread(fold: int, *values: Tensor) -> tuple[Tensor, ...]:
    """Return each channel's values for all of its folded pixels."""
    return torch.stack(values).repeat(1, fold).unbind()


def _wide(x: Tensor, fold: int) -> Tensor:
    """Return a view of shape (N, fold * C, H, W / fold)."""
    n, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).view(n, h, w // fold, fold * c).permute(0, 3, 1, 2)


def _narrow(x: Tensor, fold: int) -> Tensor:
    """Return the inverse of `_wide`."""
    n, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).view(n, h, w * fold, c // fold).permute(0, 3, 1, 2)
