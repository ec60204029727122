"""From modules to expressions: what each kind of module means to the compiler."""

from contextlib import contextmanager
from functools import singledispatch
from typing import NamedTuple

from torch import nn
from torch.nn.modules.utils import _pair as pair

from oneshot import ops
from oneshot.compile.convolutions import Conv
from oneshot.compile.expr import Expressions, Input
from oneshot.compile.kernels import Call, Combine, Concat, DropPath, Every, Relu, Zeros
from oneshot.compile.norms import Join, Norm
from oneshot.compile.pools import AvgPool, MaxPool
from oneshot.compile.structure import Structure, has_hooks
from oneshot.compile.sums import Shift, Sum, Total


class Term(NamedTuple):
    """A summand, an expression, and the number of its weight among all weights; None: without a weight."""

    expr: object
    pick: object = None
    drawn: bool = False  # whether that weight is 1
    scalar: bool = False  # whether it is a scalar 0 that is there for its gradient

    @property
    def vanishes(self):
        """Whether it is zeros, maybe plus scalars that count by themselves, as its weight is 1."""
        whole = self.pick is None or self.drawn
        return isinstance(self.expr.kernel, Zeros) or (whole and _zeros(self.expr) is not None)


@singledispatch
def lower(module, inputs, lowering):
    """The expression of a module applied to expressions.

    For a class of your own, `@lower.register`ed, this may say what it consists of; otherwise it is called as
    it is.
    """
    return lowering.call(module, inputs)


@singledispatch
def lower_combination(module, inputs, lowering):
    """The expression of a module applied to a list of expressions, as a node's `comb_op` is."""
    return lowering.opaque(module, inputs)


