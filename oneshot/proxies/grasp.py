"""GraSP: the importance of weights for the norm of the gradient."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import Passes, passes
from oneshot.proxies.tracing import Tracer

_WIDE = 128  # channels that are enough to fill a CPU's vectors
# Functions that are linear and act on each image separately; they need no rule.
_LINEAR = {
    torch.add,
    Tensor.add,
    Tensor.__add__,
    Tensor.__radd__,
    torch.cat,
    F.avg_pool2d,
    F.adaptive_avg_pool2d,
    torch.flatten,
    Tensor.flatten,
    Tensor.__getitem__,
    Tensor.contiguous,
}


def grasp(network: nn.Module, batch: Batch) -> float:
    """Return minus the sum over weights of weight times Hessian times gradient of the loss.

    The sum is the second derivative of the loss in the directions of the weights and of the gradient. For
    networks of known functions, one forward pass with hyper-dual numbers computes it; for others, the
    gradient is differentiated again.

    References
    ----------
    Wang et al. 2020, arXiv:2002.07376, equation 8; as a score of networks, Abdelfattah et al. 2021,
    arXiv:2101.08134, equation 1; hyper-dual numbers, Fike & Alonso 2011, AIAA 2011-886.
    """
    shared = passes(network, batch)
    labels = batch.need_labels("grasp")
    gradients = dict(zip(map(id, shared.weights), shared.gradients("grasp").weights, strict=True))
    shared.release()
    try:
        with torch.no_grad():
            logits = _HyperDual(gradients).run(network, _stacked(shared.images))
            return -_second_derivative(logits, labels)
    except _UnknownFunctionError:
        return -_by_backward(shared, labels)


class _UnknownFunctionError(Exception):
    """A function without a rule for second derivatives."""


def _stacked(images: Tensor) -> Tensor:
    """Return images followed by their derivatives, which are zero, shape (4N, C, H, W)."""
    stacked = torch.cat([images.detach(), images.new_zeros(3 * len(images), *images.shape[1:])])
    return stacked.contiguous(memory_format=torch.channels_last)


class _HyperDual(Tracer):
    """A pass of images x, first derivatives xu and xv in two directions, and second derivatives xuv.

    Direction u is the weights, v is their gradients. All four are one batch of 4N images, so that linear
    functions need no rule.
    """

    def __init__(self, gradients: Mapping[int, Tensor]) -> None:
        """Create a pass; `gradients` are by the ids of the weights."""
        super().__init__()
        self._gradients = gradients

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # torch's functions return any type
        if func is F.max_pool2d:
            return self._max_pool(*args, **(kwargs or {}))
        if func is Tensor.mul and not isinstance(args[1], Tensor):
            return func(*args)
        out = super().__torch_function__(func, types, args, kwargs)
        if (
            isinstance(out, Tensor)
            and out.is_floating_point()
            and func not in _LINEAR
            and not self.has_rule(func)
        ):
            raise _UnknownFunctionError(func)
        return out

    def layer(self, x: Tensor, weight: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        gradient = self._gradients.get(id(weight))
        if gradient is None:
            raise _UnknownFunctionError(weight.shape)
        value, u, v, uv = x.chunk(4)
        out = compute(_joined([value, u + value, v, uv + v]), weight)
        further = compute(_joined([value, u]), gradient)
        parts, extra = out.chunk(4), further.chunk(2)
        parts[2].add_(extra[0])
        parts[3].add_(extra[1])
        return out

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        out = self.layer(x, weight, F.linear)
        if bias is not None:
            out.chunk(4)[0].add_(bias)
        return out

    def _convolved(
        self, x: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any, **options: Any
    ) -> Tensor:
        out = self.layer(x, weight, lambda x, weight: F.conv2d(x, weight, None, *rest, **options))
        if bias is not None:
            out.chunk(4)[0].add_(bias[:, None, None])
        return out

    def rectify(self, x: Tensor) -> Tensor:
        count = len(x) // 4
        active = (x[:count] > 0).to(x.dtype)
        return (x.view(4, count, *x.shape[1:]) * active).view_as(x)

    def norm(self, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        channels = x.shape[1]
        fold = _WIDE // channels if channels < _WIDE and _WIDE % channels == 0 else 1
        flat = x.permute(0, 2, 3, 1).contiguous()
        rows = flat.view(4, -1, channels)
        fold = fold if rows.shape[1] % fold == 0 else 1
        rows = rows.view(4, -1, fold * channels)
        centred = rows - _spread(_folded(rows.mean(1), fold), fold)[:, None]
        value, u, v, uv = centred

        def mean(first: Tensor, second: Tensor) -> Tensor:
            return _folded((first * second).mean(0), fold)

        variance = mean(value, value)
        by_u, by_v = 2 * mean(value, u), 2 * mean(value, v)
        by_uv = 2 * (mean(u, v) + mean(value, uv))
        scale = (variance + eps).rsqrt()
        cubed = scale**3 / 2
        scale_u, scale_v = -cubed * by_u, -cubed * by_v
        scale_uv = 0.75 * scale**5 * by_u * by_v - cubed * by_uv
        if weight is not None:
            scale, scale_u, scale_v, scale_uv = (
                weight * each for each in (scale, scale_u, scale_v, scale_uv)
            )
        scale, scale_u, scale_v, scale_uv = (
            _spread(each, fold) for each in (scale, scale_u, scale_v, scale_uv)
        )
        out = centred * scale
        out[1].addcmul_(value, scale_u)
        out[2].addcmul_(value, scale_v)
        out[3].addcmul_(u, scale_v).addcmul_(v, scale_u).addcmul_(value, scale_uv)
        if bias is not None:
            out[0].add_(_spread(bias, fold))
        return out.view(flat.shape).permute(0, 3, 1, 2)

    def _max_pool(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        value, *others = x.chunk(4)
        kwargs = kwargs | {"return_indices": True}
        pooled, places = F.max_pool2d(value, *args, **kwargs)
        parts = [each.flatten(2).gather(2, places.flatten(2)).view_as(pooled) for each in others]
        return _joined([pooled, *parts])


def _joined(parts: Sequence[Tensor]) -> Tensor:
    joined = torch.cat(tuple(parts))
    return joined.contiguous(memory_format=torch.channels_last) if joined.dim() == 4 else joined


def _folded(values: Tensor, fold: int) -> Tensor:
    """Return the mean of each channel, shape (..., C), of values of shape (..., fold * C)."""
    return values.view(*values.shape[:-1], fold, -1).mean(-2)


def _spread(values: Tensor, fold: int) -> Tensor:
    """Return values of shape (..., C) repeated to shape (..., fold * C)."""
    return values.repeat(*[1] * (values.dim() - 1), fold)


def _second_derivative(logits: Tensor, labels: Tensor) -> float:
    """Return the second derivative of the mean cross-entropy, from logits and derivatives (4N, classes)."""
    value, u, v, uv = logits.chunk(4)
    probabilities = value.softmax(1)
    mean = (probabilities * u).sum(1, keepdim=True)
    curved = (probabilities * (u - mean) * v).sum(1)
    sloped = (probabilities * uv).sum(1) - uv.gather(1, labels[:, None])[:, 0]
    return float((curved + sloped).mean())


def _by_backward(shared: Passes, labels: Tensor) -> float:
    """Return the second derivative, by two backward passes."""
    loss = F.cross_entropy(shared.forward.logits, labels)
    graph = torch.autograd.grad(
        loss, shared.weights, retain_graph=True, create_graph=True, materialize_grads=True
    )
    product = torch.stack([(each * each.detach()).sum() for each in graph]).sum()
    hessian = torch.autograd.grad(product, shared.weights, retain_graph=True, materialize_grads=True)
    pairs = zip(shared.weights, hessian, strict=True)
    return float(sum((weight.detach() * column).sum().item() for weight, column in pairs))
