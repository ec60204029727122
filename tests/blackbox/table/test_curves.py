import numpy as np
import pytest

from blackbox.asha import ASHA
from blackbox.errors import ConfigError
from blackbox.search.space import NB201_SPACE
from blackbox.table.curves import Curves
from blackbox.table.settings import SimulationConfig
from blackbox.table.simulator import simulate
from nasbench import NB201
from nasbench.errors import InvalidArgumentError, NotRecordedError
from tests import stores


@pytest.fixture(scope="module")
def table(curves):
    return NB201(curves)


@pytest.fixture(scope="module")
def protocols(topology):
    return NB201(topology)


def test_curves_are_those_of_the_table(table):
    curves = Curves(table, "cifar10", "val_accuracy")
    assert (curves.fidelities, curves.has_curve, curves.sees_the_metric) == (200, True, True)
    scores = curves.scores(0, (2, 67, 200))
    for code in (0, 77, 15624):
        cell = table.space.cell(code)
        curve = table.curve(cell, "cifar10", "val_accuracy")
        assert [scores[epochs][code] for epochs in (2, 67, 200)] == [curve[1], curve[66], curve[199]]
        train, val = (table.curve(cell, "cifar10", metric) for metric in ("train_time", "val_time"))
        assert curves.seconds(0, 67)[code] == train[66] + val[66]
        assert curves.seconds(22, 67)[code] == train[66] - train[21] + val[66]
    np.testing.assert_array_equal(curves.targets, table.by_code("cifar10", "val_accuracy"))
    scratch = Curves(table, "cifar10", "val_accuracy", from_scratch=True)
    assert scratch.seconds(22, 67) == scratch.seconds(0, 67) == curves.seconds(0, 67)


def test_a_metric_that_is_better_lower(table):
    curves = Curves(table, "cifar10", "train_time")
    np.testing.assert_array_equal(curves.scores(0, (7,))[7], -table.by_code("cifar10", "train_time", epoch=6))
    np.testing.assert_array_equal(curves.targets, -table.by_code("cifar10", "train_time"))


def test_with_noise_a_cell_has_one_seed_along_its_curve(table):
    curves = Curves(table, "cifar10", "val_accuracy", noise=True, seed=4)
    rungs = (2, 22, 200)
    drawn = []
    for trial in range(3):
        scores = curves.scores(trial, rungs)
        seeds = np.zeros(NB201_SPACE.size, dtype=int)
        for seed in (777, 888):
            same = [
                np.asarray(scores[e]) == table.by_code("cifar10", "val_accuracy", epoch=e - 1, seed=seed)
                for e in rungs
            ]
            seeds[np.all(same[:2], axis=0)] = seed
            assert (same[0] == same[1]).mean() > 0.999
        assert (seeds > 0).all()
        assert 0.45 < (seeds == 777).mean() < 0.55
        drawn.append(seeds)
    assert 0.4 < (drawn[0] == drawn[1]).mean() < 0.6


def test_protocols_are_fidelities_where_there_is_no_curve(protocols):
    curves = Curves(protocols, "cifar100", "val_accuracy")
    assert (curves.fidelities, curves.has_curve) == ((12, 200), False)
    scores = curves.scores(0, (12, 200))
    for epochs in (12, 200):
        options = {"protocol": epochs}
        np.testing.assert_array_equal(
            scores[epochs], protocols.by_code("cifar100", "val_accuracy", **options)
        )
        seconds = [protocols.by_code("cifar100", name, **options) for name in ("train_time", "val_time")]
        np.testing.assert_array_equal(curves.seconds(0, epochs), sum(seconds))
    assert curves.seconds(12, 200) == curves.seconds(0, 200)  # another training, not the same one further on
    history = simulate(ASHA, None, SimulationConfig(jobs=200, dataset="cifar100"), protocols)
    assert set(history.epochs.tolist()) == {12, 200}
    noisy = simulate(ASHA, None, SimulationConfig(jobs=200, dataset="cifar100", noise="seed"), protocols)
    seen = zip(noisy.code.tolist(), noisy.epochs.tolist(), noisy.score.tolist(), strict=True)
    for code, epochs, score in list(seen)[:50]:
        cell = protocols.space.cell(code)
        seeds = protocols.seeds(cell, "cifar100", protocol=epochs)
        options = {"protocol": epochs}
        assert score in [
            protocols.query(cell, "cifar100", "val_accuracy", seed=seed, **options) for seed in seeds
        ]


def test_what_a_store_lacks_is_an_error_that_says_what_it_has(runs_alone, table, protocols):
    alone = "this store has cifar10 val_accuracy only after 200 epochs, and no curves; try --store"
    with pytest.raises(ConfigError, match=alone):
        Curves(runs_alone, "cifar10", "val_accuracy")
    with pytest.raises(ConfigError, match=r"1 to 200 for cifar10 val_accuracy@200; got 300"):
        Curves(table, "cifar10", "val_accuracy").scores(0, (300,))
    with pytest.raises(ConfigError, match=r"recorded: 12, 200 for cifar10 val_accuracy@200; got 50"):
        Curves(protocols, "cifar10", "val_accuracy").scores(0, (50,))
    with pytest.raises(ConfigError, match="val_accuracy after no protocol, and curves of val_accuracy@200"):
        Curves(table, "cifar10", "val_accuracy", signal="val_accuracy@12")
    with pytest.raises(ConfigError, match="flops is the same after any number of epochs"):
        Curves(protocols, "cifar10", "val_accuracy", signal="flops")
    assert Curves(runs_alone, "cifar10", "val_accuracy", fidelities=(200,)).fidelities == (200,)


def test_every_cell_has_a_value_and_a_time(curves, table, tmp_path):
    arrays = {name: np.array(table.store[name]) for name in table.store.names}
    curve = arrays["cifar10/200/curve/val_accuracy"]
    curve[7, :, 3:100] = np.nan
    path = stores.write(tmp_path / "a.h5", arrays)
    with pytest.raises(
        ConfigError, match=r"1 to 3, 101 to 200 for cifar10 val_accuracy@200; got 67 .*for 1 cell\)"
    ):
        Curves(NB201(path), "cifar10", "val_accuracy").scores(0, (67,))
    arrays["cifar10/200/per_epoch/train_time"][5] = 0.0
    arrays["cifar10/200/per_epoch/val_time"][:] = np.nan
    path = stores.write(tmp_path / "b.h5", arrays)
    with pytest.raises(ConfigError, match="training from 0 to 7 epochs takes 0 s for a cell"):
        Curves(NB201(path), "cifar10", "val_accuracy").seconds(0, 7)
    arrays["cifar10/200/per_epoch/train_time"][5] = np.nan
    path = stores.write(tmp_path / "c.h5", arrays)
    with pytest.raises(ConfigError, match="this store lacks cifar10 training time up to epoch 7 for 1"):
        Curves(NB201(path), "cifar10", "val_accuracy").seconds(0, 7)
    del arrays["cifar10/200/per_epoch/train_time"]
    path = stores.write(tmp_path / "d.h5", arrays)
    with pytest.raises(NotRecordedError, match="train_time over 200 epochs is recorded only at the last"):
        Curves(NB201(path), "cifar10", "val_accuracy").seconds(0, 7)


def test_names_are_known(table):
    with pytest.raises(LookupError, match="unknown metric 'acc'"):
        Curves(table, "cifar10", "acc")
    with pytest.raises(InvalidArgumentError, match="the longest fidelity must be an integer"):
        ASHA(NB201_SPACE, 0)
