import json

import pytest

from blackbox.predictors.__main__ import main
from tests.running import runner


@pytest.fixture
def run(capsys):
    return runner(main, capsys)


def test_more_cells_are_ranked_better_and_zero_cost_needs_none(run, bench):
    code, out, _ = run("--cells", "10,100", "--trials", 3, "--json")
    rows = {(row["predictor"], row["cells"]): row for row in json.loads(out)}
    assert code == 0
    for name in ("extra trees, paths", "extra trees, one-hot", "Gaussian process"):
        assert rows[name, 100]["kendall_mean"] > rows[name, 10]["kendall_mean"] > 0.1
        assert rows[name, 100]["spearman_mean"] > rows[name, 100]["kendall_mean"]
    assert rows["params", 0]["kendall_mean"] > 0.4
    assert rows["extra trees, paths", 100]["kendall_mean"] > rows["flops", 0]["kendall_mean"]


def test_the_table(run, bench):
    code, out, err = run("--cells", 10, "--trials", 1, "--tested", 50, "--dataset", "cifar100")
    assert (code, err) == (0, "")
    assert out.startswith("Rank correlation with cifar100 val_accuracy over 50 other cells,\n")
    assert len(out.splitlines()) == 9
    assert "±" not in out
    assert run("--cells", 10, "--trials", 1, "--tested", 50, "--dataset", "cifar100")[1] == out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--cells", "ten"), "cells must be integers >= 2, separated by commas; got 'ten'"),
        (("--cells", "1,10"), "cells must be integers >= 2"),
        (("--tested", 1), "tested must be an integer >= 2, got 1"),
        (("--trials", 0), "trials must be an integer >= 1, got 0"),
        (("--cells", 15000), "the space has only 15,625 cells, got 15,000 to fit to and 1,000 to rank"),
        (("--metric", "accuracy"), "accuracy"),
        (("--store", "/nowhere"), "/nowhere"),
    ],
)
def test_bad_input_is_one_line(run, bench, argv, message):
    code, out, err = run(*argv)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
