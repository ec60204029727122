"""What files of a retraining hold: its config.json, and the weights that are kept."""

import io
from dataclasses import asdict
from pathlib import Path

import torch

from nasbench.errors import NASBenchError, said
from nasbench.runs.files import utc_now
from oneshot.errors import ConfigError, OneShotError, RunFolderError
from oneshot.retrain.settings import RetrainSettings
from oneshot.search.record import versions
from oneshot.search.settings import Places
from oneshot.spaces.architectures import Architecture
from oneshot.spaces.registry import space_of
from oneshot.training.folder import Stage, read_tensors

RETRAINING = Stage(
    "retraining",
    {
        "epoch": int,
        "train_loss": float,  # of the main classifier alone, as the next
        "train_accuracy": float,
        "test_loss": float,  # this and the next ones of the validation half, with split half
        "top1": float,
        "top5": float,
        "ema_top1": float,
        "ema_top5": float,
        "learning_rate": float,
        "drop_path": float,
        "images_per_second": float,  # this and the next depend on the machine
        "seconds": float,
    },
)
_OPTIONAL = ("split_list", "protocol", "ema")  # settings that a run may lack
BEST, LAST = "best.pt", "last.pt"


def record_of(job, places, group):
    """What a run's config.json holds of a Job, at these Places, and a Group."""
    return {
        "architecture": job.architecture.record,
        "settings": asdict(job.settings),
        "places": places.record(),
        "data": job.feed.facts(),
        "processes": group.size,
        "versions": versions(),
        "created": utc_now(),
    }


def recorded(record, path):
    """The Architecture, the settings and the places in a run's config.json."""
    try:
        settings = RetrainSettings(**record["settings"])
        left = [name for name, value in asdict(settings).items() if value is None and name not in _OPTIONAL]
        if left:
            raise TypeError(f"{', '.join(left)} not given")
        places = Places(**record["places"])
        for name, kind in (("data", dict), ("processes", int)):
            if not isinstance(record[name], kind):
                raise TypeError(f"{name} is {record[name]!r}")
        architecture = record["architecture"]
    except (KeyError, TypeError, ValueError, AttributeError, OneShotError, NASBenchError) as error:
        raise RunFolderError(
            f"{path}/config.json is not that of a retraining, damaged, or of another version: {said(error)}"
        ) from None
    return Architecture.from_record(architecture, Path(path) / "config.json"), settings, places


def kept(job, training, top1):
    """A network's weights with what is needed to use them, as bytes of a file for `load_network`."""
    weights, average = training.weights()
    settings = job.settings
    data = io.BytesIO()
    torch.save(
        {
            "architecture": job.architecture.record,
            "classes": job.feed.classes,
            "channels": settings.channels,
            "cells": settings.cells,
            "auxiliary": settings.auxiliary_weight > 0,
            "epoch": training.epoch,
            "top1": top1,
            "weights": weights,
            "average": average,
        },
        data,
    )
    return data.getbuffer()


def load_network(path, classes=None, average=False):
    """The trained network in a best.pt or last.pt, a parsed Graph in evaluation mode on the CPU.

    `classes`: how many it is to tell apart; None: whatever it was trained for. `average`: with the moving
    average of its weights. ConfigError for another number of classes, or where there is no average;
    RunFolderError for a file that is damaged.
    """
    state = read_tensors(path)
    if state is None:
        raise RunFolderError(f"there is no {path}; a retraining writes {BEST} and {LAST} to its folder")
    try:
        if classes is not None and state["classes"] != classes:
            raise ConfigError(f"{path} is of a network for {state['classes']} classes, not {classes}")
        architecture = Architecture.from_record(state["architecture"], path)
        if average and state["average"] is None:
            raise ConfigError(f"{path} has no moving average of weights; --ema keeps one")
        network = space_of(architecture.space).network(
            architecture.value,
            state["classes"],
            state["channels"],
            state["cells"],
            auxiliary=state["auxiliary"],
        )
        network.load_state_dict(state["average" if average else "weights"])
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, (OneShotError, NASBenchError)):
            raise
        raise RunFolderError(f"{path} is damaged, or of another version: {said(error)}") from None
    return network.eval()
