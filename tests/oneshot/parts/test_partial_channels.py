import pytest
import torch
from torch import nn

from oneshot import ops
from oneshot.errors import ConfigError
from oneshot.graph import Graph
from oneshot.methods.darts import DARTS
from oneshot.methods.gdas import GDAS
from oneshot.methods.rsws import RSWS
from oneshot.mixed import Mixing
from oneshot.partial import find_stride, with_channels
from oneshot.parts.partial_channels import (
    EdgeNormalization,
    EdgeNormalizationSettings,
    PartialChannels,
    PartialChannelsSettings,
)
from oneshot.parts.registry import build_parts
from oneshot.search.__main__ import main
from oneshot.search.settings import SearchSettings
from oneshot.spaces.darts import DARTSSearchSpace, cells_in
from oneshot.spaces.hierarchical import HierarchicalSearchSpace
from oneshot.spaces.nb201 import NasBench201SearchSpace
from oneshot.testing import CLASSES, MethodContract, batches, other, same, snapshot, through_a_file, tiny
from tests.oneshot.compile.agreement import assert_agrees


@pytest.mark.contract
class TestPartialDARTS(MethodContract):
    method = DARTS
    parts = (PartialChannelsSettings(partial_channels=2),)

    def test_another_space(self):
        with pytest.raises(ConfigError, match="3 channels cannot be divided by 2"):
            self.make(space=other())


@pytest.mark.contract
class TestPartialGDAS(TestPartialDARTS):
    method = GDAS


def search(space, k=2, normalized=True, method=DARTS, **settings):
    """A search with partial channels in 1 of k channels, and betas."""
    parts = [PartialChannels(PartialChannelsSettings(k))] if k > 1 else []
    parts += [EdgeNormalization(EdgeNormalizationSettings(True))] if normalized else []
    torch.manual_seed(0)
    optimizer = method(method.config_class(**settings), parts=parts)
    optimizer.adapt_search_space(space)
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.normal_()
    return optimizer


def plain_edge(edge, x, k, stride):
    """Equation 2 with the authors' pool and shuffle, channel by channel."""
    first = x.shape[1] // k
    weights = edge.alpha.exp() / edge.alpha.exp().sum()
    mixed = sum(w * op(x[:, :first]) for w, op in zip(weights, edge.op.primitives, strict=True))
    rest = x[:, first:]
    if stride == 2:
        rest = torch.stack([rest[..., i::2, j::2] for i in range(2) for j in range(2)]).amax(0)
    channels = [*mixed.unbind(1), *rest.unbind(1)]
    return torch.stack([channels[i * first + j] for j in range(first) for i in range(k)], dim=1)


@pytest.mark.parametrize("kind", ["normal", "reduction"])
@pytest.mark.parametrize("normalized", [False, True])
def test_a_cell_is_that_of_the_paper(kind, normalized):
    k = 4
    optimizer = search(DARTSSearchSpace(CLASSES, channels=8, cells=3), k, normalized)
    graph = optimizer.graph.double()
    cell = next(cell for cell in cells_in(graph) if cell.scope == kind)
    c = 8 if kind == "normal" else 16
    inputs = [torch.randn(2, c, 8, 8, dtype=torch.float64) for _ in range(2)]
    nodes = dict(enumerate(inputs, 1))
    for node in range(3, 7):
        edges = [cell.edges[source, node] for source in range(1, node)]
        shares = torch.softmax(torch.stack([e.beta[e.place] for e in edges]), 0) if normalized else [1.0] * 9
        nodes[node] = sum(
            share * plain_edge(edge, nodes[source], k, 2 if kind == "reduction" and source < 3 else 1)
            for source, (edge, share) in enumerate(zip(edges, shares, strict=False), 1)
        )
    expected = torch.cat([nodes[node] for node in range(3, 7)], dim=1)
    torch.testing.assert_close(cell.interpret(*inputs), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(cell(*inputs), expected, rtol=1e-9, atol=1e-12)


SPACES = {
    "nb201": lambda: NasBench201SearchSpace(CLASSES, channels=4, cells=1),
    "darts": lambda: DARTSSearchSpace(CLASSES, channels=4, cells=3),
    "hierarchical": lambda: HierarchicalSearchSpace(CLASSES, 4, motifs=2, motif_nodes=3, cell_nodes=3),
    "with scales and statistics": lambda: NasBench201SearchSpace(
        CLASSES, channels=4, cells=1, affine=True, statistics=True
    ),
}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("method", [DARTS, GDAS])
def test_the_compiled_plan_agrees_with_the_reference(space, method):
    graph = search(SPACES[space](), method=method).graph.double()
    assert_agrees(graph, batches(1, dtype=torch.float64)[0][0])


def test_gradients_of_betas_agree_with_the_reference():
    optimizer = search(SPACES["darts"]())
    graph = optimizer.graph.double()
    betas = list(dict.fromkeys(graph.get_all_edge_data("beta")))
    assert [len(beta) for beta in betas] == [2, 3, 4, 5] * 2
    x = batches(1, dtype=torch.float64)[0][0]
    ways = [torch.autograd.grad(run(x).square().sum(), betas) for run in (graph, graph.interpret)]
    for left, right in zip(*ways, strict=True):
        assert left.any()
        torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-12)


