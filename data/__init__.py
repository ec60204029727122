"""Images in, batches out: data sets as arrays, published splits, augmentation, seeded batches."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.augment import Augment as Augment
    from data.images import NAMES as NAMES
    from data.images import DataSet as DataSet
    from data.images import Images as Images
    from data.images import default_folder as default_folder
    from data.images import load as load
    from data.loader import Batch as Batch
    from data.loader import Loader as Loader
    from data.splits import Split as Split
    from data.splits import halves as halves
    from data.splits import own_test_halves as own_test_halves
    from data.splits import read_test_halves as read_test_halves
    from data.splits import search_split as search_split
    from data.splits import train_halves as train_halves
    from data.statistics import PUBLISHED as PUBLISHED
    from data.statistics import Statistics as Statistics
    from data.statistics import measure as measure

_MODULES = {
    "Augment": "data.augment",
    "Batch": "data.loader",
    "DataSet": "data.images",
    "Images": "data.images",
    "Loader": "data.loader",
    "NAMES": "data.images",
    "PUBLISHED": "data.statistics",
    "Split": "data.splits",
    "Statistics": "data.statistics",
    "default_folder": "data.images",
    "halves": "data.splits",
    "load": "data.images",
    "measure": "data.statistics",
    "own_test_halves": "data.splits",
    "read_test_halves": "data.splits",
    "search_split": "data.splits",
    "train_halves": "data.splits",
}
__all__ = list(_MODULES)

if not TYPE_CHECKING:  # else type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used, so that reading images loads no torch (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"data has no {name}; public names: {', '.join(_MODULES)}")
        return getattr(import_module(_MODULES[name]), name)
