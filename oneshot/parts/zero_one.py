"""A loss that pushes independent weights to 0 or 1 (FairDARTS; Chu et al. 2020, arXiv:1911.12126)."""

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
class ZeroOneSettings(PartSettings):
    """Settings of the zero-one loss."""

    zero_one: float = option(
        0.0, "weight of the zero-one loss of sigmoid weights; 10 in FairDARTS' code", at_least=0
    )

    @property
    def is_neutral(self) -> bool:
        return self.zero_one == 0


class ZeroOne(Part[ZeroOneSettings]):
    """A loss that pushes sigmoid weights away from 1/2, so that the selected candidates are the trained ones.

    It adds L = -w / N * sum over all N alphas of (sigmoid(alpha) - 1/2)^2 to the loss of the alphas.

    References
    ----------
    Chu et al. 2020, arXiv:1911.12126, for the quadratic form of the zero-one loss. The default of
    `--aux_loss_weight` in the authors' code is w = 10.
    """

    name = "zero-one loss"
    config_class = ZeroOneSettings
    has_alpha_penalty = True

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if method.activation != "sigmoid":
            raise ConfigError(
                f"the zero-one loss needs sigmoid weights, which {method.name} does not have; try fairdarts"
            )
        super().join(method)

    def alpha_penalty(self) -> Tensor:
        alphas = torch.cat([edge.alpha for edge in self._edges])
        return -self.config.zero_one * (torch.sigmoid(alphas) - 0.5).square().mean()
