"""The first release of NAS-Bench-201, saved by torch: `NAS-Bench-201-v1_1-096897.pth` and v1_0."""

import os
import pickletools
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from nasbench.build.sources import pickle_stream, safe_pickle
from nasbench.build.sources.nats import CellStream
from nasbench.build.sources.pickle_stream import Read
from nasbench.build.sources.results import TOPOLOGY_PROTOCOLS, Results
from nasbench.build.sources.source import StrPath, reading
from nasbench.build.writer import Batch
from nasbench.errors import SourceError, one_line, shown
from nasbench.spaces import TOPOLOGY

_KEYS = {"less": "12", "full": "200"}  # names of the protocols here -> in NATS-Bench
_LOOK_AT = 200  # cells whose seeds are read to determine the seeds of the file
_HEAD = 1 << 16  # bytes that contain the three small pickles of the old container


class NASBench201File(CellStream):
    """A torch file with all cells, read without torch: its pickle is a stream, in bounded memory.

    The format is known from code that reads the file. Missing sets, times and trials are not recorded.
    """

    kind = "nas-bench-201"

    def __init__(self, path: StrPath) -> None:
        seeds = _read_seeds(path)
        protocols = {}
        for name, key in _KEYS.items():
            published = TOPOLOGY_PROTOCOLS[key]
            trials = {trial: tuple(sorted(seeds.get((name, trial), ()))) for trial in published.seeds}
            protocols[name] = published._replace(seeds=trials)
        results = Results(TOPOLOGY, protocols, strict=False)
        super().__init__(path, TOPOLOGY, results, os.path.basename(path), source="NAS-Bench-201")

    def read(self, task: range) -> Iterator[Batch]:
        with _open_pickle(self.path) as read:
            yield from self.read_stream(read, whole=False)  # weights may follow


def _read_seeds(path: StrPath) -> dict[tuple[str, str], set[int]]:
    """Return the seeds of the first cells by (protocol, trial)."""
    seeds: dict[tuple[str, str], set[int]] = {}
    with _open_pickle(path) as read:
        for met, (index, results) in enumerate(
            pickle_stream.items(read, str(path), safe_pickle.WEIGHTS, "arch2infos", whole=False)
        ):
            if index is pickle_stream.END or met == _LOOK_AT:
                break
            try:
                for name, runs in results.items():
                    for trial, seed in runs["all_results"].keys():  # noqa: SIM118 - raises AttributeError for other types
                        if type(seed) is not int:
                            raise ValueError(f"seed must be an integer, got {shown(seed)}")
                        seeds.setdefault((name, trial), set()).add(seed)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise SourceError(
                    f"{path}, cell {shown(index)}: it does not match the format"
                    f" ({type(error).__name__}: {one_line(error)})"
                ) from None
    return seeds


@contextmanager
def _open_pickle(path: StrPath) -> Iterator[Read]:
    """Yield `read(n)` of the pickle in a torch file: in a zip archive, or after three small pickles."""
    with reading(path), open(path, "rb") as file:
        if zipfile.is_zipfile(file):
            try:
                with zipfile.ZipFile(file) as archive:
                    names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
                    if len(names) != 1:
                        raise SourceError(f"{path} is not a torch file: it has no data.pkl")
                    if archive.getinfo(names[0]).compress_type != zipfile.ZIP_STORED:
                        raise SourceError(f"{path}: {names[0]} is compressed, which torch never does")
                    with archive.open(names[0]) as member:
                        yield member.read
            except SourceError:
                raise
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
                raise SourceError(f"{path} is truncated or damaged ({one_line(error)})") from None
            return
        file.seek(0)
        head = file.read(_HEAD)
        file.seek(_skip_pickles(head, 3, path))  # a magic number, the protocol, sizes of numbers
        yield file.read


def _skip_pickles(head: bytes, count: int, path: StrPath) -> int:
    """Return the offset after `count` pickles, without unpickling them."""
    position = 0
    for _ in range(count):
        try:
            places = [place or 0 for _, _, place in pickletools.genops(head[position:])]
            position += max(places) + 1
        except (ValueError, IndexError, OverflowError) as error:
            raise SourceError(f"{path} is truncated or damaged ({one_line(error)})") from None
    return position
