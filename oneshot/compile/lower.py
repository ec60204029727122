"""From modules to expressions: what each kind of module means to the compiler."""

from contextlib import contextmanager
from functools import singledispatch
from typing import NamedTuple

from torch import nn
from torch.nn.modules.utils import _pair as pair

from oneshot import ops
from oneshot.compile.expr import Expressions, Input
from oneshot.compile.kernels import AvgPool, Call, Combine, Conv, Join, Norm, Relu, Sum, Zeros


class Term(NamedTuple):
    """A summand, an expression, and the number of its weight among all weights; None: without a weight."""

    expr: object
    pick: object = None


@singledispatch
def lower(module, inputs, lowering):
    """The expression of a module applied to expressions.

    For a class of your own, `@lower.register`ed, this may say what it consists of; otherwise it is called as
    it is.
    """
    return lowering.call(module, inputs)


class Lowering:
    """The expressions of one graph in the making: its inputs, its weights, and where in it they come from."""

    def __init__(self):
        self.inputs = 0  # so many tensors the plan will be given
        self.expressions = Expressions()
        self._where = []
        self._mixings = {}  # {key of a mixed edge: (its Mixing, the number of its first weight or None)}
        self._first = {}  # {id of a Mixing: the number of its first weight}
        self._weights = []  # the numbers of the inputs that are weights
        self._count = 0  # of the weights in them
        self._calls = 0

    def input(self):
        """The expression of a further tensor that the plan will be given."""
        self.inputs += 1
        return self.make(Input(self.inputs - 1))

    def mix(self, key, mixing):
        """Say how a mixed edge mixes; for each Mixing with weights they are a further input of the plan."""
        if mixing.weights is not None and id(mixing) not in self._first:
            self._first[id(mixing)] = self._count
            self._weights.append(self.input().kernel.number)
            self._count += len(mixing.weights)
        self._mixings[key] = mixing, self._first.get(id(mixing))

    @property
    def weights(self):
        """The expression of all weights one after the other."""
        return self.make(Join(), *(self.make(Input(number)) for number in self._weights))

    @contextmanager
    def at(self, where):
        """What is made inside is from this place."""
        self._where.append(where)
        try:
            yield
        finally:
            self._where.pop()

    def make(self, kernel, *args):
        """The expression of a kernel; that of zeros, where it makes zeros of zeros."""
        if args and isinstance(args[0].kernel, Zeros) and getattr(kernel, "keeps_zero", False):
            return args[0]
        return self.expressions.make(kernel, args, ", ".join(self._where))

    def module(self, module, *inputs):
        """The expression of any module; one with hooks is called, so that they run."""
        if has_hooks(module):
            return self.call(module, inputs)
        return lower(module, inputs, self)

    def call(self, module, inputs):
        self._calls += 1
        return self.make(Call(module, self._calls), *inputs)

    def combine(self, function, arriving):
        """What a node's own function makes of the list of what arrives."""
        self._calls += 1
        return self.make(Combine(function, self._calls), *self.whole(arriving))

    def mixture(self, mixture, key, x):
        """The weighted candidates of a mixed edge, a list of Terms."""
        mixing, first = self._mixings[key]
        terms = []
        for k, candidate in enumerate(mixture.primitives):
            if mixing.drawn in (None, k):
                terms.append(Term(self.module(candidate, x), None if first is None else first + k))
        return terms

    def sum(self, arriving):
        """The sum of expressions and lists of Terms.

        Zeros vanish from it, and with them what only they depend on: summands have one shape.
        """
        terms = [term for each in arriving for term in (each if isinstance(each, list) else [Term(each)])]
        left = [term for term in terms if not isinstance(term.expr.kernel, Zeros)] or terms[:1]
        if len(left) == 1 and (left[0].pick is None or isinstance(left[0].expr.kernel, Zeros)):
            return left[0].expr
        return self.total([term.expr for term in left], [term.pick for term in left])

    def total(self, terms, picks):
        """The expression of a sum of terms under the weights of these numbers, or None."""
        weights = [] if all(pick is None for pick in picks) else [self.weights]
        return self.make(Sum(tuple(picks)), *terms, *weights)

    def whole(self, arriving):
        """The expressions of what arrives; lists of Terms are added up."""
        return [self.sum([each]) if isinstance(each, list) else each for each in arriving]


def has_hooks(module):
    """Whether a module has hooks of forward or backward passes."""
    return any(hooks_of(module))


def hooks_of(module):
    """The dictionaries of a module's hooks, which change in place."""
    return (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )


def _overrides(module, kind):
    """Whether a subclass computes something else than the class that is known here."""
    names = ("forward", "_conv_forward")  # the latter is the part of a convolution that others override
    return any(getattr(type(module), name, None) is not getattr(kind, name, None) for name in names)


def _each_then_each(modules, x, lowering):
    for module in modules:
        x = lowering.module(module, x)
    return x


@lower.register
def _(module: nn.Sequential, inputs, lowering):
    if _overrides(module, nn.Sequential) or len(inputs) != 1:
        return lowering.call(module, inputs)
    return _each_then_each(module, inputs[0], lowering)


@lower.register
def _(module: nn.Identity, inputs, lowering):
    if _overrides(module, nn.Identity):
        return lowering.call(module, inputs)
    return inputs[0]


@lower.register
def _(module: ops.Zero, inputs, lowering):
    if _overrides(module, ops.Zero):
        return lowering.call(module, inputs)
    (x,) = inputs
    if module.stride == 1 and isinstance(x.kernel, Zeros):
        return x
    return lowering.make(Zeros(module.stride), x)


@lower.register
def _(module: ops.ResNetBasicblock, inputs, lowering):
    if _overrides(module, ops.ResNetBasicblock):
        return lowering.call(module, inputs)
    (x,) = inputs
    inner = lowering.module(module.conv_b, lowering.module(module.conv_a, x))
    return lowering.sum([lowering.module(module.shortcut, x), inner])


@lower.register
def _(module: nn.ReLU, inputs, lowering):
    if _overrides(module, nn.ReLU):
        return lowering.call(module, inputs)
    return lowering.make(Relu(), *inputs)  # never in place: others may need its input


@lower.register
def _(module: nn.AvgPool2d, inputs, lowering):
    if _overrides(module, nn.AvgPool2d):
        return lowering.call(module, inputs)
    kernel = AvgPool(
        pair(module.kernel_size),
        pair(module.stride),
        pair(module.padding),
        module.ceil_mode,
        module.count_include_pad,
        module.divisor_override,
    )
    return lowering.make(kernel, *inputs)


@lower.register
def _(module: nn.Conv2d, inputs, lowering):
    if _overrides(module, nn.Conv2d) or module.padding_mode != "zeros" or isinstance(module.padding, str):
        return lowering.call(module, inputs)
    return lowering.make(Conv((module,)), *inputs)


@lower.register
def _(module: nn.BatchNorm2d, inputs, lowering):
    if _overrides(module, nn.BatchNorm2d) or module.running_mean is not None:
        return lowering.call(module, inputs)
    return lowering.make(Norm((module,)), *inputs)
