"""FairNAS: each update trains all candidates of an edge equally often (Chu et al. 2021, arXiv:1907.01845)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from data.loader import Batch
from oneshot.methods.evolution import EvolutionConfig, EvolvedPathMethod
from oneshot.methods.paths import Path


@dataclass(frozen=True)
class FairNASConfig(EvolutionConfig):
    """Settings of FairNAS (Chu et al. 2021, arXiv:1907.01845)."""


class FairNAS(EvolvedPathMethod[FairNASConfig]):
    """FairNAS: each update sums the gradients of K paths that use each of an edge's K candidates once.

    The candidates of each edge are shuffled, and the k-th path has the k-th candidate of each edge (algorithm
    1). If edges have different numbers of candidates, the number of paths is the least common multiple of
    these numbers, so that an edge's candidates still occur equally often. Training paths have a candidate at
    every edge, even in a space that leaves edges out. A step returns the logits and loss of the first path.

    The paper selects architectures by NSGA-II for accuracy, size and speed; here the evolution of
    `EvolvedPathMethod` selects by accuracy alone.

    References
    ----------
    Chu et al. 2021, arXiv:1907.01845, strict fairness and algorithm 1.
    """

    name = "FairNAS"
    config_class = FairNASConfig

    def train_paths(self, data_train: Batch) -> tuple[Tensor, Tensor]:
        weights = self.weights
        total = list(map(torch.zeros_like, weights))
        outputs = []
        with self.during_weights(data_train):
            for path in self.fair_paths():
                self.choose(path)
                logits, loss, gradients = self.gradients(data_train, weights)
                torch._foreach_add_(total, gradients)
                outputs.append((logits, loss))
            self.descend(self.op_optimizer, weights, total)
        return outputs[0]

    def fair_paths(self) -> Iterator[Path]:
        """Yield the paths of an update."""
        candidates = [self.allowed(edge, self.graph.CHOOSES_NONE) for edge in self.path_edges]
        count = math.lcm(*map(len, candidates))
        columns = []
        for numbers in candidates:
            orders = [torch.randperm(len(numbers)).tolist() for _ in range(count // len(numbers))]
            columns.append([numbers[k] for order in orders for k in order])
        return zip(*columns, strict=True)
