"""Fusion of equal chains of kernels on partial channels, from candidates of the edges from one node."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from oneshot.compile.convolutions import Conv
from oneshot.compile.expr import AnyExpr, Expr, in_order, is_by
from oneshot.compile.kernels import First, Get, Pick, Relu, Repeat, Split
from oneshot.compile.lowering import Lowering, Remade
from oneshot.compile.norms import Norm
from oneshot.compile.sums import Add, Sum

# users of an expression, by its id: pairs of expression and position among its arguments
Users: TypeAlias = Mapping[int, Sequence[tuple[AnyExpr, int]]]


class _Chains(NamedTuple):
    """Equal chains of kernels with the same input; each row has one expression per chain."""

    source: AnyExpr
    rows: list[list[AnyExpr]]

    @property
    def ends(self) -> list[AnyExpr]:
        return self.rows[-1]


def set_side_by_side(root: AnyExpr, lowering: Lowering) -> AnyExpr:
    """Return an equivalent expression in which chains on partial channels are fused to wide ones.

    The chains start with a depthwise convolution. A processor takes about as long for the channels of several
    chains as for the few channels of one.
    """
    order = in_order(root)
    if not any(is_by(expr, First) for expr in order):
        return root
    users: dict[int, list[tuple[AnyExpr, int]]] = defaultdict(list)
    for expr in order:
        for number, arg in enumerate(expr.args):
            users[id(arg)].append((expr, number))
    stacks: dict[object, list[_Chains]] = defaultdict(list)
    for chains in _chains(order, users):
        into = tuple(_find_sum(end, users)[0] for end in chains.ends)
        stacks[id(chains.source), tuple(map(id, into)) if None not in into else id(chains)].append(chains)
    places = {
        id(end): (stack, number)
        for stack in stacks.values()
        for chains in stack
        for number, end in enumerate(chains.ends)
    }
    scaled = {key for key, (stack, number) in places.items() if _find_sum(stack[0].ends[number], users)[0]}
    left_out = {id(end) for stack in stacks.values() for chains in stack[1:] for end in chains.ends}

    def replacement(expr: AnyExpr, new: Remade) -> AnyExpr | None:
        if id(expr) in places:
            return _part(*places[id(expr)], users, new, lowering)
        if not is_by(expr, Sum):
            return None
        pairs = zip(expr.args, expr.kernel.picks, strict=False)
        kept = [(arg, pick) for arg, pick in pairs if id(arg) not in left_out]
        terms = [new[id(arg)] for arg, _ in kept]
        picks = [None if id(arg) in scaled else pick for arg, pick in kept]
        return lowering.resum(expr, terms, picks)

    return lowering.rewrite(root, replacement)


def _chains(order: Sequence[AnyExpr], users: Users) -> list[_Chains]:
    """Return the chains that can run side by side, two or more per source."""
    starts: dict[object, list[AnyExpr]] = defaultdict(list)
    for expr in order:
        if is_by(expr, Conv) and expr.kernel.is_depthwise and _is_narrow(expr.args[0]):
            starts[id(expr.args[0]), expr.kernel.shape].append(expr)
    chains = []
    for row in starts.values():
        rows = [row]
        while following := _next(rows[-1], users):
            rows.append(following)
        if len(row) > 1:
            chains.append(_Chains(row[0].args[0], rows))
    return chains


def _is_narrow(expr: AnyExpr) -> bool:
    """Return whether an expression has part of the channels of another one, possibly after a ReLU."""
    return is_by(expr.args[0] if is_by(expr, Relu) else expr, First)


def _next(row: Sequence[AnyExpr], users: Users) -> list[AnyExpr] | None:
    """Return the only users of the expressions of a row if they can run side by side; None otherwise."""
    if any(len(users[id(expr)]) != 1 for expr in row):
        return None
    following = [users[id(expr)][0][0] for expr in row]
    if len({id(expr) for expr in following}) < len(row) or len({_kind(expr) for expr in following}) > 1:
        return None
    return following if _kind(following[0]) is not None else None


def _kind(expr: AnyExpr) -> object:
    """Return a key that is equal for kernels that can run side by side; None if this one cannot."""
    if is_by(expr, Relu):
        return "relu"
    if is_by(expr, Norm):
        plain = len(expr.args) == 1 and len(expr.kernel.modules) == 1 and expr.kernel.number is None
        return (expr.kernel.alike, expr.kernel.sizes) if plain else None
    if is_by(expr, Conv) and (expr.kernel.is_depthwise or expr.kernel.is_pointwise):
        return expr.kernel.shape, expr.kernel.modules[0].out_channels
    return None


def _find_sum(end: AnyExpr, users: Users) -> tuple[Expr[Sum] | None, int | None]:
    """Return the sum that is the only user of a normalization and its weight number, or (None, None)."""
    if is_by(end, Norm) and len(users[id(end)]) == 1:
        user, number = users[id(end)][0]
        if is_by(user, Sum):
            return user, user.kernel.picks[number]
    return None, None


def _part(stack: Sequence[_Chains], number: int, users: Users, new: Remade, lowering: Lowering) -> AnyExpr:
    """Return the new expression of a chain's end, a part of the sum of its stack."""
    wide = [_wide(chains, users, new, lowering) for chains in stack]
    total = lowering.make(Add(), *wide) if len(wide) > 1 else wide[0]
    ends = stack[0].ends
    return lowering.make(Get(number), lowering.make(Split((_width(stack[0]),) * len(ends)), total))


def _width(chains: _Chains) -> int:
    """Return the number of channels at the end of each chain."""
    convs = [row[0] for row in chains.rows if is_by(row[0], Conv)]
    kernel = convs[-1].kernel
    assert isinstance(kernel, Conv)
    return kernel.modules[0].out_channels


def _wide(chains: _Chains, users: Users, new: Remade, lowering: Lowering) -> AnyExpr:
    """Return the ends of chains as one expression with concatenated channels."""
    x = lowering.make(Repeat(len(chains.ends)), new[id(chains.source)])
    for row in chains.rows:
        kernel, scale = row[0].kernel, []
        if isinstance(kernel, Conv):
            convs = [module for expr in row if is_by(expr, Conv) for module in expr.kernel.modules]
            kernel = replace(kernel, modules=tuple(convs), apart=True)
        elif isinstance(kernel, Norm):
            norms = [module for expr in row if is_by(expr, Norm) for module in expr.kernel.modules]
            kernel = replace(kernel, modules=tuple(norms))
            picks = [_find_sum(expr, users)[1] for expr in row]
            if any(pick is not None for pick in picks):
                numbers = tuple(-1 if pick is None else pick for pick in picks)
                scale = [lowering.make(Pick(numbers, kernel.sizes), lowering.weights)]
        x = lowering.make(kernel, x, *scale)
        x.origins = list(dict.fromkeys(origin for expr in row for origin in expr.origins))
    return x
