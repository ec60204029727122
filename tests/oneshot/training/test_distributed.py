"""Several processes against one; each is started as a user would, by torchrun."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from nasbench.runs.folder import read_record
from nasbench.runs.log import read_log
from oneshot.errors import ConfigError, DeviceError, GroupError
from oneshot.retrain import __main__ as command
from oneshot.retrain.weights import RETRAINING, RETRAINING_LOG
from oneshot.training.checkpoints import read_checkpoint
from oneshot.training.distributed import ProcessGroup
from tests.oneshot.training.processes import LIMIT, end, said, start

# 1,442 images: batches of 361, and a last one of 359, of which the processes have unequal parts. The learning
# rate is one at which rounding, here of float32, has not yet grown.
FLAGS = ("DARTS_V2", "--channels", "2", "--batch", "361", "--epochs", "3", "--device", "cpu", "--ema", "0.9")
FLAGS = (*FLAGS, "--learning-rate", "0.001")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of a run of one process."""
    path = tmp_path_factory.mktemp("runs") / "alone"
    assert command.main([*FLAGS, "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder of the like of two, and what they printed."""
    path = tmp_path_factory.mktemp("runs") / "both"
    code, out, err = end(start("-m", "oneshot.retrain", *FLAGS, "--out", path))
    assert code == 0, err
    return path, out


def test_two_processes_are_as_one(alone, both):
    path, out = both
    rows = [read_log(each, RETRAINING_LOG) for each in (alone, path)]
    for one, two in zip(*rows, strict=True):
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=1e-4)
        assert two["test_loss"] == pytest.approx(one["test_loss"], rel=1e-4)
        assert (two["learning_rate"], two["drop_path"]) == (one["learning_rate"], one["drop_path"])
        assert two["top1"] == pytest.approx(one["top1"], abs=0.6)  # 2 of 355 images
    states = [read_checkpoint(each)["training"] for each in (alone, path)]
    for name in ("weights", "average"):
        torch.testing.assert_close(states[1][name], states[0][name], rtol=1e-2, atol=1e-4)
    assert torch.equal(states[0]["rng"]["cpu"], states[1]["rng"]["cpu"])
    assert out.count("an architecture of darts on digits") == 1
    assert " by 2 processes\n" in out
    assert {each.name for each in path.iterdir()} == {each.name for each in alone.iterdir()}
    assert read_record(path, RETRAINING)["processes"] == 2
    assert read_record(path, RETRAINING)["places"]["device"] == "cpu"


CHECKS = """
import torch
from torch import nn
from nasbench.runs.folder import read_record
from nasbench.runs.log import read_log
from oneshot.errors import GroupError
from oneshot.training.distributed import ProcessGroup, joined, leave
from oneshot.training.sync_norm import GroupBatchNorm2d

with joined() as group:
    assert (group.size, ProcessGroup.present().rank) == (2, group.rank)
    assert group.sum(torch.tensor([1.0 + group.rank])).tolist() == [3.0]
    tensors = [torch.full((2, 1), 1.0 + group.rank), torch.full((3,), 5 * group.rank)]
    group.sum_all(tensors)
    assert [each.flatten().tolist() for each in tensors] == [[3.0, 3.0], [5, 5, 5]]
    group.sum_all([])
    assert group.gather(torch.tensor([group.rank, 7])).tolist() == [[0, 7], [1, 7]]
    tensors = [torch.full((2,), 1.0 + group.rank), torch.tensor(4 + group.rank)]
    group.broadcast(tensors)
    assert (tensors[0].tolist(), int(tensors[1])) == ([1.0, 1.0], 4)
    assert group.any((group.rank == 1, False)) == (True, False)
    order = []
    assert group.main_process_first(lambda: order.append(1) or group.rank) == group.rank
    assert order == [1]
    for rank in range(2):
        def fail():
            if group.rank == rank:
                raise ValueError("no such thing")
        try:
            group.run_on_all(fail)
        except ValueError:
            assert group.rank == rank
        except GroupError as error:
            assert group.rank != rank
            assert str(error) == f"process {rank} of 2: no such thing"
        else:
            raise AssertionError

    # a normalization by both processes' parts, against one by the whole
    torch.manual_seed(0)
    x = 5 + torch.randn(5, 3, 4, 4, dtype=torch.float64)
    grad = torch.randn(5, 3, 4, 4, dtype=torch.float64)
    part = slice(0, 2) if group.rank == 0 else slice(2, 5)
    whole, norm = nn.BatchNorm2d(3).double(), GroupBatchNorm2d(nn.BatchNorm2d(3).double(), group)
    inputs = [x.clone().requires_grad_(), x[part].clone().requires_grad_()]
    expected, found = whole(inputs[0]), norm(inputs[1])
    torch.testing.assert_close(found, expected[part])
    expected.backward(grad)
    found.backward(grad[part])
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad[part])
    grads = [each.grad for each in norm.parameters()]
    group.sum_all(grads)
    torch.testing.assert_close(grads, [each.grad for each in whole.parameters()])
    torch.testing.assert_close(norm.state_dict(), whole.state_dict())

    if group.rank == 1:
        leave(0)  # without a word
    try:
        group.sum(torch.ones(1))
    except GroupError as error:
        assert "another of the 2 processes has ended" in str(error)
    else:
        raise AssertionError
print("all is well")
leave(0)
"""


EXACT = """
import sys
import torch
from oneshot.training.distributed import joined, leave
from functools import partial
from oneshot.retrain import RetrainSettings
from oneshot.retrain.session import RetrainSession
from oneshot.retrain.task import RetrainJob
from oneshot.training.environment import Environment

class Doubled:
    def __init__(self, loader):
        self.loader = loader
    def __len__(self):
        return len(self.loader)
    def epoch(self, *args):
        return ((images.double(), labels) for images, labels in self.loader.epoch(*args))

settings = RetrainSettings(channels=2, batch=131, epochs=3, ema=0.9, drop_path=0.5, grad_clip=1.0)
here = Environment(device="cpu")
job = partial(RetrainJob.create, "DARTS_V2", settings, here)
with joined() as group, RetrainSession.begin(job) as session:
    task, epochs = session.task, []
    task.network.double()
    task.average.double()
    task._train, task._test = Doubled(task._train), Doubled(task._test)
    session.trainer.run(lambda: False, lambda: None, epochs.append)
    values = [
        value
        for epoch in epochs
        for value in (*epoch.splits[0], *epoch.result.test, *epoch.result.average)
    ]
    if group.is_main:
        torch.save((values, *task.weights()), sys.argv[1])
leave(0)
"""


@pytest.mark.slow
def test_the_only_difference_is_rounding(tmp_path):
    """In float64, over 33 steps of published size, with drop path and clipping."""
    script = tmp_path / "exact.py"
    script.write_text(EXACT)
    subprocess.run([sys.executable, script, tmp_path / "1.pt"], check=True, timeout=LIMIT)
    code, out, err = end(start(script, tmp_path / "2.pt"))
    assert code == 0, err
    one, two = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in (1, 2))
    assert two[0] == pytest.approx(one[0], rel=1e-9)
    torch.testing.assert_close(two[1:], one[1:], rtol=1e-7, atol=1e-9)


