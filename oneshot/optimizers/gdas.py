"""GDAS: one candidate an edge, drawn by the Gumbel-softmax (Dong & Yang 2019, arXiv:1910.04465)."""

from dataclasses import dataclass

import torch

from nasbench.config import option
from oneshot.errors import ConfigError
from oneshot.mixed import Mixture
from oneshot.optimizers.base import AlphaConfig, MetaOptimizer, at_least


@dataclass(frozen=True)
class GDASConfig(AlphaConfig):
    """GDAS (Dong & Yang 2019, arXiv:1910.04465), as the NASLib paper ran it (appendix A.1)."""

    epochs: int = option(250, "passes over the training half")
    tau_max: float = option(10.0, "temperature of the softmax in the first epoch")
    tau_min: float = option(0.1, "in the last one; linear in between")

    def __post_init__(self):
        super().__post_init__()
        at_least("tau_min", self.tau_min, 0, excluded=True)
        at_least("tau_max", self.tau_max, 0, excluded=True)
        if self.tau_max < self.tau_min:
            raise ConfigError(f"tau falls from tau_max to tau_min, got {self.tau_max} and {self.tau_min}")


def gumbel_one_hot(alpha, tau):
    """A one-hot draw from softmax(alpha), shape (K,); its gradient is that of the soft draw.

    Straight-through Gumbel-softmax as in GDAS (Dong & Yang 2019, arXiv:1910.04465). The values are 0 and 1
    exactly.
    """
    if tau <= 0:
        raise ConfigError(f"tau must be positive, got {tau}")
    noise = -torch.empty_like(alpha).exponential_().log()
    soft = torch.softmax((alpha.log_softmax(dim=-1) + noise) / tau, dim=-1)
    hard = torch.zeros_like(soft).index_fill_(0, soft.detach().argmax(), 1.0)
    return hard + (soft - soft.detach())


class GumbelMixedOp(Mixture):
    """One candidate, drawn for each forward pass; of the others nothing is computed."""

    one_hot = True

    def weights(self, edge):
        return gumbel_one_hot(edge.alpha, edge.tau)


class GDAS(MetaOptimizer):
    """DARTS' two steps, each along one drawn path, at a temperature that falls.

    Alphas learn by the drawn candidates alone. (The authors' code also adds the other candidates' weights,
    which are 0, to the tensors, so that these get gradients as if their candidates gave ones.)
    """

    name = "GDAS"
    config_class = GDASConfig

    def mixed(self, primitives):
        return GumbelMixedOp(primitives)

    def add_alphas(self, edge):
        super().add_alphas(edge)
        edge.set("tau", self.config.tau_max, shared=True)

    def new_epoch(self, epoch):
        config = self.config
        share = epoch / max(config.epochs - 1, 1)
        self._set_tau(config.tau_max + (config.tau_min - config.tau_max) * share)

    def _set_tau(self, tau):
        for edge in self.graph.all_edges(self.scope):
            if edge.has("tau"):
                edge.set("tau", tau, shared=True)

    def step(self, data_train, data_val):
        return self.two_updates(data_train, data_val)

    def state_dict(self):
        return super().state_dict() | {"tau": self.graph.get_all_edge_data("tau", self.scope)[0]}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self._set_tau(state["tau"])
