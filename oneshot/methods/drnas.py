"""DrNAS: candidates' weights drawn from a Dirichlet distribution (Chen et al. 2021, arXiv:2006.10355)."""

from dataclasses import dataclass

import torch
from torch.distributions import Dirichlet, kl_divergence

from nasbench.runs.settings import option
from oneshot.methods.base import AlphaConfig, MetaOptimizer, at_least
from oneshot.mixed import Mixture


@dataclass(frozen=True)
class DrNASConfig(AlphaConfig):
    """DrNAS (Chen et al. 2021, arXiv:2006.10355), as its authors' code searches NAS-Bench-201 in one stage.

    Their best figures came from two stages with partial channels and pruned candidates, which are not here.
    """

    epochs: int = option(100, "passes over the training half")
    divergence: float = option(
        0.0,
        "weight of the divergence of the Dirichlet distributions from uniform ones, the paper's penalty; by"
        " default it is the decay of the alphas, as in their code",
    )

    def __post_init__(self):
        super().__post_init__()
        at_least("divergence", self.divergence, 0)


def concentration(alpha):
    """The parameters of the Dirichlet distribution, elu(alpha) + 1, without its loss of digits near 0."""
    return torch.where(alpha > 0, alpha + 1, torch.where(alpha > 0, 0.0, alpha).exp())


class DirichletMixedOp(Mixture):
    """Candidates under weights drawn for each forward pass, with the gradient of the draw (section 3.1)."""

    def weights(self, edge):
        shares = concentration(edge.alpha)
        if not self.training:
            return shares / shares.sum()  # the mean
        return Dirichlet(shares, validate_args=False).rsample()


class DrNAS(MetaOptimizer):
    """DARTS' two steps with sampled weights; a penalty can keep the distributions near uniform ones.

    Edges are compared by the softmax of their alphas, as in the authors' code, not by the means of their
    distributions. (There, the candidates in the space of DARTS lack `none`.)
    """

    name = "DrNAS"
    config_class = DrNASConfig

    def mixed(self, primitives):
        return DirichletMixedOp(primitives)

    def penalty(self):
        """The weighted sum of the divergences of the alphas' distributions from uniform ones."""
        total = 0.0
        for alpha in self.alphas:
            drawn_from = Dirichlet(concentration(alpha), validate_args=False)
            uniform = Dirichlet(torch.ones_like(alpha), validate_args=False)
            total = total + kl_divergence(drawn_from, uniform)
        return self.config.divergence * total

    def step(self, data_train, data_val):
        penalty = self.penalty if self.config.divergence else None
        return self.two_updates(data_train, data_val, penalty)