def test_weights_of_edges_are_learned_with_the_alphas_and_go_on_bit_for_bit():
    whole = search(SPACES["nb201"]())
    betas = whole.graph.get_all_edge_data("beta")
    before = [beta.detach().clone() for beta in betas]
    data = batches(4)
    whole.step(*data[:2])
    assert all((beta != old).any() for beta, old in zip(betas, before, strict=True))
    state = through_a_file(whole.state_dict())
    whole.step(*data[2:])
    resumed = search(SPACES["nb201"]())
    resumed.load_state_dict(state)
    resumed.step(*data[2:])
    assert same(snapshot(resumed), snapshot(whole))


def test_edges_are_compared_by_beta_times_probability():
    optimizer = search(SPACES["darts"]())
    cell = cells_in(optimizer.graph)[0]
    edges = [cell.edges[source, 6] for source in range(1, 6)]
    with torch.no_grad():
        edges[0].beta.copy_(torch.tensor([0.0, 2.0, 1.0, 3.0, -1.0]))
    shares = torch.softmax(edges[0].beta.detach(), 0)
    for edge, share in zip(edges, shares, strict=True):
        most = torch.softmax(edge.alpha.detach(), 0)[1:].max()  # other than none
        assert optimizer.edge_score(edge) == pytest.approx(float(share * most))
    scores = [optimizer.edge_score(edge) for edge in edges]
    kept = {edge.owner("alpha") for edge in edges} - {
        edge.owner("alpha") for edge in optimizer.graph.weak_edges(optimizer.edge_score)
    }
    best = sorted(range(5), key=scores.__getitem__)[-2:]
    assert kept == {edges[number].owner("alpha") for number in best}


def test_candidates_have_fewer_channels_and_the_architecture_all():
    optimizer = search(SPACES["nb201"]())
    widths = {
        conv.in_channels
        for edge in optimizer.supernet.mixed_edges()
        for conv in edge.op.modules()
        if isinstance(conv, nn.Conv2d)
    }
    assert widths == {2, 4, 8}
    graph = optimizer.get_final_architecture()
    convs = [m for edge in graph.all_edges(graph.OPTIMIZER_SCOPE) for m in edge.op.modules()]
    assert {conv.in_channels for conv in convs if isinstance(conv, nn.Conv2d)} <= {4, 8, 16}
    assert graph(batches(1)[0][0]).shape == (8, CLASSES)


def test_none_chosen_passes_nothing_on():
    optimizer = search(SPACES["nb201"]())
    for edge in optimizer.supernet.mixed_edges():
        edge.pop("choice", None)
        edge.set("choice", 0, shared=True)
    cell = optimizer.graph.edges[2, 3].op
    x = torch.randn(2, 4, 8, 8)
    assert not cell.edges[1, 2].op.mix(x, Mixing(None, 0)).any()
    images = batches(1)[0][0]
    torch.testing.assert_close(optimizer.graph(images), optimizer.graph.interpret(images))


def test_only_the_innermost_candidates_have_fewer_channels():
    optimizer = search(SPACES["hierarchical"]())
    for edge in optimizer.supernet.mixed_edges():
        assert (edge.op.bypass is None) == isinstance(edge.op.primitives[0], Graph)


def test_chains_on_few_channels_are_done_side_by_side():
    space = DARTSSearchSpace(CLASSES, channels=8, cells=3)
    text = str(search(space, 4).graph.plan)
    assert "4 times the channels" in text
    assert "conv 5x5 2 -> 2 + 2 + 2 + 2" in text
    assert "times the channels" not in str(search(space, 1).graph.plan)


@pytest.mark.parametrize("method", [DARTS, GDAS])
def test_neutral_settings_change_nothing(method):
    plain, neutral = (
        method(),
        method(parts=build_parts([PartialChannelsSettings(), EdgeNormalizationSettings()])),
    )
    for optimizer in (plain, neutral):
        torch.manual_seed(0)
        optimizer.adapt_search_space(tiny())
        torch.manual_seed(1)
        optimizer.step(*batches(2))
    assert same(snapshot(plain), snapshot(neutral))
    assert PartialChannelsSettings().is_neutral
    assert EdgeNormalizationSettings().is_neutral


def test_what_has_no_meaning_is_an_error():
    part = PartialChannels(PartialChannelsSettings(3))
    with pytest.raises(ConfigError, match="must divide the supernet's channels, 8, got 3"):
        part.check(SearchSettings())
    with pytest.raises(ConfigError, match="edge normalization learns betas with the alphas; random search"):
        RSWS(parts=[EdgeNormalization(EdgeNormalizationSettings(True))])
    with pytest.raises(ConfigError, match="PReLU has weights and cannot have fewer channels"):
        with_channels(nn.Sequential(nn.PReLU(4)), 2)
    with pytest.raises(ValueError, match="partial_channels"):
        PartialChannelsSettings(0)


def test_random_paths_may_have_partial_channels():
    optimizer = search(SPACES["nb201"](), normalized=False, method=RSWS)
    optimizer.begin_epoch(0)
    assert optimizer.step(*batches(2)).train_loss.isfinite()


@pytest.mark.parametrize("stride", [1, 2])
def test_the_stride_of_an_edge_is_that_of_its_candidates(stride):
    for op in (ops.Zero(stride), ops.SepConv(4, 4, 3, stride), ops.MaxPool(stride)):
        assert find_stride([nn.Identity(), op]) == stride


def test_a_published_search_is_tried_out_by_smoke(capsys):
    assert main(["--method", "pc-darts", "--smoke"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("PC-DARTS on digits, nb201 with 4 channels and 1 cell per stage\n1 epoch, ")
