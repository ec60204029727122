"""SPOS: train uniform paths, then search by evolution (Guo et al. 2020, arXiv:1904.00420)."""

from dataclasses import dataclass

from torch import Tensor

from data.loader import Batch
from oneshot.methods.evolution import EvolutionConfig, EvolvedPathMethod


@dataclass(frozen=True)
class SPOSConfig(EvolutionConfig):
    """Settings of single path one-shot (Guo et al. 2020, arXiv:1904.00420)."""


class SPOS(EvolvedPathMethod[SPOSConfig]):
    """Single path one-shot: trains one uniformly sampled path per step, then selects by evolution.

    References
    ----------
    Guo et al. 2020, arXiv:1904.00420, section 3, and algorithm 1 for the evolution.
    """

    name = "single path one-shot"
    config_class = SPOSConfig

    def train_paths(self, data_train: Batch) -> tuple[Tensor, Tensor]:
        return self.train_uniform_path(data_train)
