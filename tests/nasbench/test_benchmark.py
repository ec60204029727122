import csv
import pickle
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas
import pytest

from nasbench import CELLS, NB201, Cell
from nasbench.errors import (
    InvalidArgumentError,
    InvalidCellError,
    NotRecordedError,
    StoreError,
    UnknownDatasetError,
    UnknownMetricError,
)
from tests import stores


def expected(name):
    """The rows of a table of published numbers."""
    return list(csv.DictReader((Path(__file__).parents[1] / "expected" / name).read_text().splitlines()))


@pytest.fixture(scope="module")
def curves(tmp_path_factory):
    """A table with curves, a second protocol and gaps, and the arrays in it."""
    arrays = stores.arrays_with_curves()
    return NB201(stores.write(tmp_path_factory.mktemp("curves") / "curves.h5", arrays)), arrays


@pytest.mark.parametrize(
    "row", expected("golden_values.csv"), ids=lambda row: f"{row['index']}-{row['dataset']}-{row['metric']}"
)
def test_golden_values(bench, row):
    value = bench.query(int(row["index"]), row["dataset"], row["metric"])
    assert abs(value - float(row["value"])) <= float(row["tolerance"])


def test_any_name_of_a_cell_gives_the_same_answer(bench):
    cell = Cell.from_index(6111)
    expected = bench.query(6111, "cifar10", "val_accuracy")
    assert type(expected) is float
    sequences = (cell.ops, list(cell.ops), np.array(cell.ops), pandas.Series(cell.ops))
    for name in (cell, str(cell), *sequences, np.int64(6111), np.uint16(6111), np.array(6111)):
        assert bench.query(name, "cifar10", "val_accuracy") == expected
        assert bench.cell(name) == cell
        assert bench.index(name) == 6111
        assert bench.rank(name, "cifar10", "val_accuracy") == 1


def test_default_is_200_epochs_last_epoch_mean_over_seeds(bench):
    runs = [bench.query(0, "cifar10", "val_accuracy", seed=seed) for seed in (777, 888, 999)]
    mean = bench.query(0, "cifar10", "val_accuracy")
    assert mean == sum(runs) / 3
    assert mean == bench.query(0, "cifar10", "val_accuracy", protocol=200, epoch=199)
    assert runs[0] == 82.09199998291015


def test_mean_of_two_seeds_where_the_third_is_not_recorded(bench):
    index = next(index for index in range(CELLS) if len(bench.seeds(index, "cifar10")) == 2)
    runs = [bench.query(index, "cifar10", "val_accuracy", seed=seed) for seed in (777, 888)]
    assert bench.query(index, "cifar10", "val_accuracy") == sum(runs) / 2
    with pytest.raises(
        NotRecordedError, match=rf"cell {index} .* with seed 999; recorded with seeds 777, 888"
    ):
        bench.query(index, "cifar10", "val_accuracy", seed=999)


def test_shortcuts(bench):
    assert bench.params(11, "cifar100") == 0.808276
    assert bench.flops(11, "imagenet16-120") == 28.49548
    assert bench.latency(0, "cifar10") == 0.0139359758611311
    assert bench.seeds(np.int64(0), "cifar100", "train_time") == (777, 888, 999)


def test_columns_are_in_the_order_of_indices(bench):
    column = bench.columns("cifar10", "val_accuracy")
    assert column.shape == (CELLS,)
    assert column[6111] == bench.query(6111, "cifar10", "val_accuracy")
    both = bench.columns("cifar10", ["val_accuracy", "flops"], seed=None)
    np.testing.assert_array_equal(both[0], column)
    assert both.shape == (2, CELLS)
    column[0] = 0  # a caller's own copy
    assert bench.columns("cifar10", "val_accuracy")[0] != 0
    by_code = bench.by_code("cifar10", "val_accuracy")
    assert by_code[Cell.from_index(6111).code] == column[6111]
    assert not by_code.flags.writeable
    assert not bench.by_code("cifar10", "flops").flags.writeable


@pytest.mark.parametrize("row", expected("space_means.csv"), ids=lambda row: row["dataset"])
def test_published_means_over_the_space(bench, row):
    mean = bench.columns(row["dataset"], row["metric"]).mean()
    assert abs(mean - float(row["mean"])) <= float(row["tolerance"])


