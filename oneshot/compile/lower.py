"""Rules that lower modules to expressions, one per class of modules."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from torch import nn
from torch.nn.modules.utils import _pair as pair

from oneshot import ops
from oneshot.compile.convolutions import Conv
from oneshot.compile.expr import AnyExpr
from oneshot.compile.kernels import Concat, DropPath, Every, Relu, Zeros
from oneshot.compile.lowering import Lowering, lower, lower_combination, zeros_in
from oneshot.compile.norms import Norm
from oneshot.compile.pools import AvgPool, MaxPool

if TYPE_CHECKING:
    from functools import _SingleDispatchCallable

__all__ = ["lower", "lower_combination", "rule"]

Inputs: TypeAlias = Sequence[AnyExpr]
M = TypeVar("M", bound=nn.Module)
Rule: TypeAlias = Callable[[M, Inputs, Lowering], AnyExpr]


def rule(kind: type[M], rules: "_SingleDispatchCallable[AnyExpr]" = lower) -> Callable[[Rule[M]], Rule[M]]:
    """Register a rule for a class of modules; subclasses that override its computation are called instead."""

    def register(meaning: Rule[M]) -> Rule[M]:
        def unless_overridden(module: M, inputs: Inputs, lowering: Lowering) -> AnyExpr:
            lowered = rules.dispatch(object) if _overrides(module, kind) else meaning
            return lowered(module, inputs, lowering)

        rules.register(kind, unless_overridden)
        return meaning

    return register


def _overrides(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Return whether a module's class or the module itself overrides the computation of a class."""
    names = ("forward", "_conv_forward")  # subclasses of convolutions may override the latter
    return "forward" in vars(module) or any(
        getattr(type(module), name, None) is not getattr(kind, name, None) for name in names
    )


@rule(nn.Sequential)
def lower_sequential(module: nn.Sequential, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    if len(inputs) != 1:
        return lowering.call(module, inputs)
    (x,) = inputs
    for part in module:
        x = lowering.module(part, x)
    return x


@rule(nn.Identity)
def lower_identity(module: nn.Identity, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    return inputs[0]


@rule(ops.Zero)
def lower_zero(module: ops.Zero, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    (x,) = inputs
    x = zeros_in(x) or x  # no gradient passes through zeros
    if module.stride == 1 and isinstance(x.kernel, Zeros):
        return x
    return lowering.make(Zeros(module.stride), x)


@rule(ops.ResNetBasicblock)
def lower_resnet_basicblock(module: ops.ResNetBasicblock, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    (x,) = inputs
    inner = lowering.module(module.conv_b, lowering.module(module.conv_a, x))
    return lowering.sum([lowering.module(module.shortcut, x), inner])


@rule(nn.ReLU)
def lower_relu(module: nn.ReLU, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    (x,) = inputs
    return _relu(x, lowering)


def _relu(x: AnyExpr, lowering: Lowering) -> AnyExpr:
    """Return the ReLU of x, not in place because x may have other users; it moves into concatenations."""
    if isinstance(x.kernel, Concat):
        return lowering.make(x.kernel, *(_relu(part, lowering) for part in x.args))
    return lowering.make(Relu(), x)


@rule(nn.AvgPool2d)
def lower_avg_pool2d(module: nn.AvgPool2d, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    size, stride, padding = map(pair, (module.kernel_size, module.stride, module.padding))
    rest = module.ceil_mode, module.count_include_pad, module.divisor_override
    return lowering.make(AvgPool(size, stride, padding, *rest), *inputs)


@rule(nn.MaxPool2d)
def lower_max_pool2d(module: nn.MaxPool2d, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    if module.return_indices:
        return lowering.call(module, inputs)
    size, stride = pair(module.kernel_size), pair(module.stride)
    padding, dilation = pair(module.padding), pair(module.dilation)
    return lowering.make(MaxPool(size, stride, padding, dilation, module.ceil_mode), *inputs)


@rule(nn.Conv2d)
def lower_conv2d(module: nn.Conv2d, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        return lowering.call(module, inputs)
    (x,) = inputs
    stride, padding, dilation = module.stride, module.padding, module.dilation
    if max(stride) > 1 and all(map(_subsamples, module.kernel_size, stride, padding, dilation)):
        x = _every(Every((0, 0), stride), x, lowering)
        padding = tuple(p // s for p, s in zip(padding, stride, strict=True))
        stride = dilation = (1, 1)
    return lowering.make(Conv((module,), stride, padding, dilation), x)


def _subsamples(kernel_size: int, stride: int, padding: int, dilation: int) -> bool:
    """Return whether a convolution reads only every `stride`-th row (or column), starting at the first."""
    return padding == 0 if kernel_size == 1 else stride == dilation and padding % stride == 0


def _every(kernel: Every, x: AnyExpr, lowering: Lowering) -> AnyExpr:
    """Return the pixels of x that `kernel` keeps; two such kernels become one."""
    if isinstance(x.kernel, Every):
        return lowering.make(kernel.after(x.kernel), *x.args)
    return lowering.make(kernel, x)


@rule(ops.Shift)
def lower_shift(module: ops.Shift, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    (x,) = inputs
    return _every(Every((1, 1), (1, 1)), x, lowering)


@rule(ops.DropPath)
def lower_drop_path(module: ops.DropPath, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    return lowering.make(DropPath(module, lowering.next_use()), *inputs)


@rule(ops.FactorizedReduce)
def lower_factorized_reduce(module: ops.FactorizedReduce, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    x = lowering.module(module.relu, *inputs)
    halves = [lowering.module(half, x) for half in (module.even, module.odd)]
    return lowering.module(module.bn, lowering.combine(module.concat, halves))


@rule(nn.BatchNorm2d)
def lower_batch_norm2d(module: nn.BatchNorm2d, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    if module.running_mean is None:
        if module.weight is None and module.bias is None:
            module = lowering.first_alike(module, module.num_features, module.eps)
        return lowering.make(Norm((module,)), *inputs)
    if not module.track_running_stats or module.num_batches_tracked is None:
        return lowering.call(module, inputs)
    return lowering.make(Norm((module,), lowering.next_use()), *inputs)


@rule(ops.Concat, lower_combination)
def lower_concat(module: ops.Concat, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    return lowering.make(Concat(), *inputs)


@rule(ops.Concat1x1, lower_combination)
def lower_concat1x1(module: ops.Concat1x1, inputs: Inputs, lowering: Lowering) -> AnyExpr:
    x = lowering.combine(module.concat, inputs)
    return lowering.module(module.bn, lowering.module(module.conv, x))
