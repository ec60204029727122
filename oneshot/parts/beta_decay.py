"""Beta-decay: a penalty on the softmax of the alphas (beta-DARTS; Ye et al. 2022, arXiv:2203.01665)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.parts.base import Part, PartSettings

if TYPE_CHECKING:
    from oneshot.methods.base import MetaOptimizer


@dataclass(frozen=True)
class BetaDecaySettings(PartSettings):
    """Settings of beta-decay."""

    beta_decay: float = option(
        0.0,
        "final weight of the beta-decay of the alphas, reached linearly from 0 after the last epoch; 50 in"
        " beta-DARTS",
        at_least=0,
    )

    @property
    def is_neutral(self) -> bool:
        return self.beta_decay == 0


class BetaDecay(Part[BetaDecaySettings]):
    """A penalty that limits the variance of softmax(alpha), so that skip connections do not dominate.

    It adds w times the mean over edges of log sum_k exp(alpha_k) to the loss of the alphas, where w is linear
    in the epoch t of T: w = beta_decay * t / T.

    References
    ----------
    Ye et al. 2022, arXiv:2203.01665. The mean and the schedule are as in `mlc_loss` and `_backward_step` of
    the authors' code, `optimizers/darts/architect.py`.
    """

    name = "beta-decay"
    config_class = BetaDecaySettings
    has_alpha_penalty = True

    def __init__(self, config: BetaDecaySettings | None = None) -> None:
        super().__init__(config)
        self._weight = 0.0

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if method.activation != "softmax":
            raise ConfigError(
                f"beta-decay regularizes the softmax of alphas, which {method.name} does not use; try darts"
            )
        super().join(method)

    def new_epoch(self, epoch: int) -> None:
        self._weight = self.config.beta_decay * epoch / self.method.config.epochs

    def alpha_penalty(self) -> Tensor:
        edges = self._edges
        return self._weight * torch.stack([edge.alpha.logsumexp(-1) for edge in edges]).mean()

    def state_dict(self) -> dict[str, Any]:
        return {"weight": self._weight}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._weight = state["weight"]
