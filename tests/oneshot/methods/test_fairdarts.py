import pytest
import torch

from oneshot.graph.edge import EdgeData
from oneshot.methods.fairdarts import FairDARTS, SigmoidMixedOp
from oneshot.testing import MethodContract, tiny


@pytest.mark.contract
class TestFairDARTS(MethodContract):
    method = FairDARTS


def test_two_steps_equal_plain_backward_passes():
    TestFairDARTS().test_two_steps_equal_plain_backward_passes(recipe="naslib", clip=5.0)


def test_weights_are_independent_sigmoids():
    edge = EdgeData()
    alpha = torch.tensor([-3.0, 0.0, 5.0], dtype=torch.float64, requires_grad=True)
    edge.set("alpha", alpha)
    weights = SigmoidMixedOp([torch.nn.Identity()] * 3).weights(edge)
    torch.testing.assert_close(weights, 1 / (1 + torch.exp(-alpha)))
    (gradient,) = torch.autograd.grad(weights[2], alpha)
    assert (gradient != 0).tolist() == [False, False, True]


def test_edges_are_compared_by_their_greatest_sigmoid():
    method = FairDARTS()
    method.adapt_search_space(tiny())
    edge = method.supernet.mixed_edges()[0]
    assert not any(alpha.any() for alpha in method.alphas)  # all weights begin at 1/2
    with torch.no_grad():
        edge.alpha.copy_(torch.tensor([9.0, 1.0, 2.0, 0.0, 2.0]))  # the first is `none`
    assert method.edge_score(edge) == pytest.approx(float(torch.sigmoid(torch.tensor(2.0))))
    torch.testing.assert_close(method.expected_weights(edge), torch.sigmoid(edge.alpha))
