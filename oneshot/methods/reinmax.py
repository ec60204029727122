"""ReinMax: one-hot samples with a gradient of second order (Liu et al. 2023, arXiv:2304.08612)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.graph.edge import EdgeData
from oneshot.methods.base import AlphaConfig, MetaOptimizer, Step
from oneshot.mixed import Mixture


def reinmax(alpha: Tensor, tau: float) -> Tensor:
    """Sample a one-hot vector from softmax(alpha) whose gradient is ReinMax's.

    Parameters
    ----------
    alpha
        Architecture parameters of one edge, shape ``(K,)``.
    tau
        Temperature, at least 1; 1 is the estimator without a temperature.

    Returns
    -------
    Tensor
        Shape ``(K,)``; exactly one entry is 1, all others are 0.

    Raises
    ------
    ConfigError
        If ``tau`` is below 1.

    References
    ----------
    Liu et al. 2023, arXiv:2304.08612, algorithm 2. The gradient is twice the softmax gradient at the mean of
    the sample and softmax(alpha / tau), minus half the softmax gradient at softmax(alpha). By Heun's method,
    it is of second order in the differences between one-hot vectors.
    """
    if tau < 1:
        raise ConfigError(f"tau must be at least 1, got {tau}")
    soft = torch.softmax(alpha, dim=-1)
    noise = -torch.empty_like(alpha).exponential_().log()
    sampled = (alpha.detach() + noise).argmax()
    hard = torch.zeros_like(soft).index_fill_(0, sampled, 1.0)
    middle = (hard + torch.softmax(alpha / tau, dim=-1)) / 2
    middle = torch.softmax((middle.log() - alpha).detach() + alpha, dim=-1)  # same value
    estimate = 2 * middle - soft / 2
    return hard + (estimate - estimate.detach())


class ReinMaxMixedOp(Mixture):
    """The sum of all h_j o_j(x) under a one-hot sample h, so that each weight has its own gradient."""

    samples = True

    def __init__(self, primitives: list[nn.Module], tau: float) -> None:
        super().__init__(primitives)
        self._tau = tau

    def weights(self, edge: EdgeData) -> Tensor:
        return reinmax(edge.alpha, self._tau)


@dataclass(frozen=True)
class ReinMaxConfig(AlphaConfig):
    """Settings of ReinMax (Liu et al. 2023, arXiv:2304.08612); other defaults are as for DARTS."""

    # 1: no temperature; the authors' code requires at least 1; the paper tunes it for each task
    tau: float = option(1.0, "temperature of the gradient", at_least=1)


class ReinMax(MetaOptimizer[ReinMaxConfig]):
    """DARTS' two steps at one-hot samples instead of softmax weights, with ReinMax's gradient.

    The paper compares estimators on other tasks; here the estimator replaces the softmax in DARTS, as in the
    library confopt. Every candidate is computed, at about the cost of DARTS, because the estimator needs the
    gradient of each weight.

    References
    ----------
    Liu et al. 2023, arXiv:2304.08612.
    """

    name = "ReinMax"
    config_class = ReinMaxConfig

    def mixed(self, primitives: list[nn.Module]) -> ReinMaxMixedOp:
        return ReinMaxMixedOp(primitives, self.config.tau)

    def step(self, data_train: Batch, data_val: Batch) -> Step:
        return self.two_updates(data_train, data_val)
