"""Snippet 7 of the NASLib paper's appendix (Ruchte et al. 2020), as it is printed there.

Other than there: the imports, and what the paper omits: the constructor, and the one thing that a
MetaOptimizer of this package must say, which this method's own adapt_search_space never asks.
"""

import numpy as np
import pytest
import torch
from torch.nn import Parameter
from torch.nn.utils import clip_grad_norm_

from oneshot.methods.base import MetaOptimizer
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.mixed import MixedOp
from oneshot.spaces.darts import DARTSSearchSpace, cells_in, fixed_path, read_genotype
from oneshot.spaces.genotype import OPERATIONS
from oneshot.spaces.hierarchical import HierarchicalSearchSpace, read_hierarchy
from oneshot.spaces.nb201 import read_cell
from tests.oneshot.snippets.test_hierarchical import ALPHAS, hierarchical
from tests.oneshot.snippets.test_nas_bench_201 import NasBench201SearchSpace


class Omitted(MetaOptimizer):
    """What the paper calls non-important aspects."""

    config_class = DARTSConfig

    def __init__(self):
        super().__init__()  # which sets config and loss
        self.architectural_weights = torch.nn.ParameterList()
        self.grad_clip = self.config.grad_clip
        self.arch_optimizer = torch.optim.Adam
        self.op_optimizer = torch.optim.SGD

    def mixed(self, primitives):
        return MixedOp(primitives)


# fmt: off


class DARTSOptimizer(Omitted):  # the paper: MetaOptimizer
    @staticmethod
    def add_alphas(current_edge_data):
        len_primitives = len(current_edge_data.op)
        alpha = Parameter(1e-3 * torch.randn(size=[len_primitives], requires_grad=True))
        current_edge_data.set('alpha', alpha, shared=True)

    @staticmethod
    def update_ops(current_edge_data):
        primitives = current_edge_data.op
        current_edge_data.set('op', MixedOp(primitives))

    def adapt_search_space(self, search_space, scope=None):
        graph = search_space.clone()      # We are going to modify the search space
        if not scope:
            scope = graph.OPTIMIZER_SCOPE    # use the search space default one
        # 1. add alphas
        graph.update_edges(self.add_alphas, scope, private_edge_data=False)
        # 2. replace primitives with mixed_op
        graph.update_edges(self.update_ops, scope, private_edge_data=True)

        for alpha in graph.get_all_edge_data('alpha'):
            self.architectural_weights.append(alpha)

        graph.parse()

        # Init optimizers
        self.arch_optimizer = self.arch_optimizer(self.architectural_weights.parameters(),
                                                lr=self.config.arch_learning_rate, betas=(0.5, 0.999),
                                                weight_decay=self.config.arch_weight_decay)
        self.op_optimizer = self.op_optimizer(graph.parameters(),
                                              lr=self.config.learning_rate, momentum=self.config.momentum,
                                              weight_decay=self.config.weight_decay)

        graph.train()
        self.graph = graph
        self.scope = scope

    def step(self, data_train, data_val):
        input_train, target_train = data_train
        input_val, target_val = data_val

        # Update architecture weights
        self.arch_optimizer.zero_grad()
        logits_val = self.graph(input_val)
        val_loss = self.loss(logits_val, target_val)
        val_loss.backward()
        clip_grad_norm_(self.architectural_weights.parameters(), self.grad_clip)
        self.arch_optimizer.step()

        # Update op weights
        self.op_optimizer.zero_grad()
        logits_train = self.graph(input_train)
        train_loss = self.loss(logits_train, target_train)
        train_loss.backward()
        clip_grad_norm_(self.graph.parameters(), self.grad_clip)
        self.op_optimizer.step()

        return logits_train, logits_val, train_loss, val_loss

    def get_final_architecture(self):
        graph = self.graph.clone().unparse()
        graph.prepare_discretization()      # e.g. darts sspace: only 2 in-edges with max alpha

        def discretize_ops(current_edge_data):
            if current_edge_data.has('alpha'):
                primitives = current_edge_data.op.get_embedded_ops()
                alpha = current_edge_data.alpha.detach().cpu()
                current_edge_data.set('op', primitives[np.argmax(alpha)])

        graph.update_edges(discretize_ops, self.scope, private_edge_data=True)
        graph.prepare_evaluation()
        graph.parse()
        return graph


# fmt: on


# of the snippet's np.argmax of a tensor
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")


def batch(seed, size, classes=10):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(4, 3, size, size, generator=generator)
    return images, torch.randint(classes, (4,), generator=generator)


def searched(space, size):
    """The printed optimizer after two steps, and what it had before: alphas and weights."""
    torch.manual_seed(0)
    optimizer = DARTSOptimizer()
    optimizer.adapt_search_space(space)
    before = [
        [tensor.detach().clone() for tensor in tensors]
        for tensors in (optimizer.architectural_weights, optimizer.graph.parameters())
    ]
    for number in range(2):
        logits_train, logits_val, train_loss, val_loss = optimizer.step(
            batch(2 * number, size), batch(2 * number + 1, size)
        )
        assert logits_train.shape == logits_val.shape == (4, 10)
        assert torch.isfinite(train_loss)
        assert torch.isfinite(val_loss)
    return optimizer, before


