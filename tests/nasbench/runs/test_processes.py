import os
import subprocess
import sys

import pytest

from nasbench.runs.processes import environment

READ = [sys.executable, "-c", "import os; print(os.environ.get('ONE'), os.environ.get('TWO'))"]


def seen():
    return subprocess.run(READ, capture_output=True, text=True, check=True).stdout.split()


def test_processes_inherit_the_environment_until_its_end(monkeypatch):
    monkeypatch.setenv("ONE", "old")
    monkeypatch.delenv("TWO", raising=False)
    before = dict(os.environ)
    with environment(ONE="new", TWO="2"):
        assert seen() == ["new", "2"]
    assert seen() == ["old", "None"]
    assert dict(os.environ) == before


def test_what_others_set_in_it_is_undone_too_whatever_is_raised(monkeypatch):
    monkeypatch.setenv("ONE", "old")
    monkeypatch.setenv("TWO", "old")
    before = dict(os.environ)

    def change():
        os.environ["ONE"] = "changed"
        os.environ["THREE"] = "3"
        del os.environ["TWO"]
        raise KeyError

    with pytest.raises(KeyError), environment():
        change()
    assert dict(os.environ) == before
