"""Sums of a node's inputs, optionally with mixing weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from oneshot.compile.expr import Kernel
from oneshot.ops import add_up


@dataclass(frozen=True)
class Sum(Kernel):
    """A sum of terms; if any has a weight, the last tensor has the weights."""

    #: number of each term's weight in the last tensor; None if it has none
    picks: tuple[int | None, ...]

    def __call__(self, *tensors: Tensor) -> Tensor:
        if len(tensors) == 2 and self.picks == (None, None):
            return tensors[0] + tensors[1]
        kinds = {(tensor.shape, tensor.dtype) for tensor in tensors[: len(self.picks)]}
        if torch.compiler.is_compiling() or len(kinds) > 1:
            return self._plain(*tensors)
        total: Tensor = _Sum.apply(self.picks, *tensors)
        return total

    def _plain(self, *tensors: Tensor) -> Tensor:
        terms = zip(self.picks, tensors, strict=False)
        return add_up([x if pick is None else x * tensors[-1][pick].to(x.dtype) for pick, x in terms])

    def __str__(self) -> str:
        return "sum of " + " + ".join("x" if pick is None else f"w{pick} x" for pick in self.picks)


@dataclass(frozen=True)
class Add(Kernel):
    """The sum of tensors without other users, accumulated into the first."""

    text = "add"

    def __call__(self, first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = first.add_(other) if first.shape == other.shape else first + other
        return first


@dataclass(frozen=True)
class Total(Kernel):
    """The sum of scalars."""

    text = "sum of scalars"

    def __call__(self, *scalars: Tensor) -> Tensor:
        return torch.stack(scalars).sum()


@dataclass(frozen=True)
class Shift(Kernel):
    """A tensor plus a scalar 0: the value is the tensor, and the gradient also reaches the scalar."""

    text = "plus a scalar 0"

    def __call__(self, x: Tensor, scalar: Tensor) -> Tensor:
        shifted: Tensor = _Shift.apply(x, scalar)
        return shifted


class _Shift(torch.autograd.Function):
    """A view of a tensor whose summed gradient goes to a scalar."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scalar: Tensor) -> Tensor:  # ctx is torch's
        ctx.dtype = scalar.dtype
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        return grad, grad.sum(dtype=ctx.dtype) if ctx.needs_input_grad[1] else None


class _Sum(torch.autograd.Function):
    """A weighted sum that creates no tensor of products per term, neither forward nor backward."""

    @staticmethod
    def forward(ctx: Any, picks: tuple[int | None, ...], *tensors: Tensor) -> Tensor:
        ctx.picks = picks
        ctx.save_for_backward(
            *(None if pick is None else t for pick, t in zip(picks, tensors, strict=False)),
            *tensors[len(picks) :],
        )
        weights = _numbers(tensors[len(picks) :])
        order = sorted(range(len(picks)), key=lambda i: picks[i] is not None)  # terms without weights first
        first = picks[order[0]]
        if len(order) > 1 and picks[order[1]] is None:
            total = tensors[order[0]] + tensors[order[1]]
            order = order[2:]
        else:
            total = tensors[order[0]].clone() if first is None else tensors[order[0]] * weights[first]
            order = order[1:]
        for i in order:
            term, pick = tensors[i], picks[i]
            if pick is None:
                total.add_(term)
            elif isinstance(weight := weights[pick], float):
                total.add_(term, alpha=weight)
            else:
                total.addcmul_(term, weight.to(term.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        picks, saved = ctx.picks, ctx.saved_tensors
        weights = _numbers(saved[len(picks) :])
        grads: list[Tensor | None] = [None]
        products: dict[int, Tensor] = {}
        for i, pick in enumerate(picks):
            wanted = ctx.needs_input_grad[i + 1]
            if pick is None:
                grads.append(grad if wanted else None)
                continue
            weight = weights[pick]
            weight = weight if isinstance(weight, float) else weight.to(grad.dtype)
            grads.append(grad * weight if wanted else None)
            if ctx.needs_input_grad[-1]:
                product = _inner(grad, saved[i])
                products[pick] = products[pick] + product if pick in products else product
        if weights:
            grads.append(_weights_gradient(products, saved[-1]) if products else None)
        return tuple(grads)


def _weights_gradient(products: Mapping[int, Tensor], weights: Tensor) -> Tensor:
    """Return the gradient of the weights, 0 for those without a product."""
    if len(products) < len(weights):
        products = {**dict.fromkeys(range(len(weights)), weights.new_zeros(())), **products}
    values = [products[number] for number in range(len(weights))]
    return torch.stack(values).to(weights.dtype)


def _numbers(joined: Sequence[Tensor]) -> Sequence[float | Tensor]:
    """Return the joined weights one by one, as floats if neither gradients nor transfers matter."""
    if not joined:
        return ()
    if joined[0].device.type == "cpu" and not torch.is_grad_enabled():
        numbers: list[float | Tensor] = joined[0].tolist()
        return numbers
    return joined[0].unbind()


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product of two tensors of the same shape."""
    if a.dtype == b.dtype and a.dtype in (torch.float32, torch.float64) and a.dim() == 4:
        a, b = a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1)  # views if channels are last
        if a.is_contiguous() and b.is_contiguous():
            return torch.dot(a.reshape(-1), b.reshape(-1))
    return (a * b).sum(dtype=torch.promote_types(a.dtype, torch.float32))