def test_best_top_rank_and_regret_agree_with_sorting(bench):
    column = bench.columns("cifar100", "val_accuracy")
    order = np.argsort(-column, kind="stable")
    top = bench.top(20, "cifar100", "val_accuracy")
    assert [entry.index for entry in top] == order[:20].tolist()
    assert [entry.value for entry in top] == column[order[:20]].tolist()
    assert [entry.cell.index for entry in top] == order[:20].tolist()
    assert bench.best("cifar100", "val_accuracy") == top[0]
    assert top[0].index == 9930
    for entry in top:
        assert entry.rank == bench.rank(entry.index, "cifar100", "val_accuracy")
        assert bench.regret(entry.cell, "cifar100", "val_accuracy") == column.max() - entry.value
    assert len(bench.top(CELLS + 5, "cifar100", "val_accuracy")) == CELLS


def test_lower_is_better_where_it_is(bench):
    best = bench.best("cifar10", "train_time")
    assert best.value == bench.columns("cifar10", "train_time").min()
    assert bench.rank(best.index, "cifar10", "train_time") == 1
    assert bench.regret(0, "cifar10", "train_time") == bench.query(0, "cifar10", "train_time") - best.value


def test_equal_values_share_a_rank(bench):
    top = bench.top(30, "cifar10", "params")
    assert {entry.rank for entry in top} == {1}
    assert [entry.index for entry in top] == sorted(entry.index for entry in top)


def test_entry_is_all_that_is_recorded(bench):
    entry = bench.entry(6111)
    assert list(entry) == ["cifar10", "cifar100", "imagenet16-120"]
    assert len(entry["cifar10"]) == 9 + 3 + 33 + 3
    assert {"val_accuracy", "test_accuracy", "val_time", "params", "pixel3_latency"} <= set(entry["cifar10"])
    assert entry["cifar10"]["val_accuracy"] == bench.query(6111, "cifar10", "val_accuracy")


@pytest.mark.parametrize("seeds", [2, 3])
def test_an_entry_is_the_same_before_and_after_whole_columns_were_asked_for(home, seeds):
    fresh, asked = NB201(), NB201()
    index = next(i for i in range(CELLS) if len(fresh.seeds(i, "cifar10")) == seeds)
    for dataset, metrics in fresh.entry(index).items():
        for metric, value in metrics.items():
            assert type(value) is float
            assert asked.columns(dataset, metric)[index] == value
    assert asked.entry(index) == fresh.entry(index)


def test_recorded_says_what_the_default_store_has(bench):
    recorded = bench.recorded()
    assert len(recorded) == 96
    assert recorded[0] == ("cifar10", 12, "val_accuracy", (-1,), range(11, 12))
    assert ("cifar10", 200, "val_accuracy", (777, 888, 999), range(199, 200)) in recorded
    assert ("cifar10", 200, "test_accuracy", (-1,), range(199, 200)) in recorded
    assert ("cifar100", 12, "test_accuracy", (111,), range(11, 12)) in recorded
    assert ("cifar10", None, "titan_rtx_b32_latency", None, None) in recorded
    assert ("cifar10", None, "synflow", (0,), None) in recorded


def test_frame_is_the_whole_table(bench):
    frame = bench.frame()
    assert frame.shape == (CELLS, 3 + 84)
    row = frame.loc[6111]
    cell = Cell.from_index(6111)
    assert (row["arch"], row["code"], row["isomorphism_class"]) == (
        str(cell),
        cell.code,
        cell.isomorphism_class,
    )
    assert row["cifar100/val_accuracy"] == bench.query(6111, "cifar100", "val_accuracy")
    assert frame["cifar10/val_accuracy"].idxmax() == 6111


def test_a_table_survives_pickling(bench):
    assert pickle.loads(pickle.dumps(bench)).query(0, "cifar10", "flops") == 15.64737
    assert "nb201-schema2.h5" in repr(bench)


