"""DrNAS: candidates' weights sampled from a Dirichlet distribution (Chen et al. 2021, arXiv:2006.10355)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Dirichlet, kl_divergence

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.graph.edge import EdgeData
from oneshot.methods.base import AlphaConfig, MetaOptimizer, Step
from oneshot.mixed import Mixture


@dataclass(frozen=True)
class DrNASConfig(AlphaConfig):
    """Settings of DrNAS (Chen et al. 2021, arXiv:2006.10355), as in its authors' code for NAS-Bench-201.

    The code searches in one stage; the method ``drnas-progressive`` has the two stages with partial channels
    and pruned candidates that the authors' best results need.
    """

    epochs: int = option(100, "passes over the training half", at_least=1)
    divergence: float = option(
        0.0,
        "weight of the paper's penalty, the divergence of the Dirichlet distributions from uniform ones; with"
        " 0, as in the authors' code, weight decay of the alphas replaces it",
        at_least=0,
    )


def concentration(alpha: Tensor) -> Tensor:
    """Return the parameters elu(alpha) + 1 of the Dirichlet distribution, exact near 0; shape (K,)."""
    return torch.where(alpha > 0, alpha + 1, torch.where(alpha > 0, 0.0, alpha).exp())


def dirichlet_mean(alpha: Tensor) -> Tensor:
    """Return the mean of the Dirichlet distribution of `alpha`, shape (K,)."""
    parameters = concentration(alpha)
    return parameters / parameters.sum()


class DirichletMixedOp(Mixture):
    """Candidates with weights sampled for each pass; gradients flow through the sample (section 3.1)."""

    def weights(self, edge: EdgeData) -> Tensor:
        if not self.training:
            return dirichlet_mean(edge.alpha)
        return _dirichlet(concentration(edge.alpha)).rsample()


class DrNAS(MetaOptimizer[DrNASConfig]):
    """DARTS' two steps with weights sampled from Dirichlet distributions; a penalty can keep these uniform.

    Edges are compared by the softmax of their alphas, as in the authors' code, not by the means of their
    distributions. (In that code, the candidates of the DARTS space lack `none`.)

    Parameters
    ----------
    config, amp, parts
        As for `MetaOptimizer`.

    References
    ----------
    Chen et al. 2021, arXiv:2006.10355, section 3.
    """

    name = "DrNAS"
    config_class = DrNASConfig
    activation = "dirichlet"

    def expected_weights(self, edge: EdgeData) -> Tensor:
        return dirichlet_mean(edge.alpha)

    def mixed(self, primitives: list[nn.Module]) -> DirichletMixedOp:
        return DirichletMixedOp(primitives)

    def penalty(self) -> Tensor | float:
        """Return the weighted sum of the divergences of the alphas' distributions from uniform ones."""
        total: Tensor | float = 0.0
        for alpha in self.graph.get_all_edge_data("alpha", self.scope):  # a part may learn other parameters
            sampled = _dirichlet(concentration(alpha))
            total = total + kl_divergence(sampled, _dirichlet(torch.ones_like(alpha)))
        return self.config.divergence * total

    def step(self, data_train: Batch, data_val: Batch) -> Step:
        penalty = self.penalty if self.config.divergence else None
        return self.two_updates(data_train, data_val, penalty)


def _dirichlet(parameters: Tensor) -> Dirichlet:
    return Dirichlet(parameters, validate_args=False)
