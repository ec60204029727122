import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch.nn.functional import cross_entropy

from nasbench import Cell
from nasbench.cell import EDGES
from oneshot.errors import ConfigError
from oneshot.methods.gdas import ESTIMATORS, GDAS, GDASConfig, gumbel_one_hot
from oneshot.mixed import Mixture
from oneshot.parts.registry import build_parts
from oneshot.parts.warmup import WarmUpSettings
from oneshot.spaces.nb201 import cells_in, fixed_path
from oneshot.testing import STAGES, MethodContract, batches, same, snapshot, tiny

NODES = [(source + 1, target + 1) for source, target in EDGES]


def draw(optimizer, seed):
    """The cell that the next forward pass after a seed draws: the graph draws edge by edge, in its order."""
    torch.manual_seed(seed)
    digits = {}
    for (source, target), alpha in zip(sorted(NODES), optimizer.alphas, strict=True):
        digits[source, target] = int(gumbel_one_hot(alpha, optimizer.config.tau_max).argmax())
    return Cell(int(np.ravel_multi_index([digits[nodes] for nodes in NODES], (5,) * 6)))


class TestGDAS(MethodContract):
    method = GDAS

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("way", ["forward", "interpret"])
    def test_a_forward_pass_is_the_drawn_path(self, seed, way):
        optimizer = self.make()
        images = batches(1)[0][0]
        cell = draw(optimizer, seed)
        torch.manual_seed(seed)
        drawn = getattr(optimizer.graph, way)(images)
        with fixed_path(optimizer.graph, cell):
            path = getattr(optimizer.graph, way)(images)
        if way == "interpret":
            assert torch.equal(drawn, path)
        else:  # the plan multiplies by weights of 1 elsewhere, and so rounds elsewhere
            torch.testing.assert_close(drawn, path, rtol=1e-5, atol=1e-5)

    def test_only_drawn_candidates_get_gradients(self):
        optimizer = self.make()
        images, labels = batches(1)[0]
        seen = set()
        for seed in range(6):
            cell = draw(optimizer, seed)
            torch.manual_seed(seed)
            loss = cross_entropy(optimizer.graph(images), labels)
            gradients = torch.autograd.grad(loss, optimizer.weights, allow_unused=True)
            given = {
                id(weight)
                for weight, g in zip(optimizer.weights, gradients, strict=True)
                if g is not None and g.any()
            }
            for stage in optimizer.graph.graphs():
                if stage.scope not in STAGES:
                    continue
                for nodes, digit in zip(NODES, cell.digits, strict=True):
                    for number, candidate in enumerate(stage.edges[nodes].op.primitives):
                        has = any(id(weight) in given for weight in candidate.parameters())
                        assert not has or number == digit
                        seen.add((number == digit, has))
        assert (True, True) in seen

    def test_the_temperature_falls_linearly_between_its_ends(self):
        optimizer = self.make(epochs=100, tau_max=10.0, tau_min=0.1)

        def tau():
            (tau,) = set(optimizer.graph.get_all_edge_data("tau", private_edge_data=True))
            return tau

        assert tau() == 10.0
        found = []
        for epoch in range(100):
            optimizer.new_epoch(epoch)
            found.append(tau())
        assert found[0] == 10.0
        assert found[-1] == pytest.approx(0.1)
        np.testing.assert_allclose(np.diff(found), -0.1)
        optimizer = self.make(epochs=1)
        optimizer.new_epoch(0)
        assert tau() == 10.0

    def test_the_temperature_is_part_of_the_state(self):
        optimizer, resumed = self.make(epochs=10), self.make(epochs=10)
        optimizer.new_epoch(7)
        resumed.load_state_dict(optimizer.state_dict())
        (tau,) = set(resumed.graph.get_all_edge_data("tau"))
        assert tau == pytest.approx(10 - 9.9 * 7 / 9)

    def test_alphas_of_drawn_zeros_move_by_their_momentum(self):
        """They have a gradient of 0, which is not none: Adam's averages and the decay go on."""
        optimizer = self.make()
        self.run(optimizer, 1)
        with torch.no_grad():
            for alpha in optimizer.alphas:
                alpha[0] = 99.0  # `none`, always
        before = [alpha.clone() for alpha in optimizer.alphas]
        self.run(optimizer, 1, first=1)
        for alpha, old in zip(optimizer.alphas, before, strict=True):
            assert (alpha[1:] != old[1:]).all()


