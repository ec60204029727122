import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from data.images import Images
from data.statistics import PUBLISHED
from oneshot import ops
from oneshot.errors import DivergedError
from oneshot.retrain.settings import RetrainSettings
from oneshot.retrain.task import RetrainJob
from oneshot.spaces.architectures import Architecture
from oneshot.training.distributed import ProcessGroup
from oneshot.training.environment import Environment
from oneshot.training.trainer import Trainer
from tests.data import archives

CPU = torch.device("cpu")


def training(architecture, **settings):
    """A Trainer before its first step, and its job."""
    settings = RetrainSettings(**{"channels": 2, "epochs": 4, "batch": 400, "seed": 3} | settings)
    job = RetrainJob.create(architecture, settings, Environment(device="cpu"), ProcessGroup())
    torch.manual_seed(settings.seed)
    return Trainer(job.build(CPU, ProcessGroup())), job


def run(training):
    epochs = []
    assert training.run(lambda: False, lambda: None, epochs.append)
    return epochs


@pytest.fixture(autouse=True)
def _own_random_numbers():
    with torch.random.fork_rng([]):
        yield


@pytest.fixture
def of_32_pixels(monkeypatch):
    """The digits as a data set of 20 images of 32x32 pixels."""

    def load(name, folder, *, train=True, download=False):
        count = 20 if train else 12
        labels = torch.arange(count).numpy() % 10
        return Images("made", archives.pixels(count, 32), labels, tuple("abcdefghij"), PUBLISHED["cifar10"])

    monkeypatch.setattr("oneshot.training.images.load", load)


def test_the_rates_of_each_epoch():
    done, _ = training("DARTS_V2", learning_rate=0.1, learning_rate_min=0.02, drop_path=0.4)
    epochs = run(done)
    expected = [0.02 + 0.08 * (1 + math.cos(math.pi * n / 4)) / 2 for n in range(4)]
    assert [epoch.result.learning_rate for epoch in epochs] == pytest.approx(expected)
    assert [epoch.result.drop_path for epoch in epochs] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    drops = [module for module in done.task.network.modules() if isinstance(module, ops.DropPath)]
    assert {drop.rate for drop in drops} == {epochs[-1].result.drop_path}
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
    assert (done.epoch, done.batch) == (4, 0)


def plain(done, job, epochs, clip, weight, nesterov, decay):
    """The weights, and their moving average, after so many epochs, by a loop that does what papers say."""
    network = done.task.network.clone().train()
    parameters = list(network.parameters())
    optimizer = torch.optim.SGD(
        parameters, job.settings.learning_rate, 0.9, nesterov=nesterov, weight_decay=job.settings.weight_decay
    )
    average = None
    loader = job.images.train(job.settings.batch, False, job.settings.cutout, "cpu")
    torch.manual_seed(77)
    losses = []
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = job.settings.learning_rate * (1 + math.cos(math.pi * epoch / 4)) / 2
        for module in network.modules():
            if isinstance(module, ops.DropPath):
                module.rate = job.settings.drop_path * epoch / 4
        total = 0.0
        for images, labels in loader.epoch(epoch):
            output = network(images)
            logits, auxiliary = output if weight else (output, None)
            loss = cross_entropy(logits, labels)
            total += loss.item() * len(labels)
            if weight:
                loss = loss + weight * cross_entropy(auxiliary, labels)
            optimizer.zero_grad()
            loss.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(parameters, clip)
            optimizer.step()
            now = {name: value.clone() for name, value in network.state_dict().items()}
            if average is None:
                average = now
            elif decay is not None:
                for name, value in now.items():
                    if value.is_floating_point():
                        average[name] = decay * average[name] + (1 - decay) * value
        losses.append(total / job.images.train_images.count)
    return network.state_dict(), average, losses


