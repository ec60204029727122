"""Annealed mixture weights and pruned candidates (ASAP; Noy et al. 2019, arXiv:1904.04123)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.mixed import candidate_weights
from oneshot.parts.base import PartSettings
from oneshot.parts.pruning import PruningPart

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.methods.base import MetaOptimizer


@dataclass(frozen=True)
class AnnealingSettings(PartSettings):
    """Settings of the annealing and of the pruning."""

    prune_below: float = option(
        0.0,
        "prune a candidate after an epoch in which its weight is below this share of 1/K, where K is the"
        " number of candidates; 0: never; 0.4 in ASAP",
        at_least=0,
        at_most=1,
    )
    anneal_start: float = option(
        1.0, "temperature of the softmax of the alphas in the first epoch; 1.6 in ASAP", above=0
    )
    anneal_factor: float = option(
        1.0, "factor of --anneal-start's temperature per epoch; 0.95 in ASAP", above=0, at_most=1
    )
    anneal_grace: float = option(
        0.0,
        "temperature of the softmax below which alphas are updated and candidates pruned; 0: from the first"
        " epoch; 1 in ASAP",
        at_least=0,
    )

    @property
    def is_neutral(self) -> bool:
        return (self.prune_below, self.anneal_start, self.anneal_factor, self.anneal_grace) == (0, 1, 1, 0)


class AnnealAndPrune(PruningPart[AnnealingSettings]):
    """Weights of candidates by a softmax with falling temperature, and pruning of the weakest candidates.

    In epoch t, the weights are softmax(alpha / T) with T = start * factor^t. While T is at or above the grace
    temperature, only the weights of the network are updated. After each later epoch, the candidates with a
    weight below a threshold are pruned permanently; the strongest that may be selected is always kept. The
    supernet approaches its architecture step by step instead of dropping most candidates at the end.

    References
    ----------
    Noy et al. 2019, arXiv:1904.04123. Schedule, threshold, grace and their values are from the
    reimplementation in UniNAS (uninas/methods/asap.py), which prunes at the beginning of an epoch.
    """

    name = "annealing"
    config_class = AnnealingSettings
    option = "annealing"

    def __init__(self, config: AnnealingSettings | None = None) -> None:
        super().__init__(config)
        self._temperature = self.config.anneal_start

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if method.activation != "softmax" or method.has_temperature:
            raise ConfigError(
                f"annealing gives the softmax of the alphas a temperature; {method.name} has"
                f" {'no softmax' if method.activation != 'softmax' else 'its own'}; try darts"
            )
        grace, last = self.config.anneal_grace, self.temperature(method.config.epochs - 1)
        if grace and last >= grace:
            raise ConfigError(
                f"anneal_grace must be above the temperature of the last epoch, {last:.3g}, got {grace}:"
                " alphas would never be updated; try more --epochs or a lower --anneal-factor"
            )
        super().join(method)

    def temperature(self, epoch: int) -> float:
        """Return the temperature in an epoch, counted from 0."""
        return self.config.anneal_start * self.config.anneal_factor**epoch

    def add_data(self, edge: "EdgeData") -> None:
        edge.set("temperature", self.temperature(0), shared=True)

    def new_epoch(self, epoch: int) -> None:
        self._set_temperature(self.temperature(epoch))

    def _set_temperature(self, temperature: float) -> None:
        self._temperature = temperature
        for edge in self._edges:
            edge.set("temperature", temperature, shared=True)

    def updates_alphas(self) -> bool:
        return self.config.anneal_grace == 0 or self._temperature < self.config.anneal_grace

    def end_epoch(self, epoch: int, data_train: Batch, data_val: Batch) -> str | None:
        if self.updates_alphas():
            for edge in self._edges:
                threshold = self.config.prune_below / len(edge.op.primitives)
                weights = candidate_weights(edge.op, edge).tolist()
                self.keep(edge, [k for k in self.kept(edge) if weights[k] >= threshold])
        return None

    def scores(self, edge: "EdgeData", scores: Tensor) -> Tensor:
        return super().scores(edge, scores / self._temperature)

    def state_dict(self) -> dict[str, Any]:  # plain values
        return super().state_dict() | {"temperature": self._temperature}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._set_temperature(float(state["temperature"]))
