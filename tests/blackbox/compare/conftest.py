"""Fixtures of comparisons in the process of a test."""

import sys

import pytest

from blackbox.compare.__main__ import main


@pytest.fixture
def compare(capsys):
    """Return a function that runs the command, by default with one worker: (exit code, stdout, stderr)."""

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
    """Hide matplotlib, so that folders have no plots, for tests that do not look at plots."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
