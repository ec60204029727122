"""Expressions: what a graph computes, as kernels applied to further expressions, each kept once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeAlias, TypeGuard, TypeVar


class Kernel:
    """What one step of a plan does to its tensors.

    A kernel is hashable and equal to another that does the same: modules with weights or a state count by
    identity.
    """

    text: ClassVar[str]  # the kernel in a printed plan
    __call__: Callable[..., Any]  # each kind takes and returns its own number of tensors

    def __str__(self) -> str:
        return self.text

    @property
    def keeps_zero(self) -> bool:
        """Whether it makes zeros of zeros."""
        return False

    @property
    def keeps_sum(self) -> bool:
        """Whether it keeps the sum of the gradient over an image."""
        return False


@dataclass(frozen=True)
class Input:
    """A tensor that the plan is given."""

    number: int


K = TypeVar("K", bound=Kernel | Input, covariant=True)


class Expr(Generic[K]):
    """A kernel applied to expressions. Two are the same object if kernel and arguments are equal."""

    __slots__ = ("kernel", "args", "number", "origins")

    def __init__(self, kernel: K, args: "tuple[AnyExpr, ...]", number: int, origin: str) -> None:
        self.kernel = kernel
        self.args = args
        self.number = number  # greater than those of its arguments, and of all that was made before
        self.origins = [origin] if origin else []  # where in the graph it is from, for messages

    def __repr__(self) -> str:
        return f"{self.kernel}({', '.join(str(arg.kernel) for arg in self.args)})"


AnyExpr: TypeAlias = Expr[Kernel | Input]


def is_by(expr: AnyExpr, kind: type[K]) -> TypeGuard[Expr[K]]:
    """Return whether an expression's kernel is of a kind."""
    return isinstance(expr.kernel, kind)


class Expressions:
    """Makes expressions, and returns the existing one when asked for an equal one."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], AnyExpr] = {}

    def make(self, kernel: Kernel | Input, args: Iterable[AnyExpr] = (), origin: str = "") -> AnyExpr:
        """Return the expression of a kernel applied to expressions; `origin` is added to its origins."""
        args = tuple(args)
        key = (kernel, *map(id, args))
        expr = self._made.get(key)
        if expr is None:
            expr = self._made[key] = Expr(kernel, args, len(self._made), origin)
        elif origin and origin not in expr.origins:
            expr.origins.append(origin)
        return expr


def in_order(root: AnyExpr) -> list[AnyExpr]:
    """Return `root` and the expressions that it depends on, in the order in which they were made."""
    by_number, waiting = {}, [root]
    while waiting:
        expr = waiting.pop()
        if expr.number not in by_number:
            by_number[expr.number] = expr
            waiting.extend(expr.args)
    return [by_number[number] for number in sorted(by_number)]
