from collections import Counter

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from oneshot.methods.fairnas import FairNAS, FairNASConfig
from oneshot.spaces.darts import DARTSSearchSpace
from oneshot.testing import CLASSES, MethodContract, other, tiny

FEW = {"population": 4, "generations": 2, "parents": 2, "batches": 1}


def reference_step(optimizer, train):
    """Algorithm 1: one backward pass for each path, whose gradients add up, and one update."""
    optimizer.op_optimizer.zero_grad()
    for parameter in optimizer.weights:
        parameter.grad = torch.zeros_like(parameter)
    for path in list(optimizer.fair_paths()):
        optimizer.choose(path)
        loss = cross_entropy(optimizer.graph.interpret(train[0]), train[1])
        if loss.requires_grad:
            loss.backward()
    clip_grad_norm_(optimizer.weights, optimizer.config.grad_clip)
    optimizer.op_optimizer.step()
    return torch.zeros(8, 4), torch.zeros(())


@pytest.mark.contract
class TestFairNAS(MethodContract):
    method = FairNAS
    options = FEW
    has_alphas = False
    looks_at_validation = False

    def reference_stepper(self, optimizer):
        optimizer.train_paths = lambda train: reference_step(optimizer, train)
        return optimizer.step


def make(space):
    torch.manual_seed(0)
    method = FairNAS(FairNASConfig(**FEW))
    method.adapt_search_space(space)
    return method


def test_two_steps_equal_plain_backward_passes():
    TestFairNAS().test_two_steps_equal_plain_backward_passes(recipe="naslib", clip=5.0)


def test_a_state_goes_on_bit_for_bit():
    TestFairNAS().test_a_state_goes_on_bit_for_bit(1)


def test_each_candidate_of_each_edge_is_in_one_path():
    method = make(tiny())
    orders = set()
    for _ in range(5):
        paths = list(method.fair_paths())
        assert len(paths) == 5
        for column in zip(*paths, strict=True):
            assert sorted(column) == list(range(5))
            orders.add(column)
    assert len(orders) > 20


def test_edges_with_fewer_candidates_have_each_equally_often():
    method = make(other())  # three edges with 4 candidates, one with 3
    paths = list(method.fair_paths())
    assert len(paths) == 12
    for edge, column in zip(method.path_edges, zip(*paths, strict=True), strict=True):
        count = len(edge.op.primitives)
        assert Counter(column) == dict.fromkeys(range(count), 12 // count)


def test_in_the_space_of_darts_none_is_in_no_training_path():
    method = make(DARTSSearchSpace(CLASSES, channels=1, cells=3))
    paths = list(method.fair_paths())
    assert len(paths) == 7
    assert all(sorted(column) == list(range(1, 8)) for column in zip(*paths, strict=True))
