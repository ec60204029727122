"""Small graphs and modules, and the comparison of forward with interpret on them."""

import pytest
import torch
from torch import nn

from oneshot.compile.convolutions import Conv
from oneshot.errors import GraphError
from oneshot.graph import Graph

X = torch.tensor([1.0, 2.0])
IMAGES = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))  # no channel repeats another


class Times(nn.Module):
    """A module that multiplies by a learned number and counts its calls."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(float(factor)))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.factor * x


class Outer(nn.Module):
    """A module with a submodule, opaque to the compiler."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def chain(*operations, name="chain"):
    graph = Graph(name)
    for node, op in enumerate(operations, 1):
        graph.add_edge(node, node + 1, op=op)
    return graph


def triangle(first=None, second=None, short=None, name="triangle"):
    """Return a graph with the edges 1 -> 2 -> 3 and 1 -> 3."""
    graph = Graph(name)
    graph.add_nodes_from([1, 2, 3])
    graph.add_edges_densely()
    for (source, target), op in {(1, 2): first, (2, 3): second, (1, 3): short}.items():
        if op is not None:
            graph.edges[source, target].set("op", op)
    return graph


def convolution(*modules):
    """Return the kernel of parallel convolutions with equal options."""
    first = modules[0]
    return Conv(modules, first.stride, first.padding, first.dilation)


def both(graph, *inputs):
    """Return the output of the graph after checking that forward and interpret agree."""
    state = torch.get_rng_state()
    expected = graph.interpret(*inputs)
    torch.set_rng_state(state)
    torch.testing.assert_close(graph(*inputs), expected)
    return expected


def raises_in_both(graph, match, *inputs):
    with pytest.raises(GraphError, match=match):
        graph.interpret(*inputs)
    with pytest.raises(GraphError, match=match):
        graph(*inputs)
