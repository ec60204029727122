"""Which architecture is retrained: one that is named, or what a search found."""

import os
from pathlib import Path
from typing import NamedTuple

from nasbench.errors import NASBenchError, said
from nasbench.runs.files import quoted, read_json
from oneshot.errors import GenotypeError, OneShotError, RunFolderError
from oneshot.search.record import SEARCH
from oneshot.spaces.registry import architecture_of
from oneshot.training.folder import read_config


class Architecture(NamedTuple):
    """An architecture, as its space has it."""

    space: str
    value: object

    @property
    def record(self):
        """What files have of it, a dict."""
        return {"space": self.space, "text": str(self.value)}

    @classmethod
    def of(cls, text, space=None):
        """That of a text, of a value, or of the folder of a finished search; of a `space`, if one is named.

        >>> Architecture.of("0").record["text"]
        '|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|'
        """
        if isinstance(text, Architecture):
            return text._of(space)
        if isinstance(text, os.PathLike) or (isinstance(text, str) and _names_folder(text)):
            return cls._found_by(Path(text), space)
        return cls(*architecture_of(str(text), space))

    @classmethod
    def _found_by(cls, path, space):
        read_config(path, SEARCH)
        summary = _summary(path)
        if not summary or not summary.get("complete"):
            raise RunFolderError(
                f"the search in {path} is not finished; go on with:"
                f" python -m oneshot.search --resume {quoted(path)}"
            )
        try:
            found = summary["architecture"]
            return cls.recorded(found, path / "summary.json")._of(space)
        except (KeyError, TypeError) as error:
            raise RunFolderError(
                f"{path}/summary.json is damaged, or of another version: {said(error)}"
            ) from None

    @classmethod
    def recorded(cls, record, path):
        """That of a file's record; RunFolderError names the file where it is none."""
        try:
            return cls(*architecture_of(record["text"], record["space"]))
        except (LookupError, TypeError, OneShotError, NASBenchError) as error:
            raise RunFolderError(
                f"{path} is damaged, or of another version: no architecture: {said(error)}"
            ) from None

    def _of(self, space):
        if space not in (None, self.space):
            raise GenotypeError(f"the architecture is of {self.space}, not of {space}, which --space names")
        return self


def _names_folder(text):
    """Whether a text is the path of a folder, and no architecture."""
    return os.path.exists(os.path.join(text, "config.json")) or (
        os.sep in text and not set(text) & set("|({")
    )


def _summary(path):
    """What summary.json of a run holds, a dict; None if there is none."""
    path = path / "summary.json"
    try:
        summary = read_json(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged: {said(error)}") from None
    if not isinstance(summary, dict):
        raise RunFolderError(f"{path} is damaged: it should hold an object")
    return summary
