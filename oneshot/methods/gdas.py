"""GDAS: one candidate per edge, sampled by the Gumbel-softmax (Dong & Yang 2019, arXiv:1910.04465)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.graph.edge import EdgeData
from oneshot.methods.base import AlphaConfig, Step
from oneshot.methods.temperature import TemperatureMethod
from oneshot.mixed import Mixture


def gumbel_softmax(alpha: Tensor, tau: float) -> Tensor:
    """Sample from the concrete distribution of softmax(alpha), shape (K,); ConfigError unless tau > 0."""
    if tau <= 0:
        raise ConfigError(f"tau must be positive, got {tau}")
    noise = -torch.empty_like(alpha).exponential_().log()
    return torch.softmax((alpha.log_softmax(dim=-1) + noise) / tau, dim=-1)


def gumbel_one_hot(alpha: Tensor, tau: float) -> Tensor:
    """Sample a one-hot vector from softmax(alpha) with the gradient of the soft sample.

    Parameters
    ----------
    alpha
        Architecture parameters of one edge, shape ``(K,)``.
    tau
        Temperature, positive; lower is closer to one-hot.

    Returns
    -------
    Tensor
        Shape ``(K,)``; exactly one entry is 1, all others are 0.

    Raises
    ------
    ConfigError
        If ``tau`` is not positive.

    References
    ----------
    Dong & Yang 2019, arXiv:1910.04465, equation 4.
    """
    soft = gumbel_softmax(alpha, tau)
    hard = torch.zeros_like(soft).index_fill_(0, soft.detach().argmax(), 1.0)
    return hard + (soft - soft.detach())


class GumbelMixedOp(Mixture):
    """The estimator `sampled`: h_k o_k(x), with one candidate k sampled for each forward pass."""

    samples = one_hot = True

    def weights(self, edge: EdgeData) -> Tensor:
        return gumbel_one_hot(edge.alpha, edge.tau)


class AuthorsMixedOp(GumbelMixedOp):
    """The estimator `authors`: h_k o_k(x) plus the other weights h_j, which are 0 but have gradients."""

    adds_others = True


class FullMixedOp(GumbelMixedOp):
    """The estimator `full`: the sum of all h_j o_j(x), so every candidate contributes to the gradient."""

    one_hot = False


ESTIMATORS: dict[str, type[GumbelMixedOp]] = {
    "authors": AuthorsMixedOp,
    "sampled": GumbelMixedOp,
    "full": FullMixedOp,
}


@dataclass(frozen=True)
class GDASConfig(AlphaConfig):
    """Settings of GDAS (Dong & Yang 2019, arXiv:1910.04465), as in appendix A.1 of the NASLib paper."""

    epochs: int = option(250, "passes over the training half", at_least=1)
    estimator: str = option(
        "authors",
        "gradient of the alphas. authors: the sampled candidate's output times its weight, plus the other"
        " weights (value 0), as in NASLib and in AutoDL-Projects on NAS-Bench-201; sampled: the sampled"
        " candidate alone, as in AutoDL-Projects on the DARTS space; full: all candidates are computed, and"
        " each weight gets its own gradient",
        choices=tuple(ESTIMATORS),
    )
    tau_max: float = option(10.0, "temperature of the softmax in the first epoch", above=0)
    tau_min: float = option(0.1, "temperature in the last epoch; linear in between", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tau_max < self.tau_min:
            raise ConfigError(f"tau_min must be <= tau_max {self.tau_max}, got {self.tau_min}")


class GDAS(TemperatureMethod[GDASConfig]):
    """GDAS: DARTS' two steps, each along one sampled path, at a falling temperature.

    Weights h are one-hot, with the gradient of the soft sample. The setting `estimator` selects which of them
    the output y depends on, and therefore which weights have gradients:

    - `authors`: y = h_k o_k(x) + sum of h_j over j != k. The zeros are added for every element of y, so a
      candidate that was not sampled gets a gradient as if its output were all ones.
    - `sampled`: y = h_k o_k(x). Only the weight of the sampled candidate has a gradient.
    - `full`: y = sum of h_j o_j(x). Every candidate is computed, at about the cost of DARTS.

    Parameters
    ----------
    config, amp, parts
        As for `MetaOptimizer`.

    References
    ----------
    Dong & Yang 2019, arXiv:1910.04465, section 3.
    """

    name = "GDAS"
    config_class = GDASConfig

    def mixed(self, primitives: list[nn.Module]) -> GumbelMixedOp:
        return ESTIMATORS[self.config.estimator](primitives)

    def temperature(self, epoch: int) -> float:
        config = self.config
        elapsed = epoch / max(config.epochs - 1, 1)
        return config.tau_max + (config.tau_min - config.tau_max) * elapsed

    def step(self, data_train: Batch, data_val: Batch) -> Step:
        return self.two_updates(data_train, data_val)
