"""The command in this process."""

import sys

import pytest

from blackbox.compare.__main__ import main


@pytest.fixture
def compare(capsys):
    """Runs the command: (exit code, stdout, stderr). One process to work, unless it says otherwise."""

    def compare(*argv):
        workers = () if "--workers" in argv else ("--workers", 1)
        try:
            code = main([str(arg) for arg in (*argv, *workers)])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return compare


@pytest.fixture
def plain(monkeypatch):
    """Folders have no pictures, as where matplotlib is not installed: for tests that do not look at them."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
