"""Where stores are by default."""

import os
import sys
from pathlib import Path

from nasbench.spaces import SIZE, TOPOLOGY, Space
from nasbench.store import SCHEMA

_NAMES = {TOPOLOGY.flag: "nb201", SIZE.flag: "sss"}


def home() -> Path:
    """Return the folder for built and downloaded files: `$NASBENCH_HOME`, else the user's cache folder."""
    chosen = os.environ.get("NASBENCH_HOME")
    if chosen:
        return Path(os.path.expanduser(chosen))
    if sys.platform == "linux":  # the same folder; platformdirs takes longer to load than a lookup takes
        caches = os.environ.get("XDG_CACHE_HOME", "").strip() or os.path.expanduser("~/.cache")
        return Path(caches) / "nas-toolkit"
    from platformdirs import user_cache_path

    return user_cache_path("nas-toolkit")


def default_path(space: Space = TOPOLOGY) -> Path:
    """Return where the default store of a space is, or will be once it has been built.

    Its name has the schema, so that releases with different schemas do not disturb each other.
    """
    return home() / f"{_NAMES[space.flag]}-schema{SCHEMA}.h5"
