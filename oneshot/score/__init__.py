"""Scores of finished searches: how the supernet ranks cells, and black-box search at equal cost."""

from typing import TYPE_CHECKING

from nasbench.faces import lazy, public_names

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

_MODULES = public_names(__file__)
__all__ = list(_MODULES)
__getattr__ = lazy(_MODULES)
