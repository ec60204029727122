"""Default locations of stores."""

import os
import sys
from pathlib import Path

from nasbench.spaces import SIZE, TOPOLOGY, Space
from nasbench.store import SCHEMA

_NAMES = {TOPOLOGY.flag: "nb201", SIZE.flag: "sss"}


def home() -> Path:
    """Return the folder of built and downloaded files: `$NASBENCH_HOME` if set, else the user's cache."""
    chosen = os.environ.get("NASBENCH_HOME")
    if chosen:
        return Path(os.path.expanduser(chosen))
    if (
        sys.platform == "linux"
    ):  # the same folder as platformdirs gives, which is slower to import than a lookup
        caches = os.environ.get("XDG_CACHE_HOME", "").strip() or os.path.expanduser("~/.cache")
        return Path(caches) / "nas-toolkit"
    from platformdirs import user_cache_path

    return user_cache_path("nas-toolkit")


def default_path(space: Space = TOPOLOGY) -> Path:
    """Return the path of the default store of a space, which may not have been built yet.

    The schema is part of the name, so that releases with different schemas do not interfere.
    """
    return home() / f"{_NAMES[space.flag]}-schema{SCHEMA}.h5"