@pytest.mark.parametrize(
    ("error", "message", "question", "options"),
    [
        (UnknownDatasetError, "unknown dataset 'mnist'", (0, "mnist", "val_accuracy"), {}),
        (UnknownMetricError, "unknown metric 'acc'", (0, "cifar10", "acc"), {}),
        (UnknownMetricError, "unknown metric 'acc'", (0, "cifar10", "acc"), {"epoch": 3}),
        (InvalidCellError, r"in \[0, 15624\], got 15625", (15625, "cifar10", "val_accuracy"), {}),
        (InvalidCellError, "got -1", (-1, "cifar10", "val_accuracy"), {}),
        (InvalidCellError, "got True", (True, "cifar10", "val_accuracy"), {}),
        (InvalidCellError, r"got 1.0", (1.0, "cifar10", "val_accuracy"), {}),
        (InvalidCellError, "must have the form", ("|x|", "cifar10", "val_accuracy"), {}),
        (
            NotRecordedError,
            "no test_loss after 200 epochs in this store; recorded: after 12 epochs val_accuracy, test_acc",
            (0, "cifar100", "test_loss"),
            {},
        ),
        (
            NotRecordedError,
            "cifar10 has no valtest_accuracy in any store",
            (0, "cifar10", "valtest_accuracy"),
            {},
        ),
        (NotRecordedError, "no protocol of 90 epochs", (0, "cifar10", "val_accuracy"), {"protocol": 90}),
        (
            NotRecordedError,
            "with seed 777; recorded as one value without a seed, such as a mean over seeds",
            (0, "cifar10", "test_accuracy"),
            {"seed": 777},
        ),
        (
            NotRecordedError,
            "protocol must be an integer, got '200'",
            (0, "cifar10", "val_accuracy"),
            {"protocol": "200"},
        ),
        (
            NotRecordedError,
            "protocol must be an integer, got '200'",
            (0, "cifar10", "val_accuracy"),
            {"protocol": "200", "epoch": 1},
        ),
        (
            NotRecordedError,
            "is recorded only at the last epoch, 199",
            (0, "cifar10", "val_accuracy"),
            {"epoch": 57},
        ),
        (
            NotRecordedError,
            r"in \[0, 199\] for the 200-epoch protocol, got 200",
            (0, "cifar10", "val_accuracy"),
            {"epoch": 200},
        ),
        (
            NotRecordedError,
            r"in \[0, 199\] for the 200-epoch protocol, got -1",
            (0, "cifar10", "val_accuracy"),
            {"epoch": -1},
        ),
        (
            NotRecordedError,
            r"epoch must be an integer, got \[3\]",
            (0, "cifar10", "val_accuracy"),
            {"epoch": [3]},
        ),
        (
            NotRecordedError,
            "seed 1; the seeds are mean, 777, 888, 999",
            (0, "cifar10", "val_accuracy"),
            {"seed": 1},
        ),
        (NotRecordedError, "params belongs to the network", (0, "cifar10", "params"), {"seed": 777}),
        (NotRecordedError, "latency belongs to the network", (0, "cifar10", "latency"), {"epoch": 3}),
    ],
)
def test_what_cannot_be_answered_is_an_error_that_helps(bench, error, message, question, options):
    for _ in range(2):  # an error is not remembered as an answer
        with pytest.raises(error, match=message):
            bench.query(*question, **options)


def test_the_answer_does_not_depend_on_what_was_asked_before(home):
    """Equal numbers are one question; what is no whole number is refused, also once its question is known."""
    for known in (False, True):
        bench = NB201()
        if known:
            bench.query(0, "cifar10", "val_accuracy")
            bench.query(0, "cifar10", "val_accuracy", epoch=199, seed=777)
        for whole in (199, 199.0, np.int64(199), np.float64(199), np.array(199), Fraction(199), Decimal(199)):
            assert bench.query(0, "cifar10", "val_accuracy", epoch=whole) == 81.98266665690103
        assert bench.query(0, "cifar10", "val_accuracy", seed=np.array(777)) == 82.09199998291015
        assert bench.query(0, "cifar10", "val_accuracy", protocol=200.0) == 81.98266665690103
        for options in (
            {"seed": [777]},
            {"seed": np.array([777, 888])},
            {"epoch": 1.5},
            {"epoch": float("nan")},
            {"protocol": "200"},
        ):
            with pytest.raises(NotRecordedError, match="must be an integer, got"):
                bench.query(0, "cifar10", "val_accuracy", **options)