def test_sums_agreement_and_normalization(tmp_path):
    (tmp_path / "checks.py").write_text(CHECKS)
    code, out, err = end(start(tmp_path / "checks.py"))
    assert "all is well" in out, err


@pytest.mark.slow
def test_a_run_of_two_that_is_interrupted_goes_on_in_one(tmp_path):
    """An interrupt, which torchrun passes on, stops both after the same step; one process goes on."""
    path = tmp_path / "a"
    process = start("-m", "oneshot.retrain", *FLAGS, "--epochs", "60", "--out", path)
    deadline = time.monotonic() + LIMIT
    while not (path / "checkpoint.pt").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    code, out, err = end(process)
    assert code != 0
    assert len(said(err)) == 1, err
    assert said(err)[0].startswith("interrupted after ")
    assert said(err)[0].endswith(f"continue with: python -m oneshot.retrain --resume {path}")
    assert out.count("an architecture of") == 1
    assert json.loads((path / "summary.json").read_text())["complete"] is False
    state = read_checkpoint(path)["training"]
    assert len(read_log(path, RETRAINING_LOG)) == state["epoch"]
    assert state["batch"] == 0 or state["tally"][2] == 361 * state["batch"]  # the sums of both
    assert command.main(["--resume", str(path)]) == 0
    assert json.loads((path / "summary.json").read_text())["epochs"] == 60


