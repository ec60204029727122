"""Drop path during the search (R-DARTS (DP); Zela et al. 2020, arXiv:1909.09656)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.ops import DropPath
from oneshot.parts.base import Part, PartSettings
from oneshot.parts.partial_channels import PartialChannels

if TYPE_CHECKING:
    from oneshot.methods.base import MetaOptimizer
    from oneshot.mixed import Mixture
    from oneshot.training.distributed import ProcessGroup


@dataclass(frozen=True)
class DropPathSettings(PartSettings):
    """Settings of drop path during the search."""

    search_drop_path: float = option(
        0.0,
        "final probability of dropping an edge for an image during the search, which rises linearly from 0;"
        " 0.2 in RobustDARTS' code",
        at_least=0,
        below=1,
    )

    @property
    def is_neutral(self) -> bool:
        return self.search_drop_path == 0


class SearchDropPath(Part[DropPathSettings]):
    """Drop path in the supernet: each edge's mixture is dropped for some images, to regularize the weights.

    An image's path is dropped independently at each edge of each cell, in the updates of the weights and of
    the alphas. The probability is p * t / (T - 1) in epoch t of T. The authors combine it with Cutout on the
    same schedule, which this part does not include.

    References
    ----------
    Zela et al. 2020, arXiv:1909.09656, section 5. Mask and schedule are as in the authors' code, whose
    default probability is 0.2.
    """

    name = "drop path"
    config_class = DropPathSettings

    def __init__(self, config: DropPathSettings | None = None) -> None:
        super().__init__(config)
        self._rate = 0.0

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if any(isinstance(part, PartialChannels) for part in method.parts):
            raise ConfigError(
                "search_drop_path drops whole edges, but with partial_channels some channels bypass an edge's"
                " mixture; use only one of them"
            )
        super().join(method)

    def change_mixture(self, mixture: "Mixture") -> None:
        mixture.drop_path = DropPath()
        mixture.drop_path.rate = self._rate

    def distribute(self, group: "ProcessGroup") -> None:
        raise ConfigError("search_drop_path does not support several processes; use one process")

    def new_epoch(self, epoch: int) -> None:
        self._set_rate(self.config.search_drop_path * epoch / max(self.method.config.epochs - 1, 1))

    def _set_rate(self, rate: float) -> None:
        self._rate = rate
        for edge in self.method.supernet.mixed_edges():
            if edge.op.drop_path is not None:
                edge.op.drop_path.rate = rate

    def state_dict(self) -> dict[str, float]:
        return {"rate": self._rate}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        self._set_rate(state["rate"])
