import numpy as np
import pytest

from nasbench import NB201, SSS, Cell, SizeCell
from nasbench.benchmark import open_benchmark
from nasbench.errors import InvalidArgumentError, InvalidCellError, NotRecordedError, StoreError
from nasbench.home import default_path
from nasbench.spaces import SIZE, SPACES, TOPOLOGY, get_space, space_named
from tests import stores


@pytest.fixture(scope="module")
def arrays():
    """The arrays of a full store of each space."""
    return {space.flag: stores.arrays_of_all_protocols(space) for space in SPACES.values()}


@pytest.fixture(scope="module")
def paths(arrays, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return {
        flag: stores.write(folder / f"{flag}.h5", arrays[flag], space=get_space(flag).name) for flag in SPACES
    }


def test_spaces_by_flag_and_by_name():
    assert get_space("tss") is TOPOLOGY
    assert space_named(SIZE.name) is SIZE
    assert space_named("another") is None
    with pytest.raises(InvalidArgumentError, match="unknown space 'x'; the spaces are tss, sss"):
        get_space("x")
    with pytest.raises(InvalidArgumentError, match=r"unknown space \[\]"):
        get_space([])


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_orders_are_inverse(space):
    order, index = space.official_order(), space.official_index()
    assert len(order) == space.cells
    np.testing.assert_array_equal(order[index], np.arange(space.cells))
    for number in (0, 11, space.cells - 1):
        cell = space.cell.from_index(number)
        assert cell.code == order[number] == space.code_of(number) == space.code_of(str(cell))


def test_a_table_is_opened_by_what_its_store_holds(paths):
    assert type(open_benchmark(paths["tss"])) is NB201
    assert type(open_benchmark(paths["sss"])) is SSS
    assert type(open_benchmark(paths["sss"], "sss")) is SSS
    assert type(open_benchmark()) is NB201
    with pytest.raises(
        StoreError, match="of the space 'NATS-Bench size space', not of 'NAS-Bench-201'.*nasbench.SSS"
    ):
        NB201(paths["sss"])
    with pytest.raises(StoreError, match="sss.h5 is a store of .*not of 'NAS-Bench-201'"):
        open_benchmark(paths["sss"], "tss")
    with pytest.raises(InvalidArgumentError, match="unknown space"):
        open_benchmark(paths["sss"], "x")


def test_a_store_of_an_unknown_space_is_an_error(tmp_path):
    path = stores.write(tmp_path / "x.h5", {"index": TOPOLOGY.official_index()}, space="another")
    with pytest.raises(StoreError, match="x.h5 is a store of the space 'another', not of 'NAS-Bench-201'$"):
        open_benchmark(path)


def test_the_size_space_has_no_default_table(monkeypatch, tmp_path, paths):
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path))
    with pytest.raises(StoreError, match="no store of the NATS-Bench size space at .*build NATS-sss-v1_0"):
        SSS()
    default_path(SIZE).symlink_to(paths["sss"])
    assert SSS().space is SIZE
    assert type(open_benchmark(space="sss")) is SSS


def test_the_size_space_answers_as_the_other(paths, arrays):
    bench, values = SSS(paths["sss"]), arrays["sss"]
    cell = SizeCell.from_string("8:8:8:16:32")
    runs = values["cifar10/90/final/val_accuracy"]
    for name in (11, np.uint8(11), "8:8:8:16:32", (8, 8, 8, 16, 32), [8, 8, 8, 16, 32], cell):
        assert bench.query(name, "cifar10", "val_accuracy") == runs[11, 0]
        assert bench.index(name) == 11
        assert bench.cell(name) == cell
    assert bench.query(11, "cifar10", "val_accuracy", protocol=90) == runs[11, 0]
    assert (
        bench.query(11, "cifar10", "val_accuracy", protocol=1)
        == values["cifar10/1/final/val_accuracy"][11, 0]
    )
    twelve = values["cifar10/12/final/val_accuracy"][11]
    assert bench.query(11, "cifar10", "val_accuracy", protocol=12, seed=888) == twelve[1]
    assert bench.query(11, "cifar10", "val_accuracy", protocol=12) == pytest.approx(twelve.mean(), rel=1e-15)
    assert bench.seeds(11, "cifar10", protocol=12) == (777, 888, 999)
    best = bench.best("cifar10", "val_accuracy")
    assert best.index == runs[:, 0].argmax()
    assert isinstance(best.cell, SizeCell)
    assert bench.rank(best.cell, "cifar10", "val_accuracy") == 1
    frame = bench.frame()
    assert frame.loc[11, "arch"] == "8:8:8:16:32"
    assert "isomorphism_class" not in frame
    bench.verify()
    with pytest.raises(InvalidCellError, match=r"in \[0, 32767\], got 32768"):
        bench.query(32_768, "cifar10", "val_accuracy")
    with pytest.raises(InvalidCellError, match="five widths"):
        bench.query(str(Cell(0)), "cifar10", "val_accuracy")
    with pytest.raises(NotRecordedError, match="cifar10 has no protocol of 200 epochs in this store"):
        bench.query(11, "cifar10", "val_accuracy", protocol=200)


@pytest.mark.parametrize("flag", SPACES)
def test_simulated_evaluations_are_those_of_the_table(paths, arrays, flag):
    """The sum that the official API computes: training to the epoch, and one pass over validation."""
    bench, values = open_benchmark(paths[flag]), arrays[flag]
    space = bench.space
    for protocol in space.protocols:
        for seed in (None, 777 if protocol != 12 or flag == "sss" else 111):
            found = bench.simulate(11, "cifar100", protocol, seed=seed)
            code = int(space.official_order()[11])
            group = f"cifar100/{protocol}"
            column = slice(None) if seed is None else [values[f"{group}/seeds"].tolist().index(seed)]
            means = {
                name: float(np.nanmean(values[f"{group}/final/{name}"][code, column]))
                for name in ("val_accuracy", "train_time", "val_time")
            }
            assert found.metric == "val_accuracy"
            assert found.accuracy == pytest.approx(means["val_accuracy"], rel=1e-15)
            assert found.latency == values["cifar100/latency"][code]
            assert found.cost == pytest.approx(means["train_time"] + means["val_time"], rel=1e-15)
    assert bench.simulate(11, "cifar100") == bench.simulate(11, "cifar100", 12)


def test_what_cannot_be_simulated_is_an_error(runs_alone):
    bench = runs_alone
    with pytest.raises(NotRecordedError, match="cifar10 has no protocol of 12 epochs in this store"):
        bench.simulate(0, "cifar10")
    with pytest.raises(NotRecordedError, match="cifar10 has no val_time after 200 epochs in this store"):
        bench.simulate(0, "cifar10", 200)
    with pytest.raises(NotRecordedError, match="recorded only at the last epoch, 199"):
        bench.simulate(0, "cifar10", 200, 57)
