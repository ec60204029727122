"""Kernels: what one step of a plan does to its tensors."""

from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""

    keeps_zero = True

    def __call__(self, x):
        return torch.relu(x)

    def __str__(self):
        return "relu"


@dataclass(frozen=True)
class AvgPool:
    """The mean over a window."""

    kernel_size: tuple
    stride: tuple
    padding: tuple
    ceil_mode: bool
    count_include_pad: bool
    divisor_override: int | None

    @property
    def keeps_zero(self):
        return _keeps_size(self.kernel_size, self.stride, self.padding, (1, 1)) and not self.ceil_mode

    def __call__(self, x):
        if torch.compiler.is_compiling():
            return self._plain(x)
        if self._is_of_neighbours and x.dim() == 4 and x.device.type == "cpu" and x.dtype in _ONEDNN:
            return _MeanOfNeighbours.apply(x, self.kernel_size)
        return self._plain(x)

    @property
    def _is_of_neighbours(self):
        usual = self.divisor_override is None and not self.count_include_pad
        return usual and self.keeps_zero and torch.backends.mkldnn.is_available()

    def _plain(self, x):
        return F.avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def __str__(self):
        return f"average pool {_by(self.kernel_size)}"


_ONEDNN = (torch.float32, torch.bfloat16)


class _MeanOfNeighbours(torch.autograd.Function):
    """An average pool that keeps the size, as a convolution of each channel: several times as fast."""

    @staticmethod
    def forward(ctx, x, kernel_size):
        ctx.kernel_size = kernel_size
        return _sum_of_neighbours(x, kernel_size).mul_(_shares(x, kernel_size))

    @staticmethod
    def backward(ctx, grad):
        return _sum_of_neighbours(grad * _shares(grad, ctx.kernel_size), ctx.kernel_size), None


def _sum_of_neighbours(x, kernel_size):
    ones, padding = _ones(x.shape[1], x.dtype, kernel_size), tuple(size // 2 for size in kernel_size)
    if torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):  # the dtype stays
            return F.conv2d(x, ones, padding=padding, groups=x.shape[1])
    return F.conv2d(x, ones, padding=padding, groups=x.shape[1])


@lru_cache(maxsize=64)
def _ones(channels, dtype, kernel_size):
    with torch.inference_mode(False):  # it is kept for passes of any kind
        return torch.ones(channels, 1, *kernel_size, dtype=dtype)


def _shares(x, kernel_size):
    return _shares_of(tuple(x.shape[1:]), x.dtype, kernel_size)


