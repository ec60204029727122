"""Creation of a graph's expressions; rules for modules and combinations are registered here."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import singledispatch
from typing import NamedTuple, TypeAlias, TypeVar

from torch import nn

from oneshot.compile.expr import AnyExpr, Expressions, Input, Kernel, in_order
from oneshot.compile.kernels import Call, Combine, First, Join, Relu, Shuffle, Zeros
from oneshot.compile.structure import Structure, has_hooks
from oneshot.compile.sums import Shift, Sum, Total
from oneshot.mixed import ABSENT, Mixing, Mixture
from oneshot.ops import Combination, add_up

M = TypeVar("M", bound=nn.Module)


class Term(NamedTuple):
    """A summand."""

    #: its value without the weight
    expr: AnyExpr
    #: number of its weight among all weights; None if it has none
    pick: int | None = None
    #: whether it is sampled with weight 1
    drawn: bool = False
    #: whether it is a scalar 0 that is added for its gradient
    scalar: bool = False

    @property
    def zeros(self) -> AnyExpr | None:
        """Its zeros if it is zeros, possibly plus scalars without a weight other than 1; None otherwise."""
        zeros = zeros_in(self.expr)
        return zeros if self.pick is None or self.drawn or zeros is self.expr else None


class Shuffled(NamedTuple):
    """Terms for the first C / k channels, and a term that provides the other channels."""

    #: number of parts of the channels
    k: int
    #: terms with C / k channels
    first: list[Term]
    #: term with C channels
    rest: Term


Arriving: TypeAlias = AnyExpr | list[Term] | Shuffled  # output of an edge
Remade: TypeAlias = Mapping[int, AnyExpr]  # new expressions by the ids of the old ones
Replace: TypeAlias = Callable[[AnyExpr, Remade], AnyExpr | None]


@singledispatch
def lower(module: nn.Module, inputs: Sequence[AnyExpr], lowering: "Lowering") -> AnyExpr:
    """Return the expression of a module applied to expressions.

    A rule registered for the module's class (see `rule`) takes the module apart; without one, it is called.

    Parameters
    ----------
    module
        The module; its class selects the rule.
    inputs
        Expressions that it is applied to.
    lowering
        Builder of further expressions: `lowering.module(part, x)`, `lowering.sum([x, y])`.

    Returns
    -------
    Expr
        Expression of the module's output.
    """
    return lowering.call(module, inputs)


@singledispatch
def lower_combination(module: nn.Module, inputs: Sequence[AnyExpr], lowering: "Lowering") -> AnyExpr:
    """Return the expression of a module applied to a list of expressions, like the `comb_op` of a node."""
    return lowering.opaque(module, inputs)


class Lowering:
    """Builder of the expressions of one graph, with its inputs, its weights and the places of expressions."""

    def __init__(self) -> None:
        self.inputs = 0  # number of tensors that the plan takes
        self.expressions = Expressions()
        self.structure = Structure()  # modules and nodes of the graph
        self._where = [""]  # stack of places in the graph; each includes the outer ones
        self._mixings: dict[int, Mixing] = {}  # of each mixed edge, by the id of its EdgeData
        self._first: dict[int, int] = {}  # {id of a Mixing: number of its first weight}
        self._others: dict[int, AnyExpr] = {}  # {id of a Mixing: sum of its other weights}
        self._weights: list[AnyExpr] = []  # inputs that are weights
        self._count = 0  # number of weights in these inputs
        self._calls = 0
        self._alike: dict[tuple[object, ...], nn.Module] = {}  # {key: first of equivalent modules}
        self._joined: AnyExpr | None = None

    def input(self) -> AnyExpr:
        """Return the expression of a further input of the plan."""
        self.inputs += 1
        return self.expressions.make(Input(self.inputs - 1))

    def mix(self, key: int, mixing: Mixing) -> None:
        """Set the mixing of a mixed edge; weights and the sum of other weights become inputs of the plan."""
        if mixing.weights is not None and id(mixing) not in self._first:
            self._first[id(mixing)] = self._count
            self._weights.append(self.input())
            self._count += len(mixing.weights) + (mixing.scale is not None)
            if mixing.others is not None:
                self._others[id(mixing)] = self.input()
        self._mixings[key] = mixing

    @property
    def weights(self) -> AnyExpr:
        """The expression of all weights, concatenated."""
        if self._joined is None:
            self._joined = self.make(Join(), *(self.make(weight.kernel) for weight in self._weights))
        return self._joined

    @property
    def samples(self) -> bool:
        """Whether a candidate has been sampled at a mixed edge; the plan is then one of many."""
        return any(mixing.drawn is not None for mixing in self._mixings.values())

    def rewrite(self, root: AnyExpr, replace: Replace) -> AnyExpr:
        """Create the expressions of `root` again, with replacements, and return the new root.

        `replace` takes an expression and the new expressions created before, by the ids of the old ones. It
        returns a replacement, or None for the same kernel applied to the new arguments.
        """
        self.expressions, self._joined = Expressions(), None
        new: dict[int, AnyExpr] = {}
        for expr in in_order(root):
            replacement = replace(expr, new)
            if replacement is None:
                replacement = self.remake(expr, expr.kernel, [new[id(arg)] for arg in expr.args])
            new[id(expr)] = replacement
        return new[id(root)]

    def remake(self, old: AnyExpr, kernel: Kernel | Input, args: Iterable[AnyExpr]) -> AnyExpr:
        """Return the expression of a kernel that replaces `old`, with the origins of both."""
        new = self.make(kernel, *args)
        new.origins = list(dict.fromkeys(new.origins + old.origins))
        return new

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Set the place in the graph of expressions that are created within the block."""
        self._where.append(f"{self._where[-1]}, {where}" if self._where[-1] else where)
        try:
            yield
        finally:
            self._where.pop()

    def make(self, kernel: Kernel | Input, *args: AnyExpr) -> AnyExpr:
        """Return the expression of a kernel, or the zeros in its input if it keeps zeros."""
        if args and isinstance(kernel, Kernel) and kernel.keeps_zero and (zeros := zeros_in(args[0])):
            if zeros is args[0] or isinstance(kernel, Relu):
                return zeros  # a ReLU has no gradient at 0
            if kernel.keeps_sum:
                return args[0]
        return self.expressions.make(kernel, args, self._where[-1])

    def module(self, module: nn.Module, *inputs: AnyExpr) -> AnyExpr:
        """Return the expression of any module; modules with hooks are called, so that the hooks run."""
        self.structure.add(module)
        if has_hooks(module):
            return self.call(module, inputs)
        return lower(module, inputs, self)

    def edge(self, op: nn.Module, key: int, x: AnyExpr) -> Arriving:
        """Return the output of an edge for x; `key` as in `mix`."""
        return self.mixture(op, key, x) if isinstance(op, Mixture) else self.module(op, x)

    def call(self, module: nn.Module, inputs: Sequence[AnyExpr]) -> AnyExpr:
        """Return the expression of a call of a module."""
        return self.make(Call(module, self.next_use()), *inputs)

    def combine(self, function: Combination, arriving: Sequence[Arriving]) -> AnyExpr:
        """Return the expression of a node's function applied to the list of its inputs."""
        if function is add_up:
            return self.sum(arriving)
        inputs = [self.sum([each]) if isinstance(each, (list, Shuffled)) else each for each in arriving]
        if isinstance(function, nn.Module):
            self.structure.add(function)
            if not has_hooks(function):
                return lower_combination(function, inputs, self)
        return self.opaque(function, inputs)

    def opaque(self, function: Combination, inputs: Sequence[AnyExpr]) -> AnyExpr:
        """Return the expression of a call of any function of a list."""
        return self.make(Combine(function, self.next_use()), *inputs)

    def next_use(self) -> int:
        """Return a new number, so that uses of something with state are not merged."""
        self._calls += 1
        return self._calls

    def first_alike(self, module: M, *key: object) -> M:
        """Return the first module with an equal key, which computes the same as this one."""
        return self._alike.setdefault((type(module), *key), module)  # type: ignore[return-value]  # same type

    def mixture(self, mixture: Mixture, key: int, x: AnyExpr) -> list[Term] | Shuffled:
        """Return the weighted candidates of a mixed edge; with a bypass, also its other channels."""
        mixing = self._mixings[key]
        bypass, first, scale = mixture.bypassed(mixing), self._first.get(id(mixing)), None
        if first is not None and mixing.scale is not None and mixing.weights is not None:
            scale = first + len(mixing.weights)
        if bypass is None:
            return self._terms(mixture, mixing, x)
        self.structure.add(bypass)
        terms = self._terms(mixture, mixing, self.make(First(bypass.k), x))
        shuffled = Shuffled(bypass.k, terms, Term(self.module(bypass.pool, x), scale))
        return [Term(self.make(Zeros(1), self.sum([shuffled])))] if mixing.drawn == ABSENT else shuffled

    def _terms(self, mixture: Mixture, mixing: Mixing, x: AnyExpr) -> list[Term]:
        self.structure.add(mixture)
        self.structure.add(mixture.primitives)
        first = self._first.get(id(mixing))
        if mixing.drawn == ABSENT:
            return [Term(self.make(Zeros(1), self.module(mixture.primitives[0], x)))]
        terms = []
        for k, candidate in enumerate(mixture.primitives):
            if mixing.drawn in (None, k) and (mixing.kept is None or k in mixing.kept):
                pick = None if first is None else first + k
                is_one = mixing.drawn == k and mixing.scale is None
                terms.append(Term(self.module(candidate, x), pick, is_one))
        if mixing.others is not None:
            terms.append(Term(self._others[id(mixing)], scalar=True))
        if mixture.drop_path is not None:
            return [Term(self.module(mixture.drop_path, self.sum([terms])))]
        return terms

    def sum(self, arriving: Iterable[Arriving]) -> AnyExpr:
        """Return the sum of expressions and lists of Terms.

        Summands have equal shapes, so zeros are left out, along with everything that only they depend on.
        Scalars added to zeros are kept for their gradients.
        """
        given: list[Term] = []
        shuffled: dict[int, list[Shuffled]] = {}
        for each in arriving:
            if isinstance(each, Shuffled):
                shuffled.setdefault(each.k, []).append(each)
            else:
                given += each if isinstance(each, list) else [Term(each)]
        for k, parts in shuffled.items():
            first, rest = self.sum([part.first for part in parts]), self.sum([[part.rest for part in parts]])
            given.append(Term(self.make(Shuffle(k), first, rest)))
        scalars = [term.expr for term in given if term.scalar]
        others, zeros = [], []
        for term in given:
            if term.zeros is not None:
                zeros.append(term.zeros)
                scalars += term.expr.args[1:]  # scalars that are added to the zeros
            elif not term.scalar:
                others.append(term)
        if not others:
            total = zeros[0]
        elif len(others) == 1 and others[0].pick is None:
            total = others[0].expr
        else:
            total = self.total([term.expr for term in others], [term.pick for term in others])
        return self.shifted(total, scalars)

    def shifted(self, x: AnyExpr, scalars: Sequence[AnyExpr]) -> AnyExpr:
        """Return the expression of x plus scalars 0."""
        if not scalars:
            return x
        return self.make(Shift(), x, self.make(Total(), *scalars) if len(scalars) > 1 else scalars[0])

    def total(self, terms: Sequence[AnyExpr], picks: Sequence[int | None]) -> AnyExpr:
        """Return the expression of a weighted sum; `picks` has each term's weight number, or None."""
        weights = [] if all(pick is None for pick in picks) else [self.weights]
        return self.make(Sum(tuple(picks)), *terms, *weights)

    def resum(self, old: AnyExpr, terms: Sequence[AnyExpr], picks: Sequence[int | None]) -> AnyExpr:
        """Return the weighted sum that replaces `old`, or its only term if that has no weight."""
        if len(terms) == 1 and picks[0] is None:
            return terms[0]
        total = self.total(terms, picks)
        return self.remake(old, total.kernel, total.args)


def zeros_in(expr: AnyExpr) -> AnyExpr | None:
    """Return the zeros of an expression that is zeros, possibly plus scalars; None otherwise."""
    if isinstance(expr.kernel, Shift):
        expr = expr.args[0]
    return expr if isinstance(expr.kernel, Zeros) else None
