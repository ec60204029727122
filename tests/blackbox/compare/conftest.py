"""The command in this process."""

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
