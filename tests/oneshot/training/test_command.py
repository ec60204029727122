import pytest

from oneshot.training.command import shortened


@pytest.mark.parametrize(
    ("given", "note"),
    [
        ({}, ""),
        ({"epochs": 1, "seed": 3}, ""),
        ({"epochs": 2, "seed": 3}, "note: --smoke overrides --epochs\n"),
        (
            {"warm_up": 5, "epochs": 2, "cells": [1]},
            "note: --smoke overrides --epochs, --warm-up and --cells\n",
        ),
    ],
)
def test_a_quick_trial_names_the_options_that_it_overrides(capsys, given, note):
    smoke = {"epochs": 1, "warm_up": 0, "cells": ()}
    assert shortened(given, smoke) == given | smoke
    assert capsys.readouterr().err == note
