"""Scores of finished searches: how the supernet ranks cells, and black-box search at equal cost."""

from typing import TYPE_CHECKING

from nasbench.faces import lazy

if TYPE_CHECKING:
    from oneshot.score.equal_cost import EqualCost as EqualCost
    from oneshot.score.equal_cost import SearchComparison as SearchComparison
    from oneshot.score.ranking import Correlation as Correlation
    from oneshot.score.ranking import Ranking as Ranking
    from oneshot.score.ranking import correlation as correlation
    from oneshot.score.ranking import rank_correlations as rank_correlations
    from oneshot.score.ranking import sample_cells as sample_cells
    from oneshot.score.result import FoundCell as FoundCell
    from oneshot.score.result import ScoreResult as ScoreResult
    from oneshot.score.scoring import score as score
    from oneshot.score.settings import ScoreConfig as ScoreConfig

_MODULES = {
    "Correlation": "oneshot.score.ranking",
    "EqualCost": "oneshot.score.equal_cost",
    "FoundCell": "oneshot.score.result",
    "Ranking": "oneshot.score.ranking",
    "ScoreConfig": "oneshot.score.settings",
    "ScoreResult": "oneshot.score.result",
    "SearchComparison": "oneshot.score.equal_cost",
    "correlation": "oneshot.score.ranking",
    "rank_correlations": "oneshot.score.ranking",
    "sample_cells": "oneshot.score.ranking",
    "score": "oneshot.score.scoring",
}
__all__ = list(_MODULES)
__getattr__ = lazy(_MODULES)