@lru_cache(maxsize=64)
def _shares_of(shape, dtype, kernel_size):
    """One over the number of neighbours that are in the image, of the shape of an image: (1, C, H, W)."""
    padding = [size // 2 for size in kernel_size]
    with torch.inference_mode(False), torch.no_grad():  # it is kept for passes of any kind
        count = F.avg_pool2d(torch.ones(1, *shape), kernel_size, 1, padding, divisor_override=1)
        return count.reciprocal().to(dtype, memory_format=torch.channels_last)


@dataclass(frozen=True)
class Conv:
    """One convolution, or several side by side on the same input: their channels one after the other."""

    modules: tuple

    @property
    def keeps_zero(self):
        first = self.modules[0]
        return (
            len(self.modules) == 1
            and first.bias is None
            and first.in_channels == first.out_channels
            and _keeps_size(first.kernel_size, first.stride, first.padding, first.dilation)
        )

    @property
    def shape(self):
        """What convolutions have in common that can be done as one."""
        first = self.modules[0]
        return first.in_channels, first.kernel_size, first.stride, first.padding, first.dilation, first.groups

    def __call__(self, x):
        first = self.modules[0]
        weight = first.weight if len(self.modules) == 1 else torch.cat([m.weight for m in self.modules])
        return F.conv2d(x, weight, first.bias, first.stride, first.padding, first.dilation, first.groups)

    def __str__(self):
        first = self.modules[0]
        wide = " + ".join(str(module.out_channels) for module in self.modules)
        return f"conv {_by(first.kernel_size)} {first.in_channels} -> {wide}"


@dataclass(frozen=True)
class Norm:
    """Batch normalization by the batch's statistics, of one or several side by side; maybe with a scale."""

    modules: tuple

    @property
    def keeps_zero(self):
        return all(module.bias is None for module in self.modules)

    @property
    def sizes(self):
        return tuple(module.num_features for module in self.modules)

    def __call__(self, x, scale=None):
        shift, first = None, self.modules[0]
        if first.weight is not None:
            weight, shift = (_joined([getattr(m, name) for m in self.modules]) for name in ("weight", "bias"))
            scale, shift = (weight, shift) if scale is None else (scale * weight, scale * shift)
        return F.batch_norm(x, None, None, scale, shift, training=True, eps=first.eps)

    def __str__(self):
        return "batch norm"


def _joined(tensors):
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


@dataclass(frozen=True)
class Split:
    """Channels apart again, a tuple."""

    sizes: tuple

    def __call__(self, x):
        parts = torch.split(x, self.sizes, dim=1)
        if x.dtype == torch.bfloat16 and x.device.type == "cpu":  # adding views of so few bytes is slow there
            return [part.contiguous(memory_format=torch.channels_last) for part in parts]
        return parts

    def __str__(self):
        return f"split {', '.join(map(str, self.sizes))}"


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
        spread = _spread.__wrapped__ if torch.compiler.is_compiling() else _spread
        return weights.index_select(0, spread(self.picks, self.sizes, weights.shape[0], weights.device))

    def __str__(self):
        return f"scale by weights {', '.join(map(str, self.picks))}"


@lru_cache(maxsize=1024)
def _spread(picks, sizes, count, device):
    numbers = [pick % count for pick, size in zip(picks, sizes, strict=True) for _ in range(size)]
    with torch.inference_mode(False):  # it is kept for passes of any kind
        return torch.tensor(numbers, device=device)


@dataclass(frozen=True)
class Get:
    """One of a tuple."""

    number: int

    def __call__(self, tensors):
        return tensors[self.number]

    def __str__(self):
        return f"part {self.number}"


@dataclass(frozen=True)
class Zeros:
    """Zeros of the tensor's size, of every so many rows and columns."""

    stride: int

    def __call__(self, x):
        return x[..., :: self.stride, :: self.stride] * 0.0

    def __str__(self):
        return "zeros"


@dataclass(frozen=True)
class Sum:
    """A sum of terms, some weighted. Tensors: the terms and, if any is, the joined weights."""

    picks: tuple  # for each term the number of its weight, or None

    def __call__(self, *tensors):
        if len(tensors) == 2 and self.picks == (None, None):
            return tensors[0] + tensors[1]
        shapes = {tensor.shape for tensor in tensors[: len(self.picks)]}
        if torch.compiler.is_compiling() or len(shapes) > 1:
            return self._plain(*tensors)
        return _Sum.apply(self.picks, *tensors)

    def _plain(self, *tensors):
        terms = zip(self.picks, tensors, strict=False)
        terms = [x if pick is None else x * tensors[-1][pick].to(x.dtype) for pick, x in terms]
        return sum(terms[1:], terms[0])

    def __str__(self):
        return "sum of " + " + ".join("x" if pick is None else f"w{pick} x" for pick in self.picks)


@dataclass(frozen=True)
class Add:
    """The sum of tensors that nothing else uses, into the first of them."""

    def __call__(self, first, *others):
        for other in others:
            first = first.add_(other)
        return first

    def __str__(self):
        return "add"


class _Sum(torch.autograd.Function):
    """The sum, into one tensor, and its gradients without a tensor of products for each term."""

    @staticmethod
    def forward(ctx, picks, *tensors):
        ctx.picks = picks
        ctx.save_for_backward(
            *(None if pick is None else t for pick, t in zip(picks, tensors, strict=False)),
            *tensors[len(picks) :],
        )
        weights = _numbers(tensors[len(picks) :])
        order = sorted(range(len(picks)), key=lambda i: picks[i] is not None)  # those without a weight first
        if len(order) > 1 and picks[order[1]] is None:
            total = tensors[order[0]] + tensors[order[1]]
            order = order[2:]
        else:
            pick = picks[order[0]]
            total = tensors[order[0]].clone() if pick is None else tensors[order[0]] * weights[pick]
            order = order[1:]
        for i in order:
            term, pick = tensors[i], picks[i]
            if pick is None:
                total.add_(term)
            elif isinstance(weights[pick], float):
                total.add_(term, alpha=weights[pick])
            else:
                total.addcmul_(term, weights[pick].to(term.dtype))
        return total

    @staticmethod
    def backward(ctx, grad):
        picks, saved = ctx.picks, ctx.saved_tensors
        weights = _numbers(saved[len(picks) :])
        grads, products = [None], {}
        for i, pick in enumerate(picks):
            wanted = ctx.needs_input_grad[i + 1]
            if pick is None:
                grads.append(grad if wanted else None)
                continue
            weight = weights[pick] if isinstance(weights[pick], float) else weights[pick].to(grad.dtype)
            grads.append(grad * weight if wanted else None)
            if ctx.needs_input_grad[-1]:
                product = _inner(grad, saved[i])
                products[pick] = products[pick] + product if pick in products else product
        if weights is not None:
            of_weights = None
            if products:
                joined = saved[-1]
                numbers = _spread(tuple(products), (1,) * len(products), len(joined), joined.device)
                values = torch.stack(list(products.values())).to(joined.dtype)
                of_weights = torch.zeros_like(joined).index_put((numbers,), values)
            grads.append(of_weights)
        return tuple(grads)


def _numbers(joined):
    """The joined weights, if there are any, one by one: plain numbers where that loses nothing."""
    if not joined:
        return None
    if joined[0].device.type == "cpu" and not torch.is_grad_enabled():
        return joined[0].tolist()
    return joined[0].unbind()


def _inner(a, b):
    """The sum of the products of two tensors of one shape."""
    if a.dtype == b.dtype and a.dtype in (torch.float32, torch.float64) and a.dim() == 4:
        a, b = a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1)  # views, where channels are last
        if a.is_contiguous() and b.is_contiguous():
            return torch.dot(a.reshape(-1), b.reshape(-1))
    return (a * b).sum(dtype=torch.promote_types(a.dtype, torch.float32))