def test_a_store_with_other_arrays_than_it_should_have_is_an_error(runs_alone, tmp_path):
    bench = runs_alone
    good = {name: bench.store[name] for name in bench.store.names}
    twice = good["index"].copy()
    twice[0] = twice[1]
    for number, (name, array, message) in enumerate(
        [
            ("index", twice, "its index must name every cell exactly once"),
            ("index", good["index"][:10], r"index has the wrong type or shape: uint16 \(10,\)"),
            (
                "cifar10/latency",
                good["cifar10/latency"].astype(">f8"),
                "latency has the wrong type or shape: >f8",
            ),
            (
                "cifar10/flops",
                good["cifar10/flops"].astype(np.float32),
                "flops has the wrong type or shape: float32",
            ),
            ("index", good["index"] * 1.0, "index has the wrong type or shape: float64"),
            ("cifar10/params", good["cifar10/params"][:10], "cifar10/params has the wrong type or shape:"),
            (
                "cifar10/200/seeds",
                np.array([777]),
                r"val_accuracy has the wrong type or shape: float64 \(15625, 3\)",
            ),
        ]
    ):
        path = stores.write(tmp_path / f"{number}.h5", good | {name: array})
        with pytest.raises(StoreError, match=message):
            NB201(path).entry(0)
    shifted = NB201(stores.write(tmp_path / "shifted.h5", good | {"index": np.roll(good["index"], 1)}))
    values = {shifted.query(kind(5), "cifar10", "val_accuracy") for kind in (int, np.int64, np.uint16)}
    assert len(values) == 1
    with pytest.raises(StoreError, match="its index is not the official one"):
        shifted.verify()
    odd = NB201(stores.write(tmp_path / "odd.h5", good | {"cifar100 ": np.zeros(3), "notes": np.zeros(3)}))
    assert len(odd.recorded()) == 15
    nan = good["cifar10/params"].copy()
    nan[7] = np.nan
    gap = NB201(stores.write(tmp_path / "gap.h5", good | {"cifar10/params": nan}))
    with pytest.raises(NotRecordedError, match="has no params for cifar10 in this store"):
        gap.query(Cell(7), "cifar10", "params")
    with pytest.raises(NotRecordedError, match="no cell has a value for cifar10 params"):
        NB201(stores.write(tmp_path / "nan.h5", good | {"cifar10/params": np.full(CELLS, np.nan)})).best(
            "cifar10", "params"
        )


def test_other_questions_without_an_answer(bench):
    with pytest.raises(NotRecordedError, match="only at the last epoch, 199"):
        bench.curve(0, "cifar10", "val_accuracy")
    with pytest.raises(NotRecordedError, match="flops belongs to the network"):
        bench.curve(0, "cifar10", "flops")
    with pytest.raises(NotRecordedError, match="flops belongs to the network"):
        bench.seeds(0, "cifar10", "flops")
    with pytest.raises(InvalidArgumentError, match="n must be an integer >= 1, got 0"):
        bench.top(0, "cifar10", "val_accuracy")
    for n in ("5", 2.5, True):
        with pytest.raises(InvalidArgumentError, match="n must be an integer"):
            bench.top(n, "cifar10", "val_accuracy")
    with pytest.raises(InvalidArgumentError, match="must name at least one metric, got none"):
        bench.columns("cifar10", [])
    for ask in (bench.frame, lambda protocol: bench.entry(0, protocol=protocol)):
        with pytest.raises(NotRecordedError, match="no protocol of 90 epochs"):
            ask(protocol=90)


def test_curves_by_seed_and_their_mean(curves):
    bench, arrays = curves
    cell = Cell(8)
    recorded = arrays["cifar10/200/curve/val_accuracy"][8].astype(np.float64)
    for column, seed in enumerate((777, 888, 999)):
        np.testing.assert_array_equal(
            bench.curve(cell, "cifar10", "val_accuracy", seed=seed), recorded[column]
        )
        for epoch in (0, 57, 199):
            assert (
                bench.query(cell, "cifar10", "val_accuracy", epoch=epoch, seed=seed)
                == recorded[column, epoch]
            )
    mean = recorded.sum(axis=0) / 3
    np.testing.assert_allclose(bench.curve(cell, "cifar10", "val_accuracy"), mean, rtol=1e-15)
    assert bench.query(cell, "cifar10", "val_accuracy", epoch=57) == pytest.approx(mean[57], rel=1e-15)
    assert bench.query(cell, "cifar10", "val_accuracy", epoch=np.int64(57)) == pytest.approx(
        mean[57], rel=1e-15
    )
    assert bench.columns("cifar10", "val_accuracy", epoch=57)[cell.index] == pytest.approx(
        mean[57], rel=1e-15
    )


def test_curves_of_a_cell_with_a_missing_seed(curves):
    bench, arrays = curves
    recorded = arrays["cifar10/200/curve/val_accuracy"][9, :2].astype(np.float64)
    np.testing.assert_allclose(
        bench.curve(Cell(9), "cifar10", "val_accuracy"), recorded.sum(axis=0) / 2, rtol=1e-15
    )
    assert bench.query(Cell(9), "cifar10", "val_accuracy", epoch=3) == pytest.approx(
        recorded[:, 3].mean(), rel=1e-15
    )
    for ask in (bench.query, bench.curve):
        with pytest.raises(NotRecordedError, match="with seed 999; recorded with seeds 777, 888"):
            ask(Cell(9), "cifar10", "val_accuracy", seed=999)
    with pytest.raises(NotRecordedError, match="at epoch 3 with seed 999; recorded with seeds 777, 888"):
        bench.query(Cell(9), "cifar10", "val_accuracy", epoch=3, seed=999)


