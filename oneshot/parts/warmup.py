"""Warm-up epochs in which only weights are trained (as in P-DARTS; Chen et al. 2019, arXiv:1904.12760)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.parts.base import Part, PartSettings

if TYPE_CHECKING:
    from oneshot.methods.base import MetaOptimizer


@dataclass(frozen=True)
class WarmUpSettings(PartSettings):
    """Settings of the warm-up."""

    warm_up: int = option(0, "first epochs in which only the weights are updated, not the alphas", at_least=0)

    @property
    def is_neutral(self) -> bool:
        return self.warm_up == 0


class WarmUp(Part[WarmUpSettings]):
    """First epochs without updates of the alphas, so that these do not favour candidates that train fast.

    References
    ----------
    Chen et al. 2019 (P-DARTS), arXiv:1904.12760, section 4.2.1: 10 of 25 epochs of a stage. Xu et al. 2020
    (PC-DARTS), arXiv:1907.05737, section 4.2: 15 of 50 epochs.
    """

    name = "warm-up"
    config_class = WarmUpSettings

    def __init__(self, config: WarmUpSettings | None = None) -> None:
        super().__init__(config)
        self._epoch = 0

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if self.config.warm_up >= method.config.epochs:
            raise ConfigError(
                f"warm_up must leave an epoch for the alphas: it must be < {method.config.epochs} epochs,"
                f" got {self.config.warm_up}"
            )
        super().join(method)

    def new_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def updates_alphas(self) -> bool:
        return self._epoch >= self.config.warm_up
