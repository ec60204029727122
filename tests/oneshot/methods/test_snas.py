import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from oneshot.errors import ConfigError
from oneshot.graph.edge import EdgeData
from oneshot.methods.snas import SNAS, ConcreteMixedOp, SNASConfig
from oneshot.parts.warmup import WarmUp, WarmUpSettings
from oneshot.testing import MethodContract, batches, same, snapshot, tiny


def edge_of(alpha, tau):
    edge = EdgeData()
    edge.set("alpha", alpha)
    edge.set("tau", tau)
    return edge


@pytest.mark.contract
class TestSNAS(MethodContract):
    method = SNAS
    looks_at_validation = False

    def reference_step(self, optimizer, train, val):
        """One backward pass of the training loss for both groups of parameters."""
        for parameter in [*optimizer.weights, *optimizer.alphas]:
            parameter.grad = torch.zeros_like(parameter)
        cross_entropy(optimizer.graph.interpret(train[0]), train[1]).backward()
        clip_grad_norm_(optimizer.weights, optimizer.config.grad_clip)
        if optimizer.config.clip_alphas:
            clip_grad_norm_(optimizer.alphas, optimizer.config.grad_clip)
        optimizer.op_optimizer.step()
        optimizer.arch_optimizer.step()


@pytest.mark.contract
class TestOfTwoLevels(MethodContract):
    method = SNAS
    options = {"levels": 2}  # noqa: RUF012


def test_two_steps_of_one_level_equal_plain_backward_passes():
    TestSNAS().test_two_steps_equal_plain_backward_passes(recipe="naslib", clip=0.01)


def test_a_state_goes_on_bit_for_bit():
    TestSNAS().test_a_state_goes_on_bit_for_bit(1)


@pytest.mark.parametrize("tau", [1.0, 0.2])
def test_samples_are_concrete(tau):
    """Z_k = exp((log alpha_k + G_k) / tau) / sum over l, with log alpha normalized and G = -log(-log U)."""
    alpha = torch.tensor([0.4, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    mixture = ConcreteMixedOp([torch.nn.Identity()] * 3)
    torch.manual_seed(3)
    sample = mixture.weights(edge_of(alpha, tau))
    torch.manual_seed(3)
    noise = -torch.empty_like(alpha).exponential_().log()  # -log U of a uniform U is exponential
    powers = torch.exp((alpha - alpha.logsumexp(0) + noise) / tau)
    torch.testing.assert_close(sample, powers / powers.sum())
    (gradient,) = torch.autograd.grad(sample[2], alpha)
    z = sample.detach()
    torch.testing.assert_close(gradient, z[2] * (torch.eye(3, dtype=torch.float64)[2] - z) / tau)


def test_the_largest_weight_is_distributed_as_softmax():
    torch.manual_seed(0)
    alpha = torch.tensor([0.4, -1.0, 1.0])
    mixture = ConcreteMixedOp([torch.nn.Identity()] * 3)
    tops = torch.stack([mixture.weights(edge_of(alpha, 0.5)).argmax() for _ in range(4000)])
    shares = torch.bincount(tops, minlength=3) / 4000
    torch.testing.assert_close(shares, alpha.softmax(0), rtol=0, atol=0.03)
    torch.testing.assert_close(mixture.eval().weights(edge_of(alpha, 0.5)), alpha.softmax(0))


def test_the_temperature_falls_linearly_as_in_the_authors_code():
    method = SNAS()
    assert method.temperature(0) == 1.0
    assert method.temperature(75) == pytest.approx(0.515)
    assert method.temperature(150) == pytest.approx(0.03)
    method.adapt_search_space(tiny())
    method.begin_epoch(30)
    assert set(method.graph.get_all_edge_data("tau")) == {method.temperature(30)}


def test_alphas_do_not_move_during_a_warm_up():
    torch.manual_seed(0)
    method = SNAS(SNASConfig(epochs=3), parts=[WarmUp(WarmUpSettings(warm_up=1))])
    method.adapt_search_space(tiny())
    for epoch in range(2):
        method.begin_epoch(epoch)
        before = snapshot(method)
        method.step(*batches(2))
        count = len(method.weights)
        assert same(snapshot(method)[count:], before[count:]) == (epoch == 0)
        assert not same(snapshot(method)[:count], before[:count])


def test_settings_out_of_range():
    with pytest.raises(ConfigError, match="tau_min must be <= tau_max 0.1, got 0.2"):
        SNASConfig(tau_max=0.1, tau_min=0.2)
    with pytest.raises(ConfigError, match="levels must be 1 or 2, got 3"):
        SNASConfig(levels=3)