@pytest.mark.parametrize(
    ("architecture", "settings", "clip", "weight", "nesterov"),
    [
        ("6111", {"split": "full"}, 0, 0, True),
        ("6111", {"split": "half", "grad_clip": 0.1, "ema": 0.5}, 0.1, 0, True),
        ("DARTS_V2", {"cutout": 4, "ema": 0.9}, 5, 0, False),
    ],
)
def test_it_does_what_papers_say(architecture, settings, clip, weight, nesterov):
    done, job = training(architecture, **settings)
    stopped = iter([False] * (3 * len(done.task)))
    expected, average, losses = plain(done, job, 3, clip, weight, nesterov, job.settings.ema)
    torch.manual_seed(77)
    epochs = []
    done.run(lambda: next(stopped, True), lambda: None, epochs.append)
    assert [epoch.splits[0].loss for epoch in epochs] == pytest.approx(losses, rel=1e-6)
    torch.testing.assert_close(done.task.network.state_dict(), expected)
    if done.task.average is not None:
        found = {k: v for k, v in done.task.average.module.state_dict().items() if v.is_floating_point()}
        torch.testing.assert_close(found, {name: average[name] for name in found})


def test_with_a_second_classifier(of_32_pixels):
    sizes = {"dataset": "fashion-mnist", "batch": 10, "channels": 2, "cells": 4}
    done, job = training("DARTS_V2", **sizes)
    assert job.settings.auxiliary_weight == 0.4
    images, labels = next(done.task._train.epoch(0))
    expected = done.task.network.clone().train()
    logits, auxiliary = expected(images)
    (cross_entropy(logits, labels) + 0.4 * cross_entropy(auxiliary, labels)).backward()
    _, loss, _ = done.task.gradients(images, labels, 1.0)
    assert loss.item() == pytest.approx(cross_entropy(logits, labels).item())
    for one, other in zip(done.task.network.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    without, _ = training("DARTS_V2", auxiliary_weight=0.0, **sizes)
    heads = [
        [module for module in each.task.network.modules() if isinstance(module, ops.AuxiliaryHead)]
        for each in (done, without)
    ]
    assert list(map(len, heads)) == [1, 0]
    assert run(done)[-1].result.test.loss > 0


def test_a_loss_that_is_no_number_is_seen_between_steps():
    done, _ = training("6111", split="full", learning_rate=1e30, batch=100)

    with pytest.raises(DivergedError, match=r"the loss became NaN or infinite at epoch 1, by step \d+ of 15"):
        done.run(lambda: False, done.look, lambda epoch: None)
    assert done.batch < 10


def test_weights_that_are_no_numbers_are_seen_at_the_end_of_an_epoch():
    done, _ = training("6111")

    def poison():
        if done.batch == len(done.task):
            with torch.no_grad():
                next(done.task.network.parameters()).fill_(math.nan)

    with pytest.raises(DivergedError, match=r"weights became NaN or infinite at epoch 1, by step 2 of 2"):
        done.run(lambda: False, poison, lambda epoch: None)


def test_bfloat16():
    done, _ = training("6111", amp=True)
    assert run(done)[-1].splits[0].loss < 2.3
    assert {p.dtype for p in done.task.network.parameters()} == {torch.float32}


def test_trying_a_batch_leaves_nothing():
    done, _ = training("6111")
    done.task.try_batch(8)
    assert all(p.grad is None for p in done.task.network.parameters())


def test_the_best_epoch_is_the_first_of_the_best():
    done, _ = training("6111")
    epochs = run(done)
    tops = [epoch.result.test.top1 for epoch in epochs]
    assert done.task.best == (1 + tops.index(max(tops)), max(tops))
    assert Architecture.parse("6111").space == "nb201"


def test_the_network_and_its_order_of_images_are_of_the_seed():
    first, second, other = (training("6111", seed=seed)[0] for seed in (3, 3, 4))
    for one, two in zip(first.task.network.parameters(), second.task.network.parameters(), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(next(first.task.network.parameters()), next(other.task.network.parameters()))
    assert run(first)[-1].result.test == run(second)[-1].result.test
