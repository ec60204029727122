"""All methods as parameters of a test."""

import pytest

from oneshot.methods.registry import METHODS

_BASIC = ("darts", "gdas", "spos")  # of each kind one: mixtures, samples, paths
#: All methods; the test command runs the basic ones, `pytest -m slow` the others.
EVERY_METHOD = [name if name in _BASIC else pytest.param(name, marks=pytest.mark.slow) for name in METHODS]
