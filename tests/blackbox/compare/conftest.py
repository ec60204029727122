"""The command in this process."""

import pytest

from blackbox.compare.__main__ import main


@pytest.fixture
def compare(capsys):
    """Runs the command: (exit code, stdout, stderr)."""

    def compare(*argv):
        try:
            code = main([str(arg) for arg in argv])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return compare
