"""Shared parts of result texts: headings, rows, values with their spread."""

from collections.abc import Iterable, Mapping

from blackbox.table.settings import TableConfig
from blackbox.table.signal import Signal
from nasbench.runs.text import counted, duration
from nasbench.spaces import TOPOLOGY, get_space
from nasbench.text import format_entry

Rows = list[tuple[str, object]]  # labels and values, for `format_rows`


def parse_signals(settings: TableConfig) -> tuple[Signal, Signal]:
    """Return the metric and the signal that a search optimizes."""
    longest = get_space(settings.space).full_protocol
    metric = Signal.parse(settings.metric, longest)
    return metric, metric if settings.signal is None else Signal.parse(settings.signal, longest)


def limits_text(settings: TableConfig) -> str:
    """Return the limits of a trial, such as `5 evaluations or 2.0 hours of simulated time`."""
    given = {name: vars(settings)[name] for name in settings.raisable() if vars(settings)[name] is not None}
    nouns = {"evals": "evaluation", "jobs": "job"}
    return " or ".join(
        f"{duration(value)} of simulated time" if name == "budget" else counted(value, nouns[name])
        for name, value in given.items()
    )


def with_unit(metric: str) -> str:
    """Return a metric with its unit, for the header of a column."""
    return f"{metric} [{Signal.parse(metric).unit}]"


def subject(settings: TableConfig, per: str = "evaluation", others: Iterable[str] = ()) -> str:
    """Return the problem, from the space to the noise, as the end of a heading.

    One recorded seed is chosen `per` evaluation or cell; `others` are further objectives.
    """
    space = get_space(settings.space)
    target, signal = parse_signals(settings)
    against = "".join(f" against {with_unit(other)}" for other in others)
    place = "" if space is TOPOLOGY else f" in the {space.name}"
    epochs = "" if target.of_the_network else f", {target.protocol} epochs"
    sees = "" if signal == target else f"; signal {signal}"
    noise = f"one recorded seed per {per}" if settings.noise == "seed" else "mean over seeds"
    noise = "" if signal.of_the_network else f", {noise}"
    return f"{place} on {settings.dataset} {target.metric} [{target.unit}]{against}{epochs}{sees}{noise}"


def evaluations_text(number: int) -> str:
    """Return a number of evaluations as text of a fixed width."""
    return f"{number:>6,} {'evaluation' if number == 1 else 'evaluations'}".ljust(18)


def reached_text(count: int, trials: int) -> str:
    """Return how many trials reached a row of results, if not all."""
    return "" if count == trials else f"   (reached by {counted(count, 'trial')}, the others had ended)"


def over_text(trials: int, found: int) -> str:
    """Return the number of trials that values are averaged over; empty for one trial."""
    return "" if trials == 1 or not found else f", mean and standard deviation over {counted(found, 'trial')}"


def final_epochs(settings: TableConfig) -> int:
    """Return the number of epochs of reported values: the metric's, or the longest protocol's."""
    return parse_signals(settings)[0].protocol or get_space(settings.space).full_protocol


def entry_lines(entry: Mapping[str, Mapping[str, float]], *, all: bool) -> list[str]:
    """Return a cell's values in the table as lines; with `all`, including its hardware metrics."""
    text = format_entry(entry, all=all)
    return [f"\n{text}"] if text else []
