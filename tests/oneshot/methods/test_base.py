import math
from dataclasses import dataclass

import pytest
import torch

from nasbench.runs.settings import option
from oneshot import ops
from oneshot.errors import ConfigError, GraphError
from oneshot.graph import Graph
from oneshot.methods.base import AlphaConfig, MetaOptimizer, SearchConfig
from oneshot.methods.darts import DARTS
from oneshot.methods.gdas import GDAS
from oneshot.mixed import MixedOp
from oneshot.testing import MethodContract, batches, same, snapshot, tiny


@dataclass(frozen=True)
class LeastConfig(AlphaConfig):
    """A method of one's own, with a setting of its own."""

    strength: float = option(1.0, "of nothing")


class Least(MetaOptimizer):
    """The least that a method of one's own says: how candidates are mixed, and what a step updates."""

    name = "least"
    config_class = LeastConfig

    def mixed(self, primitives):
        return MixedOp(primitives)

    def step(self, data_train, data_val):
        return self.two_updates(data_train, data_val)


class TestLeast(MethodContract):
    method = Least


def made(config=None, **options):
    torch.manual_seed(0)
    optimizer = Least(config or LeastConfig(**options))
    optimizer.adapt_search_space(tiny())
    return optimizer


def test_a_method_has_settings_of_its_own_by_default():
    assert Least().config == LeastConfig()


def test_the_published_settings():
    config = AlphaConfig()
    assert (config.epochs, config.batch, config.momentum, config.weight_decay) == (50, 64, 0.9, 3e-4)
    assert (config.learning_rate, config.learning_rate_min) == (0.025, 0.001)
    assert (config.arch_learning_rate, config.arch_weight_decay) == (3e-4, 1e-3)
    optimizer = made()
    assert isinstance(optimizer.op_optimizer, torch.optim.SGD)
    assert optimizer.op_optimizer.defaults["momentum"] == 0.9
    assert optimizer.op_optimizer.defaults["weight_decay"] == 3e-4
    assert isinstance(optimizer.arch_optimizer, torch.optim.Adam)
    assert optimizer.arch_optimizer.defaults["betas"] == (0.5, 0.999)
    assert optimizer.arch_optimizer.defaults["lr"] == 3e-4
    alphas = torch.cat(optimizer.alphas)
    assert 3e-4 < alphas.std() < 3e-3


def test_the_learning_rate_falls_along_a_cosine():
    optimizer = made(epochs=10)
    rates = []
    for _ in range(10):
        rates.append(optimizer.op_optimizer.param_groups[0]["lr"])
        optimizer.step(*batches(2))
        optimizer.schedule.step()
    expected = [0.001 + 0.5 * 0.024 * (1 + math.cos(math.pi * epoch / 10)) for epoch in range(10)]
    assert rates == pytest.approx(expected)
    assert optimizer.op_optimizer.param_groups[0]["lr"] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs must be an integer >= 1"),
        ("batch", 1, "batch must be an integer >= 2"),
        ("learning_rate", 0, "learning_rate must be > 0, got 0"),
        ("learning_rate", 10**400, "learning_rate must be a finite number, got 1000"),
        ("learning_rate", 1e308, r"learning_rate must be <= 1e\+30, got 1e\+308"),
        ("learning_rate", math.inf, "learning_rate must be a finite number"),
        ("learning_rate", "0.1", "learning_rate must be a finite number, got '0.1'"),
        ("learning_rate_min", -1.0, r"learning_rate_min must be >= 0, got -1\.0"),
        ("learning_rate_min", 1.0, r"learning_rate_min must be <= learning_rate 0\.025, got 1\.0"),
        ("momentum", 1.0, "momentum must be < 1, got 1.0"),
        ("momentum", math.nan, "momentum must be a finite number, got nan"),
        ("weight_decay", True, "weight_decay must be a finite number, got True"),
        ("grad_clip", 0.0, r"grad_clip must be > 0, got 0\.0"),
        ("nesterov", 1, "nesterov must be true or false, got 1"),
        ("first", "alpha", "first must be alphas or weights, got 'alpha'"),
        ("clip_alphas", None, "clip_alphas must be true or false, got None"),
        ("arch_learning_rate", 0.0, "arch_learning_rate must be > 0"),
        ("arch_weight_decay", -0.5, r"arch_weight_decay must be >= 0, got -0\.5"),
    ],
)
def test_settings_out_of_range(field, value, message):
    with pytest.raises(ValueError, match=message):
        AlphaConfig(**{field: value})
    assert isinstance(AlphaConfig(), SearchConfig)


