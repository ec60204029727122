"""Checks of numbers from users and files: types and bounds."""

from __future__ import annotations

import math
import numbers
import operator
from typing import TypedDict, Unpack, cast

from nasbench.errors import InvalidArgumentError, shown

LARGEST = 10_000_000  # default upper bound of counts; more would exhaust memory or never end
MANY = 100_000  # upper bound of things that are in memory at the same time
SEEDS = 2**63 - 1  # largest seed
HUGE = 1e30  # upper bound of real settings; float32 can still compute with it


class Bounds(TypedDict, total=False):
    """Keyword arguments that bound a number."""

    #: lower bound, inclusive
    at_least: float
    #: lower bound, exclusive
    above: float
    #: upper bound, inclusive
    at_most: float
    #: upper bound, exclusive
    below: float


def integer(value: object) -> int | None:
    """Return `value` of any integer type as an int; None for anything else, including booleans."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]  # rejects other types with TypeError
    except TypeError:
        return None


def whole(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return `value` as an int.

    Parameters
    ----------
    name
        Name of the value in errors.
    value
        Number to check, of any type.
    least, most
        Bounds, inclusive; by default `most` is `LARGEST`.

    Raises
    ------
    InvalidArgumentError
        If `value` is not an integer within the bounds.
    """
    number = integer(value)
    if most is None and number is not None and number > LARGEST:
        most = LARGEST
    if number is None or number < least or (most is not None and number > most):
        bounds = f">= {least:,}" if most is None else f"in [{least:,}, {most:,}]"
        raise InvalidArgumentError(f"{name} must be an integer {bounds}, got {shown(value)}")
    return number


def finite(value: object) -> float | None:
    """Return `value` of any real type as a float; None if it is infinite, NaN or not a number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # an int of more than 308 digits
        return None
    return number if math.isfinite(number) else None


def bounded(name: str, value: object, **bounds: Unpack[Bounds]) -> float:
    """Return `value` as a float.

    Parameters
    ----------
    name
        Name of the value in errors.
    value
        Number to check, of any type.
    **bounds
        `at_least`, `above`, `at_most` and `below`; by default `at_most` is `HUGE`.

    Raises
    ------
    InvalidArgumentError
        If `value` is not a finite number within the bounds.
    """
    number = finite(value)
    least, above = bounds.get("at_least", -math.inf), bounds.get("above", -math.inf)
    below, most = bounds.get("below", math.inf), bounds.get("at_most", HUGE)
    if number is None:
        rule = "a finite number"
    elif number < least:
        rule = f">= {bound_text(least)}"
    elif number <= above:
        rule = f"> {bound_text(above)}"
    elif number >= below:
        rule = f"< {bound_text(below)}"
    elif number > most:
        rule = f"<= {bound_text(most)}"
    else:
        return number
    raise InvalidArgumentError(f"{name} must be {rule}, got {shown(value)}")


def bounds_text(**bounds: Unpack[Bounds]) -> str:
    """Return bounds as text, such as `1 to 10` or `above 0, below 1`; empty if there are none."""
    if "at_least" in bounds and "at_most" in bounds:
        return f"{bound_text(bounds['at_least'])} to {bound_text(bounds['at_most'])}"
    numbers_by_name = cast("dict[str, float]", bounds)  # mypy infers object values
    return ", ".join(f"{name.replace('_', ' ')} {bound_text(n)}" for name, n in numbers_by_name.items())


def bound_text(bound: float) -> str:
    """Return a bound as text, such as `0.5`, `1,000` or `1e+30`."""
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:,g}"
