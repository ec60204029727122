"""Files that are replaced atomically; locks; dates; paths in advice."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: What locking fails with on file systems without locks, such as NFS.
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EIO}
_DEEPEST = 20  # levels of what a run writes as JSON, and some to spare
_warned = False  # that a file could not be locked


def make_folder_of(path: str | Path) -> None:
    """Create the folder of a file, with its parents, unless it exists."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(path.parent)) from None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it into place if the block succeeds, else remove it.

    Another process, or a kill at any moment, sees the old file or the new one. The folder must exist: a run
    whose folder was removed must not create it again.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def lock(file: IO[bytes] | FileIO) -> None:
    """Lock an open file until it is closed; BlockingIOError if another process has locked it.

    On a file system without locks the file stays unlocked, which is reported on stderr the first time: two
    writers could collide.
    """
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        _warn_once(f"{file.name} cannot be locked ({error.strerror})")


def _warn_once(reason: str) -> None:
    global _warned
    from multiprocessing import parent_process  # imported here because it is rarely needed

    from nasbench.runs.notes import complain

    if not _warned and parent_process() is None:  # a process of a pool leaves it to the command
        complain(f"warning: {reason}; no other process may write to the same place")
    _warned = True


def open_locked(path: str | Path, mode: Literal["x+b", "r+b", "a+b", "ab"]) -> FileIO:
    """Open a file, unbuffered and locked until it is closed; BlockingIOError if another has locked it."""
    file = open(path, mode, buffering=0)  # noqa: SIM115 - returned
    try:
        lock(file)
    except BaseException:
        file.close()
        raise
    return file


def leads_to(path: str | Path, file: IO[bytes] | FileIO) -> bool:
    """Return whether a path still leads to an open file, which may have been removed or replaced."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


def read_json(path: str | Path) -> Any:
    """Return what a JSON file holds; ValueError if it is damaged, OSError if it cannot be read."""
    import json  # imported here because lookups do not need it

    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_plain(value, _DEEPEST)
    return value


def _check_plain(value: Any, depth: int) -> None:
    if isinstance(value, int) and value.bit_length() > 63:
        raise ValueError("it has an integer of more than 63 bits")
    if isinstance(value, (dict, list)):
        if not depth:
            raise ValueError("it is nested too deeply")
        for each in value.values() if isinstance(value, dict) else value:
            _check_plain(each, depth - 1)


def write_all(file: FileIO, data: Buffer) -> None:
    """Write bytes to an unbuffered file, which may take them in parts."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def write_json(path: str | Path, value: object) -> None:
    """Write a value as indented JSON, atomically, to a folder that exists."""
    text = to_json(value)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def to_json(value: object) -> str:
    """Return a value as indented JSON."""
    import json  # imported here because lookups do not need it

    return json.dumps(value, indent=2)


def utc_now() -> str:
    """Return date and time in ISO 8601, by `time` because `datetime` takes time to load."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def quoted(path: object) -> str:
    """Return a path as one can paste it into a shell."""
    import shlex  # imported here because mostly errors need it

    return shlex.quote(str(path))
