"""The stop by the largest eigenvalue."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from oneshot.errors import ConfigError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.drnas import DrNAS
from oneshot.methods.gdas import GDAS
from oneshot.methods.rsws import RSWS
from oneshot.parts.eigenvalue import EigenvalueSettings, EigenvalueStop
from oneshot.search import SearchSettings, search
from oneshot.spaces.nb201 import read_cell
from oneshot.testing import MethodContract, batches, same, snapshot, through_a_file, tiny

SETTINGS = EigenvalueSettings(eigenvalue_ratio=1.3, eigenvalue_window=3, eigenvalue_start=1)


def build(method=DARTS, config=SETTINGS, seed=0):
    torch.manual_seed(seed)
    optimizer = method(parts=[EigenvalueStop(config)])
    optimizer.adapt_search_space(tiny())
    return optimizer


@pytest.mark.parametrize("method", [DARTS, DrNAS])
def test_the_eigenvalue_is_that_of_differences_of_gradients(method):
    optimizer = build(method)
    optimizer.graph.double()
    for alpha in optimizer.alphas:
        alpha.data = 300 * alpha.data.double()
    (data,) = batches(1, size=4, dtype=torch.float64)
    columns = []
    optimizer.graph.eval()
    for alpha in optimizer.alphas:
        for k in range(len(alpha)):
            ends = []
            for sign in (1, -1):
                with torch.no_grad():
                    alpha[k] += sign * 1e-7
                loss = cross_entropy(optimizer.graph.interpret(data[0]), data[1])
                ends.append(torch.cat(torch.autograd.grad(loss, optimizer.alphas)))
                with torch.no_grad():
                    alpha[k] -= sign * 1e-7
            columns.append((ends[0] - ends[1]) / 2e-7)
    expected = torch.linalg.eigvals(torch.stack(columns)).real.max()
    optimizer.graph.train()
    before = snapshot(optimizer)
    assert optimizer.parts[0].eigenvalue(data) == pytest.approx(float(expected), rel=1e-4)
    assert optimizer.graph.training
    assert same(snapshot(optimizer), before)
    assert all(parameter.grad is None for parameter in [*optimizer.weights, *optimizer.alphas])


def ended(monkeypatch, eigenvalues, config=SETTINGS, resumed_at=None):
    """End epochs with these eigenvalues, and alphas that tell epochs apart."""
    values = iter(eigenvalues)
    monkeypatch.setattr(EigenvalueStop, "eigenvalue", lambda self, data: next(values))
    optimizer = build(config=config)
    for epoch in range(len(eigenvalues)):
        with torch.no_grad():
            optimizer.alphas[0].fill_(epoch)
        reason = optimizer.end_epoch(epoch, *batches(2))
        if epoch == resumed_at:
            state = through_a_file(optimizer.state_dict())
            optimizer = build(config=config, seed=1)
            optimizer.load_state_dict(state)
        if reason is not None:
            break
    scores = [optimizer.final_scores(edge) for edge in optimizer.supernet.searched_edges]
    return optimizer, epoch, reason, scores


@pytest.mark.parametrize("resumed_at", [None, 1, 4, 6])
def test_the_architecture_is_that_of_a_window_before(monkeypatch, resumed_at):
    eigenvalues = [9.0, 1.0, 1.0, 1.0, 1.2, 1.2, 1.6, 9.0]
    # windows of three around epochs 2 and 5: means 1 and 4/3, a ratio above 1.3
    optimizer, epoch, reason, scores = ended(monkeypatch, eigenvalues, resumed_at=resumed_at)
    assert epoch == 6
    assert reason == (
        "the largest eigenvalue of the validation loss rose from 1 to 1.33;"
        " the architecture is the one after epoch 3"
    )
    assert scores[0].tolist() == [2.0] * 5
    assert len(scores) == 6
    with optimizer.as_chosen() as graph:
        assert read_cell(optimizer.get_final_architecture()) == read_cell(graph)
    resumed = build(seed=2)
    resumed.load_state_dict(through_a_file(optimizer.state_dict()))
    again = [resumed.final_scores(edge) for edge in resumed.supernet.searched_edges]
    assert same(again, scores)
    with torch.no_grad():
        resumed.alphas[0].copy_(100 * torch.eye(5)[4])  # what comes later does not count
    with resumed.as_chosen() as graph:
        assert read_cell(resumed.get_final_architecture()) == read_cell(graph)
    assert resumed.choice(resumed.supernet.searched_edges[0]) != 4


@pytest.mark.parametrize(
    ("eigenvalues", "start"),
    [
        ([1.0] * 8, 1),
        ([1.0, 1.0, 1.0, 1.2, 1.3, 1.4, 1.2], 1),  # exactly 1.3
        ([1.0, 1.0, 1.0, 1.0, 9.0, 9.0, 9.0], 3),  # too early
        ([-1.0, -1.0, -1.0, -1.0, 2.0, 2.0, 2.0], 1),  # no ratio to a negative eigenvalue
    ],
)
def test_no_stop(monkeypatch, eigenvalues, start):
    config = EigenvalueSettings(eigenvalue_ratio=1.3, eigenvalue_window=3, eigenvalue_start=start)
    _, epoch, reason, scores = ended(monkeypatch, eigenvalues, config)
    assert reason is None
    assert scores[0].tolist() == [len(eigenvalues) - 1.0] * 5


@pytest.mark.parametrize(
    ("method", "config", "message"),
    [
        (GDAS, SETTINGS, "GDAS samples a path for each pass"),
        (RSWS, SETTINGS, "random search with weight sharing samples a path for each pass"),
        (DARTS, EigenvalueSettings(eigenvalue_ratio=1.3, eigenvalue_start=43), "must be >= 51, got 50"),
    ],
)
def test_searches_without_a_meaning(method, config, message):
    with pytest.raises(ConfigError, match=message):
        method(parts=[EigenvalueStop(config)])


def test_invalid_settings():
    with pytest.raises(ConfigError, match="eigenvalue_ratio must be 0 or > 1, got 0.5"):
        EigenvalueSettings(eigenvalue_ratio=0.5)
    with pytest.raises(ConfigError, match="which --compile does not support"):
        EigenvalueStop().check(SearchSettings(compile=True))


@pytest.mark.slow
def test_a_search_that_does_not_stop_is_the_search_without_it(tmp_path):
    settings, config = SearchSettings(channels=2), DARTSConfig(epochs=2, batch=64)
    part = EigenvalueSettings(eigenvalue_ratio=1e9, eigenvalue_window=1, eigenvalue_start=0)
    plain, watched = search(settings, config), search(settings, config, tmp_path / "run", parts=[part])
    assert watched.stopped is None
    assert same(snapshot(watched.optimizer), snapshot(plain.optimizer))
    assert len(watched.optimizer.parts[0]._eigenvalues) == 2


@pytest.mark.contract
class TestDARTS(MethodContract):
    method = DARTS
    parts = (SETTINGS,)
