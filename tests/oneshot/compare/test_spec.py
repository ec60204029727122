import re

import pytest

from oneshot.compare.spec import MethodSpec
from oneshot.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("darts", "darts"),
        ("darts:", "darts"),
        ("darts:order=2,epochs=10", "darts:epochs=10,order=2"),
        ("darts:amp", "darts:amp"),
        ("gdas:nesterov=false,channels=4", "gdas:channels=4,nesterov=false"),
        ("darts:warm_up=3", "darts:warm_up=3"),
        ("oneshot.methods.darts:DARTS", "oneshot.methods.darts:DARTS"),
        ("oneshot.methods.darts:DARTS:order=2", "oneshot.methods.darts:DARTS:order=2"),
    ],
)
def test_texts(text, label):
    spec = MethodSpec.parse(text)
    assert spec.label == label
    assert MethodSpec.parse(label) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dart", "unknown method 'dart'; did you mean darts"),
        ("nothing-like-it", "unknown method 'nothing-like-it'; the methods are darts, gdas"),
        ("oneshot.methods.darts:Darts", "cannot load the method 'oneshot.methods.darts:Darts'"),
        ("rsws:tau_max=3", "rsws has no setting 'tau_max'; its settings are: recipe, channels, cells"),
        ("darts:seed=3", "darts has no setting 'seed'"),
        ("darts:epochs", "epochs needs a value, epochs=..., in darts:epochs"),
        ("darts:epochs=two", "epochs of darts must be an integer, got 'two'"),
        ("darts:order=3", "order of darts must be 1 or 2, got '3'"),
        ("darts:epochs=1,epochs=2", "darts:epochs=1,epochs=2 has epochs twice"),
    ],
)
def test_bad_texts(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        MethodSpec.parse(text)


def test_its_own_settings_come_before_the_common_ones_and_it_leaves_out_those_it_lacks():
    common = {"epochs": 5, "arch_learning_rate": 0.1, "amp": True, "nesterov": False, "warm_up": 2}
    assert MethodSpec.parse("darts:epochs=10,order=2").words(common) == [
        *("--method", "darts", "--epochs", "10", "--arch-learning-rate", "0.1", "--amp", "--no-nesterov"),
        *("--warm-up", "2", "--order", "2"),
    ]
    assert MethodSpec.parse("darts:stage_candidates=5,3,stage_weights=kept").words({"stage_cells": ()}) == [
        *("--method", "darts", "--stage-cells", "none", "--stage-candidates", "5,3"),
        *("--stage-weights", "kept"),
    ]
    words = ["--method", "rsws", "--epochs", "5", "--amp", "--no-nesterov", "--warm-up", "2"]
    assert MethodSpec.parse("rsws").words(common) == words


@pytest.mark.parametrize(
    ("text", "common", "message"),
    [
        ("darts", {"epochs": 0}, "darts: epochs must be an integer >= 1, got 0"),
        ("gdas:tau_max=0.01", {}, "gdas:tau_max=0.01: tau_min must be <= tau_max"),
        ("darts:epochs=2", {"warm_up": 2}, "darts:epochs=2: warm_up must leave an epoch for the alphas"),
    ],
)
def test_searches_that_cannot_begin(text, common, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        MethodSpec.parse(text).check("nb201", "digits", common, smoke=False)
    for name in ("darts", "pc-darts", "p-darts"):  # a trial of one epoch has neither a warm-up nor stages
        MethodSpec.parse(name).check("nb201", "digits", {"channels": 4}, smoke=True)
