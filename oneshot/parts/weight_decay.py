"""Stronger weight decay (R-DARTS (L2); Zela et al. 2020, arXiv:1909.09656)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.parts.base import Part, PartSettings

if TYPE_CHECKING:
    from oneshot.methods.base import MetaOptimizer


@dataclass(frozen=True)
class WeightDecaySettings(PartSettings):
    """Settings of the stronger weight decay."""

    decay_factor: float = option(
        1.0,
        "factor of the weight decay of the weights; powers of 3 in RobustDARTS",
        above=0,
    )
    decay_schedule: str = option(
        "constant",
        "constant: the factor in every epoch; linear: from 1 in the first epoch to the factor in the last",
        choices=("constant", "linear"),
    )

    @property
    def is_neutral(self) -> bool:
        return self.decay_factor == 1


class WeightDecay(Part[WeightDecaySettings]):
    """A factor on the weight decay of the weights, because flatter minima of the supernet generalize better.

    References
    ----------
    Zela et al. 2020, arXiv:1909.09656, section 5: constant decays of 3e-4 times powers of 3, of which R-DARTS
    (L2) selects the best by validation; the authors' search logs have factors from 1 to 729. The linear
    schedule is not in the paper; its adaptive schedule multiplies by 3 when the Hessian's eigenvalues grow.
    """

    name = "weight decay"
    config_class = WeightDecaySettings

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if method.config.weight_decay == 0:
            raise ConfigError(
                "weight_decay must be > 0 with decay_factor, which multiplies it, got 0;"
                " try --weight-decay 0.0003"
            )
        super().join(method)

    def new_epoch(self, epoch: int) -> None:
        factor, config = self.config.decay_factor, self.method.config
        if self.config.decay_schedule == "linear":
            factor = 1 + (factor - 1) * epoch / max(config.epochs - 1, 1)
        for group in self.method.op_optimizer.param_groups:
            group["weight_decay"] = factor * config.weight_decay