def test_snippets_6_and_7_search_and_give_an_architecture():
    space = NasBench201SearchSpace()
    optimizer, (alphas, weights) = searched(space, 8)
    assert not space.is_parsed  # the space is as it was
    assert space.get_all_edge_data("alpha") == []
    assert len(optimizer.architectural_weights) == 6
    for before, alpha in zip(alphas, optimizer.architectural_weights, strict=True):
        assert not torch.equal(before, alpha)
    for before, weight in zip(weights, optimizer.graph.parameters(), strict=True):
        assert not torch.equal(before, weight)

    final = optimizer.get_final_architecture()
    assert final.is_parsed
    assert optimizer.graph.is_parsed  # the search could go on
    images, _ = batch(9, 8)
    logits = final(images)
    assert logits.shape == (4, 10)
    torch.testing.assert_close(final.eval()(images), final.interpret(images), rtol=1e-3, atol=1e-3)
    best = [int(alpha.argmax()) for alpha in optimizer.graph.get_all_edge_data("alpha")]
    names = ["skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"]
    cell = optimizer.graph.edges[2, 3].op
    of_edge = {edge: names[int(cell.edges[edge].alpha.argmax())] for edge in cell.edges}
    assert sorted(of_edge.values()) == sorted(names[number] for number in best)
    order = [(1, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 4)]
    assert read_cell(final).ops == tuple(of_edge[edge] for edge in order)


def test_snippet_7_searches_the_space_of_darts_and_gives_an_architecture():
    space = DARTSSearchSpace(channels=2, cells=3)
    optimizer, (alphas, _) = searched(space, 8)
    assert len(alphas) == 28
    for before, alpha in zip(alphas, optimizer.architectural_weights, strict=True):
        assert not torch.equal(before, alpha)
    for none in (False, True):  # whether `none` is the strongest, which its argmax then chooses
        torch.manual_seed(1)
        with torch.no_grad():
            for alpha in optimizer.architectural_weights:
                alpha.normal_()
                alpha[0] += 9.0 if none else -9.0
        final = optimizer.get_final_architecture()
        assert final.is_parsed
        assert len(cells_in(final)) == 20
        genotype = read_genotype(final)
        assert (set(genotype.operations) == {"none"}) == none
        assert final.eval()(batch(9, 8)[0]).shape == (4, 10)
        cell = cells_in(optimizer.graph)[0]
        for node in range(2, 6):
            shares = {
                source: torch.softmax(cell.edges[source + 1, node + 1].alpha, 0)[1:].max().item()
                for source in range(node)
            }
            kept = sorted(sorted(shares, key=shares.get)[-2:])
            edges = genotype.normal[2 * node - 4 : 2 * node - 2]
            assert [source for _, source in edges] == kept
            for op, source in edges:
                assert op == OPERATIONS[int(cell.edges[source + 1, node + 1].alpha.argmax())]
    with fixed_path(optimizer.graph, genotype) as graph:  # the search could go on
        assert graph(batch(9, 8)[0]).shape == (4, 10)


def test_snippet_7_searches_the_hierarchical_space_and_gives_an_architecture():
    space = HierarchicalSearchSpace(channels=2, motifs=2, motif_nodes=3, cell_nodes=3)
    optimizer, (alphas, _) = searched(space, 8)
    assert len(alphas) == 2 * 3 + 3
    first = optimizer.graph.edges[2, 3].op
    with torch.no_grad():
        for alpha in optimizer.architectural_weights:
            alpha.normal_()
    final = optimizer.get_final_architecture()
    hierarchy = read_hierarchy(final)
    assert hierarchy.cell == tuple(int(first.edges[e].alpha.argmax()) for e in ((1, 2), (1, 3), (2, 3)))
    assert final.eval()(batch(9, 8)[0]).shape == (4, 10)


@pytest.mark.slow
def test_snippets_5_and_7_search_and_give_an_architecture():
    optimizer, (alphas, _) = searched(hierarchical(), 4)
    assert len(alphas) == ALPHAS == 75
    for before, alpha in zip(alphas, optimizer.architectural_weights, strict=True):
        assert not torch.equal(before, alpha)
    images, _ = batch(9, 4)
    expected = optimizer.graph.interpret(images)
    torch.testing.assert_close(optimizer.graph(images), expected, rtol=1e-2, atol=1e-2)

    final = optimizer.get_final_architecture()
    assert final(images).shape == (4, 10)
    torch.testing.assert_close(final.interpret(images), final(images), rtol=1e-2, atol=1e-2)
    cells = [graph for graph in final.graphs() if graph.name == "cell"]
    assert len(list(final.graphs())) == 1 + 3 * (1 + 15)  # one motif at each edge of a cell
    assert not any(isinstance(edge.op, (MixedOp, list)) for edge in final.all_edges())
    names = [[cell.edges[edge].op.name for edge in sorted(cell.edges)] for cell in cells]
    assert names[0] == names[1] == names[2]  # the cells have their alphas in common


def test_the_printed_method_takes_the_steps_of_the_methods_here():
    printed, own = DARTSOptimizer(), DARTS()
    space = NasBench201SearchSpace()
    torch.manual_seed(0)
    printed.adapt_search_space(space)
    torch.manual_seed(0)
    own.adapt_search_space(space)
    for one, other in zip(printed.architectural_weights, own.alphas, strict=True):
        assert torch.equal(one, other)
    first = printed.step(batch(0, 8), batch(1, 8))
    second = own.step(batch(0, 8), batch(1, 8))
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one.detach(), other, rtol=1e-3, atol=1e-3)
    for one, other in zip(printed.architectural_weights, own.alphas, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
