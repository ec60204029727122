"""Snippet 5 of the NASLib paper's appendix (Ruchte et al. 2020), as it is printed there.

Other than there: the imports, and what the paper omits, which are the two functions that set operations, the
macro graph, and the widths of stages, here a tenth as wide.
"""

# ruff: noqa: B023, B905, UP032

from functools import cache

import pytest
import torch

from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph import Graph
from oneshot.methods.gdas import GDAS


def _set_motifs(current_edge_data, motifs, c):
    """Candidates are instances of all level-2 motifs, whose alphas all instances have in common."""
    current_edge_data.set("op", [motif.copy() for motif in motifs])


def _set_cell_ops(current_edge_data, c, stride):
    """Primitives at the edges of motifs; the edges of the cell itself have their motifs already."""
    if not current_edge_data.has("op"):
        conv = ops.ReLUConvBN(c, c, 1, stride, affine=False, statistics=False)
        current_edge_data.set("op", [ops.Identity(), ops.Zero(stride), conv])


# fmt: off


class HierarchicalSearchSpace(Graph):
    OPTIMIZER_SCOPE = [
        "stage_1",
        "stage_2",
        "stage_3"]

    def __init__(self):
        super().__init__()
        level2_motifs = [] # 6 level-2 motifs
        for j in range(6):
            motif = Graph()
            motif.name = "motif{}".format(j)
            motif.add_nodes_from([1, 2, 3, 4, 5])
            motif.add_edges_densely()
            level2_motifs.append(motif)

        cell = Graph() # 1 level-3 motif
        cell.name = "cell"
        cell.add_nodes_from([1, 2, 3, 4, 5, 6])
        cell.add_edges_densely()

        cells = []
        channels = [2, 3, 6]  # the paper: [16, 32, 64]
        for c, s in zip(channels,
                         self.OPTIMIZER_SCOPE):
            cell_i = cell.copy()
            # place level 2 motifs as op
            cell_i.update_edges(
                update_func=lambda current_edge_data:
                    _set_motifs(current_edge_data,
                                motifs=level2_motifs, c=c),
                private_edge_data=True
            )
            cell_i.set_scope(s, recursively=True)
            # place level 1 motifs, i.e. primitives
            cell_i.update_edges(
                update_func=lambda current_edge_data:
                    _set_cell_ops(current_edge_data,
                                  c, stride=1),
                scope=s,
                private_edge_data=True
            )
            cells.append(cell_i)

    # Macro graph omitted for brevity
        self.name = "makrograph"
        first, second, third = channels
        self.add_edge(1, 2, op=ops.Stem(first))
        self.add_edge(2, 3, op=cells[0])
        self.add_edge(3, 4, op=ops.ResNetBasicblock(first, second, stride=2))
        self.add_edge(4, 5, op=cells[1])
        self.add_edge(5, 6, op=ops.ResNetBasicblock(second, third, stride=2))
        self.add_edge(6, 7, op=cells[2])
        self.add_edge(7, 8, op=ops.Classifier(third, 10))


# fmt: on


MOTIF_EDGES, CELL_EDGES, MOTIFS, STAGES = 10, 15, 6, 3
ALPHAS = MOTIFS * MOTIF_EDGES + CELL_EDGES  # 75, each of all its copies


def images(count=2, size=4):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@cache
def hierarchical():
    """The space, built once, as no method changes it."""
    return HierarchicalSearchSpace()


def test_the_space_is_instances_of_graphs():
    space = hierarchical()
    assert len(list(space.graphs())) == 1 + STAGES * (1 + CELL_EDGES * MOTIFS)
    for scope in space.OPTIMIZER_SCOPE:
        edges = space.all_edges(scope)
        assert len(edges) == CELL_EDGES * (1 + MOTIFS * MOTIF_EDGES)
        assert sum(isinstance(edge.op[0], Graph) for edge in edges) == CELL_EDGES
        assert (
            sum(isinstance(edge.op[0], ops.Identity) for edge in edges) == CELL_EDGES * MOTIFS * MOTIF_EDGES
        )
    assert len({id(edge.shared_store) for edge in space.all_edges(space.OPTIMIZER_SCOPE)}) == ALPHAS == 75
    with pytest.raises(GraphError, match="edge 1-2 of cell .stage_1. has a list of 6 candidates"):
        space.parse()


def test_gdas_searches_it():
    torch.manual_seed(0)
    optimizer = GDAS()
    optimizer.adapt_search_space(hierarchical())
    assert sorted(len(alpha) for alpha in optimizer.alphas) == [3] * 60 + [6] * 15
    batch = images(), torch.tensor([0, 1])
    step = optimizer.step(batch, batch)
    assert torch.isfinite(step.train_loss)
    assert torch.isfinite(step.val_loss)
    for seed in range(3):
        torch.manual_seed(seed)
        expected = optimizer.graph.interpret(images())
        torch.manual_seed(seed)
        torch.testing.assert_close(optimizer.graph(images()), expected, rtol=1e-2, atol=1e-2)
