"""Limits on metrics, such as `params=0.5`, and the cells that satisfy them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from nasbench.errors import InvalidArgumentError
from nasbench.metrics import METRICS, get_metric

if TYPE_CHECKING:
    from nasbench.arrays import Mask, Values
    from nasbench.benchmark import Benchmark

Limits = tuple[float | None, float | None]  # lowest and highest value, both inclusive; None for no limit
Where = Mapping[str, Limits]  # by METRIC or METRIC@EPOCHS; (None, None): the value must be recorded

AT_MOST, AT_LEAST = "--at-most", "--at-least"
_OPERATORS = "=<>!~"


def split_metric(text: object) -> tuple[str, int | None]:
    """Return the metric and the epochs of METRIC or METRIC@EPOCHS.

    Epochs are None if they are not given, which means the longest protocol, or a metric of the network.
    Raise InvalidArgumentError if the text has another form, UnknownMetricError if the metric is unknown.
    """
    metric, at, epochs = text.partition("@") if isinstance(text, str) else ("", "", "")
    if not metric or (at and not (epochs.isdecimal() and len(epochs) < 10)):
        raise InvalidArgumentError(
            f"a metric must be METRIC or METRIC@EPOCHS, got {text!r}; try val_accuracy@12"
        )
    if get_metric(metric).of_the_network and at:
        raise InvalidArgumentError(f"{metric} belongs to the network: it has no epochs, got {text!r}")
    return metric, int(epochs) if at else None


def named(text: object, longest: int | None = None) -> str:
    """Return METRIC or METRIC@EPOCHS in its shortest form, without the epochs if they are `longest`."""
    metric, epochs = split_metric(text)
    return metric if epochs in (None, longest) else f"{metric}@{epochs}"


def read_limits(flag: str, texts: Iterable[object], longest: int | None = None) -> dict[str, float]:
    """Parse texts METRIC=VALUE into limits by the shortest name of each metric.

    Errors name the option `flag`. Raise InvalidArgumentError if a text has another form, a value is not a
    finite number, or a metric is limited twice; UnknownMetricError if a metric is unknown.
    """
    limits: dict[str, float] = {}
    if isinstance(texts, str):
        texts = [texts]
    for text in texts:
        name, sign, value = _split(text)
        if sign != "=" or not name or not value:
            example = f"{name or 'params'}={value or 1}"
            raise InvalidArgumentError(f"{flag} must be METRIC=VALUE, got {text!r}; try {flag} {example}")
        name = named(name, longest)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            unit = METRICS[split_metric(name)[0]].unit
            raise InvalidArgumentError(f"{flag} {name} must be a finite number [{unit}], got {value!r}")
        if name in limits:
            raise InvalidArgumentError(f"{flag} limits {name} twice; give it once")
        limits[name] = number
    return limits


def as_texts(limits: Mapping[str, float]) -> tuple[str, ...]:
    """Return limits as texts METRIC=VALUE, sorted by metric, so that equal limits have equal texts."""
    return tuple(f"{name}={_number(value)}" for name, value in sorted(limits.items()))


def joined(at_most: Mapping[str, float], at_least: Mapping[str, float]) -> dict[str, Limits]:
    """Return lower and upper limits by metric; raise InvalidArgumentError if they contradict each other."""
    for name in at_most.keys() & at_least.keys():
        if at_least[name] > at_most[name]:
            raise InvalidArgumentError(
                f"{AT_LEAST} {name}={_number(at_least[name])} cannot be above"
                f" {AT_MOST} {name}={_number(at_most[name])}"
            )
    return {
        name: (at_least.get(name), at_most.get(name)) for name in sorted(at_most.keys() | at_least.keys())
    }


def checked(where: Where, longest: int | None = None) -> dict[str, Limits]:
    """Return limits by the shortest name of each metric, after checking them.

    Raise InvalidArgumentError if they are not pairs of numbers or None, or no value can satisfy them;
    UnknownMetricError if a metric is unknown.
    """
    ranges: dict[str, Limits] = {}
    for text, limits in where.items():
        name = named(text, longest)
        try:
            low, high = (None if limit is None else float(limit) for limit in limits)
        except (TypeError, ValueError):
            raise InvalidArgumentError(
                f"limits of {name} must be (lowest, highest), got {limits!r}"
            ) from None
        if any(limit is not None and math.isnan(limit) for limit in (low, high)):
            raise InvalidArgumentError(f"limits of {name} must be numbers or None, got {limits!r}")
        if name in ranges:
            raise InvalidArgumentError(f"{name} is limited twice; give it once")
        if low is not None and high is not None and low > high:
            raise InvalidArgumentError(f"limits of {name} must be in ascending order, got {limits!r}")
        ranges[name] = low, high
    return ranges


def satisfied(values: Values, limits: Limits) -> Mask:
    """Return a mask (N,) of the values within limits, both inclusive; NaN (not recorded) is never within."""
    low, high = limits
    return (values >= (-np.inf if low is None else low)) & (values <= (np.inf if high is None else high))


def described(name: str, limits: Limits) -> str:
    """Return limits on a metric as text, such as `raspi4_latency <= 10 ms`."""
    low, high = limits
    unit = METRICS[split_metric(name)[0]].unit
    if high is None:
        return f"{name} is recorded" if low is None else f"{name} >= {_number(low)} {unit}"
    return f"{'' if low is None else f'{_number(low)} <= '}{name} <= {_number(high)} {unit}"


def load_column(bench: Benchmark, dataset: str, name: str) -> Values:
    """Return the values of METRIC or METRIC@EPOCHS by code, (N,)."""
    metric, epochs = split_metric(name)
    return bench.by_code(dataset, metric, protocol=epochs)


def check_any(bench: Benchmark, dataset: str, where: Where, feasible: Mask) -> None:
    """Raise InvalidArgumentError, with the number of cells that satisfy each limit, if none is feasible."""
    if feasible.any():
        return
    parts = []
    for name, limits in where.items():
        values = load_column(bench, dataset, name)
        known = values[~np.isnan(values)]
        span = f"recorded {known.min():.6g} to {known.max():.6g}" if known.size else "not recorded"
        parts.append(f"{described(name, limits)} ({satisfied(values, limits).sum():,} cells; {span})")
    raise InvalidArgumentError(f"no cell satisfies {' and '.join(parts)} on {dataset}; try wider limits")


def _number(value: float) -> str:
    """Return the shortest text that represents a number."""
    return repr(float(value)).removesuffix(".0")


def _split(text: object) -> tuple[str, str, str]:
    """Split a text at its first sequence of operators, without spaces."""
    if not isinstance(text, str):
        return "", "", ""
    start = next((n for n, letter in enumerate(text) if letter in _OPERATORS), len(text))
    rest = text[start:].lstrip(_OPERATORS)
    sign = text[start : len(text) - len(rest)]
    return text[:start].strip(), sign, rest.strip()
