"""What is to be drawn: an architecture as text, or that of a finished run."""

import os
from pathlib import Path

from nasbench.errors import NASBenchError, said
from nasbench.runs.files import quoted, read_json
from oneshot.errors import ConfigError, OneShotError, RunFolderError
from oneshot.spaces.registry import architecture_of, space_of

_SUMMARY, _CONFIG = "summary.json", "config.json"
_COMMANDS = {  # by the stage in config.json; others: oneshot.search
    "retraining": "oneshot.retrain",
    "pipeline": "oneshot.pipeline",
}


def diagrams_of(text, space=None, cell=None):
    """The Diagrams of an architecture, or of that of the finished run in a folder.

    >>> [diagram.title for diagram in diagrams_of("DARTS_V2")]
    ['normal', 'reduction']

    `text`: a folder, or else anything that `architecture_of` takes; `space`: that it is to be of; `cell`: the
    title of the only one that is wanted. RunFolderError for a folder without a finished run, ConfigError for
    an unknown title, and the errors of `architecture_of`.
    """
    if os.path.isdir(text):
        text = _recorded(text)
    elif os.sep in text and not set(text) & set("|({"):
        raise RunFolderError(f"there is no folder {text}")
    name, architecture = architecture_of(text, space)
    diagrams = space_of(name).diagrams(architecture)
    if cell is None:
        return diagrams
    chosen = [diagram for diagram in diagrams if diagram.title == cell]
    if not chosen:
        titles = ", ".join(diagram.title for diagram in diagrams)
        raise ConfigError(f"there is no {cell!r} in the architecture; there are {titles}")
    return chosen


def _recorded(folder):
    """The text of the architecture in the summary of a finished run."""
    path = Path(folder) / _SUMMARY
    summary = _read(path)
    if summary is None and not (Path(folder) / _CONFIG).exists():
        raise RunFolderError(f"{folder} is not the folder of a run: it has no {_SUMMARY}")
    match summary:
        case None | {"complete": False}:
            command = _COMMANDS.get(_stage(folder), "oneshot.search")
            raise RunFolderError(
                f"{folder} is not finished; go on with: python -m {command} --resume {quoted(folder)}"
            )
        case {"architecture": {"space": str(space), "text": str(text)}}:
            pass
        case {"benchmark": {"arch": str(text)}}:
            space = "nb201"
        case _:
            raise RunFolderError(f"{path} has no architecture: it is damaged, or of another version")
    try:
        architecture_of(text, space)
    except (OneShotError, NASBenchError) as error:
        raise RunFolderError(f"{path} is damaged, or of another version: {said(error)}") from None
    return text


def _stage(folder):
    match _read(Path(folder) / _CONFIG):
        case {"stage": str(stage)}:
            return stage
    return None


def _read(path):
    """What a file of JSON holds; None if there is none."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged: {said(error)}") from None