@dataclass(frozen=True)
class Combine:
    """A node's own way to combine what arrives, in the usual layout, as it may view it."""

    function: object = field(compare=False)
    number: int  # a function may have a state, so that no two calls are one

    def __call__(self, *tensors):
        return self.function([tensor.contiguous() for tensor in tensors])

    def __str__(self):
        return f"combine by {getattr(self.function, '__name__', type(self.function).__name__)}"


@dataclass(frozen=True)
class Call:
    """A module as it is."""

    module: nn.Module = field(compare=False)
    number: int  # a module may have a state, so that no two calls are one

    def __call__(self, *tensors):
        parts = list(self.module.modules())
        if any(getattr(part, "inplace", False) for part in parts):
            tensors = [tensor.clone() for tensor in tensors]  # others may need what came
        if not all(type(part).__module__.startswith(("torch.nn.", "oneshot.")) for part in parts):
            tensors = [tensor.contiguous() for tensor in tensors]  # it may view them
        return self.module(*tensors)

    def __str__(self):
        return f"call {type(self.module).__name__}"


def _keeps_size(kernel, stride, padding, dilation):
    return all(s == 1 for s in stride) and all(
        2 * p == d * (k - 1) for k, p, d in zip(kernel, padding, dilation, strict=True)
    )


def _by(sizes):
    return "x".join(map(str, sizes))
