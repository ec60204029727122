"""FairDARTS: candidates weighted by sigmoids, which do not compete (Chu et al. 2020, arXiv:1911.12126)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from data.loader import Batch
from oneshot.graph.edge import EdgeData
from oneshot.methods.base import AlphaConfig, MetaOptimizer, Step
from oneshot.mixed import Mixture


class SigmoidMixedOp(Mixture):
    """Candidates weighted by the sigmoid of the edge's `alpha`, each independently of the others."""

    def weights(self, edge: EdgeData) -> Tensor:
        return torch.sigmoid(edge.alpha)


@dataclass(frozen=True)
class FairDARTSConfig(AlphaConfig):
    """Settings of FairDARTS (Chu et al. 2020, arXiv:1911.12126), by default as for DARTS."""


class FairDARTS(MetaOptimizer[FairDARTSConfig]):
    """FairDARTS: DARTS' two steps with independent weights in (0, 1) for an edge's candidates.

    The part `zero_one` pushes the weights to 0 or 1, as in the paper. Edges are compared by their largest
    sigmoid. The paper omits edges whose weights are all below a threshold; here the space decides how many
    edges a node has.

    References
    ----------
    Chu et al. 2020, arXiv:1911.12126.
    """

    name = "FairDARTS"
    config_class = FairDARTSConfig
    activation = "sigmoid"

    def add_alphas(self, edge: EdgeData) -> None:
        edge.set("alpha", nn.Parameter(torch.zeros(len(edge.op))), shared=True)  # as in the authors' code

    def mixed(self, primitives: list[nn.Module]) -> SigmoidMixedOp:
        return SigmoidMixedOp(primitives)

    def expected_weights(self, edge: EdgeData) -> Tensor:
        return torch.sigmoid(edge.alpha)

    def probabilities(self, edge: EdgeData) -> Tensor:
        return torch.sigmoid(self.final_scores(edge))

    def step(self, data_train: Batch, data_val: Batch) -> Step:
        return self.two_updates(data_train, data_val)
