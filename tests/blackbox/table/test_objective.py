import numpy as np
import pytest
from scipy.stats import chisquare

from blackbox.errors import ConfigError
from blackbox.table.objective import TableObjective
from nasbench import NB201, SSS, Cell
from nasbench.build import build
from nasbench.errors import NotRecordedError, UnknownMetricError
from nasbench.spaces import TOPOLOGY
from tests import stores

PROTOCOLS = [(NB201, 12), (NB201, 200), (SSS, 1), (SSS, 12), (SSS, 90)]
CELL = Cell.from_index(0)  # has three seeds


@pytest.fixture(scope="module")
def tables(topology, sizes):
    """The tables with all protocols, by class."""
    return {NB201: NB201(topology), SSS: SSS(sizes)}


def test_scores_are_the_means_of_the_table(bench):
    objective = TableObjective(bench, "cifar100", "val_accuracy")
    codes = np.array([CELL.code, 17, 15624])
    expected = [bench.query(Cell(int(code)), "cifar100", "val_accuracy") for code in codes]
    assert objective(codes).tolist() == expected
    seconds = bench.query(0, "cifar100", "train_time") + bench.query(0, "cifar100", "val_time")
    assert objective.cost(codes)[0] == seconds


def test_scores_are_negated_where_lower_is_better(bench):
    objective = TableObjective(bench, "cifar10", "latency")
    assert objective([CELL.code]).tolist() == [-0.0139359758611311]
    assert objective.scores.argmax() == bench.best("cifar10", "latency").cell.code


def test_the_limit_that_leaves_out_missing_cells_keeps_negative_values(tmp_path):
    (tmp_path / "zen.csv").write_text("index,cifar10:zen:0\n0,-2.5\n1,3\n")
    build([tmp_path / "zen.csv"], tmp_path / "zen.h5", workers=1)
    with pytest.raises(ConfigError, match="for 15,623 cells; try --at-least zen=-3, which excludes them"):
        TableObjective(NB201(tmp_path / "zen.h5"), "cifar10", "zen")
    objective = TableObjective(NB201(tmp_path / "zen.h5"), "cifar10", "zen", where={"zen": (-3, None)})
    assert np.isfinite(objective.scores).sum() == 2


def test_noise_draws_a_recorded_seed_an_evaluation(bench):
    two = next(Cell(code) for code in range(15625) if len(bench.seeds(Cell(code), "cifar10")) == 2)
    for cell, seeds in ((CELL, (777, 888, 999)), (two, (777, 888))):
        runs = [bench.query(cell, "cifar10", "val_accuracy", seed=seed) for seed in seeds]
        objective = TableObjective(bench, "cifar10", "val_accuracy", noise=True, trials=range(50))
        scores = np.array([objective(np.full(50, cell.code)) for _ in range(60)])
        counts = [(scores == run).sum() for run in runs]
        assert sum(counts) == scores.size
        assert chisquare(counts).pvalue > 1e-3


def test_noise_is_by_seed_trial_and_step(bench):
    def scores(trials, seed, skip=0):
        objective = TableObjective(bench, "cifar10", "val_accuracy", noise=True, trials=trials, seed=seed)
        objective.skip(skip)
        return np.array([objective(np.full(len(trials), CELL.code)) for _ in range(200 - skip)]).T

    whole = scores(range(3), 0)
    np.testing.assert_array_equal(scores([2], 0)[0], whole[2])
    np.testing.assert_array_equal(scores(range(3), 0, skip=150), whole[:, 150:])
    assert (scores(range(3), 1) != whole).any()


def test_noise_is_for_the_trials_it_was_made_for(bench):
    objective = TableObjective(bench, "cifar10", "val_accuracy", noise=True)
    with pytest.raises(ConfigError, match="one per trial, 1, for the noise; got 3"):
        objective(np.array([1, 2, 3]))


@pytest.mark.parametrize("noise", [False, True])
def test_scores_that_the_table_could_give(bench, noise):
    objective = TableObjective(bench, "cifar10", "val_accuracy", noise=noise)
    codes = np.array([[CELL.code, 17, 9]])
    runs = np.array([[bench.query(Cell(int(c)), "cifar10", "val_accuracy", seed=888) for c in codes[0]]])
    means = objective.scores[codes]
    assert objective.could_give(codes, runs).all() == noise
    assert objective.could_give(codes, means).all() != noise
    assert not objective.could_give(codes, means + 1e-9).any()