def test_a_cell_without_any_record(curves):
    bench, _ = curves
    for options in ({}, {"epoch": 3}, {"seed": 777}):
        with pytest.raises(NotRecordedError, match="nothing is recorded for it"):
            bench.query(Cell(4), "cifar10", "val_accuracy", **options)
    assert bench.seeds(Cell(4), "cifar10") == ()
    assert "test_accuracy" not in bench.entry(Cell(4))["cifar10"]
    assert len(bench.top(CELLS, "cifar10", "test_accuracy")) == CELLS - 1
    assert np.isnan(bench.columns("cifar10", "test_accuracy")[Cell(4).index])


def test_a_second_protocol(curves):
    bench, arrays = curves
    loss = arrays["cifar10/12/curve/val_loss"]
    assert bench.query(Cell(7), "cifar10", "val_loss", protocol=12) == float(loss[7, 0, 11])
    assert bench.query(Cell(7), "cifar10", "val_loss", protocol=12, epoch=2) == float(loss[7, 0, 2])
    best = bench.best("cifar10", "val_loss", protocol=12, epoch=2)
    assert best.value == loss[:, 0, 2].min()
    assert bench.frame(protocol=12)["cifar10/12/val_loss"][0] == bench.query(
        0, "cifar10", "val_loss", protocol=12
    )
    with pytest.raises(
        NotRecordedError, match=r"no val_accuracy after 12 epochs .* after 12 epochs val_loss;"
    ):
        bench.query(0, "cifar10", "val_accuracy", protocol=12)
    with pytest.raises(
        NotRecordedError, match=r"test_accuracy over 200 epochs is recorded only at the last epoch, 199"
    ):
        bench.query(0, "cifar10", "test_accuracy", epoch=57)
    with pytest.raises(NotRecordedError, match="cifar10 has no flops in this store"):
        bench.query(0, "cifar10", "flops")
    with pytest.raises(NotRecordedError, match="recorded: nothing"):
        bench.query(0, "cifar100", "val_accuracy")


@pytest.fixture
def without(tmp_path):
    """Makes tables that lack the longest protocol: of some arrays of a store with curves."""

    def make(*names):
        arrays = stores.arrays_with_curves()
        arrays = {name: arrays[name] for name in ("index", "isomorphism_class", *names)}
        return NB201(stores.write(tmp_path / "without.h5", arrays)), arrays

    return make


def test_a_store_without_runs_answers_with_what_belongs_to_the_network(without):
    bench, arrays = without("cifar10/params")
    params = arrays["cifar10/params"].take(bench.space.official_order())
    assert bench.entry(11) == {"cifar10": {"params": params[11]}}
    frame = bench.frame()
    assert list(frame.columns) == ["arch", "code", "isomorphism_class", "cifar10/params"]
    np.testing.assert_array_equal(frame["cifar10/params"], params)
    assert bench.top(1, "cifar10", "params")[0].index == params.argmin()
    for protocol in (12, 200):
        for ask in (lambda p: bench.entry(11, protocol=p), lambda p: bench.frame(protocol=p)):
            with pytest.raises(
                NotRecordedError, match=f"no protocol of {protocol} epochs.*protocols are none"
            ):
                ask(protocol)
    for ask in (bench.top, bench.curve):
        with pytest.raises(
            NotRecordedError, match="cifar10 has no protocol of 200 .* without a protocol params"
        ):
            ask(1, "cifar10", "val_accuracy")


def test_a_store_of_a_shorter_protocol_answers_about_it_when_asked(without):
    names = ("cifar10/12/seeds", "cifar10/12/final/val_loss", "cifar10/params")
    bench, _ = without(*names)
    assert list(bench.entry(0)["cifar10"]) == ["params"]
    assert set(bench.entry(0, protocol=12)["cifar10"]) == {"val_loss", "params"}
    assert list(bench.frame().columns)[3:] == ["cifar10/params"]
    assert list(bench.frame(protocol=12).columns)[3:] == ["cifar10/12/val_loss", "cifar10/params"]
    for ask in (bench.entry, lambda cell, protocol: bench.frame(protocol=protocol)):
        with pytest.raises(
            NotRecordedError, match="no protocol of 200 epochs in this store; the protocols are 12"
        ):
            ask(0, protocol=200)
    bench, _ = without(*names[:2])
    assert bench.entry(0) == {}
