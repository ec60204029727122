"""Files that pages are written to, never over a file of another kind."""

import os
from pathlib import Path

from nasbench.errors import ConfigError
from nasbench.pages.document import generator
from nasbench.runs.files import make_folder_of, replacing

_HEAD = 2000  # bytes of a file, in which a page names its kind


def check(out: str | Path, kind: str, force: bool = False) -> None:
    """Raise ConfigError before the work for a file that cannot be written, or is not of the kind."""
    if os.path.isdir(out):
        raise ConfigError(f"--out names a file, got the folder {str(out)!r}")
    if os.path.exists(out) and not os.path.isfile(out):
        raise ConfigError(f"--out names a file, got the device or pipe {str(out)!r}")
    if force or not os.path.exists(out):
        return
    try:
        with open(out, "rb") as file:
            ours = generator(kind).encode() in file.read(_HEAD)
    except OSError as error:
        raise ConfigError(f"--out cannot write {str(out)!r}: {error.strerror}") from None
    if not ours:
        article = "an" if kind[0] in "aeiou" else "a"
        raise ConfigError(f"{str(out)!r} exists and is not {article} {kind}; --force overwrites it")


def write(out: Path, text: bytes) -> None:
    """Write a file of bytes, whole or not at all; ConfigError where that cannot be."""
    try:
        make_folder_of(out)
        with replacing(out) as temporary:
            temporary.write_bytes(text)
    except OSError as error:
        raise ConfigError(f"--out cannot write {str(out)!r}: {error.strerror}") from None
