"""Files that appear whole or not at all; their dates; their paths in advice."""

import errno
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from nasbench.errors import NASBenchError, SourceError


def make_folder_of(path):
    """Make the folder that a file is to be in, if need be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(path.parent)) from None


@contextmanager
def replacing(path):
    """A temporary path beside `path`, put in its place when the block ends well and removed when it does not.

    Another process, or a kill at any moment, sees the old file or the new one. The folder is made if need be.
    """
    path = Path(path)
    make_folder_of(path)
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


@contextmanager
def reading(path):
    """Turn what the system says against reading a source's file into a SourceError that names it."""
    try:
        yield
    except NASBenchError:
        raise
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from None
    except MemoryError:
        raise SourceError(f"{path} needs more memory than there is: damaged, or made for it") from None


def open_locked(path, mode):
    """A file, unbuffered and locked until it is closed; BlockingIOError if another process has locked it."""
    file = open(path, mode, buffering=0)  # noqa: SIM115 - returned
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):  # a file system without locks
            file.close()
            raise
    return file


def write_all(file, data):
    """Write bytes to an unbuffered file, which may take them in parts."""
    data = memoryview(data)
    while data:
        data = data[file.write(data) :]


def write_json(path, value):
    """Write a value as indented JSON, whole or not at all."""
    import json  # here, as a lookup does not need it

    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def utc_now():
    """Date and time in ISO 8601; `time` rather than `datetime`, as it costs a command nothing to load."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def quoted(path):
    """A path as one can paste it into a shell."""
    import shlex  # here, as mostly errors need it

    return shlex.quote(str(path))
