"""Random search with weight sharing: random paths train one supernet, which then ranks many more of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.methods.base import ProgressBar
from oneshot.methods.paths import Path, PathConfig, PathMethod
from oneshot.methods.paths import PathMixedOp as PathMixedOp


@dataclass(frozen=True)
class RSWSConfig(PathConfig):
    """Random search with weight sharing (Li & Talwalkar 2019, arXiv:1902.07638), counts as in their code."""

    # the setting of NAS-Bench-201's authors for it
    epochs: int = option(250, "passes over the training half", at_least=1)
    paths: int = option(1000, "random paths that are compared at the end", at_least=1)
    batches: int = option(10, "validation batches that paths are first compared on", at_least=1)
    finalists: int = option(
        10, "paths, the best of those, that are then compared on all validation batches", at_least=1
    )


class RSWS(PathMethod[RSWSConfig]):
    """Random paths are trained, one per step; at the end, the best of many random paths is selected.

    References
    ----------
    Li & Talwalkar 2019, arXiv:1902.07638.
    """

    name = "random search with weight sharing"
    config_class = RSWSConfig

    def train_paths(self, data_train: Batch) -> tuple[Tensor, Tensor]:
        return self.train_uniform_path(data_train)

    def find_path(
        self, first: Sequence[Batch], batches: Iterable[Batch], progress: ProgressBar | None
    ) -> Path:
        """Compare random paths by accuracy: all on the first few batches, the best of them on all batches.

        As in the authors' code, except that all paths meet the same batches, that a path sampled again is not
        evaluated again, and that the loss breaks ties.
        """
        paths = list(dict.fromkeys(tuple(self.eligible_path()) for _ in range(self.config.paths)))
        finalists = self.ranked(paths, first, progress)[: self.config.finalists]
        return self.ranked(finalists, batches, progress)[0]
