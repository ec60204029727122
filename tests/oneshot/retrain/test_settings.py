from dataclasses import fields

import pytest

from oneshot.errors import ConfigError
from oneshot.retrain.pipelines import PIPELINES, get_pipeline
from oneshot.retrain.settings import SMOKE, RetrainSettings
from oneshot.spaces.published import DARTS_V2, GDAS_V1
from oneshot.spaces.registry import SPACES, get_space

CIFAR = (32, 32)


def completed(space, size=CIFAR, architecture=None, **given):
    return RetrainSettings(**{"dataset": "cifar10"} | given).completed(space, size, architecture)


@pytest.mark.parametrize(
    ("space", "published"),
    [
        (
            "darts",
            {
                "split": "full",
                "epochs": 600,
                "batch": 96,
                "learning_rate": 0.025,
                "learning_rate_min": 0.0,
                "momentum": 0.9,
                "weight_decay": 3e-4,
                "grad_clip": 5.0,
                "cutout": 16,
                "drop_path": 0.2,
                "auxiliary_weight": 0.4,
                "channels": 36,
                "cells": 20,
                "protocol": None,
            },
        ),
        (
            "hierarchical",
            {
                "split": "full",
                "epochs": 600,
                "batch": 32,
                "learning_rate": 0.025,
                "learning_rate_min": 0.001,
                "momentum": 0.9,
                "weight_decay": 3e-4,
                "grad_clip": 5.0,
                "cutout": 16,
                "drop_path": 0.2,
                "auxiliary_weight": 0.0,
                "channels": 64,
                "cells": 2,
            },
        ),
        (
            "nb201",
            {
                "split": "half",
                "epochs": 200,
                "batch": 256,
                "learning_rate": 0.1,
                "learning_rate_min": 0.0,
                "momentum": 0.9,
                "weight_decay": 5e-4,
                "grad_clip": 0.0,
                "cutout": 0,
                "drop_path": 0.0,
                "auxiliary_weight": 0.0,
                "channels": 16,
                "cells": 5,
                "protocol": 200,
            },
        ),
    ],
)
def test_the_published_pipelines(space, published):
    """Ruchte et al. 2020, appendix A.1; Dong & Yang 2020, arXiv:2001.00326, section 2.2."""
    settings, notes = completed(space)
    assert {name: getattr(settings, name) for name in published} == published
    assert (settings.space, notes) == (space, [])
    assert PIPELINES[space].nesterov == (space == "nb201")
    assert get_pipeline(space, "cifar10").augment
    assert settings.completed(space, CIFAR) == (settings, [])


def test_every_space_has_a_pipeline():
    assert set(PIPELINES) == set(SPACES)


def test_the_cell_of_gdas_has_a_smaller_batch():
    assert [completed("darts", architecture=each)[0].batch for each in (DARTS_V2, GDAS_V1)] == [96, 72]
    assert completed("darts", architecture=GDAS_V1, batch=8)[0].batch == 8


def test_what_is_given_is_kept():
    settings, _ = completed("darts", epochs=3, split="half", drop_path=0.0, auxiliary_weight=0.1, channels=5)
    assert (settings.epochs, settings.split, settings.drop_path) == (3, "half", 0.0)
    assert (settings.auxiliary_weight, settings.channels, settings.cells) == (0.1, 5, 20)
    assert completed("nb201", protocol=12)[0].epochs == 12
    assert completed("nb201", protocol=12, epochs=3)[0].epochs == 3
    assert completed("nb201", (8, 8), dataset="digits", protocol=12)[0].epochs == 12