def test_what_a_table_cannot_give_is_an_error(bench, tmp_path):
    with pytest.raises(UnknownMetricError):
        TableObjective(bench, "cifar10", "accuracy")
    with pytest.raises(NotRecordedError, match="no test_loss"):
        TableObjective(bench, "cifar10", "test_loss")
    with pytest.raises(
        ConfigError, match="only the mean over seeds of cifar10 test_accuracy@200; try --noise"
    ):
        TableObjective(bench, "cifar10", "test_accuracy", noise=True)
    with pytest.raises(ConfigError, match="but params has none; try --noise mean"):
        TableObjective(bench, "cifar10", "params", noise=True)
    gaps = NB201(stores.write(tmp_path / "gaps.h5", stores.arrays_with_curves()))
    with pytest.raises(
        ConfigError, match="needs every cell; this store lacks cifar10 val_accuracy@200 for 1"
    ):
        TableObjective(gaps, "cifar10", "val_accuracy")
    objective = TableObjective(gaps, "cifar10", "params")
    with pytest.raises(NotRecordedError, match="no train_time"):
        objective.cost(np.array([0]))


@pytest.mark.parametrize(("table", "protocol"), PROTOCOLS)
def test_the_signal_is_scored_and_the_metric_after_the_longest_protocol_is_the_target(
    tables, table, protocol
):
    table = tables[table]
    objective = TableObjective(table, "cifar10", "test_accuracy", signal=f"val_loss@{protocol}")
    codes = np.array([0, 17, table.space.cells - 1])
    cells = [table.space.cell(int(code)) for code in codes]
    assert objective(codes).tolist() == [
        -table.query(c, "cifar10", "val_loss", protocol=protocol) for c in cells
    ]
    assert objective.targets[codes].tolist() == [table.query(c, "cifar10", "test_accuracy") for c in cells]
    assert objective.could_give(codes, objective(codes)).all()
    assert not objective.could_give(codes, objective.targets[codes]).any()


def test_without_a_signal_the_metric_is_seen(tables):
    table = tables[SSS]
    for signal in (None, "val_loss", "val_loss@90"):
        objective = TableObjective(table, "cifar10", "val_loss", signal=signal)
        assert objective.sees_the_metric
        assert str(objective.signal) == "val_loss@90"
        np.testing.assert_array_equal(objective.scores, objective.targets)
    assert not TableObjective(table, "cifar10", "val_loss", signal="val_loss@12").sees_the_metric
    assert not TableObjective(table, "cifar10", "val_loss", signal="val_accuracy").sees_the_metric


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
@pytest.mark.parametrize(("table", "protocol"), PROTOCOLS)
def test_costs_are_those_of_simulate_to_the_last_bit_for_every_cell(tables, table, protocol, dataset):
    table = tables[table]
    objective = TableObjective(table, dataset, "val_accuracy", signal=f"val_accuracy@{protocol}")
    cells = map(table.space.cell, range(table.space.cells))
    expected = [table.simulate(cell, dataset, protocol) for cell in cells]
    assert objective.seconds.tolist() == [simulated.cost for simulated in expected]
    assert objective.scores.tolist() == [simulated.accuracy for simulated in expected]
    assert objective.cost(np.array([5, 9])).tolist() == [expected[5].cost, expected[9].cost]


def test_what_belongs_to_the_network_costs_the_longest_protocol(tables):
    table = tables[NB201]
    objective = TableObjective(table, "cifar10", "val_accuracy", signal="latency")
    assert objective.seconds[CELL.code] == table.simulate(CELL, "cifar10", 200).cost


