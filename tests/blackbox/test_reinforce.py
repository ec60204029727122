import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from blackbox.errors import ConfigError
from blackbox.reinforce import REINFORCE, ReinforceConfig, adam, gradient, softmax
from blackbox.rs import RandomSearch
from blackbox.search.history import History
from blackbox.search.loop import run
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201_SPACE, SSS_SPACE, CategoricalSpace
from blackbox.table.objective import TableObjective
from blackbox.testing import SearchContract
from blackbox.testing.searches import objective


def oracle(space, config, trial, seed, evals, score):
    """One trial with PyTorch's softmax, its gradients and its Adam, from the same random stream."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(trial, 0)))
    draws = rng.random((evals, len(space.choices)))
    logits = [torch.zeros(choices, dtype=torch.float64, requires_grad=True) for choices in space.choices]
    optimizer = torch.optim.Adam(logits, lr=config.learning_rate)
    baseline, worst, trace = None, None, []
    for draw in draws:
        digits = []
        for u, row in zip(draw.tolist(), logits, strict=True):
            limits = torch.softmax(row.detach(), 0).cumsum(0).tolist()
            digits.append(min(sum(limit <= u for limit in limits), len(limits) - 1))
        code = int(np.ravel_multi_index(digits, space.choices))
        trace.append(code)
        reward = float(score(np.array([code]))[0])
        if reward == FAILED:
            reward = worst
        advantage = 0.0
        if reward is not None:
            worst = reward if worst is None else min(worst, reward)
            advantage = 0.0 if baseline is None else reward - baseline
            baseline = reward if baseline is None else config.decay * baseline + (1 - config.decay) * reward
        optimizer.zero_grad()
        likelihood = sum(torch.log_softmax(row, 0)[d] for row, d in zip(logits, digits, strict=True))
        (-advantage * likelihood).backward()
        optimizer.step()
    return trace


def some_fail(codes):
    return np.where(codes % 3 == 0, FAILED, objective(codes))


class ReinforceContract(SearchContract):
    search_class = REINFORCE

    @pytest.mark.parametrize("score", [objective, some_fail])
    @pytest.mark.parametrize("config", [{}, {"learning_rate": 0.02, "decay": 0.0}])
    def test_equals_one_on_pytorch(self, config, score):
        for space in (self.space, CategoricalSpace((2, 1, 3))):
            search = self.make(space=space, trials=3, seed=11, **config)
            codes = run(search, score, 100).codes
            for trial in range(3):
                expected = oracle(space, ReinforceConfig(**config), trial, 11, 100, score)
                assert codes[trial].tolist() == expected


class TestReinforce(ReinforceContract):
    def test_the_first_cell_is_drawn_uniformly(self):
        codes = self.trace(space=CategoricalSpace((3, 4)), trials=3000, evals=1).codes
        assert chisquare(np.bincount(codes.ravel(), minlength=12)).pvalue > 1e-3

    def test_a_policy_learns_each_digit_of_the_best_cell(self):
        wanted = NB201_SPACE.digits([9000])

        def equal_digits(codes):
            return (NB201_SPACE.digits(codes) == wanted).sum(axis=1) * 1.0

        history = run(self.make(trials=50), equal_digits, 400)
        assert history.scores[:, :20].mean() < 2
        assert history.scores[:, -20:].mean() > 5

    def test_the_scale_of_the_scores_does_not_matter(self):
        def scaled(codes):
            return 1024 * objective(codes) + 4096

        codes = run(self.make(trials=3), scaled, 200).codes
        assert (codes == self.trace(trials=3, evals=200).codes).mean() > 0.9  # but for Adam's epsilon

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"learning_rate": 0.0}, "learning_rate must be finite and > 0, got 0.0"),
            ({"learning_rate": 1e308}, r"learning_rate must be at most 1,000,000, got 1e\+308"),
            ({"learning_rate": float("inf")}, "learning_rate must be finite and > 0, got inf"),
            ({"learning_rate": float("nan")}, "learning_rate must be finite and > 0, got nan"),
            ({"decay": 1.0}, r"decay must be in \[0, 1\), got 1.0"),
            ({"decay": -0.1}, r"decay must be in \[0, 1\), got -0.1"),
        ],
    )
    def test_settings_outside_their_range_are_errors(self, config, message):
        with pytest.raises(ConfigError, match=message):
            ReinforceConfig(**config)


@pytest.mark.contract
class TestReinforceInTheSizeSpace(ReinforceContract):
    space = SSS_SPACE


def test_the_gradient_is_that_of_autograd_and_of_finite_differences():
    rng = np.random.default_rng(0)
    logits, advantage = rng.normal(size=(6, 5, 4)), rng.normal(size=4)
    digits = rng.integers(5, size=(6, 4))
    found = gradient(softmax(logits), digits, advantage)

    leaf = torch.tensor(logits, requires_grad=True)
    drawn = torch.log_softmax(leaf, 1).gather(1, torch.tensor(digits)[:, None])
    (-(drawn.sum((0, 1)) * torch.tensor(advantage)).sum()).backward()
    np.testing.assert_allclose(found, leaf.grad.numpy(), atol=1e-14)

    def loss(logits):
        likelihood = np.log(np.take_along_axis(softmax(logits), digits[:, None], axis=1))
        return -(likelihood.sum(axis=(0, 1)) * advantage).sum()

    for place in [(0, 0, 0), (3, 2, 1), (5, 4, 3)]:
        step = np.zeros_like(logits)
        step[place] = 1e-6
        assert found[place] == pytest.approx((loss(logits + step) - loss(logits - step)) / 2e-6, abs=1e-8)


def test_the_update_is_that_of_pytorchs_adam():
    rng = np.random.default_rng(0)
    leaf = torch.zeros(7, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([leaf], lr=0.03)
    place, mean, square = np.zeros(7), np.zeros(7), np.zeros(7)
    for step in range(1, 200):
        slope = rng.normal(size=7) * 10.0 ** rng.integers(-3, 3)
        place -= 0.03 * adam(slope, mean, square, step)
        leaf.grad = torch.tensor(slope)
        optimizer.step()
    np.testing.assert_allclose(place, leaf.detach().numpy(), rtol=1e-12)


def test_failed_evaluations_leave_every_number_finite_and_become_rare():
    space = CategoricalSpace((4, 4, 4))

    def fails(codes):  # wherever the first digit is 0
        return np.where(codes < 16, FAILED, codes % 16 * 1.0)

    search = REINFORCE(space, trials=200)
    history = run(search, fails, 300)
    failed = np.isinf(history.scores).mean(axis=0)
    assert 0.15 < failed[:10].mean() < 0.35
    assert failed[-50:].mean() < 0.05
    history = History(1)
    for code in (0, 1, 2):
        history.append([code], [FAILED])
    before = run(REINFORCE(space, history=history), fails, 200).codes[0]
    assert before.min() >= 0
    assert len(set(before[3:20])) > 3  # nothing was learnt from failures alone


def test_the_trace_of_seed_0_stays_what_it_is():
    """Pins the random streams: if this fails, results made before can no longer be reproduced."""
    codes = run(REINFORCE(NB201_SPACE), objective, 100).codes[0]
    assert codes[[0, 1, 10, 50, 99]].tolist() == [9094, 13013, 15511, 3639, 11186]


def test_reinforce_beats_random_search_by_far(bench):
    """200 trials of 500 evaluations: the gap is about 18 standard errors."""
    table = TableObjective(bench, "cifar10", "val_accuracy")
    regrets = {}
    for algorithm in (REINFORCE, RandomSearch):
        history = run(algorithm(NB201_SPACE, trials=200), table, 500)
        regrets[algorithm] = table.scores.max() - table.scores[history.incumbent()]
    assert regrets[REINFORCE].mean() < 0.12
    assert 0.2 < regrets[RandomSearch].mean() < 0.4
    assert (regrets[REINFORCE] <= regrets[RandomSearch]).mean() > 0.85