def test_small_images():
    settings, notes = completed("darts", (8, 8), dataset="digits")
    assert (settings.epochs, settings.cutout, settings.auxiliary_weight, settings.cells) == (10, 0, 0.0, 3)
    assert notes == ["an auxiliary classifier needs images of 32x32, got 8x8; training without one"]
    assert not get_pipeline("darts", "digits").augment
    settings, notes = completed("darts", (16, 16), dataset="imagenet16-120", auxiliary_weight=0.0)
    assert (settings.cutout, notes) == (8, [])  # in proportion
    with pytest.raises(ConfigError, match=r"needs images of 32x32, got 16x16; try --auxiliary-weight 0"):
        completed("darts", (16, 16), auxiliary_weight=0.4)


def test_an_auxiliary_head_stands_before_the_last_cell():
    settings, notes = completed("darts", cells=3)
    assert settings.auxiliary_weight == 0.0
    assert notes == ["an auxiliary classifier needs at least 4 cells, got 3; training without one"]
    assert completed("darts", cells=4)[0].auxiliary_weight == 0.4
    with pytest.raises(ConfigError, match="at least 4 cells, got 3; try --auxiliary-weight 0"):
        completed("darts", cells=3, auxiliary_weight=0.1)
    with pytest.raises(ConfigError, match="cells must be >= 4, got 3"):
        get_space("darts").network(DARTS_V2, cells=3, auxiliary=True)


def test_a_trial_has_settings_that_there_are():
    assert set(SMOKE) <= {f.name for f in fields(RetrainSettings)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"space": "x"}, "unknown space 'x'"),
        ({"dataset": 3}, "dataset must be a string, got 3"),
        ({"split": "third"}, "split must be full or half, got 'third'"),
        ({"split_list": "x"}, r"split_list needs --split half and .* cifar100 or .*, got cifar10$"),
        (
            {"dataset": "cifar100", "split": "full", "split_list": "x"},
            "got cifar100 and --split full",
        ),
        ({"epochs": 0}, "epochs must be an integer >= 1, got 0"),
        ({"batch": 1}, "batch must be an integer >= 2, got 1"),
        ({"cutout": -1}, "cutout must be an integer >= 0"),
        ({"channels": 0}, "channels must be an integer in"),
        ({"seed": -1}, "seed must be an integer in"),
        ({"learning_rate": 0}, "learning_rate must be > 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"grad_clip": -1}, "grad_clip must be >= 0"),
        ({"momentum": 1.0}, "momentum must be < 1, got 1.0"),
        ({"drop_path": 1.0}, "drop_path must be < 1, got 1.0"),
        ({"ema": 1.0}, "ema must be < 1, got 1.0"),
        ({"ema": -0.1}, "ema must be >= 0"),
        ({"learning_rate": 0.1, "learning_rate_min": 0.2}, "learning_rate_min must be <= learning_rate"),
        ({"amp": 1}, "amp must be true or false, got 1"),
    ],
)
def test_settings_outside_their_range_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        RetrainSettings(**{"dataset": "cifar10"} | settings)


@pytest.mark.parametrize(
    ("space", "settings", "message"),
    [
        ("darts", {"protocol": 12}, "protocol cannot be set, because darts has none; got 12"),
        ("nb201", {"protocol": 90}, "protocol must be 200 or 12 for nb201; got 90"),
        (
            "nb201",
            {"drop_path": 0.1},
            "drop_path must be 0, because networks of nb201 have no paths to drop; got 0.1",
        ),
        (
            "hierarchical",
            {"auxiliary_weight": 0.4},
            "networks of hierarchical have no auxiliary classifier; got",
        ),
        ("hierarchical", {"learning_rate": 1e-4}, "learning_rate_min must be <= learning_rate"),
        ("darts", {"dataset": "cifar100", "split_list": "x"}, "got cifar100 and --split full"),
    ],
)
def test_settings_that_a_space_has_not_are_errors(space, settings, message):
    with pytest.raises(ConfigError, match=message):
        completed(space, **settings)


def test_paths_are_the_same_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RetrainSettings(dataset="folder:x").dataset == f"folder:{tmp_path}/x"
    assert RetrainSettings(dataset="cifar100", split_list="x").split_list == f"{tmp_path}/x"
