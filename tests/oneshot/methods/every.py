"""All methods as parameters of a test."""

import pytest

from oneshot.methods.registry import METHODS

_BASIC = ("darts", "gdas", "spos")  # one of each kind: mixtures, samples, paths
#: All methods; the test command runs the basic ones, `pytest -m contract` the others.
EVERY_METHOD = [pytest.param(name, marks=() if name in _BASIC else pytest.mark.contract) for name in METHODS]
