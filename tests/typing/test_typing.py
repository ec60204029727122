"""Types as users meet them: the README's programs pass, wrong uses are rejected."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_readme import PROGRAMS, ROOT

WRONG = Path(__file__).with_name("wrong_uses.py")
# Users need not annotate their own functions; what they call is checked all the same.
RELAXED = "# mypy: allow-untyped-defs, allow-untyped-calls, allow-any-generics, check-untyped-defs\n"

needs_mypy = pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")


def errors(*paths):
    """The errors that mypy reports, as (file name, line number, code)."""
    command = [sys.executable, "-m", "mypy", "--config-file", "setup.cfg", *map(str, paths)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.stderr == ""
    lines = re.findall(r"^(\S+):(\d+): error: .*\[([\w-]+)\]$", result.stdout, re.MULTILINE)
    assert result.returncode == (1 if lines else 0), result.stdout
    return {(Path(file).name, int(line), code) for file, line, code in lines}


@needs_mypy
def test_wrong_uses_are_rejected_and_the_programs_of_the_readme_are_not(tmp_path):
    for number, program in enumerate(PROGRAMS):
        (tmp_path / f"program_{number}.py").write_text(RELAXED + program)
    marks = re.findall(r"^(.*?)(?:  # rejected: (.*))?$", WRONG.read_text(), re.MULTILINE)
    rejected = {
        (WRONG.name, line, code)
        for line, (_, codes) in enumerate(marks, start=1)
        for code in codes.split(", ")
        if code
    }
    assert len(rejected) > 40
    assert errors(WRONG, *tmp_path.iterdir()) == rejected
