"""Parts that add a term to the loss of the alphas: the zero-one loss, beta-decay and the expected cost."""

import math

import numpy as np
import pytest
import torch

from nasbench.cell import EDGES, Cell
from oneshot.cost import measure_cost
from oneshot.errors import ConfigError, GraphError
from oneshot.methods.darts import DARTS
from oneshot.methods.drnas import DrNAS
from oneshot.methods.fairdarts import FairDARTS
from oneshot.methods.gdas import GDAS
from oneshot.methods.spos import SPOS
from oneshot.parts.beta_decay import BetaDecay, BetaDecaySettings
from oneshot.parts.cost import CostSettings, ExpectedCost, additive_costs
from oneshot.parts.zero_one import ZeroOne, ZeroOneSettings
from oneshot.search.scorer import Scorer
from oneshot.search.settings import SearchSettings
from oneshot.spaces.darts import DARTSSearchSpace
from oneshot.spaces.hierarchical import HierarchicalSearchSpace
from oneshot.spaces.nb201 import NasBench201SearchSpace
from oneshot.spaces.registry import get_space
from oneshot.testing import CLASSES, batches, other, same, snapshot, through_a_file, tiny


def make(kind, part, space=None, seed=0, **options):
    torch.manual_seed(seed)
    method = kind(kind.config_class(**options), parts=[part])
    method.adapt_search_space(tiny() if space is None else space)
    method.graph.double()
    with torch.no_grad():
        for alpha in method.alphas:
            alpha.normal_()
    return method


def test_the_zero_one_loss_is_that_of_the_paper():
    method = make(FairDARTS, ZeroOne(ZeroOneSettings(zero_one=10.0)), other())
    values = [1 / (1 + math.exp(-a)) for alpha in method.alphas for a in alpha.tolist()]
    expected = -10 * sum((value - 0.5) ** 2 for value in values) / len(values)
    penalty = method.parts[0].alpha_penalty()
    assert float(penalty.detach()) == pytest.approx(expected, rel=1e-12)
    gradients = torch.autograd.grad(penalty, method.alphas)
    for gradient, alpha in zip(gradients, method.alphas, strict=True):
        assert ((gradient < 0) == (alpha > 0)).all()  # down the loss, weights go away from 1/2


