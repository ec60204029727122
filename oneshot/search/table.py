"""The table that scores the cells of NAS-Bench-201."""

from pathlib import Path

from nasbench.benchmark import NB201, open_benchmark
from nasbench.errors import StoreError
from oneshot.errors import ConfigError, RunFolderError


def open_nb201(store: str | None = None, run: str | Path | None = None) -> NB201:
    """Open the table of NAS-Bench-201 in a store.

    Parameters
    ----------
    store
        Path of the store; None for the default one.
    run
        Folder of the run that the table scores, if any.

    Raises
    ------
    RunFolderError
        If the table of a run cannot be opened.
    StoreError
        If a table cannot be opened and no run is given.
    ConfigError
        If it is a table of another space.
    """
    try:
        table = open_benchmark(store)
    except StoreError as error:
        if run is None:
            raise
        raise RunFolderError(f"cannot open the table of {run}: {error}; try another --store") from None
    if not isinstance(table, NB201):
        raise ConfigError(
            f"--store must be a table of {NB201.space.name}, got a table of the {table.space.name}: {store}"
        )
    return table
