import pytest

from nasbench.errors import StoreError
from nasbench.spaces import SIZE
from oneshot.errors import ConfigError, RunFolderError
from oneshot.search.table import open_nb201
from tests import stores


def test_the_default_table(bench):
    assert open_nb201().store.path == bench.store.path


def test_a_table_of_another_space(tmp_path):
    path = stores.from_csv(tmp_path / "size.h5", ["cifar10:90:val_accuracy"], 32, space="sss")
    with pytest.raises(ConfigError) as error:
        open_nb201(path)
    assert (
        str(error.value)
        == f"--store must be a table of NAS-Bench-201, got a table of the {SIZE.name}: {path}"
    )


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="no store at .*none.h5"):
        open_nb201(tmp_path / "none.h5")
    with pytest.raises(RunFolderError, match="cannot open the table of runs/a: no store at"):
        open_nb201(tmp_path / "none.h5", "runs/a")
