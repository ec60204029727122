import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from oneshot.errors import ConfigError
from oneshot.methods import darts
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.testing import MethodContract, batches, other, same, snapshot, tiny


class TestDARTS(MethodContract):
    method = DARTS

    def test_the_strongest_candidate_is_chosen(self):
        optimizer = self.make()
        with torch.no_grad():
            for number, alpha in enumerate(optimizer.alphas):
                alpha[number % 5] = 1.0
        graph = optimizer.get_final_architecture()
        kinds = [type(edge.op).__name__ for edge in graph.all_edges("stage_2")]
        assert kinds == ["Zero", "Identity", "ReLUConvBN", "ReLUConvBN", "AvgPool1x1", "Zero"]


class Meaning(nn.Module):
    """A graph that is called by its meaning, so that functional_call may replace its weights."""

    def __init__(self, graph):
        super().__init__()
        self.graph = graph

    def forward(self, images):
        return self.graph.interpret(images)


def exact_gradients(optimizer, train, val):
    """dL_val(w'(alpha), alpha) / dalpha through the unrolled step, by differentiating twice."""
    model, config = Meaning(optimizer.graph), optimizer.config
    weights = dict(model.named_parameters())
    loss = cross_entropy(functional_call(model, weights, (train[0],)), train[1])
    gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    rate = optimizer.op_optimizer.param_groups[0]["lr"]
    moved = {}
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        step = gradient + config.weight_decay * weight
        if weight in optimizer.op_optimizer.state:
            step = step + config.momentum * optimizer.op_optimizer.state[weight]["momentum_buffer"]
        moved[name] = weight - rate * step
    loss = cross_entropy(functional_call(model, moved, (val[0],)), val[1])
    return torch.autograd.grad(loss, optimizer.alphas)


@pytest.mark.slow
class TestSecondOrderDARTS(MethodContract):
    method = DARTS
    options = {"order": 2}  # noqa: RUF012

    @pytest.mark.parametrize("seed", [0, 1])
    @pytest.mark.parametrize("clip", [5.0, 0.01])
    def test_two_steps_equal_plain_backward_passes(self, seed, clip):
        """Here, that the weights' step is the first order's; the alphas' gradients are compared below."""
        optimizer, first = (self.make(seed=seed, grad_clip=clip, order=order) for order in (2, 1))
        train, val = batches(2)
        optimizer.step(train, val)
        with torch.no_grad():  # the first order's, from the same alphas
            for alpha, moved in zip(first.alphas, optimizer.alphas, strict=True):
                alpha.copy_(moved)
        first.update(first.op_optimizer, first.weights, train)
        assert same(snapshot(optimizer), snapshot(first))

    @pytest.mark.parametrize("space", [tiny, other])
    @pytest.mark.parametrize("momentum", [0.0, 0.9])
    @pytest.mark.parametrize("steps", [0, 2])
    def test_gradients_are_those_through_the_unrolled_step(self, monkeypatch, space, momentum, steps):
        monkeypatch.setattr(darts, "_RADIUS", 1e-6)  # so that no ReLU turns on the way
        optimizer = self.make(space=space(), momentum=momentum, weight_decay=0.05, learning_rate=0.2)
        optimizer.graph.double()
        for train, val in zip(*[iter(batches(2 * steps, dtype=torch.float64))] * 2, strict=True):
            optimizer.step(train, val)
        train, val = batches(2, seed=9, dtype=torch.float64)
        exact = exact_gradients(optimizer, train, val)
        found = torch.cat(optimizer.second_order_gradients(train, val)[2])
        exact = torch.cat(exact)
        torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-7 * exact.norm().item())
        loss = cross_entropy(optimizer.graph(val[0]), val[1])
        first = torch.cat(torch.autograd.grad(loss, optimizer.alphas))
        assert (first - exact).norm() > 0.1 * exact.norm()  # the unrolled step is not nothing

    def test_weights_come_back_bit_for_bit(self):
        optimizer = self.make()
        self.run(optimizer, 2)
        before = snapshot(optimizer)
        moments = [dict(optimizer.op_optimizer.state[weight]) for weight in optimizer.weights]
        velocity = [moment["momentum_buffer"].clone() for moment in moments]
        optimizer.second_order_gradients(*batches(2))
        assert same(snapshot(optimizer), before)
        assert same([moment["momentum_buffer"] for moment in moments], velocity)

    @pytest.mark.parametrize("failing", [1, 2, 3, 4])
    def test_weights_come_back_when_something_fails(self, failing):
        optimizer = self.make()
        self.run(optimizer, 1)
        before, calls = snapshot(optimizer), []

        def loss(logits, labels):
            calls.append(snapshot(optimizer))
            if len(calls) == failing:
                raise KeyboardInterrupt
            return cross_entropy(logits, labels)

        optimizer.loss = loss
        with pytest.raises(KeyboardInterrupt):
            optimizer.second_order_gradients(*batches(2))
        assert len(calls) == failing
        assert same(calls[-1], before) == (failing == 1)  # they had been moved
        assert same(snapshot(optimizer), before)

    def test_a_gradient_of_zero_moves_nothing(self):
        optimizer = self.make()
        optimizer.loss = lambda logits, labels: cross_entropy(logits, labels) * 0.0
        before = snapshot(optimizer)
        gradients = optimizer.second_order_gradients(*batches(2))[2]
        assert all((gradient == 0).all() for gradient in gradients)
        assert same(snapshot(optimizer), before)


def test_orders_are_one_and_two():
    for order in (0, 3, "2", None):
        with pytest.raises(ConfigError, match="order must be 1 or 2, got"):
            DARTSConfig(order=order)
