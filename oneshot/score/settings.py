"""Settings of scores."""

from dataclasses import dataclass

from nasbench.cell import CELLS
from nasbench.runs.checks import SEEDS
from nasbench.runs.settings import Settings, option

MINIMUM_CELLS = 10  # with fewer, confidence intervals are too wide to be useful


@dataclass(frozen=True)
class ScoreConfig(Settings):
    """Settings of the score of a search."""

    cells: int = option(
        100,
        "number of distinct cells, sampled uniformly, that the supernet ranks",
        at_least=MINIMUM_CELLS,
        at_most=CELLS,
    )
    images: int = option(1000, "validation images used to rank cells, rounded up to full batches", at_least=2)
    seed: int = option(
        0, "seed of the sampled cells and of the black-box searches", at_least=0, at_most=SEEDS
    )
    cost: float | None = option(
        None, "cost of the search in seconds (default: the time in its log)", type=float, above=0
    )
    trials: int = option(500, "trials of each black-box search", at_least=1)
