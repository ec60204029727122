"""The maximum number of skip connections in an architecture, against P-DARTS' rule written out."""

import pytest
import torch

from nasbench.cell import OPERATIONS
from oneshot.errors import ConfigError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.drnas import DrNAS
from oneshot.methods.fairdarts import FairDARTS
from oneshot.methods.spos import SPOS
from oneshot.parts.registry import build_parts
from oneshot.parts.selection import SelectionSettings
from oneshot.parts.skip_limit import SkipRestriction, SkipRestrictionSettings, selected_skips
from oneshot.search import SearchSettings, pictures, resume, search
from oneshot.spaces.darts import GRAPHS, DARTSSearchSpace, read_genotype
from oneshot.spaces.genotype import OPERATIONS as DARTS_OPERATIONS
from oneshot.spaces.nb201 import read_cell
from oneshot.spaces.registry import get_space
from oneshot.testing import CLASSES, MethodContract, batches, through_a_file, tiny

NONE, SKIP = DARTS_OPERATIONS.index("none"), DARTS_OPERATIONS.index("skip_connect")


def build(limit=2, method=DARTS, space=None, parts=()):
    torch.manual_seed(0)
    optimizer = method(parts=build_parts([SkipRestrictionSettings(limit), *parts]))
    optimizer.adapt_search_space(tiny() if space is None else space)
    return optimizer


def restricted(alphas, limit):
    """The edges of the normal cell: while too many are skip connections, the weakest one's weight is 0."""
    weights = {}
    for (source, target), row in alphas.items():
        weights[source, target] = torch.softmax(torch.tensor(row, dtype=torch.float64), 0).tolist()
        weights[source, target][NONE] = 0.0
    while True:
        kept = []
        for node in range(2, 6):
            into = sorted((edge for edge in weights if edge[1] == node), key=lambda edge: -max(weights[edge]))
            kept += sorted(into[:2])
        chosen = {edge: weights[edge].index(max(weights[edge])) for edge in kept}
        skips = [edge for edge, k in chosen.items() if k == SKIP]
        if len(skips) <= limit:
            return tuple((DARTS_OPERATIONS[k], source) for (source, _), k in chosen.items())
        weakest = min(skips, key=lambda edge: weights[edge][SKIP])
        weights[weakest][SKIP] = 0.0


def test_weakest_skip_connections_give_way_as_in_the_authors_code():
    optimizer = build(space=DARTSSearchSpace(CLASSES, channels=1, cells=3))
    edges = GRAPHS.edges(optimizer.graph)
    changed = 0
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        alphas = {}
        with torch.no_grad():
            for name, edge in edges.items():
                edge.alpha.copy_(torch.randn(8, generator=generator))
                edge.alpha[SKIP] += 1.5
                kind, _, place = name.partition(" ")
                if kind == "normal":
                    alphas[tuple(map(int, place.split("→")))] = edge.alpha.tolist()
        alphas = dict(sorted(alphas.items(), key=lambda item: (item[0][1], item[0][0])))
        for limit in (2, 0, 8):
            optimizer.parts[0].config = SkipRestrictionSettings(limit)
            optimizer.end_epoch(0, *batches(2))
            with optimizer.as_chosen() as graph:
                genotype = read_genotype(graph)
            assert genotype.normal == restricted(alphas, limit)
            assert len(selected_skips(optimizer)) <= limit
            changed += genotype.normal != restricted(alphas, 8)
    assert changed > 3


@pytest.mark.parametrize("method", [DARTS, DrNAS])
def test_the_cell_of_nas_bench_201_is_restricted(method):
    optimizer = build(1, method)
    skip = OPERATIONS.index("skip_connect")
    with torch.no_grad():
        for number, alpha in enumerate(optimizer.alphas):
            alpha.copy_(torch.tensor([0.5, 1 + 0.1 * number, 0.0, 0.6, 0.0]))
    assert len(selected_skips(optimizer)) == 6
    optimizer.end_epoch(0, *batches(2))
    edges = optimizer.supernet.searched_edges
    assert optimizer.choices(edges) == [3, 3, 3, 3, 3, skip]  # the strongest one stays
    with optimizer.as_chosen() as graph:
        assert read_cell(graph) == read_cell(optimizer.get_final_architecture())
    fresh = build(1, method)
    fresh.load_state_dict(through_a_file(optimizer.state_dict()))
    assert fresh.choices(fresh.supernet.searched_edges) == [3, 3, 3, 3, 3, skip]


def test_an_edge_without_another_candidate_keeps_its_skip_connection():
    optimizer = build(0, space=tiny())
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.copy_(torch.tensor([0.5, 1.0, 0.0, 0.0, 0.0]))
    edges = optimizer.supernet.searched_edges
    edges[0].set("kept", [1], shared=True)
    optimizer.parts[0].method.scores = lambda edge: (
        torch.tensor([-torch.inf, 1.0, *[-torch.inf] * 3]) if edge.has("kept") else edge.alpha.detach()
    )
    optimizer.end_epoch(0, *batches(2))
    assert optimizer.choices(edges) == [1, 0, 0, 0, 0, 0]


def test_edges_that_are_left_out_have_no_skip_connection():
    """S2 has no `none`: an edge that is left out has no candidate at all."""
    optimizer = build(8, space=get_space("s2").build(CLASSES, 1, 3))
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.copy_(torch.tensor([0.0, 1.0]))  # separable convolutions
    assert selected_skips(optimizer) == []
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.copy_(torch.tensor([1.0, 0.0]))
    assert len(selected_skips(optimizer)) == 8


@pytest.mark.slow
def test_a_search_goes_on_exactly(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "draw_all", lambda *args: {})
    settings, config = SearchSettings(channels=2), DARTSConfig(epochs=2, batch=360, arch_learning_rate=0.5)
    parts = [SkipRestrictionSettings(0)]
    whole = search(settings, config, parts=parts)
    left = iter(range(3))
    search(settings, config, tmp_path / "run", parts=parts, stop=lambda: next(left, None) is None)
    resumed = resume(tmp_path / "run")
    assert str(resumed.architecture) == str(whole.architecture)
    assert "skip_connect" not in str(whole.architecture)
    assert all("skip_connect" not in row["arch"] for row in whole.log)


def test_what_has_no_meaning():
    for method in (FairDARTS, SPOS):
        with pytest.raises(ConfigError, match="final_skips compares probabilities that add up to 1 at each"):
            method(parts=[SkipRestriction(SkipRestrictionSettings(2))])
    with pytest.raises(ConfigError, match="final_skips needs a next best candidate; --select"):
        build(parts=[SelectionSettings("perturbation")])
    with pytest.raises(ConfigError, match="final_skips needs a normal cell; the space hierarchical has"):
        SkipRestriction(SkipRestrictionSettings(2)).check(SearchSettings(space="hierarchical"))
    with pytest.raises(ConfigError, match="final_skips must be an integer >= -1, got -2"):
        SkipRestrictionSettings(-2)


@pytest.mark.contract
class TestDARTS(MethodContract):
    method = DARTS
    parts = (SkipRestrictionSettings(1),)