class Lowering:
    """The expressions of one graph in the making: its inputs, its weights, and where in it they come from."""

    def __init__(self):
        self.inputs = 0  # so many tensors the plan will be given
        self.expressions = Expressions()
        self._where = [""]  # where in the graph, of all that is under way; each with what it is in
        self._structure = Structure()
        self._mixings = {}  # {key of a mixed edge: (its Mixing, the number of its first weight or None)}
        self._first = {}  # {id of a Mixing: the number of its first weight}
        self._others = {}  # {id of a Mixing: the expression of the sum of its other weights}
        self._weights = []  # the numbers of the inputs that are weights
        self._count = 0  # of the weights in them
        self._calls = 0
        self._alike = {}  # {what modules do: the first that does it}
        self._joined = None

    def input(self):
        """The expression of a further tensor that the plan will be given."""
        self.inputs += 1
        return self.make(Input(self.inputs - 1))

    def mix(self, key, mixing):
        """Say how a mixed edge mixes; weights, and the sum of the others, are further inputs of the plan."""
        if mixing.weights is not None and id(mixing) not in self._first:
            self._first[id(mixing)] = self._count
            self._weights.append(self.input().kernel.number)
            self._count += len(mixing.weights)
            if mixing.others is not None:
                self._others[id(mixing)] = self.input()
        self._mixings[key] = mixing, self._first.get(id(mixing))

    @property
    def weights(self):
        """The expression of all weights one after the other."""
        if self._joined is None:
            self._joined = self.make(Join(), *(self.make(Input(number)) for number in self._weights))
        return self._joined

    def anew(self):
        """From now on all expressions are made anew, after those that were made before."""
        self.expressions, self._joined = Expressions(), None

    def again(self, old, kernel, args):
        """The expression of a kernel, from where an old one was."""
        new = self.make(kernel, *args)
        new.origins = list(dict.fromkeys(new.origins + old.origins))
        return new

    @contextmanager
    def at(self, where):
        """What is made inside is from this place."""
        self._where.append(f"{self._where[-1]}, {where}" if self._where[-1] else where)
        try:
            yield
        finally:
            self._where.pop()

    def make(self, kernel, *args):
        """The expression of a kernel; that of zeros, where it makes zeros of zeros."""
        if args and getattr(kernel, "keeps_zero", False):
            if isinstance(args[0].kernel, Zeros):
                return args[0]
            if _zeros(args[0]) is not None and isinstance(kernel, Relu):
                return _zeros(args[0])  # at 0 it has no gradient
            if _zeros(args[0]) is not None and getattr(kernel, "keeps_sum", False):
                return args[0]
        return self.expressions.make(kernel, args, self._where[-1])

    def module(self, module, *inputs):
        """The expression of any module; one with hooks is called, so that they run."""
        self._structure.add(module)
        if has_hooks(module):
            return self.call(module, inputs)
        return lower(module, inputs, self)

    def graph(self, graph):
        """Take a graph's nodes for what expressions are made of."""
        self._structure.add(graph)
        self._structure.add_nodes(graph.nodes)

    @property
    def structure(self):
        """What all expressions were made of, a Structure."""
        return self._structure

    def call(self, module, inputs):
        return self.make(Call(module, self.use()), *inputs)

    def combine(self, function, arriving):
        """What a node's own function makes of the list of what arrives."""
        arriving = self.whole(arriving)
        if isinstance(function, nn.Module):
            self._structure.add(function)
        if isinstance(function, nn.Module) and not has_hooks(function):
            return lower_combination(function, arriving, self)
        return self.opaque(function, arriving)

    def opaque(self, function, inputs):
        """What any function makes of a list of expressions."""
        return self.make(Combine(function, self.use()), *inputs)

    def use(self):
        """A number for something that has a state, so that no two uses of it are one."""
        self._calls += 1
        return self._calls

    def alike(self, module, *key):
        """The first module of such a key, which does what this one does."""
        return self._alike.setdefault(key, module)

    def mixture(self, mixture, key, x):
        """The weighted candidates of a mixed edge, a list of Terms."""
        self._structure.add(mixture)
        self._structure.add(mixture.primitives)
        mixing, first = self._mixings[key]
        terms = []
        for k, candidate in enumerate(mixture.primitives):
            if mixing.drawn in (None, k):
                pick = None if first is None else first + k
                terms.append(Term(self.module(candidate, x), pick, mixing.drawn == k))
        if mixing.others is not None:
            terms.append(Term(self._others[id(mixing)], scalar=True))
        return terms

    def sum(self, arriving):
        """The sum of expressions and lists of Terms.

        Zeros vanish from it, and with them what only they depend on: summands have one shape. Scalars that
        are added to them stay, for their gradients.
        """
        given = [term for each in arriving for term in (each if isinstance(each, list) else [Term(each)])]
        scalars = [term.expr for term in given if term.scalar]
        left, zeros = [], None
        for term in given:
            if term.vanishes:
                zeros = zeros or _zeros(term.expr)
                scalars += term.expr.args[1:]  # what was added to the zeros
            elif not term.scalar:
                left.append(term)
        if not left:
            total = zeros
        elif len(left) == 1 and left[0].pick is None:
            total = left[0].expr
        else:
            total = self.total([term.expr for term in left], [term.pick for term in left])
        return self.shifted(total, scalars)

    def shifted(self, x, scalars):
        """The expression of x plus scalars that are 0."""
        if not scalars:
            return x
        return self.make(Shift(), x, self.make(Total(), *scalars) if len(scalars) > 1 else scalars[0])

    def total(self, terms, picks):
        """The expression of a sum of terms under the weights of these numbers, or None."""
        weights = [] if all(pick is None for pick in picks) else [self.weights]
        return self.make(Sum(tuple(picks)), *terms, *weights)

    def whole(self, arriving):
        """The expressions of what arrives; lists of Terms are added up."""
        return [self.sum([each]) if isinstance(each, list) else each for each in arriving]


def _zeros(expr):
    """The zeros that an expression is, maybe plus scalars; None if it is something else."""
    if isinstance(expr.kernel, Shift):
        expr = expr.args[0]
    return expr if isinstance(expr.kernel, Zeros) else None


