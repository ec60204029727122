"""Settings of a comparison of methods."""

from dataclasses import dataclass

from nasbench.runs.checks import SEEDS, whole
from nasbench.runs.settings import Settings, option
from oneshot.score.settings import ScoreConfig
from oneshot.spaces.registry import get_space
from oneshot.training import environment

_SMOKE_SCORE = ScoreConfig(cells=20, images=240)


@dataclass(frozen=True)
class CompareSettings(Settings):
    """Settings of a comparison, which all methods share."""

    #: search space
    space: str = environment.space_option("nb201")
    #: data set
    dataset: str = environment.dataset_option()
    #: number of searches per method
    seeds: int = option(
        4,
        "number of searches per method, with consecutive seeds",
        at_least=1,
        at_most=1_000,
        on_resume="raise",
    )
    #: seed of the first search
    seed: int = option(0, "seed of the first search", at_least=0, at_most=SEEDS)
    #: number of cells that supernets rank
    rank_cells: int = option(
        ScoreConfig.cells,
        "number of cells that each supernet ranks, the same for all",
        at_least=10,
        at_most=15_625,
    )
    #: number of validation images used to rank cells
    rank_images: int = option(ScoreConfig.images, "validation images used to rank cells", at_least=2)
    #: cost of the black-box searches in seconds; None for the mean cost of a method's searches
    cost: float | None = option(
        None,
        "simulated seconds of the black-box searches (default: the mean cost of each method's searches)",
        type=float,
        above=0,
    )
    #: trials of each black-box search
    trials: int = option(ScoreConfig.trials, "trials of each black-box search", at_least=1)
    #: whether this is a quick trial
    smoke: bool = option(False, "quick trial of all steps in two minutes: the digits, one epoch per search")

    def __post_init__(self) -> None:
        get_space(self.space)
        super().__post_init__()
        whole("seed", self.seed, 0, SEEDS - self.seeds)

    @property
    def score(self) -> ScoreConfig:
        """Settings of the score of each search; black-box searches are run once per method, not here."""
        if self.smoke:
            return _SMOKE_SCORE
        return ScoreConfig(cells=self.rank_cells, images=self.rank_images)