@pytest.mark.parametrize(("table", "protocol"), PROTOCOLS)
def test_noise_draws_among_the_seeds_of_the_signal(tables, table, protocol):
    table, dataset, metric = tables[table], "cifar10", "val_accuracy"
    signal = f"{metric}@{protocol}"
    objective = TableObjective(table, dataset, metric, signal=signal, noise=True, trials=range(50))
    for code in (2, 3):  # in the long protocol of NAS-Bench-201, 3 has one seed less
        cell = table.space.cell(code)
        seeds = table.seeds(cell, dataset, protocol=protocol)
        runs = [table.query(cell, dataset, metric, protocol=protocol, seed=seed) for seed in seeds]
        scores = np.array([objective(np.full(50, code)) for _ in range(20)])
        assert set(scores.ravel().tolist()) == set(runs)
        assert objective.could_give(np.full(scores.shape, code), scores).all()


def test_noise_after_12_epochs_on_cifar10_is_of_both_published_seeds(tables):
    assert tables[NB201].seeds(CELL, "cifar10", protocol=12) == (111, 777)
    objective = TableObjective(tables[NB201], "cifar10", "val_loss", signal="test_accuracy@12", noise=True)
    one = tables[NB201].query(CELL, "cifar10", "test_accuracy", protocol=12, seed=111)  # 777 has none
    assert {objective(np.array([CELL.code])).item() for _ in range(50)} == {one}


def test_the_clock_of_a_table_that_lacks_times(tmp_path):
    """Without validation times it is that of training; where a cell has no time, there is none."""
    arrays = stores.arrays_of_all_protocols(TOPOLOGY)
    train, val = (f"cifar10/12/final/{metric}" for metric in ("train_time", "val_time"))
    missing, gap = np.full_like(arrays[val], np.nan), arrays[val].copy()
    gap[7] = np.nan

    def objective(name, changed):
        table = NB201(stores.write(tmp_path / f"{name}.h5", changed))
        return table, TableObjective(table, "cifar10", "val_accuracy", signal="val_accuracy@12")

    without = {name: array for name, array in arrays.items() if name != val}
    for name, changed in (("without", without), ("missing", arrays | {val: missing})):
        table, found = objective(name, changed)
        expected = table.by_code("cifar10", "train_time", protocol=12)
        np.testing.assert_array_equal(found.seconds, expected)
        assert found.has_cost
    for name, changed, unknown in (
        ("gap", arrays | {val: gap}, "1"),
        ("untimed", arrays | {train: missing}, "15,625"),
    ):
        _, found = objective(name, changed)
        assert not found.has_cost
        with pytest.raises(ConfigError, match=f"lacks cifar10 evaluation time for {unknown} cells?$"):
            found.cost(np.array([0]))


def test_a_signal_that_the_table_has_not_is_an_error_that_says_what_it_has(runs_alone, tables):
    with pytest.raises(NotRecordedError, match="no protocol of 12 epochs .* after 200 epochs val_accuracy"):
        TableObjective(runs_alone, "cifar10", "val_accuracy", signal="val_accuracy@12")
    with pytest.raises(NotRecordedError, match="no protocol of 0 epochs"):
        TableObjective(tables[SSS], "cifar10", "val_accuracy", signal="val_accuracy@0")
    with pytest.raises(NotRecordedError, match="no train_loss after 12 epochs"):
        TableObjective(tables[SSS], "cifar10", "val_accuracy", signal="train_loss@12")
    with pytest.raises(ConfigError, match="a metric must be METRIC or METRIC@EPOCHS, got 'val_accuracy@'"):
        TableObjective(tables[SSS], "cifar10", "val_accuracy@")
    with pytest.raises(
        ConfigError, match="noise seed needs values per seed, but latency has none; try --noise mean"
    ):
        TableObjective(tables[SSS], "cifar10", "val_accuracy", signal="latency", noise=True)


def test_a_signal_with_gaps_is_an_error(tmp_path):
    arrays = stores.arrays_of_all_protocols(TOPOLOGY)
    arrays["cifar10/12/final/val_accuracy"][[3, 5]] = np.nan
    table = NB201(stores.write(tmp_path / "gaps.h5", arrays))
    with pytest.raises(
        ConfigError,
        match="this store lacks cifar10 val_accuracy@12 for 2 cells; try --at-least val_accuracy@12=0, which",
    ):
        TableObjective(table, "cifar10", "val_accuracy", signal="val_accuracy@12")
    TableObjective(table, "cifar10", "val_accuracy")