def _overrides(module, kind):
    """Whether a subclass computes something else than the class that is known here."""
    names = ("forward", "_conv_forward")  # the latter is the part of a convolution that others override
    return "forward" in vars(module) or any(
        getattr(type(module), name, None) is not getattr(kind, name, None) for name in names
    )


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
    x = _zeros(x) or x  # nothing comes back through zeros
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
    return _relu(*inputs, lowering)


def _relu(x, lowering):
    """Never in place, as others may need its input; of a concatenation, that of its parts."""
    if isinstance(x.kernel, Concat):
        return lowering.make(x.kernel, *(_relu(part, lowering) for part in x.args))
    return lowering.make(Relu(), x)


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
def _(module: nn.MaxPool2d, inputs, lowering):
    if _overrides(module, nn.MaxPool2d) or module.return_indices:
        return lowering.call(module, inputs)
    sizes = (module.kernel_size, module.stride, module.padding, module.dilation)
    return lowering.make(MaxPool(*map(pair, sizes), module.ceil_mode), *inputs)


@lower.register
def _(module: nn.Conv2d, inputs, lowering):
    if _overrides(module, nn.Conv2d) or module.padding_mode != "zeros" or isinstance(module.padding, str):
        return lowering.call(module, inputs)
    (x,) = inputs
    stride, padding, dilation = module.stride, module.padding, module.dilation
    if max(stride) > 1 and all(map(_leaves_out, module.kernel_size, stride, padding, dilation)):
        x = _every(Every((0, 0), stride), x, lowering)
        padding = tuple(p // s for p, s in zip(padding, stride, strict=True))
        stride = dilation = (1, 1)
    return lowering.make(Conv((module,), stride, padding, dilation), x)


def _leaves_out(kernel_size, stride, padding, dilation):
    """Whether a convolution looks at every `stride`th row (or column) only, from the first one on."""
    return padding == 0 if kernel_size == 1 else stride == dilation and padding % stride == 0


def _every(kernel, x, lowering):
    if isinstance(x.kernel, Every):
        return lowering.make(kernel.of(x.kernel), *x.args)
    return lowering.make(kernel, x)


@lower.register
def _(module: ops.Shift, inputs, lowering):
    if _overrides(module, ops.Shift):
        return lowering.call(module, inputs)
    return _every(Every((1, 1), (1, 1)), *inputs, lowering)


@lower.register
def _(module: ops.DropPath, inputs, lowering):
    if _overrides(module, ops.DropPath):
        return lowering.call(module, inputs)
    return lowering.make(DropPath(module, lowering.use()), *inputs)


@lower.register
def _(module: ops.FactorizedReduce, inputs, lowering):
    if _overrides(module, ops.FactorizedReduce):
        return lowering.call(module, inputs)
    x = lowering.module(module.relu, *inputs)
    halves = [lowering.module(half, x) for half in (module.even, module.odd)]
    return lowering.module(module.bn, lowering.combine(module.concat, halves))


@lower.register
def _(module: nn.BatchNorm2d, inputs, lowering):
    if _overrides(module, nn.BatchNorm2d):
        return lowering.call(module, inputs)
    if module.running_mean is None:
        if module.weight is None and module.bias is None:
            module = lowering.alike(module, Norm, module.num_features, module.eps)
        return lowering.make(Norm((module,)), *inputs)
    if not module.track_running_stats or module.num_batches_tracked is None:
        return lowering.call(module, inputs)
    return lowering.make(Norm((module,), lowering.use()), *inputs)


@lower_combination.register
def _(module: ops.Concat, inputs, lowering):
    if _overrides(module, ops.Concat):
        return lowering.opaque(module, inputs)
    return lowering.make(Concat(), *inputs)


@lower_combination.register
def _(module: ops.Concat1x1, inputs, lowering):
    if _overrides(module, ops.Concat1x1):
        return lowering.opaque(module, inputs)
    x = lowering.combine(module.concat, inputs)
    return lowering.module(module.bn, lowering.module(module.conv, x))
