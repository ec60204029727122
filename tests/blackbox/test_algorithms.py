import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from blackbox.algorithms import ALGORITHMS, algorithm
from blackbox.errors import UnknownAlgorithmError
from blackbox.re import RegularizedEvolution
from blackbox.search.base import Search
from blackbox.search.fidelity import MultiFidelitySearch

OWN = """
from blackbox.search.fidelity import MultiFidelitySearch
from blackbox.rs import RandomSearch
from blackbox.search.base import Search

class Mine(RandomSearch):
    name = "mine"

class NoSearch:
    pass

number = 5
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The name of a module of one's own."""
    (tmp_path / "own_search.py").write_text(OWN)
    (tmp_path / "broken_search.py").write_text("import a_module_that_does_not_exist")
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_search"
    for name in ("own_search", "broken_search"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_name_is_a_module_with_its_search_and_its_command(name):
    found = algorithm(name)
    assert issubclass(found, (Search, MultiFidelitySearch))
    assert found.__module__ == f"blackbox.{name}"
    assert found.__name__ == ALGORITHMS[name]
    assert found.name
    source = Path(importlib.import_module(f"blackbox.{name}").__file__).read_text()
    assert f"python -m blackbox.{name}`" in source.splitlines()[0]
    assert f"sys.exit(main({ALGORITHMS[name]}))" in source


def test_names_in_reports_are_not_shared():
    names = [algorithm(name).name for name in ALGORITHMS]
    assert len(set(names)) == len(names)


def test_a_search_of_ones_own(own):
    assert algorithm(f"{own}:Mine").name == "mine"
    assert algorithm("blackbox.re:RegularizedEvolution") is RegularizedEvolution


@pytest.mark.parametrize(
    "name", ["evolution", "", "RE", "re ", "blackbox.re", None, 5, ["re"], ":Mine", ".own:Mine", "a b:Mine"]
)
def test_an_unknown_name_is_an_error_that_lists_the_names(name):
    with pytest.raises(UnknownAlgorithmError, match=r"unknown algorithm .*; choose from rs, re, ls, "):
        algorithm(name)


@pytest.mark.parametrize("wanted", ["", "NoSearch", "number", "Missing", "os"])
def test_what_is_no_search_is_an_error(own, wanted):
    with pytest.raises(UnknownAlgorithmError, match=f"{own} has no search class {wanted}"):
        algorithm(f"{own}:{wanted}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:Search", "cannot be imported: No module named 'no_such_module'"),
        ("broken_search:Search", "cannot be imported: No module named 'a_module_that_does_not_exist'"),
    ],
)
def test_a_module_that_cannot_be_imported_is_an_error(own, name, message):
    with pytest.raises(UnknownAlgorithmError, match=message):
        algorithm(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_command_has_help(name):
    result = subprocess.run(
        [sys.executable, "-m", f"blackbox.{name}", "--help"],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "100"},
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"usage: python -m blackbox.{name} ")
