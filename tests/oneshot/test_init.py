import subprocess
import sys
from typing import get_args

import pytest

import oneshot
from oneshot.methods.registry import METHODS
from oneshot.spaces.registry import SPACES


def test_every_public_name_is_there():
    assert {"DARTS", "GDAS", "Graph", "MetaOptimizer", "parse_architecture", "get_space"} <= set(
        oneshot.__all__
    )
    assert all(getattr(oneshot, name) is not None for name in oneshot.__all__)


def test_names_of_spaces_and_methods_are_those_that_there_are():
    assert list(get_args(oneshot.SpaceName)) == list(SPACES)
    assert list(get_args(oneshot.MethodName)) == list(METHODS)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(AttributeError, match="there is no DART; public names: .*DARTS, .*"):
        oneshot.DART  # noqa: B018


def test_torch_is_loaded_with_the_first_name_that_needs_it():
    code = (
        "import sys, oneshot; oneshot.get_space('darts'), oneshot.parse_architecture('6111');"
        "oneshot.Genotype;"
        "import oneshot.methods.registry, oneshot.methods.recipes; print('torch' in sys.modules);"
        "oneshot.DARTS; print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"]
