import numpy as np
import pytest

from benchmarks.protocol import Training, draw, main, published, row
from nasbench import NB201
from nasbench.cell import official_index
from nasbench.errors import NotRecordedError
from oneshot.retrain.__main__ import main as retrain
from tests import stores

LENGTH = 200


@pytest.fixture(scope="module")
def curves(tmp_path_factory):
    """A store with curves of 200 epochs, which lacks the cell of code 4."""
    path = tmp_path_factory.mktemp("curves") / "curves.h5"
    return NB201(stores.write(path, stores.arrays_with_curves()))


def training(cell):
    return Training("mine", cell, np.linspace(10, 60, LENGTH))


def test_the_store_of_the_curves_comes_first(curves, bench):
    cell = int(official_index()[6])  # an even code, with three seeds
    found = published([curves, bench], cell, LENGTH)
    expected = [curves.curve(cell, "cifar10", "val_accuracy", seed=seed) for seed in (777, 888, 999)]
    np.testing.assert_array_equal(found, expected)
    values = row(training(cell), found)
    last = [curve[-1] for curve in expected]
    assert values[:4] == ["mine", cell, LENGTH, 60.0]
    np.testing.assert_allclose(values[4:7], [np.mean(last), min(last), max(last)], atol=0.006)
    assert values[7] == pytest.approx(60 - np.mean(last), abs=0.006)


def test_a_cell_that_it_lacks_is_from_the_next_table(curves, bench):
    cell = int(official_index()[4])
    found = published([curves, bench], cell, LENGTH)
    assert [len(curve) for curve in found] == [1] * len(bench.seeds(cell, "cifar10"))
    mean = bench.query(cell, "cifar10", "val_accuracy")
    assert np.mean(found) == pytest.approx(mean)
    with pytest.raises(NotRecordedError, match=f"no table has cell {cell} after 200 epochs"):
        published([curves], cell, LENGTH)


def test_the_picture_has_a_panel_per_cell_and_length(curves, bench):
    with_curves, without = (int(official_index()[code]) for code in (6, 4))
    short = Training("short", without, np.linspace(10, 60, 12))
    trainings = [training(with_curves), training(without), short, training(with_curves)]
    axes = draw(trainings, {each.entry: published([curves, bench], *each.entry) for each in trainings}).axes
    assert [each.get_title() for each in axes] == [
        f"cell {with_curves}, 200 epochs",
        f"cell {without}, 200 epochs",
        f"cell {without}, 12 epochs",
    ]
    seeds = [len(bench.seeds(without, "cifar10", protocol=protocol)) for protocol in (200, 12)]
    assert [len(each.lines) for each in axes] == [3 + 2, seeds[0] + 1, seeds[1] + 1]
    np.testing.assert_array_equal(axes[0].lines[-1].get_ydata(), training(0).accuracy)
    assert axes[1].lines[0].get_xdata().tolist() == [LENGTH]


def test_a_training_of_another_length_is_an_error(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    retrain(["284", "--smoke", "--out", str(folder)])
    monkeypatch.setattr("sys.argv", ["benchmarks.protocol", str(folder)])
    with pytest.raises(SystemExit, match="2"):
        main()
    error = capsys.readouterr().err
    assert "no table has cell 284 after 2 epochs" in error
    assert "was not trained as in NAS-Bench-201: channels 2, cells 1, batch 128, dataset digits" in error
