import pytest
import torch
from scipy.stats import chisquare

from oneshot.errors import ConfigError
from oneshot.methods.reinmax import ReinMax, ReinMaxConfig, reinmax
from oneshot.testing import MethodContract


@pytest.mark.contract
class TestReinMax(MethodContract):
    method = ReinMax


def test_two_steps_equal_plain_backward_passes():
    TestReinMax().test_two_steps_equal_plain_backward_passes(recipe="nas-bench-201", clip=5.0)


def test_a_state_goes_on_bit_for_bit():
    TestReinMax().test_a_state_goes_on_bit_for_bit(1)


def jacobian(p):
    return torch.diag(p) - torch.outer(p, p)


@pytest.mark.parametrize("tau", [1.0, 1.3])
def test_the_gradient_is_that_of_the_paper(tau):
    """Algorithm 2: 2 J((D + softmax(alpha / tau)) / 2) g - J(softmax(alpha)) g / 2, J(p) = diag(p) - pp^T."""
    torch.manual_seed(1)
    for _ in range(8):
        alpha = torch.randn(5, dtype=torch.float64, requires_grad=True)
        g = torch.randn(5, dtype=torch.float64)
        sample = reinmax(alpha, tau)
        (gradient,) = torch.autograd.grad(sample @ g, alpha)
        soft, tempered = (alpha / t for t in (1.0, tau))
        middle = (sample.detach() + tempered.softmax(0).detach()) / 2
        expected = 2 * jacobian(middle) @ g - jacobian(soft.softmax(0).detach()) @ g / 2
        torch.testing.assert_close(gradient, expected)


def test_the_expected_gradient_is_exact_for_functions_of_second_order():
    """The mean over all samples is the gradient of E f(D) if f is quadratic, as the paper proves."""
    torch.manual_seed(2)
    alpha = torch.randn(4, dtype=torch.float64)
    p = alpha.softmax(0)
    matrix, slope = torch.randn(4, 4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    matrix = matrix + matrix.T
    one_hot = torch.eye(4, dtype=torch.float64)
    values = torch.stack([d @ matrix @ d / 2 + slope @ d for d in one_hot])
    exact = jacobian(p) @ values
    estimate = sum(
        share * (2 * jacobian((d + p) / 2) - jacobian(p) / 2) @ (matrix @ d + slope)
        for share, d in zip(p, one_hot, strict=True)
    )
    torch.testing.assert_close(estimate, exact)


def test_samples_are_one_hot_and_follow_the_softmax():
    torch.manual_seed(4)
    alpha = torch.tensor([0.5, -1.0, 2.0, 0.0, 1.0])
    draws = torch.stack([reinmax(alpha, 1.0) for _ in range(4000)])
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert (draws.sum(dim=1) == 1).all()
    expected = torch.softmax(alpha, 0).double()
    assert chisquare(draws.sum(dim=0).double(), expected / expected.sum() * 4000).pvalue > 0.01


def test_far_alphas_have_finite_gradients():
    torch.manual_seed(0)
    alpha = torch.tensor([200.0, -200.0, 0.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(reinmax(alpha, 1.0) @ torch.tensor([1.0, 2.0, 3.0]), alpha)
    assert gradient.isfinite().all()


def test_a_temperature_is_at_least_1():
    with pytest.raises(ConfigError, match="tau must be at least 1, got 0.5"):
        reinmax(torch.zeros(3), 0.5)
    with pytest.raises(ConfigError, match="tau must be >= 1, got 0.5"):
        ReinMaxConfig(tau=0.5)
