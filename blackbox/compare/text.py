"""The results of a comparison as text."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from blackbox.results.anytime import Axis
from blackbox.results.comparison import ComparisonResult, PairResult, Ranks, Way, between
from blackbox.results.statistics import LEVEL
from blackbox.results.text import final_epochs, limits_text, parse_signals, subject, with_unit
from nasbench.runs.text import counted, duration, format_table

Columns = dict[str, list[str]]  # cells of a table by column header

T = TypeVar("T")
_PERCENT = f"{100 * LEVEL:g} %"
_UNTIL = {Axis.EVALUATIONS: "Evaluations", Axis.SECONDS: "Simulated time"}


def format_comparison(result: ComparisonResult) -> str:
    """Return the results of a comparison as text."""
    lines = _heading(result)
    if result.feasible is not None:
        lines.append(f"feasible: {result.feasible.text()}\n")
    lines += [*_ends(result), result.optimum.text(), *_values(result)]
    for axis in Axis:
        lines += _reached(result, axis)
    if result.algorithms[0].reached is None:
        metric = result.settings.metric
        lines.append(f"\nThe time to a regret is not shown, because {metric} is not in percent.")
    if result.pairs is not None and result.ranks is not None:
        if result.feasible is not None and result.feasible.trials_without:
            lines.append(
                "\nIn tests and ranks, trials without a feasible cell have the worst feasible regret."
            )
        lines += [*_pairs(result.pairs), *_ranks(result.ranks)]
    else:
        needed = "two algorithms" if len(result.algorithms) < 2 else "two trials per algorithm"
        lines.append(f"\nTests and ranks are not shown, because they need {needed} or more.")
    return "\n".join(lines)


def _heading(result: ComparisonResult) -> list[str]:
    """Return the heading: algorithms, table, limits and seeds."""
    settings, algorithms = result.settings, result.algorithms
    seeds = sorted({row.seed for row in algorithms})
    each = f"in each of {settings.trials:,} trials" if settings.trials > 1 else "in one trial"
    lines = [
        f"{counted(len(algorithms), 'algorithm')}{subject(settings)}",
        f"{limits_text(settings)} {each}; seed {', '.join(map(str, seeds))}",
    ]
    if len(seeds) > 1:
        lines.append("note: trials with different seeds are paired by their number only")
    return [*lines, ""]


def _ends(result: ComparisonResult) -> list[str]:
    """Return the final regret, and its cost."""
    rows = result.algorithms
    spreads = [row.regret.spread for row in rows]
    columns = {"": [row.label for row in rows], "mean": [spread.mean_text() for spread in spreads]}
    if result.settings.trials > 1:
        columns |= {
            "± std": ["" if s.std is None else f"± {s.std:.4f}" for s in spreads],
            f"{_PERCENT} of mean": [between(row.regret.mean_interval) for row in rows],
            "median": _texts((spread.middle for spread in spreads), "{:.4f}".format),
            f"{_PERCENT} of median": [between(row.regret.median_interval) for row in rows],
            "at the optimum": [_share(row.at_optimum.share) for row in rows],
        }
    more: tuple[tuple[str, list[float | None], Callable[[float], str]], ...] = (
        ("time per trial", [row.simulated_seconds for row in rows], duration),
        ("evaluations", [row.evaluations for row in rows], "{:,.6g}".format),
        ("jobs", [row.jobs for row in rows], "{:,.6g}".format),
        ("no incumbent", [row.trials_without_evaluation for row in rows], _trials),
    )
    columns |= {title: _texts(values, text) for title, values, text in more if any(values)}
    unit = parse_signals(result.settings)[0].unit
    return [f"Regret of the final incumbents [{unit}]", _table(columns)]


def _trials(number: float) -> str:
    return counted(int(number), "trial")


def _texts(values: Iterable[T | None], text: Callable[[T], str]) -> list[str]:
    """Return values as texts, `-` for None."""
    return ["-" if value is None else text(value) for value in values]


def _values(result: ComparisonResult) -> list[str]:
    """Return the accuracies of the final incumbents as reported in papers."""
    rows = result.algorithms
    metrics = dict.fromkeys(name for row in rows for name in row.report)
    if not metrics:
        return []
    columns = {"": [row.label for row in rows]}
    for name in metrics:
        columns[with_unit(name)] = _texts(
            (row.report.get(name) for row in rows), lambda spread: spread.with_std(".2f")
        )
    over = ", mean and standard deviation over trials" if result.settings.trials > 1 else ""
    epochs = counted(final_epochs(result.settings), "epoch")
    return [f"\nFinal incumbents, trained for {epochs}{over}", _table(columns)]


def _reached(result: ComparisonResult, axis: Axis) -> list[str]:
    """Return the way to each threshold along an axis."""
    trials = result.settings.trials
    rows = [row for row in result.algorithms if row.reached and row.reached[0].along(axis)]
    if not rows:
        return []
    columns = {"": [row.label for row in rows]}
    for row in rows:
        for reached in row.reached or ():
            columns.setdefault(f"{reached.regret:g} %", []).append(_way(reached.along(axis), axis, trials))
    median = f": median over {trials:,} trials (share of trials that reached it)" if trials > 1 else ""
    lines = [f"\n{_UNTIL[axis]} to reach a regret of at most{median}", _table(columns)]
    if axis == Axis.EVALUATIONS and result.settings.budget is not None and trials > 1:
        lines.append(
            "The median is the Kaplan-Meier estimate, because trials have different numbers of evaluations"
        )
    return lines


def _way(way: Way | None, axis: Axis, trials: int) -> str:
    if way is None:
        return "-"
    if way.median is None:
        text = "not reached" if trials == 1 or not way.share else "after the end"
    else:
        text = duration(way.median) if axis == Axis.SECONDS else f"{way.median:,.6g}"
    return text if trials == 1 else f"{text} ({_share(way.share)})"


def _pairs(pairs: Sequence[PairResult]) -> list[str]:
    """Return the test results of each pair."""
    tests = [(row.tested.pair, row.tested.p_holm) for row in pairs]
    columns = {
        "": [f"{row.first} / {row.second}" for row in pairs],
        "better": [f"{pair.better:,}" for pair, _ in tests],
        "worse": [f"{pair.worse:,}" for pair, _ in tests],
        "equal": [f"{pair.equal:,}" for pair, _ in tests],
        "p": [p_text(p) for _, p in tests],
        "rank-biserial": [f"{pair.rank_biserial:+.2f}" for pair, _ in tests],
        "A12": [f"{pair.a12:.2f}" for pair, _ in tests],
    }
    return [
        "\nPairs of algorithms, by the final regret of the same trials (better: lower)",
        _table(columns),
        "p: Wilcoxon signed-rank test, with Holm's correction for all pairs",
    ]


def _ranks(ranks: Ranks) -> list[str]:
    """Return the average ranks, the best first, and the groups that do not differ significantly."""
    ordered = sorted(ranks.average.items(), key=lambda item: item[1])
    columns = {"": [label for label, _ in ordered], "rank": [f"{rank:.3f}" for _, rank in ordered]}
    lines = ["\nAverage ranks over trials (1: best)", _table(columns)]
    if ranks.friedman is not None:
        statistic, p = ranks.friedman.statistic, p_text(ranks.friedman.p)
        lines.append(f"Friedman test: chi-squared {statistic:.1f}, p {p}")
    level = 1 - ranks.confidence
    lines.append(f"critical difference (Nemenyi, {level:.2g}): {ranks.critical_difference:.3f}")
    return [*lines, *(f"no significant difference: {'; '.join(group)}" for group in ranks.alike)]


def _share(share: float) -> str:
    return f"{100 * share:.3g} %"


def p_text(p: float) -> str:
    """Return a p-value as text."""
    return "< 1e-300" if p < 1e-300 else f"{p:.2g}"


def _table(columns: Columns) -> str:
    """Return a table with the first column left-aligned and the others right-aligned."""
    padded = []
    for n, (title, cells) in enumerate(columns.items()):
        width = max(map(len, [title, *cells]))
        padded.append([text.rjust(width) if n else text for text in (title, *cells)])
    header, *rows = zip(*padded, strict=True)
    return format_table(header, rows)
