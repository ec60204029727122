import pytest
import torch
from torch import nn

from oneshot.compile.expr import Expressions, Input, in_order
from oneshot.compile.kernels import Call, Relu
from oneshot.compile.norms import Norm
from oneshot.compile.pools import AvgPool
from tests.oneshot.graph.examples import convolution

X = Input(0)


@pytest.fixture
def make():
    return Expressions().make


def test_equal_stateless_work_on_equal_input_exists_once(make):
    x = make(X)
    assert make(Relu(), [x]) is make(Relu(), (x,))
    assert make(Relu(), [x]) is not make(Relu(), [make(Input(1))])
    pools = [AvgPool((3, 3), (stride, stride), (1, 1), False, False, None) for stride in (1, 1, 2)]
    assert make(pools[0], [x]) is make(pools[1], [x])
    assert make(pools[0], [x]) is not make(pools[2], [x])


def test_modules_with_weights_are_the_same_by_identity(make):
    x = make(X)
    one, other = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
    assert make(convolution(one), [x]) is make(convolution(one), [x])
    assert make(convolution(one), [x]) is not make(convolution(other), [x])
    norms = nn.BatchNorm2d(2, track_running_stats=False), nn.BatchNorm2d(2, track_running_stats=False)
    assert make(Norm((norms[0],)), [x]) is not make(Norm((norms[1],)), [x])
    assert make(Call(one, 1), [x]) is not make(Call(one, 2), [x])  # it may have a state


def test_an_expression_knows_every_place_that_it_is_from(make):
    x = make(X)
    make(Relu(), [x], "edge 1-2")
    make(Relu(), [x], "edge 1-3")
    assert make(Relu(), [x], "edge 1-2").origins == ["edge 1-2", "edge 1-3"]
    assert x.origins == []
    assert repr(make(Relu(), [make(Relu(), [x])])) == "relu(relu)"


def test_order_has_arguments_first_and_each_once(make):
    x = make(X)
    relu = make(Relu(), [x])
    total = make("sum", [relu, x, relu])
    root = make("sum", [total, relu])
    unused = make("unused", [root])
    order = in_order(root)
    assert order == [x, relu, total, root]
    assert unused not in order


def test_order_of_a_chain_longer_than_the_stack(make):
    root = make(X)
    for _ in range(5000):
        root = make(Relu(), [root])
    assert len(in_order(root)) == 5001


def test_kernels_say_what_they_do():
    convs = nn.Conv2d(3, 8, (3, 1)), nn.Conv2d(3, 4, (3, 1))
    assert str(convolution(*convs)) == "conv 3x1 3 -> 8 + 4"
    assert str(Call(convs[0], 1)) == "call Conv2d"
    assert str(AvgPool((3, 3), (1, 1), (1, 1), False, False, None)) == "average pool 3x3"
    assert str(Norm((nn.BatchNorm2d(2),))) == "batch norm"
    assert Norm((nn.BatchNorm2d(2), nn.BatchNorm2d(3))).sizes == (2, 3)
    assert torch.equal(Relu()(torch.tensor([-1.0, 1.0])), torch.tensor([0.0, 1.0]))
