"""The limit of skip connections."""

import re

import pytest
import torch

from nasbench.cell import OPERATIONS
from oneshot.errors import ConfigError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.gdas import GDAS
from oneshot.methods.rsws import RSWS
from oneshot.parts.skip_limit import SkipLimit, SkipLimitSettings
from oneshot.search import SearchSettings, search
from oneshot.spaces.darts import DARTSSearchSpace
from oneshot.testing import MethodContract, batches, tiny

SKIP = OPERATIONS.index("skip_connect")


def build(method=DARTS, limit=2, space=None):
    optimizer = method(parts=[SkipLimit(SkipLimitSettings(skip_limit=limit))])
    optimizer.adapt_search_space(tiny() if space is None else space)
    return optimizer


def prefer(alphas, operation, count):
    """Let this candidate have the greatest alpha at the first edges, and another at the rest."""
    with torch.no_grad():
        for number, alpha in enumerate(alphas):
            alpha.zero_()
            alpha[operation if number < count else -1] = 1.0


@pytest.mark.parametrize(("skips", "stops"), [(0, False), (1, False), (2, True), (5, True)])
def test_two_skip_connections_end_a_search(skips, stops):
    optimizer = build()
    prefer(optimizer.alphas, SKIP, skips)
    assert optimizer.parts[0].skips() == skips
    reason = optimizer.end_epoch(4, *batches(2))
    expected = f"the cell has {skips} skip connections after epoch 5; the limit is 2"
    assert reason == (expected if stops else None)


def test_only_normal_cells_count_and_only_edges_that_stay():
    optimizer = build(space=DARTSSearchSpace(classes=4, channels=1, cells=3))
    cells = {cell.scope: cell for cell in optimizer.graph.graphs() if cell.scope}
    normal = [edge.alpha for *_, edge in cells["normal"].edges(data=True) if edge.has("alpha")]
    reduction = [edge.alpha for *_, edge in cells["reduction"].edges(data=True) if edge.has("alpha")]
    assert len(normal) == len(reduction) == 14
    skip = 3  # in the space of DARTS
    prefer(reduction, skip, 14)
    prefer(normal, skip, 0)
    assert optimizer.parts[0].skips() == 0
    prefer(normal, skip, 14)
    assert optimizer.parts[0].skips() == 8  # two edges into each of four nodes


def test_random_paths_have_a_champion_whose_skip_connections_count():
    optimizer = build(RSWS)
    assert optimizer.parts[0].skips() == sum(edge.best == SKIP for edge in optimizer.path_edges)


def test_a_search_stops_and_says_so(tmp_path):
    settings, config = SearchSettings(channels=2, seed=0), DARTSConfig(epochs=3, batch=360)
    whole = search(settings, config)
    result = search(settings, config, tmp_path / "run", parts=[SkipLimitSettings(skip_limit=1)])
    assert result.complete
    assert result.epochs == 1 < whole.epochs
    assert re.fullmatch(r"the cell has [1-6] skip connections? after epoch 1; the limit is 1", result.stopped)
    assert str(result.architecture) == result.log[0]["arch"] == whole.log[0]["arch"]
    assert (
        search(settings, config, parts=[SkipLimitSettings(skip_limit=7)]).architecture == whole.architecture
    )


def test_a_hierarchy_has_no_normal_cell():
    with pytest.raises(ConfigError, match="the space hierarchical has motifs instead"):
        SkipLimit().check(SearchSettings(space="hierarchical"))
    SkipLimit().check(SearchSettings(space="darts"))


@pytest.mark.contract
class TestDARTS(MethodContract):
    method = DARTS
    parts = (SkipLimitSettings(skip_limit=2),)


@pytest.mark.contract
class TestGDAS(MethodContract):
    method = GDAS
    options = {"estimator": "full"}
    parts = (SkipLimitSettings(skip_limit=2),)
