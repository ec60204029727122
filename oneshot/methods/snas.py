"""SNAS: candidates weighted by samples of concrete distributions (Xie et al. 2019, arXiv:1812.09926)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.graph.edge import EdgeData
from oneshot.methods.base import AlphaConfig, Step
from oneshot.methods.gdas import gumbel_softmax
from oneshot.methods.temperature import TemperatureMethod
from oneshot.mixed import Mixture


class ConcreteMixedOp(Mixture):
    """Candidates with weights sampled for each pass; in evaluation mode the weights are softmax(alpha)."""

    def weights(self, edge: EdgeData) -> Tensor:
        if not self.training:
            return torch.softmax(edge.alpha, dim=-1)
        return gumbel_softmax(edge.alpha, edge.tau)


@dataclass(frozen=True)
class SNASConfig(AlphaConfig):
    """Settings of SNAS (Xie et al. 2019, arXiv:1812.09926), as in its authors' code for the DARTS space."""

    epochs: int = option(150, "passes over the training half", at_least=1)  # --epochs in the authors' README
    levels: int = option(
        1,
        "levels of the optimization. 1: one pass updates weights and alphas by the training loss, as in the"
        " paper; 2: alphas are updated by the validation loss in a separate pass, as in DARTS",
        choices=(1, 2),
    )
    # --temp and --temp_min in the authors' README
    tau_max: float = option(1.0, "temperature of the samples in the first epoch", above=0)
    tau_min: float = option(0.03, "temperature after the last epoch; linear in between", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tau_max < self.tau_min:
            raise ConfigError(f"tau_min must be <= tau_max {self.tau_max}, got {self.tau_min}")


class SNAS(TemperatureMethod[SNASConfig]):
    """SNAS: trains weights and alphas on samples that approach one-hot vectors as the temperature falls.

    An edge's weights are Z = softmax((log softmax(alpha) + G) / tau), where G is independent Gumbel noise,
    sampled once per pass for all copies of the edge (section 2). The gradient of the alphas flows through the
    sample. Every candidate is computed.

    References
    ----------
    Xie et al. 2019, arXiv:1812.09926. The temperature falls linearly as in the authors' code.
    """

    name = "SNAS"
    config_class = SNASConfig

    @property
    def validates_present_weights(self) -> bool:
        return self.config.levels == 2

    def mixed(self, primitives: list[nn.Module]) -> ConcreteMixedOp:
        return ConcreteMixedOp(primitives)

    def temperature(self, epoch: int) -> float:
        config = self.config
        return config.tau_max + (config.tau_min - config.tau_max) * epoch / config.epochs

    def step(self, data_train: Batch, data_val: Batch) -> Step:
        if self.config.levels == 1:
            return self.joint_update(data_train)
        return self.two_updates(data_train, data_val)
