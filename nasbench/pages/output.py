"""Output files of pages; files of another kind are not overwritten."""

import os
from pathlib import Path

from nasbench.errors import ConfigError
from nasbench.pages.document import generator
from nasbench.runs.files import make_parent, replacing

_HEAD = 2000  # bytes at the start of a page that contain its kind


def check(out: str | Path, kind: str, force: bool = False) -> None:
    """Raise ConfigError if `out` cannot be written, or exists with another kind and `force` is not set."""
    if os.path.isdir(out):
        raise ConfigError(f"--out must be a file, got the folder {str(out)!r}")
    if os.path.exists(out) and not os.path.isfile(out):
        raise ConfigError(f"--out must be a file, got the device or pipe {str(out)!r}")
    if force or not os.path.exists(out):
        return
    try:
        with open(out, "rb") as file:
            ours = generator(kind).encode() in file.read(_HEAD)
    except OSError as error:
        raise ConfigError(f"--out cannot write {str(out)!r}: {error.strerror}") from None
    if not ours:
        article = "an" if kind[0] in "aeiou" else "a"
        raise ConfigError(f"{str(out)!r} exists and is not {article} {kind}; use --force to overwrite it")


def write(out: Path, text: bytes) -> None:
    """Write a file atomically; raise ConfigError if it cannot be written."""
    try:
        make_parent(out)
        with replacing(out) as temporary:
            temporary.write_bytes(text)
    except OSError as error:
        raise ConfigError(f"--out cannot write {str(out)!r}: {error.strerror}") from None
