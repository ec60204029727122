import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import blackbox
from blackbox.algorithms import ALGORITHMS


@pytest.mark.parametrize("name", blackbox.__all__)
def test_every_public_name_can_be_imported(name):
    scope = {}
    exec(f"from blackbox import {name}", scope)
    assert scope[name] is not None


def test_type_checkers_take_no_other_names():
    lines = Path(blackbox.__file__).with_suffix(".pyi").read_text().splitlines()
    assert all(re.fullmatch(r"from blackbox[.\w]* import (\w+) as \1", line) for line in lines)
    assert len(lines) == len(set(blackbox.__all__)) == len(blackbox.__all__)


def test_every_algorithm_is_a_public_name():
    assert set(ALGORITHMS.values()) <= set(blackbox.__all__)


def test_modules_have_names_of_their_own():
    """A public name that is also a module would be one or the other, by what was imported before."""
    modules = {path.stem for path in Path(blackbox.__file__).parent.iterdir()}
    assert not modules & set(blackbox.__all__)


def test_an_unknown_name_is_an_error():
    with pytest.raises(ImportError, match="cannot import name 'Evolution'"):
        exec("from blackbox import Evolution")
    with pytest.raises(AttributeError, match="there is no Evolution; public names: "):
        blackbox.Evolution  # noqa: B018


def test_importing_the_package_loads_none_of_its_modules_and_no_numpy():
    code = "import blackbox, sys; print([m for m in sys.modules if m.startswith(('blackbox', 'numpy'))])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "['blackbox']\n"


def test_the_usage_block(home):
    assert doctest.testmod(blackbox).failed == 0
