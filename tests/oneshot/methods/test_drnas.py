import math

import pytest
import torch
from torch.nn.functional import elu

from oneshot.errors import ConfigError
from oneshot.graph.edge import EdgeData
from oneshot.methods.drnas import DirichletMixedOp, DrNAS, DrNASConfig, concentration
from oneshot.spaces.darts import DARTSSearchSpace, cells_in, read_genotype
from oneshot.testing import CLASSES, MethodContract


def divergence(beta):
    """The Kullback-Leibler divergence of Dirichlet(beta) from the uniform one, by its formula."""
    total = beta.sum()
    value = torch.lgamma(total) - torch.lgamma(beta).sum() - math.lgamma(len(beta))
    return value + ((beta - 1) * (torch.digamma(beta) - torch.digamma(total))).sum()


def weights(alpha):
    edge = EdgeData()
    edge.set("alpha", alpha)
    return DirichletMixedOp([torch.nn.Identity()] * len(alpha)).weights(edge)


class TestDrNAS(MethodContract):
    method = DrNAS

    def penalty(self, optimizer):
        return optimizer.config.divergence * sum(divergence(elu(alpha) + 1) for alpha in optimizer.alphas)

    def test_the_penalty_is_the_divergence_from_uniform_distributions(self):
        optimizer = self.make(divergence=1e-3)
        assert optimizer.penalty() < 1e-6  # alphas begin near 0
        with torch.no_grad():
            for alpha in optimizer.alphas:
                alpha.normal_()
        torch.testing.assert_close(optimizer.penalty(), self.penalty(optimizer))
        gradients = torch.autograd.grad(optimizer.penalty(), optimizer.alphas)
        down = sum((g * alpha).sum() for g, alpha in zip(gradients, optimizer.alphas, strict=True))
        assert down > 0  # down its gradient, alphas come nearer to 0

    def test_without_penalty_alphas_go_down_the_validation_loss_alone(self):
        optimizer = self.make(divergence=0.0)
        optimizer.penalty = None  # is not asked
        self.run(optimizer, 1)

    def test_a_negative_weight_of_the_penalty_is_an_error(self):
        with pytest.raises(ConfigError, match="divergence must be >= 0, got -1"):
            DrNASConfig(divergence=-1)

    def test_edges_are_compared_by_the_softmax_of_their_alphas(self):
        optimizer = self.make(space=DARTSSearchSpace(CLASSES, channels=1, cells=3))
        high, even = [0.0, 4.0] + [0.0] * 6, [-2.0, 0.5] + [-2.0] * 6
        cell = cells_in(optimizer.graph)[0]  # normal
        with torch.no_grad():
            for source, alpha in ((1, even), (2, high), (3, high)):  # of node 4
                cell.edges[source, 4].alpha.copy_(torch.tensor(alpha))

        def top(alpha, weight):
            weights = weight(torch.tensor(alpha))
            return float(weights.max() / weights.sum())

        assert top(high, torch.exp) > top(even, torch.exp)
        assert top(high, concentration) < top(even, concentration)  # by their means it is the other way
        for source, alpha in ((1, even), (2, high)):
            strength = optimizer.edge_score(cell.edges[source, 4])
            assert strength == pytest.approx(top(alpha, torch.exp))
        with optimizer.as_chosen() as graph:
            assert [source for _, source in read_genotype(graph).normal[2:4]] == [1, 2]


@pytest.mark.slow
class TestDrNASWithDivergence(TestDrNAS):
    options = {"divergence": 1e-3, "arch_weight_decay": 0.0}  # noqa: RUF012


def test_evaluation_is_at_the_mean_of_the_distribution():
    edge = EdgeData()
    edge.set("alpha", torch.tensor([-1.0, 0.0, 2.0]))
    mixture = DirichletMixedOp([torch.nn.Identity()] * 3).eval()
    shares = elu(edge.alpha) + 1
    torch.testing.assert_close(mixture.weights(edge), shares / shares.sum())


def test_the_concentration_is_elu_plus_one():
    alpha = torch.tensor([-3.0, -1e-3, 0.0, 1e-3, 2.0], dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(concentration(alpha), elu(alpha) + 1)
    (found,) = torch.autograd.grad(concentration(alpha).sum(), alpha)
    (expected,) = torch.autograd.grad(elu(alpha).sum(), alpha)
    torch.testing.assert_close(found, expected)


def test_far_alphas_give_finite_draws_and_gradients():
    torch.manual_seed(0)
    for far in ([-25.0] * 5, [-25.0, 200.0, 0.0, -1.0, 3.0], [200.0] * 5):
        alpha = torch.tensor(far, requires_grad=True)
        for _ in range(20):
            drawn = weights(alpha)
            (gradient,) = torch.autograd.grad(drawn[0], alpha)
            assert drawn.isfinite().all()
            assert gradient.isfinite().all()
            torch.testing.assert_close(drawn.sum(), torch.tensor(1.0))


def test_draws_have_the_distribution_s_mean_and_its_gradient():
    """d E[w_k] / d beta_j = (delta_jk - m_k) / sum(beta), m_k = beta_k / sum(beta)."""
    torch.manual_seed(0)
    alpha = torch.tensor([0.5, -1.0, 2.0, 0.0], dtype=torch.float64, requires_grad=True)
    draws = torch.stack([weights(alpha) for _ in range(4000)])
    assert (draws > 0).all()
    beta = concentration(alpha).detach()
    mean = beta / beta.sum()
    torch.testing.assert_close(draws.mean(dim=0).detach(), mean, rtol=0, atol=0.015)
    (gradient,) = torch.autograd.grad(draws.mean(dim=0)[2], alpha)
    slope = torch.where(alpha.detach() > 0, 1.0, alpha.detach().exp())
    expected = (torch.eye(4, dtype=torch.float64)[2] - mean[2]) / beta.sum() * slope
    torch.testing.assert_close(gradient, expected, rtol=0, atol=0.01)
