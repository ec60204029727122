"""Results of searches by gradient and of retrainings in notebooks."""

from dataclasses import replace

import pytest

from oneshot.methods.darts import DARTSConfig
from oneshot.retrain import RetrainSettings, retrain
from oneshot.retrain.report import format_result as format_retraining
from oneshot.search import SearchSettings, search
from oneshot.search.report import format_result as format_search
from tests.notebook import SVG, html_of, rows_of, texts_of


@pytest.fixture(scope="module")
def found():
    return search(SearchSettings(channels=2), DARTSConfig(epochs=1, batch=256))


def test_a_search_has_its_cell_and_its_entry(found):
    tree = html_of(found)
    assert tree.find(f".//{SVG}svg/{SVG}title").text == str(found.architecture)
    assert texts_of(tree)[:2] == format_search(found).splitlines()[:2]
    rows = {row[0]: row[1:] for row in rows_of(tree)}
    assert rows["cell"] == [str(found.architecture)]
    assert rows["index"] == [str(found.benchmark.index)]
    assert rows["val_accuracy [%]"][0] == f"{found.benchmark.entry['cifar10']['val_accuracy']:.7g}"


def test_names_are_escaped(found):
    settings = replace(found.settings, dataset="a<b>&c")
    assert "a<b>&c" in texts_of(html_of(replace(found, settings=settings)))[0]


def test_a_retraining_has_its_cell_and_its_accuracy():
    result = retrain("6111", RetrainSettings(channels=2, epochs=1, batch=256))
    tree = html_of(result)
    assert tree.find(f".//{SVG}svg/{SVG}title").text == str(result.architecture.value)
    rows = rows_of(tree)
    for label, text in rows:
        assert f"{label:<15} {text}" in format_retraining(result)
    assert any(text.startswith(f"{result.top1:.2f} % of the ") for _, text in rows)