def test_nesterov_needs_momentum():
    with pytest.raises(ConfigError, match="nesterov needs a momentum > 0, got 0"):
        SearchConfig(nesterov=True, momentum=0)
    assert made(nesterov=True).op_optimizer.defaults["nesterov"] is True


def test_a_method_has_no_supernet_before_it_has_a_space():
    optimizer = Least()
    for name in ("graph", "scope", "weights", "alphas", "op_optimizer", "arch_optimizer", "schedule"):
        with pytest.raises(
            GraphError, match=r"least has no supernet yet; adapt_search_space\(space\) builds it"
        ):
            getattr(optimizer, name)
    optimizer.adapt_search_space(tiny())
    assert optimizer.graph is optimizer.supernet.graph
    assert optimizer.weights == optimizer.supernet.weights


def test_alphas_need_settings_of_alphas():
    class WithoutSettings(Least):
        config_class = SearchConfig

    with pytest.raises(
        ConfigError, match="least has alphas, so its settings must derive from AlphaConfig, got S"
    ):
        WithoutSettings().adapt_search_space(tiny())


def test_a_method_without_alphas_cannot_update_them():
    class WithoutAlphas(Least):
        def add_alphas(self, edge):
            edge.set("choice", 1, shared=True)

    optimizer = WithoutAlphas()
    optimizer.adapt_search_space(tiny())
    assert optimizer.arch_optimizer is None
    with pytest.raises(GraphError, match=r"least has no alphas to update; add_alphas\(\) sets none"):
        optimizer.step(*batches(2))


def test_an_update_is_of_its_parameters_alone():
    optimizer = made()
    before = snapshot(optimizer)
    count = len(optimizer.weights)
    optimizer.update(optimizer.arch_optimizer, optimizer.alphas, batches(1)[0])
    after = snapshot(optimizer)
    assert same(after[:count], before[:count])
    assert not same(after[count:], before[count:])
    optimizer.update(optimizer.op_optimizer, optimizer.weights, batches(1)[0])
    last = snapshot(optimizer)
    assert same(last[count:], after[count:])
    assert not same(last[:count], after[:count])


def test_every_parameter_needs_a_gradient_again_after_a_failure():
    optimizer = made()

    def failing(logits, labels):
        raise KeyboardInterrupt

    optimizer.loss = failing
    for parameters in (optimizer.alphas, optimizer.weights):
        with pytest.raises(KeyboardInterrupt):
            optimizer.gradients(batches(1)[0], parameters)
        assert all(each.requires_grad for each in [*optimizer.weights, *optimizer.alphas])


def test_gradients_of_what_has_no_part_in_the_loss():
    """As when zeros are drawn on every way to the output."""
    optimizer = made()
    for edge in optimizer.graph.all_edges(optimizer.scope):
        edge.set("choice", 0, shared=True)  # `none`
    data = batches(1)[0]
    zeros = optimizer.gradients(data, optimizer.alphas)[2]
    assert all(torch.equal(each, torch.zeros(5)) for each in zeros)
    of_weights = optimizer.gradients(data, optimizer.weights)[2]
    assert {bool(each.any()) for each in of_weights} == {False, True}


def test_a_weight_without_a_part_in_the_loss_moves_by_momentum_and_decay():
    optimizer = made(nesterov=True)
    optimizer.step(*batches(2))
    for edge in optimizer.graph.all_edges(optimizer.scope):
        edge.set("choice", 0, shared=True)  # `none`
    edge = optimizer.graph.all_edges(optimizer.scope)[0]
    weight = next(edge.op.primitives[3].parameters())
    before, velocity = (
        weight.detach().clone(),
        optimizer.op_optimizer.state[weight]["momentum_buffer"].clone(),
    )
    optimizer.update(optimizer.op_optimizer, optimizer.weights, batches(1)[0])
    decay = 3e-4 * before
    expected = before - 0.025 * (decay + 0.9 * (0.9 * velocity + decay))
    torch.testing.assert_close(weight, expected, rtol=1e-6, atol=1e-8)