class InEachPass(GDAS):
    samples_ahead = False


@pytest.mark.parametrize("first", ["alphas", "weights"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_sampling_ahead_gives_the_same_search(first, estimator):
    results = []
    for kind in (GDAS, InEachPass):
        torch.manual_seed(0)
        optimizer = kind(GDASConfig(epochs=3, first=first, estimator=estimator))
        optimizer.adapt_search_space(tiny())
        TestGDAS().run(optimizer, 9)
        results.append(snapshot(optimizer))
    assert same(*results)


def test_a_sample_ahead_is_ignored_once_the_alphas_have_changed():
    optimizer = TestGDAS().make()
    TestGDAS().run(optimizer, 1)
    edges = optimizer.supernet.searched_edges
    before = [edge.op.sampled(edge) for edge in edges]
    assert before == [edge.sample.number for edge in edges]
    with torch.no_grad():
        edges[0].alpha[0] += 1.0
    assert [edge.op.sampled(edge) for edge in edges] == [None, *before[1:]]
    optimizer.graph.eval()  # an evaluation samples anew
    assert [edge.op.sampled(edge) for edge in edges] == [None] * len(edges)


def test_with_parts_each_pass_samples_for_itself():
    optimizer = GDAS(parts=build_parts((WarmUpSettings(warm_up=1),)))
    optimizer.adapt_search_space(tiny())
    TestGDAS().run(optimizer, 1)
    assert all(edge.sample is None for edge in optimizer.supernet.searched_edges)


def test_a_state_without_samples_continues():
    """As of searches that began before samples were kept."""
    optimizer, resumed = TestGDAS().make(), TestGDAS().make()
    TestGDAS().run(optimizer, 2)
    state = optimizer.state_dict()
    del state["samples"]
    resumed.load_state_dict(state)
    TestGDAS().run(resumed, 1, first=2)


@pytest.mark.slow
class TestSampled(MethodContract):
    method = GDAS
    options = {"estimator": "sampled"}  # noqa: RUF012


@pytest.mark.slow
class TestFull(MethodContract):
    method = GDAS
    options = {"estimator": "full"}  # noqa: RUF012


# The estimators, in plain loops: y of an edge from its weights h, the number k that is 1, and its candidates

PLAIN = {
    "authors": lambda h, k, ops, x: h[k] * ops[k](x) + sum(h[j] for j in range(len(h)) if j != k),
    "sampled": lambda h, k, ops, x: h[k] * ops[k](x),
    "full": lambda h, k, ops, x: sum(h[j] * ops[j](x) for j in range(len(h))),
}


def plain_logits(graph, images, estimator, weights):
    """The supernet's logits; `weights`: {(source, target): h} of the edges of its cells."""
    x, layers = images, [edge.op for _, _, edge in sorted(graph.edges(data=True), key=lambda each: each[0])]
    cells = cells_in(graph)
    for layer in layers:
        if layer not in cells:
            x = layer(x)
            continue
        nodes = {1: x}
        for target in (2, 3, 4):
            nodes[target] = sum(
                PLAIN[estimator](h, int(h.argmax()), layer.edges[source, target].op.primitives, nodes[source])
                for source in range(1, target)
                for h in [weights[source, target]]
            )
        x = nodes[4]
    return x


@pytest.mark.parametrize("zeros", [0.0, 2.0])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradients_are_those_of_the_plain_estimator(estimator, zeros):
    """With the same noise, in float64; `zeros` is added to the alphas of `none`."""
    torch.manual_seed(0)
    optimizer = GDAS(GDASConfig(estimator=estimator, tau_max=1.5))
    optimizer.adapt_search_space(tiny())
    graph = optimizer.graph.double()
    for alpha in optimizer.alphas:
        alpha.data.normal_()
        alpha.data[0] += zeros
    images, labels = batches(1, dtype=torch.float64)[0]
    for seed in range(6):
        torch.manual_seed(seed)
        _, loss, found = optimizer.gradients((images, labels), [*optimizer.alphas, *optimizer.weights])
        torch.manual_seed(seed)
        weights = {}
        for nodes, alpha in zip(sorted(NODES), optimizer.alphas, strict=True):
            noise = -torch.empty_like(alpha).exponential_().log()
            soft = torch.softmax((torch.log_softmax(alpha, 0) + noise) / 1.5, 0)
            weights[nodes] = torch.eye(5, dtype=torch.float64)[soft.argmax()] - soft.detach() + soft
        expected = cross_entropy(plain_logits(graph, images, estimator, weights), labels)
        torch.testing.assert_close(loss, expected.detach(), rtol=1e-12, atol=1e-12)
        plain = torch.autograd.grad(
            expected, [*optimizer.alphas, *optimizer.weights], allow_unused=True, materialize_grads=True
        )
        for one, other in zip(found, plain, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
    assert any(alpha.any() for alpha in found[:6])


def test_estimators_differ_in_the_gradients_of_the_alphas_alone():
    data = batches(1, dtype=torch.float64)[0]
    found = {}
    for estimator in ESTIMATORS:
        optimizer = GDAS(GDASConfig(estimator=estimator))
        torch.manual_seed(0)
        optimizer.adapt_search_space(tiny())
        optimizer.graph.double()
        torch.manual_seed(3)
        logits, _, of_alphas = optimizer.gradients(data, optimizer.alphas)
        torch.manual_seed(3)
        _, _, of_weights = optimizer.gradients(data, optimizer.weights)
        found[estimator] = logits, of_weights, torch.cat(of_alphas)
    logits, of_weights, of_alphas = found["authors"]
    for estimator in ("sampled", "full"):
        torch.testing.assert_close(found[estimator][0], logits, rtol=1e-12, atol=1e-12)
        for one, other in zip(found[estimator][1], of_weights, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
        assert torch.cosine_similarity(found[estimator][2], of_alphas, dim=0) < 0.99


def test_only_the_full_estimator_computes_what_was_not_sampled():
    for estimator in ESTIMATORS:
        optimizer = GDAS(GDASConfig(estimator=estimator))
        optimizer.adapt_search_space(tiny())
        assert optimizer.draws
        called = []
        for edge in optimizer.graph.all_edges(optimizer.scope):
            if isinstance(edge.op, Mixture):
                edge.op.primitives[3].register_forward_hook(lambda *_, seen=called: seen.append(1))
        optimizer.logits(batches(1)[0][0])
        assert (len(called) == 18) == (estimator == "full")


def test_unknown_estimators():
    for estimator in ("author", "", None, 3):
        with pytest.raises(
            ConfigError, match=f"estimator must be authors, sampled or full, got {estimator!r}"
        ):
            GDASConfig(estimator=estimator)


@pytest.mark.parametrize("tau", [10.0, 1.0, 0.1])
def test_draws_are_one_hot_and_follow_the_softmax(tau):
    torch.manual_seed(4)
    alpha = torch.tensor([0.5, -1.0, 2.0, 0.0, 1.0])
    draws = torch.stack([gumbel_one_hot(alpha, tau) for _ in range(5000)])
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert (draws.sum(dim=1) == 1).all()
    expected = torch.softmax(alpha, 0).double()
    assert chisquare(draws.sum(dim=0).double(), expected / expected.sum() * 5000).pvalue > 0.01


@pytest.mark.parametrize("tau", [10.0, 1.0, 0.3])
def test_the_gradient_is_that_of_the_soft_draw(tau):
    alpha = torch.randn(5, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(5, dtype=torch.float64)
    torch.manual_seed(1)
    (found,) = torch.autograd.grad(gumbel_one_hot(alpha, tau) @ direction, alpha)
    torch.manual_seed(1)
    noise = -torch.empty_like(alpha).exponential_().log()
    soft = torch.softmax((torch.log_softmax(alpha, 0) + noise) / tau, 0)
    (expected,) = torch.autograd.grad(soft @ direction, alpha)
    torch.testing.assert_close(found, expected)
    assert found.abs().max() > 0


def test_a_temperature_is_positive():
    for tau in (0.0, -1.0):
        with pytest.raises(ConfigError, match="tau must be positive"):
            gumbel_one_hot(torch.zeros(3), tau)
    with pytest.raises(ConfigError, match="tau_min must be > 0"):
        GDASConfig(tau_min=0)
    with pytest.raises(ConfigError, match=r"tau_min must be <= tau_max 0.4, got 0.5"):
        GDASConfig(tau_min=0.5, tau_max=0.4)
