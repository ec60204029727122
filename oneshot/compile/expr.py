"""Expressions: what a graph computes, as kernels applied to further expressions, each kept once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Input:
    """A tensor that the plan is given."""

    number: int

    def __str__(self):
        return "input"


class Expr:
    """A kernel applied to expressions. Two are the same object where kernel and arguments are equal."""

    __slots__ = ("kernel", "args", "number", "origins")

    def __init__(self, kernel, args, number, origin):
        self.kernel = kernel
        self.args = args
        self.number = number  # greater than those of its arguments, and of all that was made before
        self.origins = [origin] if origin else []  # where in the graph it is from, for messages

    def __repr__(self):
        return f"{self.kernel}({', '.join(str(arg.kernel) for arg in self.args)})"


class Expressions:
    """Makes expressions, and gives the one there is when asked for an equal one.

    A kernel is hashable and equal to another where both do the same: modules with weights or a state by
    identity.
    """

    def __init__(self):
        self._made = {}

    def make(self, kernel, args=(), origin=None):
        args = tuple(args)
        key = (kernel, *map(id, args))
        expr = self._made.get(key)
        if expr is None:
            expr = self._made[key] = Expr(kernel, args, len(self._made), origin)
        elif origin and origin not in expr.origins:
            expr.origins.append(origin)
        return expr


def in_order(root):
    """The expressions that `root` depends on and itself, in the order in which they were made."""
    found, waiting = {}, [root]
    while waiting:
        expr = waiting.pop()
        if expr.number not in found:
            found[expr.number] = expr
            waiting.extend(expr.args)
    return [found[number] for number in sorted(found)]