def test_a_penalty_adds_to_what_is_gone_down():
    optimizer = made()
    optimizer.arch_optimizer = torch.optim.SGD(optimizer.alphas, lr=1.0)
    before = [alpha.clone() for alpha in optimizer.alphas]
    data = batches(1)[0]
    plain = torch.autograd.grad(optimizer.loss(optimizer.logits(data[0]), data[1]), optimizer.alphas)
    _, loss = optimizer.update(
        optimizer.arch_optimizer, optimizer.alphas, data, lambda: sum(a.sum() for a in optimizer.alphas)
    )
    torch.testing.assert_close(loss, optimizer.loss(optimizer.logits(data[0]), data[1]), rtol=0, atol=1.0)
    norm = torch.cat([g + 1 for g in plain]).norm()
    for alpha, old, g in zip(optimizer.alphas, before, plain, strict=True):
        torch.testing.assert_close(alpha, old - (g + 1) * min(1.0, 5.0 / norm), rtol=1e-4, atol=1e-6)


def test_gradients_are_clipped():
    optimizer = made(learning_rate=1.0, learning_rate_min=0.0, weight_decay=0.0, grad_clip=0.01)
    before = snapshot(optimizer)
    optimizer.update(optimizer.op_optimizer, optimizer.weights, batches(1)[0])
    moved = [new - old for new, old in zip(snapshot(optimizer), before, strict=True)]
    norm = torch.linalg.vector_norm(torch.cat([each.flatten() for each in moved]))
    assert norm == pytest.approx(0.01, rel=1e-3)


def test_gradients_of_alphas_are_clipped_unless_told():
    for clip in (True, False):
        optimizer = made(grad_clip=0.01, clip_alphas=clip)
        optimizer.arch_optimizer = torch.optim.SGD(optimizer.alphas, lr=1.0)
        before = snapshot(optimizer)
        optimizer.descend(optimizer.arch_optimizer, optimizer.alphas, [torch.ones(5) for _ in range(6)])
        moved = [new - old for new, old in zip(snapshot(optimizer), before, strict=True)]
        norm = torch.linalg.vector_norm(torch.cat([each.flatten() for each in moved]))
        assert norm == pytest.approx(0.01 if clip else 30**0.5, rel=1e-3)


def test_logits_are_float32_or_float64():
    optimizer = made()
    images = batches(1)[0][0]
    assert optimizer.logits(images).dtype == torch.float32
    optimizer.amp = True
    assert optimizer.logits(images).dtype == torch.float32
    optimizer.amp = False
    optimizer.graph.double()
    assert optimizer.logits(images.double()).dtype == torch.float64
    assert all(alpha.dtype == torch.float64 for alpha in optimizer.alphas)


def test_only_lists_of_candidates_in_scope_are_searched():
    """Layers in scope that have a length, as every nn.Sequential has, stay as they are."""
    space = Graph("space", scope="all of it")
    space.OPTIMIZER_SCOPE = "all of it"
    space.add_edge(1, 2, op=ops.Stem(4))
    space.add_edge(2, 3, op=[ops.Identity(), ops.Zero()])
    space.add_edge(3, 4, op=torch.nn.Conv2d(4, 4, 1))
    space.add_edge(4, 5, op=ops.Classifier(4, 3))
    optimizer = DARTS()
    optimizer.adapt_search_space(space)
    assert [len(alpha) for alpha in optimizer.alphas] == [2]
    assert isinstance(optimizer.graph.edges[1, 2].op, ops.Stem)
    space.edges[2, 3].set("op", ops.Identity())
    with pytest.raises(GraphError, match="has no edge with a list of candidates in scope"):
        DARTS().adapt_search_space(space)


def test_compiling_is_refused_where_paths_are_drawn():
    optimizer = GDAS()
    optimizer.adapt_search_space(tiny())
    with pytest.raises(ConfigError, match="samples a new path at each step"):
        optimizer.compile()
