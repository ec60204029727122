"""Stores with all protocols, one of each space, and one with curves, written once for the whole run."""

import pytest

from nasbench.spaces import SIZE, TOPOLOGY
from tests import stores


@pytest.fixture(scope="session")
def topology(tmp_path_factory):
    """The path of a store of NAS-Bench-201 with 12 and 200 epochs."""
    return stores.write(
        tmp_path_factory.mktemp("topology") / "tss.h5", stores.arrays_of_all_protocols(TOPOLOGY)
    )


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    """The path of a store of NAS-Bench-201 with means, runs with seeds, and metrics of devices."""
    return stores.write(tmp_path_factory.mktemp("released") / "released.h5", stores.arrays_as_released())


@pytest.fixture(scope="session")
def sizes(tmp_path_factory):
    """The path of a store of the size space with 1, 12 and 90 epochs."""
    arrays = stores.arrays_of_all_protocols(SIZE)
    return stores.write(tmp_path_factory.mktemp("sizes") / "sss.h5", arrays, space=SIZE.name)


@pytest.fixture(scope="session")
def curves(bench, tmp_path_factory):
    """The path of a store of NAS-Bench-201 with learning curves of CIFAR-10."""
    return stores.write(
        tmp_path_factory.mktemp("curves") / "curves.h5", stores.arrays_with_rising_curves(bench)
    )
