"""Mixing weights, picked for all steps of a plan at once, so that their gradients are also added at once."""

from collections.abc import Sequence
from functools import cache

from oneshot.compile.expr import AnyExpr, in_order, is_by
from oneshot.compile.kernels import Get, Pick, Split
from oneshot.compile.lowering import Lowering, Remade
from oneshot.compile.sums import Sum


def pick_at_once(root: AnyExpr, lowering: Lowering) -> AnyExpr:
    """Return an equivalent expression that picks weights in one step; sums and scales take parts of them.

    Sampled plans stay as they are: their picks, unlike a joint one, occur in many plans.
    """
    if lowering.samples:
        return root
    picks = {id(expr): pick for expr in in_order(root) if (pick := _find_pick(expr)) is not None}
    if not picks:
        return root
    positions = {key: number for number, key in enumerate(picks)}
    numbers = tuple(number for pick in picks.values() for number in pick.picks)
    sizes = tuple(size for pick in picks.values() for size in pick.sizes)
    split = Split(tuple(sum(pick.sizes) for pick in picks.values()))

    @cache
    def parts() -> AnyExpr:
        return lowering.make(split, lowering.make(Pick(numbers, sizes), lowering.weights))

    def replacement(expr: AnyExpr, new: Remade) -> AnyExpr | None:
        if id(expr) not in positions:
            return None
        part = lowering.make(Get(positions[id(expr)]), parts())
        part.origins = list(expr.origins)
        if is_by(expr, Sum):
            terms = [new[id(arg)] for arg in expr.args[:-1]]
            return lowering.remake(expr, Sum(_renumbered(expr.kernel.picks)), [*terms, part])
        return part

    return lowering.rewrite(root, replacement)


def _find_pick(expr: AnyExpr) -> Pick | None:
    """Return the weights that an expression picks as a Pick; None if it picks none."""
    if is_by(expr, Sum):
        numbers = tuple(pick for pick in expr.kernel.picks if pick is not None)
        return Pick(numbers, (1,) * len(numbers)) if numbers else None
    return expr.kernel if is_by(expr, Pick) else None


def _renumbered(picks: Sequence[int | None]) -> tuple[int | None, ...]:
    """Return a sum's picks, numbered in order from 0."""
    number = iter(range(len(picks)))
    return tuple(None if pick is None else next(number) for pick in picks)
