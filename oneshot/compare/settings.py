"""The settings of a comparison of methods."""

from dataclasses import dataclass

from nasbench.runs.checks import SEEDS, whole
from nasbench.runs.settings import Settings, option
from oneshot.score.settings import ScoreConfig
from oneshot.spaces.registry import get_space
from oneshot.training import environment

_SMOKE_SCORE = ScoreConfig(cells=20, images=240)


@dataclass(frozen=True)
class CompareSettings(Settings):
    """What is compared, and how it is scored; all methods share it."""

    #: Space that is searched.
    space: str = environment.space_option("nb201")
    #: Data set.
    dataset: str = environment.dataset_option()
    #: Number of searches with each method.
    seeds: int = option(
        4,
        "searches with each method, with consecutive seeds",
        at_least=1,
        at_most=1_000,
        on_resume="raise",
    )
    #: Seed of the first search.
    seed: int = option(0, "seed of the first search", at_least=0, at_most=SEEDS)
    #: Number of cells that supernets rank.
    rank_cells: int = option(
        ScoreConfig.cells,
        "cells that each supernet ranks, the same ones for all",
        at_least=10,
        at_most=15_625,
    )
    #: Number of images that supernets rank cells by.
    rank_images: int = option(ScoreConfig.images, "validation images that it ranks them by", at_least=2)
    #: Seconds that black-box searches are given.
    cost: float | None = option(
        None,
        "simulated seconds of the black-box searches (default: the mean cost of each method's searches)",
        type=float,
        above=0,
    )
    #: Number of trials of the black-box searches.
    trials: int = option(ScoreConfig.trials, "trials of each black-box search", at_least=1)
    #: Whether this is a trial.
    smoke: bool = option(False, "a trial of the whole way in two minutes, on the digits: one epoch each")

    def __post_init__(self) -> None:
        get_space(self.space)
        super().__post_init__()
        whole("seed", self.seed, 0, SEEDS - self.seeds)

    @property
    def score(self) -> ScoreConfig:
        """How each search is scored; black-box searches are run once per method, not once per search."""
        if self.smoke:
            return _SMOKE_SCORE
        return ScoreConfig(cells=self.rank_cells, images=self.rank_images)
