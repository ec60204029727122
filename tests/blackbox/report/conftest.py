"""Folders of small runs, created once by the commands of the searches."""

import pytest

from blackbox import cli
from blackbox.re import RegularizedEvolution
from blackbox.report.__main__ import main
from blackbox.rs import RandomSearch


@pytest.fixture(scope="session")
def runs(home, tmp_path_factory):
    """Return a folder with the runs `re` and `rs` on CIFAR-10 and `other` on CIFAR-100."""
    folder = tmp_path_factory.mktemp("runs")
    common = ["--evals", "150", "--trials", "6"]
    for name, search, options in (
        ("re", RegularizedEvolution, ["--population", "30"]),
        ("rs", RandomSearch, []),
        ("other", RandomSearch, ["--dataset", "cifar100", "--noise", "seed"]),
    ):
        assert cli.main(search, [*common, *options, "--out", str(folder / name)]) == 0
    return folder


@pytest.fixture(scope="session")
def report(runs, tmp_path_factory):
    """Return the path of the report of all three runs."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert main([*(str(runs / name) for name in ("re", "rs", "other")), "--out", str(path)]) == 0
    return path