def _errors():
    for argv, message in (
        (("6111", "--learning-rate", "1e30"), "the loss became NaN or infinite at epoch 1, by step"),
        (("6111", "--epochs", "0"), "epochs must be an integer >= 1, got 0"),
        (("6111", "--dataset", "mnist"), "a data set must be cifar10"),
        (("6111", "--device", "cuda:0"), "cuda:0 is one device, but there are 2 processes"),
        (
            ("6111", "--compile"),
            "--compile does not support normalization over the batch of several processes",
        ),
        (
            ("6111", "--batch", "359", "--local-bn"),
            "the last batch of an epoch has 3 images, which are too few",
        ),
    ):
        yield pytest.param(argv, message, id=argv[1])


@pytest.mark.slow
@pytest.mark.parametrize(("argv", "message"), list(_errors()))
def test_an_error_is_said_once_and_ends_all(argv, message):
    code, out, err = end(start("-m", "oneshot.retrain", *argv))
    assert (code, out) == (1, "")
    assert len(said(err)) == 1, err
    assert message in said(err)[0]


@pytest.mark.slow
def test_statistics_of_each_process_alone(alone, tmp_path):
    path = tmp_path / "a"
    code, out, err = end(start("-m", "oneshot.retrain", *FLAGS, "--local-bn", "--out", path))
    assert code == 0, err
    rows = [read_log(each, RETRAINING_LOG) for each in (alone, path)]
    assert rows[0][0]["train_loss"] != pytest.approx(rows[1][0]["train_loss"], rel=1e-5)
    assert rows[0][0]["train_loss"] == pytest.approx(rows[1][0]["train_loss"], rel=0.2)


@pytest.mark.slow
def test_a_process_that_is_lost_ends_the_other(tmp_path):
    """Killed as by a machine without memory: the other says so, or is stopped by torchrun."""
    path = tmp_path / "a"
    process = start("-m", "oneshot.retrain", *FLAGS, "--epochs", "500", "--out", path)
    deadline = time.monotonic() + LIMIT
    while not (path / "checkpoint.pt").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    os.kill(int(children.stdout.split()[-1]), signal.SIGKILL)
    code, _, err = end(process)
    assert code != 0
    assert read_checkpoint(path)["training"]["epoch"] >= 1


# Without other processes


def test_a_group_of_one():
    group = ProcessGroup()
    tensor = torch.ones(2)
    assert group.sum(tensor) is tensor
    group.sum_all([tensor])
    group.broadcast([tensor])
    assert tensor.tolist() == [1.0, 1.0]
    assert group.gather(tensor).shape == (1, 2)
    assert (group.is_main, group.part, group.device("cpu").type) == (True, (0, 1), "cpu")
    with pytest.raises(ZeroDivisionError):
        group.run_on_all(lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="gloo says nothing"), group.watching():
        raise RuntimeError("gloo says nothing")


def test_each_process_has_a_device_of_its_own(monkeypatch):
    group = ProcessGroup(1, 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert group.device(None) == torch.device("cpu")
    with pytest.raises(DeviceError, match="cuda:1 is not available: this machine has no CUDA device"):
        group.device("cuda")
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert group.device(None) == group.device("cuda") == torch.device("cuda", 1)
    assert chosen == [torch.device("cuda", 1)] * 2
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(DeviceError, match="cuda:2 is not available"):
        group.device("cuda")
    with pytest.raises(ConfigError, match="--device cuda, which gives each process its own"):
        group.device("cuda:1")


def test_what_torch_says_of_a_lost_process_is_one_error():
    group = ProcessGroup(0, 2)
    message = "another of the 2 processes has ended; see the last line of its output"
    with pytest.raises(GroupError, match=message), group.watching():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:1")
    with pytest.raises(RuntimeError, match="shapes"), group.watching():
        raise RuntimeError("shapes do not meet")


def test_processes_that_cannot_be_joined(capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    assert command.main(["6111"]) == 2
    assert "error: cannot join the other processes: " in capsys.readouterr().err
