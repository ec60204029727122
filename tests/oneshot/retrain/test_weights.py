import pytest
import torch

from oneshot.errors import ConfigError, RunFolderError
from oneshot.retrain.session import retrain
from oneshot.retrain.settings import RetrainSettings
from oneshot.retrain.weights import load_network
from oneshot.training.environment import Environment
from oneshot.training.images import RetrainImages
from oneshot.training.metrics import measure_accuracy


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A retraining with a moving average, and its folder."""
    path = tmp_path_factory.mktemp("runs") / "a"
    settings = RetrainSettings(channels=2, epochs=3, batch=200, ema=0.5, learning_rate=0.5)
    return retrain("6111", settings, path, environment=Environment(device="cpu")), path


def accuracy(network):
    images = RetrainImages("digits", Environment(), "half")
    return measure_accuracy(network, images.test(200, "cpu").epoch(0), 10)


def test_the_weights_that_are_kept_are_those_that_were_accuracy(run):
    result, path = run
    last = result.log[-1]
    best = max(result.log, key=lambda row: row["top1"])
    assert accuracy(load_network(path / "last.pt", 10)).top1 == last["top1"] == result.top1
    assert accuracy(load_network(path / "last.pt", average=True)).top1 == last["ema_top1"]
    assert accuracy(load_network(path / "best.pt")).top1 == best["top1"] == result.to_json()["best"]["top1"]
    assert not load_network(path / "best.pt").training
    state = torch.load(path / "best.pt", weights_only=True)
    assert (state["epoch"], state["classes"]) == (best["epoch"], 10)


def test_another_number_of_classes_is_an_error(run):
    with pytest.raises(ConfigError, match=r"last.pt has a network for 10 classes, not 100"):
        load_network(run[1] / "last.pt", 100)


def test_what_is_no_network_is_an_error(run, tmp_path):
    with pytest.raises(RunFolderError, match=r"x.pt does not exist; a retraining writes best.pt and last.pt"):
        load_network(tmp_path / "x.pt")
    good = torch.load(run[1] / "last.pt", weights_only=True)
    path = tmp_path / "a.pt"
    for change, message in [
        ({"average": None}, "a.pt has no moving average of weights; --ema keeps one"),
        ({"architecture": {"space": "nb201", "text": "x"}}, "no architecture: 'x' is not an architecture"),
        ({"channels": 3}, r"a.pt is damaged or of another version: .*size mismatch"),
        ({"weights": {}}, r"a.pt is damaged or of another version: .*Missing key"),
        ({"auxiliary": True}, "networks of nb201 cannot have an auxiliary classifier"),
    ]:
        torch.save(good | change, path)
        with pytest.raises((ConfigError, RunFolderError), match=message):
            load_network(path, average="average" in change)
    good.pop("classes")
    torch.save(good, path)
    with pytest.raises(RunFolderError, match=r"a.pt is damaged or of another version: it has no 'classes'"):
        load_network(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RunFolderError, match=r"a.pt is damaged: it was truncated"):
        load_network(path)
