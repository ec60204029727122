"""Random search with weight sharing: train random paths of one supernet, then rank many random paths."""

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
    """Settings of random search with weight sharing (Li & Talwalkar 2019, arXiv:1902.07638).

    The numbers of paths and batches are as in the authors' code.
    """

    # as in the benchmark of NAS-Bench-201's authors
    epochs: int = option(250, "passes over the training half", at_least=1)
    paths: int = option(1000, "random paths that are compared at the end", at_least=1)
    batches: int = option(10, "validation batches that paths are first compared on", at_least=1)
    finalists: int = option(
        10, "best of these paths, which are then compared on all validation batches", at_least=1
    )


class RSWS(PathMethod[RSWSConfig]):
    """Random search with weight sharing: trains one random path per step, then selects the best of many.

    Parameters
    ----------
    config, amp, parts
        As for `MetaOptimizer`.

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
        """Rank random paths by accuracy on the first batches, and the best of them on all batches.

        Unlike in the authors' code, all paths are evaluated on the same batches, no path is evaluated twice,
        and the loss breaks ties.

        Parameters
        ----------
        first
            The first `config.batches` validation batches.
        batches
            All validation batches.
        progress
            Progress bar; None for no bar.
        """
        paths = list(dict.fromkeys(tuple(self.eligible_path()) for _ in range(self.config.paths)))
        finalists = self.ranked(paths, first, progress)[: self.config.finalists]
        return self.ranked(finalists, batches, progress)[0]
