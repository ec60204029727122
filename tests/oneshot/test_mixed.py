import pytest
import torch
from torch import nn

from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph.edge import EdgeData
from oneshot.methods.gdas import GumbelMixedOp
from oneshot.mixed import MixedEdge, MixedOp, Mixing, Mixture, choosing, mixings, nonzero_mask


class Times(nn.Module):
    """Multiplies by a number, and counts how often."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.factor * x


def edge_with(**data):
    edge = EdgeData()
    for key, value in data.items():
        edge.set(key, value)
    return edge


X = torch.tensor([1.0, 2.0])


def test_a_mixed_operation_holds_its_candidates():
    candidates = [ops.Identity(), ops.ReLUConvBN(2, 2, 1)]
    mixed = MixedOp(each for each in candidates)
    embedded = mixed.get_embedded_ops()
    assert isinstance(embedded, list)
    assert all(one is other for one, other in zip(embedded, candidates, strict=True))
    assert len(list(mixed.parameters())) == 3


def test_a_mixed_operation_has_a_candidate():
    with pytest.raises(GraphError, match="at least one candidate"):
        MixedOp([])


def test_a_mixture_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Mixture([ops.Identity()])


def test_a_mixed_operation_alone_has_no_weights():
    with pytest.raises(GraphError, match="weights from an edge"):
        MixedOp([ops.Identity()])(X)


def test_softmax_weights():
    alpha = nn.Parameter(torch.tensor([0.0, 1.0, -2.0]))
    weights = MixedOp([ops.Identity()] * 3).weights(edge_with(alpha=alpha))
    torch.testing.assert_close(weights, alpha.exp() / alpha.exp().sum())
    weights[0].backward()
    assert alpha.grad is not None


def test_mix_is_the_weighted_sum():
    mixed = MixedOp([Times(1), Times(10), Times(100)])
    out = mixed.mix(X, Mixing(torch.tensor([0.5, 0.2, 0.3]), None))
    torch.testing.assert_close(out, 32.5 * X)


@pytest.mark.parametrize(("weights", "expected"), [(None, 10.0), (torch.tensor([0.0, 0.5]), 5.0)])
def test_mix_computes_only_what_was_drawn(weights, expected):
    one, other = Times(1), Times(10)
    torch.testing.assert_close(MixedOp([one, other]).mix(X, Mixing(weights, 1)), expected * X)
    assert (one.calls, other.calls) == (0, 1)


def test_a_mixing_has_as_many_weights_as_there_are_candidates():
    with pytest.raises(ValueError, match="shorter|longer"):
        MixedOp([Times(1), Times(2)]).mix(X, Mixing(torch.ones(3), None))


def test_a_mixing_has_weights_or_a_sampled_candidate():
    with pytest.raises(GraphError, match="weights or a sampled candidate, got neither"):
        MixedOp([Times(1)]).mix(X, Mixing(None, None))


def test_mixings_asks_each_key_for_its_weights():
    mixed = MixedOp([ops.Identity()] * 2)
    edges = {
        "a": MixedEdge(mixed, edge_with(alpha=torch.zeros(2)), "edge a"),
        "b": MixedEdge(mixed, edge_with(alpha=torch.tensor([0.0, 100.0])), "edge b"),
    }
    found = mixings(edges)
    assert list(found) == ["a", "b"]
    torch.testing.assert_close(found["a"].weights, torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(found["b"].weights, torch.tensor([0.0, 1.0]))
    assert found["a"].drawn is found["b"].drawn is None  # not known, though one weight is 1


def test_mixings_of_draws_know_what_was_drawn():
    torch.manual_seed(0)
    mixed = GumbelMixedOp([ops.Identity()] * 4)
    edges = {key: MixedEdge(mixed, edge_with(alpha=torch.zeros(4), tau=1.0), "") for key in range(40)}
    found = mixings(edges)
    assert {found[key].drawn for key in edges} == {0, 1, 2, 3}
    for mixing in found.values():
        assert mixing.weights.tolist() == [float(k == mixing.drawn) for k in range(4)]


@pytest.mark.parametrize("kind", [MixedOp, GumbelMixedOp])
def test_a_choice_needs_no_weights(kind):
    mixed = kind([ops.Identity()] * 3)
    edges = {k: MixedEdge(mixed, edge_with(choice=k), "") for k in range(3)}
    assert mixings(edges) == {k: Mixing(None, k) for k in range(3)}


def test_no_mixed_edges_no_mixings():
    assert mixings({}) == {}


@pytest.mark.parametrize("choice", [-1, 3, True, 1.0, "1", None, [1]])
def test_a_choice_is_the_number_of_a_candidate(choice):
    mixed = MixedOp([ops.Identity()] * 3)
    with pytest.raises(GraphError, match=r"edge 1-2: choice must be an integer in \[0, 2\], or -2 for none"):
        mixings({0: MixedEdge(mixed, edge_with(choice=choice), "edge 1-2")})


def test_a_mixed_edge_has_what_it_is_mixed_by():
    with pytest.raises(GraphError, match="edge 1-2 has no 'alpha', which its MixedOp"):
        mixings({0: MixedEdge(MixedOp([ops.Identity()]), EdgeData(), "edge 1-2")})


@pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), (1, 3), ()])
def test_weights_are_one_for_each_candidate(shape):
    mixed = MixedOp([ops.Identity()] * 3)
    edge = edge_with(alpha=torch.zeros(shape))
    with pytest.raises(GraphError, match="edge 1-2 has 3 candidates, but weights of shape"):
        mixings({0: MixedEdge(mixed, edge, "edge 1-2")})


def test_a_mixture_of_ones_own_says_what_its_weights_are_of():
    class Fixed(Mixture):
        key = "shares"

        def weights(self, edge):
            return edge.shares / edge.shares.sum()

    mixed = Fixed([Times(1), Times(3)])
    found = mixings({0: MixedEdge(mixed, edge_with(shares=torch.tensor([1.0, 1.0])), "")})
    torch.testing.assert_close(mixed.mix(X, found[0]), 2 * X)


def test_the_nonzero_mask_is_of_all_candidates_but_zeros():
    zero, other = ops.Zero(), ops.Identity()
    for of in (list, MixedOp):
        assert nonzero_mask(of([zero, other, ops.Zero(2), other])).tolist() == [False, True, False, True]
        assert nonzero_mask(of([other, other])).tolist() == [True, True]
        assert nonzero_mask(of([ops.Zero(), ops.Zero()])).tolist() == [True, True]  # then it is one of them
    assert nonzero_mask([zero, other]).dtype == torch.bool


def test_choices_are_of_all_copies_and_end_with_the_block():
    edge = edge_with(alpha=torch.zeros(2))
    edge.set("choice", 1, shared=True)
    other = edge_with(choice=0)
    with choosing([(edge, 0), (other, 1)]):
        assert (edge.choice, other.choice) == (0, 1)
        assert "choice" in other.shared_store
    assert (edge.choice, other.choice) == (1, 0)
    assert "choice" in edge.shared_store
    assert "choice" not in other.shared_store
