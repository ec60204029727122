"""Base class of the methods whose samples have a temperature, which is stored on the edges."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

from oneshot.graph.edge import EdgeData
from oneshot.methods.base import AlphaConfig, MetaOptimizer

A = TypeVar("A", bound=AlphaConfig)


class TemperatureMethod(MetaOptimizer[A]):
    """A method whose edges have a temperature `tau` that depends on the epoch."""

    has_temperature = True

    @abstractmethod
    def temperature(self, epoch: int) -> float:
        """Return the temperature in `epoch`, counted from 0."""

    def add_alphas(self, edge: EdgeData) -> None:
        super().add_alphas(edge)
        edge.set("tau", self.temperature(0), shared=True)

    def new_epoch(self, epoch: int) -> None:
        self._set_tau(self.temperature(epoch))

    def _set_tau(self, tau: float) -> None:
        for edge in self.graph.all_edges(self.scope):
            if edge.has("tau"):
                edge.set("tau", tau, shared=True)

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        return super().state_dict() | {"tau": self.graph.get_all_edge_data("tau", self.scope)[0]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._set_tau(state["tau"])