def test_beta_decay_is_that_of_the_authors_code():
    method = make(DARTS, BetaDecay(BetaDecaySettings(beta_decay=50.0)), other(), epochs=100)
    for epoch in (0, 1, 99):
        method.begin_epoch(epoch)
        sums = [math.log(sum(math.exp(a) for a in alpha.tolist())) for alpha in method.alphas]
        expected = 50 * epoch / 100 * sum(sums) / len(sums)
        assert float(method.parts[0].alpha_penalty().detach()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("cost", ["flops", "params"])
@pytest.mark.parametrize("kind", [DARTS, GDAS, DrNAS, FairDARTS])
def test_the_expected_cost_is_the_sum_over_edges_and_candidates(kind, cost):
    method = make(kind, ExpectedCost(CostSettings(cost_weight=0.5, expected_cost=cost)))
    part = method.parts[0]
    expected = sum(
        float(weight) * float(each)
        for edge, costs in zip(method.supernet.searched_edges, part.costs(), strict=True)
        for weight, each in zip(method.expected_weights(edge).detach(), costs, strict=True)
    )
    penalty = part.alpha_penalty()
    assert float(penalty.detach()) == pytest.approx(0.5 * expected, rel=1e-12)
    assert all(gradient.any() for gradient in torch.autograd.grad(penalty, method.alphas))


def test_counted_costs_are_those_of_whole_networks():
    """A candidate's share is what a network with it alone has beyond one with `none` at all edges."""
    method = make(DARTS, ExpectedCost(CostSettings(cost_weight=1.0)))

    def flops(ops):
        space = NasBench201SearchSpace(CLASSES, channels=2, cells=1)
        for graph in space.graphs():
            if graph.scope in space.OPTIMIZER_SCOPE:
                for (source, target), k in ops.items():
                    edge = graph.edges[source + 1, target + 1]
                    edge.set("op", edge.op[k])
        return measure_cost(space.parse()).flops

    empty = dict.fromkeys(EDGES, 0)
    costs = method.parts[0].costs()
    names = get_space("nb201").edges(method.graph)
    order = {edge.owner("alpha"): name for name, edge in names.items()}
    base, greatest = flops(empty), flops(dict.fromkeys(EDGES, 3)) - flops(empty)
    for edge, each in zip(method.supernet.searched_edges, costs, strict=True):
        place = next((s, t) for s, t in EDGES if f"{s}→{t}" == order[edge.owner("alpha")])
        for k in (0, 1, 2, 3, 4):
            assert float(each[k]) * greatest == pytest.approx(flops(empty | {place: k}) - base)


def test_costs_in_the_space_of_darts():
    part = ExpectedCost(CostSettings(cost_weight=1.0, expected_cost="params"))
    method = make(DARTS, part, DARTSSearchSpace(CLASSES, channels=2, cells=3))
    assert len(part.costs()) == 28
    for costs in part.costs():
        assert costs[0] == 0  # none
        assert 0 == costs[1] <= costs[3] < costs[6] < costs[4] < costs[5]  # of the convolutions, sep 5x5 most
    assert sum(float(costs.max()) for costs in part.costs()) == pytest.approx(1)
    assert method.parts == (part,)


def test_costs_of_a_table_are_the_additive_model_of_least_squares():
    rng = np.random.default_rng(0)
    truth = rng.random((6, 5))
    values = np.array([truth[range(6), Cell(code).digits].sum() for code in range(5**6)])
    for costs, each in zip(additive_costs(values), truth, strict=True):
        torch.testing.assert_close(costs, torch.tensor(each - each.min()))
    values[::7] = np.nan
    for costs in additive_costs(values):
        assert costs.min() == 0
        assert costs.isfinite().all()
    with pytest.raises(ConfigError, match="no costs of cells with one of the candidates at edge 0"):
        additive_costs(np.where(np.arange(5**6) < 5**5, np.nan, 1.0))


def test_a_cost_without_a_table_is_an_error():
    part = ExpectedCost(CostSettings(cost_weight=1.0, expected_cost="raspi4_latency"))
    with pytest.raises(ConfigError, match="raspi4_latency needs a table, and darts has none; try flops or p"):
        part.load(SearchSettings(space="darts"), None)
    missing = ExpectedCost(CostSettings(cost_weight=1.0, expected_cost="pixel2_latency"))
    with pytest.raises(ConfigError, match="pixel2_latency is not in the table"):
        missing.load(SearchSettings(), Scorer("cifar100"))
    with pytest.raises(ConfigError, match="motifs of the space hierarchical have none"):
        part.load(SearchSettings(space="hierarchical"), None)
    with pytest.raises(ConfigError, match="needs a table, which only oneshot.search opens"):
        make(DARTS, part).parts[0].alpha_penalty()
    with pytest.raises(ConfigError, match="cost must be one of params, flops, latency, .*; got 'x'"):
        CostSettings(expected_cost="x")


def test_a_latency_of_the_table():
    part = ExpectedCost(CostSettings(cost_weight=1.0, expected_cost="raspi4_latency"))
    scorer = Scorer("digits")
    part.load(SearchSettings(), scorer)
    method = make(DARTS, part)
    table = scorer.bench.by_code("cifar10", "raspi4_latency").reshape((5,) * 6)
    means = [np.nanmean(np.moveaxis(table, k, 0).reshape(5, -1), axis=1) for k in range(6)]
    greatest = sum(mean.max() - mean.min() for mean in means)
    edges = list(get_space("nb201").edges(method.graph).values())
    for edge, costs in zip(method.supernet.searched_edges, part.costs(), strict=True):
        mean = means[[each.owner("alpha") for each in edges].index(edge.owner("alpha"))]
        np.testing.assert_allclose(costs.numpy(), (mean - mean.min()) / greatest)


def test_candidates_with_candidates_have_no_fixed_cost():
    space = HierarchicalSearchSpace(CLASSES, channels=2, motifs=2, motif_nodes=3, cell_nodes=3)
    with pytest.raises(GraphError, match="contains a mixed operation, so it has no fixed cost"):
        make(DARTS, ExpectedCost(CostSettings(cost_weight=1.0)), space).parts[0].costs()


@pytest.mark.parametrize(
    ("part", "kind", "message"),
    [
        (ZeroOne(ZeroOneSettings(zero_one=1.0)), DARTS, "sigmoid weights, which DARTS does not have"),
        (BetaDecay(BetaDecaySettings(beta_decay=1.0)), FairDARTS, "which FairDARTS does not use"),
        (BetaDecay(BetaDecaySettings(beta_decay=1.0)), DrNAS, "which DrNAS does not use"),
        (
            ExpectedCost(CostSettings(cost_weight=1.0)),
            SPOS,
            "needs a method with alphas; single path one-shot has none",
        ),
    ],
)
def test_parts_that_have_no_meaning_with_a_method(part, kind, message):
    with pytest.raises(ConfigError, match=message):
        kind(parts=[part])


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (FairDARTS, lambda: ZeroOne(ZeroOneSettings(zero_one=3.0))),
        (GDAS, lambda: BetaDecay(BetaDecaySettings(beta_decay=3.0))),
        (DARTS, lambda: ExpectedCost(CostSettings(cost_weight=3.0))),
    ],
)
def test_a_search_with_a_penalty_goes_on_bit_for_bit(kind, part):
    def step(method, number):
        method.begin_epoch(number)
        method.step(*batches(2, seed=number, dtype=torch.float64))

    whole, plain = make(kind, part()), make(kind, part())
    plain.parts = ()
    step(whole, 1)
    torch.manual_seed(0)
    state = through_a_file(whole.state_dict())
    step(whole, 2)
    resumed = make(kind, part(), seed=5)
    resumed.load_state_dict(state)
    torch.manual_seed(0)
    step(resumed, 2)
    assert same(snapshot(resumed), snapshot(whole))
    step(plain, 1)
    assert not same([alpha.detach() for alpha in plain.alphas], state["alphas"])  # it had an effect
