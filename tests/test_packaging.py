"""Tests of the files that `pip install` installs."""

import configparser
import importlib.metadata
import itertools
from pathlib import Path

import pytest

import nasbench

ROOT = Path(__file__).parents[1]


def test_the_installed_package_has_every_module():
    try:
        installed = importlib.metadata.files("nas-toolkit")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed here, only its source tree is")
    installed = {str(path) for path in installed}
    if any("__editable__" in path for path in installed):
        pytest.skip("the package is installed as a link to its source tree")
    wanted = {
        str(path.relative_to(ROOT))
        for package in ("nasbench", "blackbox", "data", "oneshot")
        for path in (ROOT / package).rglob("*.py*")
        if path.suffix in (".py", ".pyi")
    }
    wanted |= {
        str(path.relative_to(ROOT))
        for folder in ("nasbench/pages/parts", "nasbench/explore/page", "blackbox/report/page")
        for path in (ROOT / folder).iterdir()
    }
    wanted |= {"nasbench/tables/nb201.h5", "nasbench/tables/README.md"}
    wanted |= {f"{package}/py.typed" for package in ("nasbench", "blackbox", "data", "oneshot")}
    assert len(wanted) > 80
    assert wanted <= installed


def test_every_dependency_is_what_the_installation_page_says():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"].values()
    lines = itertools.chain.from_iterable(
        text.splitlines() for text in [config["options"]["install_requires"], *extras]
    )
    names = {line.split(">")[0].split("=")[0] for line in lines if line and not line.startswith("#")}
    dependencies = (ROOT / "docs" / "install.md").read_text().split("## Dependencies")[1]
    assert names
    assert not {name for name in names if name not in dependencies}


def test_the_version_is_said_once():
    assert "attr: nasbench.__version__" in (ROOT / "setup.cfg").read_text()
    assert nasbench.__version__.count(".") == 2
