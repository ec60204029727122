"""Stores with all protocols and with curves, written once for the whole run."""

import pytest

from nasbench.spaces import TOPOLOGY
from tests import stores


@pytest.fixture(scope="session")
def topology(tmp_path_factory):
    """Return the path of a store of NAS-Bench-201 with 12 and 200 epochs."""
    return stores.write(
        tmp_path_factory.mktemp("topology") / "tss.h5", stores.arrays_of_all_protocols(TOPOLOGY)
    )


@pytest.fixture(scope="session")
def curves(bench, tmp_path_factory):
    """Return the path of a store of NAS-Bench-201 with learning curves of CIFAR-10."""
    return stores.write(
        tmp_path_factory.mktemp("curves") / "curves.h5", stores.arrays_with_rising_curves(bench)
    )
