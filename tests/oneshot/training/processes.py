"""Two processes, started by torchrun as a user would."""

import os
import subprocess
import sys

import pytest

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
LIMIT = 120  # seconds, on a busy machine


def start(*argv, **env):
    return subprocess.Popen(
        [*TORCHRUN, *map(str, argv)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process):
    """Return (exit code, stdout, stderr) of processes; fail if they do not end in time."""
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.terminate()
        out, err = process.communicate()
        pytest.fail(f"the processes hang: {err}")
    return process.returncode, out, err


def said(err, command="oneshot.retrain"):
    """Return the lines that the command itself wrote to stderr."""
    return [line for line in err.splitlines() if line.startswith((f"python -m {command}", "inter"))]
