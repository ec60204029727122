"""The host waits for the device once per epoch, not in its steps; on "meta", which computes nothing."""

import pytest
import torch

import data.loader
import oneshot.retrain.task as retraining
from benchmarks.operations import Operations, like_a_card
from oneshot.retrain.settings import RetrainSettings
from oneshot.search.settings import SearchSettings, build_config
from oneshot.search.task import SearchJob, SearchTask
from oneshot.training.distributed import ProcessGroup
from oneshot.training.environment import Environment
from oneshot.training.trainer import Trainer

META, HERE, ALONE = torch.device("meta"), Environment(device="cpu"), ProcessGroup()


@pytest.fixture(autouse=True)
def on_meta(monkeypatch):
    """Leave out what needs values: the cost of a network, the scores in the log."""
    monkeypatch.setattr(data.loader, "_device", torch.device)
    monkeypatch.setattr(retraining, "measure_cost", lambda network, shape: None)
    monkeypatch.setattr(SearchTask, "_scores_now", lambda self: None)
    with like_a_card():
        yield


def retrain(architecture="6111", **settings):
    chosen = RetrainSettings(**{"epochs": 1, "batch": 16, "channels": 2, "cells": 1} | settings)
    job = retraining.RetrainJob.create(architecture, chosen, HERE, ALONE)
    return retraining.RetrainTask(job, META, ALONE)


def search(method):
    settings = SearchSettings(method=method, channels=4, cells=1)
    job = SearchJob.create(settings, build_config(settings, epochs=16, batch=16), HERE, ALONE)
    with META:
        return SearchTask(job, META, ALONE)


def waits(task, steps):
    """The number of waits within the first steps of an epoch."""
    trainer, left = Trainer(task), iter(range(steps))
    with Operations("meta") as seen:
        trainer.run(lambda: next(left, None) is None, lambda: None, lambda epoch: None)
    assert trainer.steps == steps
    return len(seen.waits)


@pytest.mark.parametrize(
    ("build", "per_step"),
    [
        pytest.param(retrain, 0, id="retrain"),
        pytest.param(lambda: retrain("DARTS_V2", cells=3, ema=0.99, cutout=4), 0, id="retrain, darts"),
        pytest.param(lambda: search("darts"), 0, id="darts"),
        pytest.param(lambda: search("drnas"), 0, id="drnas"),
        pytest.param(lambda: search("pc-darts"), 0, id="pc-darts"),
        pytest.param(lambda: search("gdas"), 1, id="gdas"),  # the numbers of the sampled candidates
    ],
)
def test_steps_do_not_wait(build, per_step):
    few, many = waits(build(), 3), waits(build(), 8)
    assert many - few == 5 * per_step
    assert few - 3 * per_step <= 3  # the orders of the images, and the first sample


def test_a_wait_in_a_step_is_seen(monkeypatch):
    step = retraining.RetrainTask.step

    def waiting(task, batch):
        (outcome,) = step(task, batch)
        outcome.loss.tolist()
        return [outcome]

    monkeypatch.setattr(retraining.RetrainTask, "step", waiting)
    assert waits(retrain(), 8) - waits(retrain(), 3) == 5
