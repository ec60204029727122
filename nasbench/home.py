"""Where stores are by default, and the one that is built on first use."""

import os
from pathlib import Path

from nasbench.errors import StoreError
from nasbench.spaces import SIZE, TOPOLOGY
from nasbench.store import SCHEMA

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


def default_store():
    """The path of the default NAS-Bench-201 store, which is built first if it is not there.

    Several processes may do so at once: each writes a file of its own, and the last to finish puts its own,
    which is the same, in place.
    """
    path = default_path()
    if not os.path.exists(path):
        from nasbench.build import build_default

        try:
            build_default(path)
        except StoreError as error:
            raise StoreError(f"{error}; set NASBENCH_HOME to a folder that can be written") from error
    return path
