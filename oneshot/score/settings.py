"""Settings of scores."""

from dataclasses import dataclass

from nasbench.cell import CELLS
from nasbench.runs.checks import SEEDS
from nasbench.runs.settings import Settings, option

MINIMUM_CELLS = 10  # intervals of fewer are as wide as can be


@dataclass(frozen=True)
class ScoreConfig(Settings):
    """How a search is scored."""

    cells: int = option(
        100,
        "distinct cells, drawn from all there are, that the supernet is to rank",
        at_least=MINIMUM_CELLS,
        at_most=CELLS,
    )
    images: int = option(
        1000, "validation images that it ranks them by, rounded up to whole batches", at_least=2
    )
    seed: int = option(
        0, "of the draw of cells, and of the searches that are compared with", at_least=0, at_most=SEEDS
    )
    cost: float | None = option(
        None, "seconds that the search is taken to have cost (default: those in its log)", type=float, above=0
    )
    trials: int = option(500, "of each search that is compared with", at_least=1)
