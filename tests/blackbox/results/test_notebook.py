"""Results of searches and of comparisons in notebooks."""

import sys

import numpy as np
import pytest

from blackbox import ASHA, NSGA2, RandomSearch, RegularizedEvolution, compare_runs, read_run
from blackbox.cli import main
from blackbox.errors import ConfigError, MissingDependencyError, RunFolderError
from blackbox.kinds.base import Experiment
from tests.notebook import SVG, html_of, rows_of, texts_of

pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def folders(home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for search, *flags in (
        (RandomSearch, "--trials", "5", "--evals", "40"),
        (RegularizedEvolution, "--trials", "5", "--evals", "40", "--population", "4", "--sample", "2"),
        (NSGA2, "--evals", "60"),
        (ASHA, "--trials", "2", "--budget", "40000s"),
    ):
        assert main(search, [*flags, "--out", str(folder / search.__name__)]) == 0
    return folder


@pytest.fixture
def result(folders, bench):
    """Gives the result of a search."""

    def result(search):
        run = read_run(folders / search.__name__)
        experiment = Experiment(
            run.kind, search, search.config_class(**run.record["search"]), run.settings, bench
        )
        return run.kind.result(experiment, run.history, True)

    return result


@pytest.mark.parametrize("search", [RandomSearch, ASHA])
def test_a_result_has_its_cell_and_its_regret(search, result):
    shown = result(search)
    tree, best = html_of(shown), shown.incumbents.best.cell
    assert tree.find(f".//{SVG}svg/{SVG}title").text == best.arch
    assert texts_of(tree)[:2] == shown.text().splitlines()[:2]
    rows = {row[0]: row[1:] for row in rows_of(tree)}
    assert rows["index"] == [str(best.index)]
    assert rows["val_accuracy [%]"][0] == f"{best.entry['cifar10']['val_accuracy']:.7g}"
    for row in shown.incumbents.regret:
        assert rows[row.point] == [f"{v:.7g}" for v in (row.regret.mean, row.regret.std, row.regret.median)]


def test_a_result_with_two_objectives_has_its_front(result):
    shown = result(NSGA2)
    rows = [row for row in rows_of(html_of(shown)) if len(row) == 6][1:]
    assert [row[-1] for row in rows] == [cell.arch for cell in shown.front.cells[:20]]
    assert [row[1] for row in rows] == [
        f"{cell.values['val_accuracy']:.7g}" for cell in shown.front.cells[:20]
    ]


def test_a_comparison_is_a_table(folders):
    found = compare_runs(folders / "RandomSearch", folders / "RegularizedEvolution")
    rows = rows_of(html_of(found))
    assert [row[0] for row in rows] == ["algorithm", *(each.label for each in found.algorithms)]
    for row, each in zip(rows[1:], found.algorithms, strict=True):
        assert row[1] == f"{each.regret.spread.mean:.7g}"
        assert row[-1] == f"{found.ranks.average[each.label]:.7g}"
    assert "entries" not in found.to_json()
    assert "targets" not in found.to_json()


def test_a_comparison_of_one(folders):
    found = compare_runs(folders / "RandomSearch")
    assert rows_of(html_of(found))[0][-1] == "at the optimum [%]"


def test_labels_are_escaped(folders):
    from dataclasses import replace

    found = compare_runs(folders / "RandomSearch")
    found = replace(found, algorithms=[replace(found.algorithms[0], label="<b>&")])
    assert rows_of(html_of(found))[1][0] == "<b>&"


def test_a_comparison_is_drawn(folders):
    found = compare_runs(folders / "RandomSearch", folders / "RegularizedEvolution")
    _, given = pyplot.subplots()
    axes = found.plot(ax=given)
    assert axes is given
    assert [line.get_label() for line in axes.lines] == [each.label for each in found.algorithms]
    for line, each in zip(axes.lines, found.algorithms, strict=True):
        assert np.isclose(line.get_ydata()[-1], each.regret.spread.mean)
    assert axes.get_ylabel() == "regret of the incumbent [%]"
    assert axes.get_xlabel() == "evaluations"
    assert axes.get_title().startswith("cifar10 val_accuracy\nmean regret of 5 trials")
    assert found.plot() is not given


def test_runs_that_cannot_be_compared(folders, tmp_path):
    with pytest.raises(ConfigError, match="got none"):
        compare_runs()
    with pytest.raises(RunFolderError, match="two objectives"):
        compare_runs(folders / "NSGA2")
    with pytest.raises(RunFolderError):
        compare_runs(tmp_path)


def test_matplotlib_is_missing(monkeypatch, folders):
    found = compare_runs(folders / "RandomSearch")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match="pip install matplotlib"):
        found.plot()
