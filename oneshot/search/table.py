"""The table that scores the cells of NAS-Bench-201."""

from pathlib import Path

from nasbench.benchmark import NB201, open_benchmark
from nasbench.errors import StoreError
from oneshot.errors import ConfigError, RunFolderError


def open_nb201(store: str | None = None, run: str | Path | None = None) -> NB201:
    """Open the table of the store at a path, None for the default one.

    `run`: the folder of the run that it scored. RunFolderError if the table of a run cannot be opened,
    StoreError if any other cannot, ConfigError for a table of another space.
    """
    try:
        table = open_benchmark(store)
    except StoreError as error:
        if run is None:
            raise
        raise RunFolderError(f"the table of {run} cannot be opened; --store names it: {error}") from None
    if not isinstance(table, NB201):
        raise ConfigError(
            f"--store must be a table of {NB201.space.name}, got one of the {table.space.name}: {store}"
        )
    return table
