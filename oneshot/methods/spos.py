"""SPOS: uniform paths, then an evolutionary search on the supernet (Guo et al. 2020, arXiv:1904.00420)."""

from dataclasses import dataclass

from torch import Tensor

from data.loader import Batch
from oneshot.methods.evolution import EvolutionConfig, EvolvedPathMethod


@dataclass(frozen=True)
class SPOSConfig(EvolutionConfig):
    """Single path one-shot (Guo et al. 2020, arXiv:1904.00420)."""


class SPOS(EvolvedPathMethod[SPOSConfig]):
    """Paths sampled uniformly are trained, one per step; an evolution selects the architecture.

    References
    ----------
    Guo et al. 2020, arXiv:1904.00420, section 3; the evolution: algorithm 1.
    """

    name = "single path one-shot"
    config_class = SPOSConfig

    def train_paths(self, data_train: Batch) -> tuple[Tensor, Tensor]:
        return self.train_uniform_path(data_train)
