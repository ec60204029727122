"""The result of a comparison as text."""

from collections.abc import Iterator

from nasbench.runs.text import counted, duration, format_table, join_blocks
from oneshot.compare.result import CompareResult, MethodResult, Spread
from oneshot.search.scorer import METRIC

_SHORT = {"val_accuracy": "val", "test_accuracy": "test"}


def format_result(result: CompareResult) -> str:
    """Return the result as text."""
    return join_blocks(*_blocks(result))


def _blocks(result: CompareResult) -> Iterator[str]:
    settings, methods = result.settings, result.methods
    seconds = sum(search.seconds for method in methods for search in method.searches)
    yield (
        f"{counted(len(methods), 'method')} on {settings.dataset}, {settings.space}:"
        f" {counted(settings.seeds, 'seed')} from {settings.seed} on; {duration(seconds)} of search in all"
    )
    spread = ", mean ± standard deviation over seeds" if settings.seeds > 1 else ""
    if result.benchmark is not None:
        rows = [[method.label, *map(_percent, method.accuracies.values())] for method in methods]
        rows.append(["optimum", *map(_percent, result.optimum.values())])
        yield f"Accuracy of the cells found, fully trained [%]{spread}\n" + format_table(
            _header(result, "method"), rows
        )
    yield f"Searches{spread}\n" + _searches(result)
    yield "Architectures found\n" + _found(result)
    if result.benchmark is not None:
        yield from _equal_cost(result)
        yield from _pairs(result)


def _header(result: CompareResult, first: str) -> list[str]:
    names = (name.split() for name in result.optimum)
    return [first, *(f"{dataset} {_SHORT[metric]}" for dataset, metric in names)]


def _searches(result: CompareResult) -> str:
    header = ["method", "cost"]
    header += ["regret", "rank", "Kendall tau-b"] if result.benchmark else []
    header.append("collapsed")
    rows = []
    for method in result.methods:
        row = [method.label, "-" if method.seconds is None else duration(method.seconds.mean)]
        if result.benchmark:
            row += [_text(method.regret, ".2f"), _text(method.rank, ",.0f"), _text(method.kendall, ".2f")]
        rows.append([*row, f"{method.collapsed} of {len(method.searches)}"])
    note = f"\nregret and rank are by {result.benchmark} {METRIC}" if result.benchmark else ""
    return format_table(header, rows) + note


def _found(result: CompareResult) -> str:
    header = ["method", "seed", "epochs"] + (["index", "val [%]", "rank"] if result.benchmark else [])
    rows = []
    for method in result.methods:
        for search in method.searches:
            row: list[object] = [
                method.label,
                search.seed,
                f"{search.epochs}{'' if search.stopped is None else ' (stopped)'}",
            ]
            if search.benchmark is not None:
                names = ("index", "benchmark_val_accuracy", "rank")
                row += ["-" if search.benchmark[name] is None else search.benchmark[name] for name in names]
            rows.append([*row, f"{search.path_accuracy:.2f}", search.architecture])
    return format_table([*header, "path [%]", "architecture"], rows)


def _equal_cost(result: CompareResult) -> Iterator[str]:
    rows = []
    for method in result.methods:
        for search in method.blackbox:
            name = f"{search.algorithm}, cost of {method.label}"
            beaten = "-" if search.beaten is None else f"{100 * search.beaten:.1f} %"
            accuracies = map(_percent, search.accuracies.values())
            rows.append([name, f"{search.evaluations:.1f}", *accuracies, beaten])
    if rows:
        label, *columns = _header(result, "search")
        table = format_table([label, "evaluations", *columns, "beaten"], rows)
        trials = counted(result.settings.trials, "trial")
        yield f"Black-box search at equal cost [%], {trials} each\n{table}"
    without: dict[str, list[str]] = {}
    for method in result.methods:
        if method.note is not None:
            without.setdefault(method.note, []).append(f"{method.label} ({_cost(method)})")
    yield "\n".join(
        f"No black-box search at the cost of {', '.join(labels)}: {note}" for note, labels in without.items()
    )


def _cost(method: MethodResult) -> str:
    return "unknown" if method.cost is None else f"{method.cost:,.0f} s"


def _pairs(result: CompareResult) -> Iterator[str]:
    if not result.pairs:
        needed = "two methods" if len(result.methods) < 2 else "two seeds, and accuracies in the table"
        yield f"No tests of pairs: they need at least {needed}."
        return
    rows = [
        [
            f"{pair.first} / {pair.second}",
            pair.better,
            pair.worse,
            pair.equal,
            f"{pair.p:.2g}",
            f"{pair.difference:+.2f}",
            f"{pair.interval[0]:+.2f} to {pair.interval[1]:+.2f}",
        ]
        for pair in result.pairs
    ]
    header = ("", "better", "worse", "equal", "p", "difference", "95 % interval")
    seeds = result.settings.seeds
    yield "\n".join(
        [
            f"Pairs of methods by {result.benchmark} {METRIC} of the same seeds",
            format_table(header, rows),
            "p: Wilcoxon's signed-rank test, not corrected for the number of pairs; with"
            f" {seeds} seeds it cannot be below {2 / 2**seeds:.2g}",
            "interval: mean difference in percentage points, by a paired bootstrap",
        ]
    )


def _percent(spread: Spread | None) -> str:
    return _text(spread, ".2f")


def _text(spread: Spread | None, form: str) -> str:
    if spread is None:
        return "-"
    return f"{spread.mean:{form}}" + ("" if spread.std is None else f" ± {spread.std:{form}}")
