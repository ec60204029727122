"""Numbers from users and files: their types and their bounds."""

import numbers
import operator

from nasbench.errors import InvalidArgumentError, shown

LARGEST = 10_000_000  # of how many there may be; more would only take memory and time without end
MANY = 100_000  # of how many there may be at once, each in memory
SEEDS = 2**63 - 1
HUGE = 1e30  # no setting is larger; float32 can still compute with it


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
    return number if abs(number) < float("inf") else None


def bounded(
    name: str,
    value: object,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float = HUGE,
    below: float | None = None,
) -> float:
    """Return the value as a float; InvalidArgumentError unless it is a finite number within the bounds."""
    number = finite(value)
    if (
        number is None
        or (at_least is not None and number < at_least)
        or (above is not None and number <= above)
    ):
        lower = bounds_text(at_least=at_least, above=above)
        lower = f" of {lower}" if lower.startswith("at") else f" {lower}" if lower else ""
        raise InvalidArgumentError(f"{name} is a number{lower}, got {shown(value)}")
    if below is not None and number >= below:
        raise InvalidArgumentError(f"{name} is below {bound_text(below)}, got {shown(value)}")
    if number > at_most:
        raise InvalidArgumentError(f"{name} must be at most {bound_text(at_most)}, got {shown(value)}")
    return number


def bounds_text(
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> str:
    """Return bounds as text, such as `1 to 10` or `above 0, below 1`; empty if there are none."""
    if at_least is not None and at_most is not None:
        return f"{bound_text(at_least)} to {bound_text(at_most)}"
    bounds = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    return ", ".join(f"{name} {bound_text(bound)}" for name, bound in bounds.items() if bound is not None)


def bound_text(bound: float) -> str:
    """Return a bound as text, such as `0.5`, `1,000` or `1e+30`."""
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:,g}"
