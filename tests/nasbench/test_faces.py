import subprocess
import sys

import pytest

import nasbench
from nasbench.faces import lazy


def loaded(code):
    """Which of h5py and numpy a process has loaded after some code."""
    code = f"{code}\nimport sys; print(sorted({{'h5py', 'numpy'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["settings", "command", "files", "text", "progress", "processes"])
def test_what_every_command_needs_loads_no_table(module):
    assert loaded(f"import nasbench.runs.{module}") == "[]"


def test_public_names_are_loaded_when_they_are_used():
    assert loaded("import nasbench") == "[]"
    assert loaded("from nasbench import NASBenchError") == "[]"
    assert loaded("from nasbench import NB201") == "['h5py', 'numpy']"
    assert [getattr(nasbench, name).__module__ for name in ("NB201", "SizeCell")] == [
        "nasbench.benchmark",
        "nasbench.size",
    ]
    assert all(hasattr(nasbench, name) for name in nasbench.__all__)


def test_an_unknown_name_is_an_error_that_lists_the_public_ones():
    with pytest.raises(
        AttributeError, match="there is no NB101; public names: CELLS, Cell, CellEntry, EDGES, "
    ):
        nasbench.NB101  # noqa: B018
    with pytest.raises(ImportError, match="NB101"):
        from nasbench import NB101  # noqa: F401


def test_the_public_names_are_those_of_the_stub(tmp_path):
    (tmp_path / "__init__.pyi").write_text("from math import pi as pi\n\nversion: str\n")
    names, get = lazy(str(tmp_path / "__init__.py"))
    assert names == ["pi"]
    assert get("pi") > 3
    with pytest.raises(AttributeError, match="there is no version; public names: pi$"):
        get("version")
