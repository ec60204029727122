"""Numbers from users and files: their types and their bounds."""

from __future__ import annotations

import math
import numbers
import operator
from typing import TypedDict, Unpack, cast

from nasbench.errors import InvalidArgumentError, shown

LARGEST = 10_000_000  # of how many there may be; more would only take memory and time without end
MANY = 100_000  # of how many there may be at once, each in memory
SEEDS = 2**63 - 1
HUGE = 1e30  # no setting is larger; float32 can still compute with it


class Bounds(TypedDict, total=False):
    """Keywords that bound a number."""

    at_least: float
    above: float
    at_most: float
    below: float


def integer(value: object) -> int | None:
    """Return a number of any integer type as an int; None for anything else, booleans included."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]  # any type is asked whether it has an index
    except TypeError:
        return None


def whole(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return the value as an int; InvalidArgumentError unless it is an integer within the bounds.

    `most`: None for `LARGEST`.
    """
    number = integer(value)
    if most is None and number is not None and number > LARGEST:
        most = LARGEST
    if number is None or number < least or (most is not None and number > most):
        bounds = f"of at least {least:,}" if most is None else f"in [{least:,}, {most:,}]"
        raise InvalidArgumentError(f"{name} is a whole number {bounds}, got {shown(value)}")
    return number


def finite(value: object) -> float | None:
    """Return a number of any real type as a float; None if it is infinite, NaN or no number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # an int of more than 308 digits
        return None
    return number if math.isfinite(number) else None


def bounded(name: str, value: object, **bounds: Unpack[Bounds]) -> float:
    """Return the value as a float; InvalidArgumentError unless it is a finite number within the bounds.

    `at_most` is `HUGE` by default.
    """
    number = finite(value)
    least, above = bounds.get("at_least", -math.inf), bounds.get("above", -math.inf)
    below, most = bounds.get("below", math.inf), bounds.get("at_most", HUGE)
    if number is None or number < least or number <= above:
        lower = f" of at least {bound_text(least)}" if "at_least" in bounds else ""
        lower += f" above {bound_text(above)}" if "above" in bounds else ""
        raise InvalidArgumentError(f"{name} is a number{lower}, got {shown(value)}")
    if number >= below:
        raise InvalidArgumentError(f"{name} is below {bound_text(below)}, got {shown(value)}")
    if number > most:
        raise InvalidArgumentError(f"{name} must be at most {bound_text(most)}, got {shown(value)}")
    return number


def bounds_text(**bounds: Unpack[Bounds]) -> str:
    """Return bounds as text, such as `1 to 10` or `above 0, below 1`; empty if there are none."""
    if "at_least" in bounds and "at_most" in bounds:
        return f"{bound_text(bounds['at_least'])} to {bound_text(bounds['at_most'])}"
    numbers_by_name = cast("dict[str, float]", bounds)  # mypy takes the values for objects
    return ", ".join(f"{name.replace('_', ' ')} {bound_text(n)}" for name, n in numbers_by_name.items())


def bound_text(bound: float) -> str:
    """Return a bound as text, such as `0.5`, `1,000` or `1e+30`."""
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:,g}"
