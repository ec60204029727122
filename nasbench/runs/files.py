"""Atomic replacement of files, locks, JSON, dates, and quoting of paths."""

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

#: error numbers of locking on file systems without locks, such as NFS
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EIO}
_DEEPEST = 20  # nesting of JSON values; runs write fewer levels
_warned = False  # whether a failed lock has been reported


def make_parent(path: str | Path) -> None:
    """Create the folder of a file and its parents, unless they exist."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(path.parent)) from None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; move it into place if the block succeeds, else remove it.

    Other processes see either the old file or the new one, even if this process is killed. The folder must
    exist, because a run whose folder was removed must not recreate it.
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
    """Lock an open file until it is closed; raise BlockingIOError if another process has locked it.

    On file systems without locks, the file stays unlocked and a warning is printed once.
    """
    try:
        import fcntl
    except ImportError:  # a system without these locks
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

    if not _warned and parent_process() is None:  # pool processes leave the warning to the command
        complain(f"warning: {reason}; make sure that no other process writes to the same place")
    _warned = True


def open_locked(path: str | Path, mode: Literal["x+b", "r+b", "a+b", "ab"]) -> FileIO:
    """Open a file, unbuffered and locked until closed; raise BlockingIOError if another process locked it."""
    file = open(path, mode, buffering=0)  # noqa: SIM115 - returned
    try:
        lock(file)
    except BaseException:
        file.close()
        raise
    return file


def leads_to(path: str | Path, file: IO[bytes] | FileIO) -> bool:
    """Return whether a path still refers to an open file, which may have been removed or replaced."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


def read_json(path: str | Path) -> Any:
    """Return the value in a JSON file; raise ValueError if it is damaged, OSError if it cannot be read."""
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
    """Write all bytes to an unbuffered file, which may accept only part of them at a time."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def write_json(path: str | Path, value: object) -> None:
    """Write a value as indented JSON, atomically; the folder must exist."""
    text = to_json(value)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def to_json(value: object) -> str:
    """Return a value as indented JSON."""
    import json  # imported here because lookups do not need it

    return json.dumps(value, indent=2)


def utc_now() -> str:
    """Return the current time in UTC, in ISO 8601; without `datetime`, which is slow to import."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def quoted(path: object) -> str:
    """Return a path quoted for a shell."""
    import shlex  # imported here because mainly errors need it

    return shlex.quote(str(path))
