import re
import sys

import numpy as np

from nasbench import NB201, __version__
from nasbench.runs import record


def test_a_record_says_when_and_with_what_a_run_began():
    found = record.present()
    assert list(found) == ["versions", "created"]
    assert found["versions"] == {
        "nas-toolkit": __version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["created"])


def test_further_modules_are_recorded_before_numpy():
    import h5py

    assert list(record.versions(h5py)) == ["nas-toolkit", "h5py", "numpy", "python"]
    assert record.versions(h5py)["h5py"] == h5py.__version__


def test_a_table_is_identified_by_its_source_and_its_checksum(bench):
    found = record.identity(bench)
    assert list(found) == ["source", "source_version", "checksum"]
    assert found == record.identity(NB201())
