import pytest
import torch
from torch import nn

from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph.graph import Graph
from oneshot.spaces.nb201 import build_network
from oneshot.training.distributed import ProcessGroup
from oneshot.training.sync_norm import GroupBatchNorm2d, synchronize


def pair(**options):
    """A BatchNorm2d, and what takes over the like of it."""
    norms = [nn.BatchNorm2d(3, **options).double() for _ in range(2)]
    for norm in norms:
        if norm.affine:
            with torch.no_grad():
                norm.weight.copy_(torch.tensor([1.0, 2.0, -3.0]))
                norm.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
    return norms[0], GroupBatchNorm2d(norms[1], ProcessGroup())


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("momentum", [0.3, None])
def test_in_one_process_it_is_batch_normalization(affine, statistics, momentum):
    plain, ours = pair(affine=affine, track_running_stats=statistics, momentum=momentum)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        x = (5 + torch.randn(4, 3, 5, 5, dtype=torch.float64, generator=generator)).requires_grad_()
        y = x.detach().clone().requires_grad_()
        grad = torch.randn(4, 3, 5, 5, dtype=torch.float64, generator=generator)
        torch.testing.assert_close(ours(y), plain(x))
        plain(x).backward(grad)
        ours(y).backward(grad)
        torch.testing.assert_close(y.grad, x.grad)
        for one, other in zip(ours.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad)
    assert list(ours.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(ours.state_dict(), plain.state_dict())
    torch.testing.assert_close(ours.eval()(x), plain.eval()(x))


def test_gradients():
    _, ours = pair()
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(ours, x.requires_grad_())


def test_bfloat16_in_and_out():
    norm = GroupBatchNorm2d(nn.BatchNorm2d(3), ProcessGroup())
    x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    y = norm(x)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype, norm.weight.grad.dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)


def test_a_network_stays_what_it_is():
    torch.manual_seed(0)
    network = build_network(6111, channels=4, cells=1)
    images = torch.randn(4, 3, 8, 8)
    expected, names = network.clone().train()(images), list(network.state_dict())
    network(images)  # a plan is made
    synchronize(network, ProcessGroup())
    kinds = {type(module) for module in network.modules()}
    assert (GroupBatchNorm2d in kinds, nn.BatchNorm2d in kinds) == (True, False)
    assert list(network.state_dict()) == names
    torch.testing.assert_close(network.train()(images), expected)
    torch.testing.assert_close(network.interpret(images), expected)
    assert network.clone()(images).shape == (4, 10)


def test_a_normalization_at_an_edge_is_an_error():
    graph = Graph("graph")
    graph.add_edge(1, 2, op=ops.batch_norm(3))
    with pytest.raises(
        GraphError, match="edge_1_2 of graph is only a normalization, which cannot be replaced"
    ):
        synchronize(graph.parse(), ProcessGroup())
