"""The supernet of a search, and the optimizers of its weights and alphas."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph, Scope
from oneshot.mixed import Mixture


@dataclass(eq=False)
class Supernet:
    """A parsed graph whose edges mix candidates, and the optimizers of its weights and alphas."""

    #: The graph, a clone of the space.
    graph: Graph
    #: The graphs in it whose edges are searched.
    scope: Scope
    #: The alphas.
    architectural_weights: nn.ParameterList
    #: The optimizer of the weights.
    op_optimizer: Optimizer
    #: The optimizer of the alphas; None without alphas.
    arch_optimizer: Optimizer | None
    #: The schedule of the weights' learning rate, which steps after each epoch.
    schedule: LRScheduler
    #: Whether passes replay captured kernels, which reuse the same memory.
    captured: bool = False

    @property
    def weights(self) -> list[nn.Parameter]:
        """The weights; the alphas are not among them."""
        return [parameter for group in self.op_optimizer.param_groups for parameter in group["params"]]

    @property
    def alphas(self) -> list[nn.Parameter]:
        """The alphas."""
        return list(self.architectural_weights.parameters())

    def mixed_edges(self) -> list[EdgeData]:
        """Return the edges in scope whose candidates are mixed, all copies."""
        return [edge for edge in self.graph.all_edges(self.scope) if isinstance(edge.op, Mixture)]

    def searched_edges(self) -> list[EdgeData]:
        """Return the mixed edges, one of the copies of each."""
        edges: dict[int, EdgeData] = {}
        for edge in self.mixed_edges():
            edges.setdefault(edge.owner(edge.op.key), edge)
        return list(edges.values())

    def state_dict(self) -> dict[str, Any]:  # tensors, and what torch's optimizers give
        """Return weights, alphas, both optimizers and the schedule."""
        return {
            "weights": self.graph.state_dict(),
            "alphas": [alpha.detach() for alpha in self.alphas],
            "op_optimizer": self.op_optimizer.state_dict(),
            "arch_optimizer": self.arch_optimizer and self.arch_optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state."""
        self.graph.load_state_dict(state["weights"])
        with torch.no_grad():
            for alpha, value in zip(self.alphas, state["alphas"], strict=True):
                alpha.copy_(value)
        self.op_optimizer.load_state_dict(state["op_optimizer"])
        if self.arch_optimizer is not None:
            self.arch_optimizer.load_state_dict(state["arch_optimizer"])
        self.schedule.load_state_dict(state["schedule"])
