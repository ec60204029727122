"""The result of a search and its report."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from nasbench.display import block, draw_picture, entry_table, labelled, paragraphs
from nasbench.metrics import METRICS
from nasbench.runs.text import format_rows, join_blocks
from nasbench.spaces import TOPOLOGY
from nasbench.text import format_entry
from oneshot.methods.base import MetaOptimizer, SearchConfig
from oneshot.methods.published import get_title
from oneshot.parts.stages import Stages
from oneshot.search.scorer import METRIC, TEST_METRIC, Scores
from oneshot.search.settings import SearchSettings
from oneshot.spaces.architectures import Architecture
from oneshot.spaces.registry import get_space
from oneshot.training.metrics import Measured, finite
from oneshot.training.session import TrainingResult

# Operations without weights that first-order methods are known to collapse to
_IDLE = ("none", "skip_connect")


@dataclass(frozen=True, kw_only=True)
class SearchResult(TrainingResult):
    """Result of a search."""

    #: settings of the search
    settings: SearchSettings
    #: settings of the method
    config: SearchConfig
    #: the architecture found; the currently selected one if the search is not complete
    architecture: Any  # depends on the space: a Cell, a Genotype or a Hierarchy
    #: the method, with its trained supernet
    optimizer: MetaOptimizer[Any]  # Any: its settings
    #: the supernet with mixed operations on the validation images; None for methods that sample paths
    mixed: Measured | None
    #: the supernet along the architecture's path only, on the validation images; None if not complete
    path: Measured | None
    #: why a part stopped the search before its last epoch; None if none did
    stopped: str | None = None
    #: the architecture's scores; None in a space without a benchmark
    benchmark: Scores | None

    @property
    def warning(self) -> str | None:
        """Warning that the search may have collapsed; None if nothing indicates it."""
        return collapse_warning(get_space(self.settings.space).operations(self.architecture))

    def _repr_html_(self) -> str:
        entry = (
            entry_table(self.benchmark.entry, how="NB201().show(cell, all=True)") if self.benchmark else ""
        )
        return block(paragraphs(_head(self)), draw_picture(self.architecture), labelled(_rows(self)), entry)

    def to_json(self) -> dict[str, Any]:  # plain values, nested
        space = get_space(self.settings.space)
        return {
            "method": self.optimizer.name,
            "settings": self.settings.to_json(),
            "config": self.config.to_json(),
            "complete": self.complete,
            "epochs": self.epochs,
            "steps": self.steps,
            **({} if self.stopped is None else {"stopped": self.stopped}),
            "supernet": {
                "mixed": self.mixed and finite(**self.mixed._asdict()),
                "path": self.path and finite(**self.path._asdict()),
            },
            "architecture": {
                **Architecture(space.name, self.architecture).record,
                **space.json(self.architecture),
            },
            "benchmark": self.benchmark and asdict(self.benchmark),
            "warning": self.warning,
        }


def collapse_warning(operations: tuple[str, ...]) -> str | None:
    """Return a warning about an architecture that looks like the result of a collapsed search, or None.

    It looks like that if at least half of its `operations` are skip_connect or none, a known outcome of
    first-order DARTS (Zela et al. 2020, arXiv:1909.09656), or if none of them is a convolution.
    """
    idle = sum(op in _IDLE for op in operations)
    if 2 * idle >= len(operations):
        return (
            f"{idle} of the {len(operations)} edges found are skip_connect or none (at least half):"
            " the search may have collapsed, which is common in first-order DARTS"
        )
    if not any("conv" in op for op in operations):
        return "none of the edges found is a convolution: the search may have collapsed"
    return None


def format_result(result: SearchResult, processes: int = 1) -> str:
    """Return the result as text."""
    entry = ""
    if result.benchmark:
        how = f"python -m nasbench query {result.benchmark.index} --all"
        entry = format_entry(result.benchmark.entry, how=how)
    return join_blocks(_head(result, processes), format_rows(_rows(result)), entry)


def _head(result: SearchResult, processes: int = 1) -> str:
    settings = result.settings
    name = get_title(settings.method, result.optimizer.name)
    title = f"{name} on {settings.dataset}, {settings.space} with"
    epochs = max(result.epochs, result.config.epochs)  # parts may add some
    stages = [part.config.stage_cells for part in result.optimizer.parts if isinstance(part, Stages)]
    cells = f"{' → '.join(map(str, stages[0]))} cells" if stages and stages[0] else None
    return result.heading(title, epochs, "validation", processes, " of search", cells)


def _rows(result: SearchResult) -> list[tuple[str, str]]:
    """Return the architecture and its accuracies, each with a label."""
    benchmark = result.benchmark
    rows = [("cell" if benchmark else "architecture", str(result.architecture))]
    if benchmark:
        rows.append(("index", str(benchmark.index)))
    for measured, name in ((result.mixed, "supernet, mixed"), (result.path, "its path alone")):
        if measured is not None:
            share = f"{measured.accuracy:.2f} % of the validation images classified correctly"
            rows.append((name, f"{share}, loss {measured.loss:.4f}"))
    if benchmark:
        scores = _format_scores(benchmark, result.settings.dataset)
        rows += [("" if k else "benchmark", line) for k, line in enumerate(scores)]
        if benchmark.optimum is not None:
            value, index = benchmark.optimum.value, benchmark.optimum.index
            rows.append(("optimum", f"{value:.4f} {METRICS[METRIC].unit}, index {index}"))
    if result.stopped is not None:
        rows.append(("stopped", result.stopped))
    return rows


def _format_scores(scores: Scores, dataset: str) -> Iterator[str]:
    """Yield lines on the scores of the cell found, and on scores that the table does not have."""
    missing = []
    for metric, value, rank, regret in (
        (METRIC, scores.benchmark_val_accuracy, scores.rank, scores.regret),
        (TEST_METRIC, scores.benchmark_test_accuracy, scores.test_rank, None),
    ):
        if value is None:
            missing.append(metric)
            continue
        line = f"{scores.dataset} {metric} {value:.4f} {METRICS[metric].unit}, rank {rank:,}"
        yield line + ("" if regret is None else f", regret {regret:.4f}")
    if len(missing) < 2 and dataset != scores.dataset:
        yield f"(accuracy of networks trained on {scores.dataset}, not on this data set)"
    if missing:
        names = f"{scores.dataset} {' or '.join(missing)}"
        yield f"the table has no {names} for this cell after {TOPOLOGY.full_protocol} epochs"
