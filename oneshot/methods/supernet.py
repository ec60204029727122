"""The supernet of a search and the optimizers of its weights and alphas."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph, Scope
from oneshot.mixed import Mixture


@dataclass(eq=False)
class Supernet:
    """A parsed graph whose edges mix candidates, and the optimizers of its weights and alphas."""

    #: the graph, a clone of the space
    graph: Graph
    #: the graphs in it whose edges are searched
    scope: Scope
    #: the alphas
    architectural_weights: nn.ParameterList
    #: optimizer of the weights
    op_optimizer: Optimizer
    #: optimizer of the alphas; None without alphas
    arch_optimizer: Optimizer | None
    #: schedule of the weights' learning rate; it steps after each epoch
    schedule: CosineAnnealingLR
    #: whether passes replay captured CUDA kernels, which overwrite the output of the last pass
    captured: bool = False

    @property
    def weights(self) -> list[nn.Parameter]:
        """The weights, without the alphas."""
        return [parameter for group in self.op_optimizer.param_groups for parameter in group["params"]]

    @property
    def alphas(self) -> list[nn.Parameter]:
        """The alphas."""
        return list(self.architectural_weights.parameters())

    def mixed_edges(self) -> list[EdgeData]:
        """Return the edges in scope whose candidates are mixed, including all copies."""
        return [edge for edge in self.graph.all_edges(self.scope) if isinstance(edge.op, Mixture)]

    @cached_property
    def searched_edges(self) -> list[EdgeData]:
        """The mixed edges, one copy of each."""
        edges: dict[int, EdgeData] = {}
        for edge in self.mixed_edges():
            edges.setdefault(edge.owner(edge.op.key), edge)
        return list(edges.values())

    def state_dict(self) -> dict[str, Any]:  # tensors, and the states of torch's optimizers
        """Return the state of weights, alphas, both optimizers and the schedule."""
        return {
            "weights": self.graph.state_dict(),
            "alphas": [alpha.detach() for alpha in self.alphas],
            "op_optimizer": self.op_optimizer.state_dict(),
            "arch_optimizer": self.arch_optimizer and self.arch_optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self.graph.load_state_dict(state["weights"])
        with torch.no_grad():
            for alpha, value in zip(self.alphas, state["alphas"], strict=True):
                alpha.copy_(value)
        self.op_optimizer.load_state_dict(state["op_optimizer"])
        if self.arch_optimizer is not None:
            self.arch_optimizer.load_state_dict(state["arch_optimizer"])
        self.schedule.load_state_dict(state["schedule"])
