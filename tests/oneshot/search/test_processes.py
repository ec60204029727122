"""Searches of two processes against one; the processes are started as a user would, by torchrun."""

import json

import pytest

from nasbench.runs.folder import read_record
from nasbench.runs.log import read_log
from oneshot.errors import ConfigError
from oneshot.methods.darts import DARTSConfig
from oneshot.search import SearchSettings
from oneshot.search import __main__ as command
from oneshot.search.record import SEARCH, SEARCH_LOG
from oneshot.search.task import SearchJob
from oneshot.training.distributed import ProcessGroup
from oneshot.training.environment import Environment
from tests.oneshot.training.processes import end, said, start

# 721 images in each half: batches of 241, of which the processes have unequal parts, and a last one of 239.
FLAGS = ("--channels", "2", "--batch", "241", "--epochs", "2", "--device", "cpu", "--learning-rate", "0.001")

EXACT = """
import sys
import torch
from oneshot.methods.registry import get_method
from functools import partial
from oneshot.search.session import SearchSession
from oneshot.search.task import SearchJob
from oneshot.search.settings import SearchSettings
from oneshot.training.distributed import joined, leave
from oneshot.training.environment import Environment

class Doubled:
    def __init__(self, loader):
        self.loader = loader
    def __len__(self):
        return len(self.loader)
    def __iter__(self):
        return self.epoch(0)
    def epoch(self, *args):
        return ((images.double(), labels) for images, labels in self.loader.epoch(*args))
    def forever(self, *args):
        return ((images.double(), labels) for images, labels in self.loader.forever(*args))

def run(method, **options):
    kind = get_method(method).config_class
    few = {"paths": 4, "batches": 2, "finalists": 2} if method == "rsws" else {}
    config = kind(epochs=2, batch=241, **few, **options)
    settings = SearchSettings(method=method, channels=2)
    job = partial(SearchJob.create, settings, config, Environment(device="cpu"))
    with SearchSession.begin(job) as session:
        task = session.task
        task.optimizer.graph.double()
        task.optimizer.supernet.architectural_weights.double()
        task._train, task._val = Doubled(task._train), Doubled(task._val)
        evaluation = task.evaluation
        task.evaluation = lambda: Doubled(evaluation()._loader)
        result = session.run()
    losses = [(row["train_loss"], row["train_accuracy"], row["val_loss"] or 0.0) for row in result.log]
    cells = [row["arch"] for row in result.log] + [str(result.architecture)]
    losses.append((result.path.loss, result.path.accuracy, 0.0))
    return torch.tensor(losses, dtype=torch.float64), cells, result.optimizer

cases = eval(sys.argv[1])
with joined() as group:
    together = [run(method, **options) for method, options in cases]
    for _, _, optimizer in together:
        for one in (*optimizer.weights, *optimizer.alphas):
            assert torch.equal(*group.gather(one.detach())), "the processes have other weights"
if group.rank:
    leave(0)
for (method, options), (losses, cells, optimizer) in zip(cases, together):
    expected, expected_cells, alone = run(method, **options)
    assert cells == expected_cells, (method, cells, expected_cells)
    torch.testing.assert_close(losses, expected, rtol=1e-6, atol=0.0)
    for one, other in zip(optimizer.alphas, alone.alphas, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)
print("all is well")
leave(0)
"""


@pytest.mark.parametrize(
    "cases",
    [
        [("darts", {}), ("gdas", {})],
        pytest.param(
            [("darts", {"order": 2}), ("drnas", {"divergence": 0.1}), ("rsws", {})], marks=pytest.mark.slow
        ),
    ],
    ids=["few", "others"],
)
def test_two_processes_find_the_cells_of_one_with_its_losses(tmp_path, cases):
    """In float64, over two epochs of three steps."""
    (tmp_path / "exact.py").write_text(EXACT)
    code, out, err = end(start(tmp_path / "exact.py", repr(cases)))
    assert "all is well" in out, err
    assert code == 0


def test_the_command_prints_once_and_writes_the_folder_of_one_process(tmp_path):
    alone, both = tmp_path / "alone", tmp_path / "both"
    flags = (*FLAGS, "--method", "gdas")
    assert command.main([*flags, "--out", str(alone)]) == 0
    code, out, err = end(start("-m", "oneshot.search", *flags, "--out", both))
    assert code == 0, err
    for one, two in zip(read_log(alone, SEARCH_LOG), read_log(both, SEARCH_LOG), strict=True):
        for name in ("train_loss", "val_loss"):
            assert two[name] == pytest.approx(one[name], rel=1e-4)
        assert two["tau"] == one["tau"]
    assert out.count("GDAS on digits, nb201 with 2 channels and 1 cell per stage\n") == 1
    assert " of search by 2 processes\n" in out
    assert {each.name for each in both.iterdir()} == {each.name for each in alone.iterdir()}
    assert read_record(both, SEARCH)["places"]["device"] == "cpu"
    assert json.loads((both / "summary.json").read_text())["complete"]
    assert command.main(["--resume", str(both), "--json"]) == 0  # by one process


@pytest.mark.slow
def test_an_error_is_said_once_and_ends_all():
    code, out, err = end(start("-m", "oneshot.search", *FLAGS, "--learning-rate", "1e30"))
    assert (code, out) == (1, "")
    assert len(said(err, "oneshot.search")) == 1, err
    assert "the loss became NaN or infinite at epoch 1, step" in said(err, "oneshot.search")[0]


def test_what_several_processes_cannot_do_is_an_error():
    group, here = ProcessGroup(0, 3), Environment(device="cpu")
    for settings, batch, message in (
        (SearchSettings(), 719, "the last batch of an epoch has 2 images, which are too few for 3 processes"),
        (SearchSettings(), 2, "a batch has 2 images, which are too few for 3 processes; try another --batch"),
        (
            SearchSettings(compile=True),
            64,
            "--compile does not support normalization over the batch of several",
        ),
    ):
        with pytest.raises(ConfigError, match=message):
            SearchJob.create(settings, DARTSConfig(batch=batch), here, group)


@pytest.mark.slow
def test_two_processes_rebuild_the_supernet_of_a_stage_together(tmp_path):
    alone, both = tmp_path / "alone", tmp_path / "both"
    flags = (
        *FLAGS,
        "--stage-candidates",
        "5,3",
        "--stage-partial-channels",
        "2,1",
        "--stage-weights",
        "kept",
    )
    assert command.main([*flags, "--out", str(alone)]) == 0
    code, _, err = end(start("-m", "oneshot.search", *flags, "--out", both))
    assert code == 0, err
    for one, two in zip(read_log(alone, SEARCH_LOG), read_log(both, SEARCH_LOG), strict=True):
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=1e-4)
        assert two["val_loss"] == pytest.approx(one["val_loss"], rel=1e-4)
        assert two["arch"] == one["arch"]
