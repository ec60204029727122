"""Computation of a graph as expressions: kernels applied to expressions, without duplicates."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeAlias, TypeGuard, TypeVar


class Kernel:
    """Function that one step of a plan applies to its tensors.

    Kernels are hashable; they are equal if they compute the same. Modules with weights or state are compared
    by identity.
    """

    text: ClassVar[str]  # the kernel in a printed plan
    __call__: Callable[..., Any]  # numbers of tensors differ between kernels

    def __str__(self) -> str:
        return self.text

    @property
    def keeps_zero(self) -> bool:
        """Whether it maps zeros to zeros."""
        return False

    @property
    def keeps_sum(self) -> bool:
        """Whether its backward pass keeps the sum of the gradient over an image."""
        return False


@dataclass(frozen=True)
class Input:
    """An input of the plan."""

    #: position among the inputs
    number: int


K = TypeVar("K", bound=Kernel | Input, covariant=True)


class Expr(Generic[K]):
    """A kernel applied to expressions; equal expressions are the same object."""

    __slots__ = ("kernel", "args", "number", "origins")

    def __init__(self, kernel: K, args: "tuple[AnyExpr, ...]", number: int, origin: str) -> None:
        self.kernel = kernel
        self.args = args
        self.number = number  # greater than the numbers of all expressions created before
        self.origins = [origin] if origin else []  # places in the graph, for messages

    def __repr__(self) -> str:
        return f"{self.kernel}({', '.join(str(arg.kernel) for arg in self.args)})"


AnyExpr: TypeAlias = Expr[Kernel | Input]


def is_by(expr: AnyExpr, kind: type[K]) -> TypeGuard[Expr[K]]:
    """Return whether an expression's kernel is an instance of `kind`."""
    return isinstance(expr.kernel, kind)


class Expressions:
    """Factory of expressions; instead of a duplicate, it returns the existing equal expression."""

    def __init__(self) -> None:
        self._existing: dict[tuple[object, ...], AnyExpr] = {}

    def make(self, kernel: Kernel | Input, args: Iterable[AnyExpr] = (), origin: str = "") -> AnyExpr:
        """Return the expression of a kernel applied to expressions; `origin` is added to its origins."""
        args = tuple(args)
        key = (kernel, *map(id, args))
        expr = self._existing.get(key)
        if expr is None:
            expr = self._existing[key] = Expr(kernel, args, len(self._existing), origin)
        elif origin and origin not in expr.origins:
            expr.origins.append(origin)
        return expr


def in_order(root: AnyExpr) -> list[AnyExpr]:
    """Return `root` and the expressions that it depends on, in the order of their creation."""
    by_number, waiting = {}, [root]
    while waiting:
        expr = waiting.pop()
        if expr.number not in by_number:
            by_number[expr.number] = expr
            waiting.extend(expr.args)
    return [by_number[number] for number in sorted(by_number)]
