"""Pages of the default table, written once."""

import json

import pytest

from nasbench.__main__ import main

FEW = ("val_accuracy", "test_accuracy", "val_accuracy@12", "latency", "params", "pixel3_latency")


@pytest.fixture
def command(capsys):
    """Return a function that runs `explore` in this process: (exit code, stdout, stderr)."""

    def command(*argv):
        try:
            code = main(["explore", *map(str, argv)])
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return command


@pytest.fixture(scope="session")
def explorer(home, tmp_path_factory):
    """Return the path of a page with a few metrics on CIFAR-10."""
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    assert main(["explore", "--dataset", "cifar10", "--metrics", *FEW, "--out", str(path)]) == 0
    return path


def data_of(path):
    return json.loads(path.read_text().split('id="data">')[1].split("</script>")[0])
