"""An architecture that is given as a value, as a text, or as the folder of a finished run."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from nasbench.errors import NASBenchError, one_line
from nasbench.runs.files import quoted
from nasbench.runs.folder import SUMMARY, read_object
from oneshot.errors import ConfigError, GenotypeError, OneShotError, RunFolderError
from oneshot.spaces.base import Diagram
from oneshot.spaces.registry import SpaceName, get_space, parse_architecture

_CONFIG = "config.json"
_SEARCH = "search"  # the stage of folders that name none
_COMMANDS = {"retraining": "oneshot.retrain", "pipeline": "oneshot.pipeline"}  # others: oneshot.search


class Architecture(NamedTuple):
    """An architecture and its space.

    >>> architecture = Architecture.parse("0")
    >>> architecture.space, architecture.value.index
    ('nb201', 0)
    >>> Architecture.parse("DARTS_V2").diagrams("reduction")[0].title
    'reduction'
    """

    #: The name of the space.
    space: str
    #: A Cell, a Genotype or a Hierarchy.
    value: Any  # Any: each space has its own class of architectures

    @classmethod
    def parse(
        cls, source: object, space: SpaceName | str | None = None, *, stage: str | None = _SEARCH
    ) -> "Architecture":
        """Return the architecture that is given in any form.

        Parameters
        ----------
        source
            A text as `parse_architecture` takes it, an architecture of a space, an Architecture, or the
            folder of a finished run: a path, or a text that names one.
        space
            The name of the space that it must be of; None: any.
        stage
            What the run must be, as its config.json says; None: any.

        Raises
        ------
        GenotypeError
            If a text is no architecture, or the architecture is of another space.
        RunFolderError
            If the folder is not that of a finished run, or damaged.
        """
        if isinstance(source, Architecture):
            architecture = source
        elif isinstance(source, os.PathLike) or (isinstance(source, str) and _names_folder(source)):
            architecture = cls._found_by(Path(source), stage)
        else:
            architecture = cls(*parse_architecture(str(source), space))
        if space is not None and get_space(space).name != architecture.space:
            raise GenotypeError(f"the architecture is of the space {architecture.space}, not of {space}")
        return architecture

    @classmethod
    def from_record(cls, record: Any, path: str | Path) -> "Architecture":  # Any: a file can hold anything
        """Return the architecture of `record` in a file; RunFolderError names the file if it has none."""
        try:
            return cls(*parse_architecture(record["text"], record["space"]))
        except (LookupError, TypeError, OneShotError, NASBenchError) as error:
            reason = f"no architecture: {one_line(error)}"
            raise RunFolderError(f"{path} is damaged, or of another version: {reason}") from None

    @classmethod
    def _found_by(cls, path: Path, stage: str | None) -> "Architecture":
        """Return the architecture of the finished run in a folder."""
        if not path.is_dir():
            raise RunFolderError(f"there is no folder {path}")
        config, summary = read_object(path / _CONFIG), read_object(path / SUMMARY)
        if config is None and (stage is not None or summary is None):
            missing = SUMMARY if stage is None else _CONFIG
            raise RunFolderError(f"{path} is not the folder of a run: it has no {missing}")
        actual = (config or {}).get("stage", _SEARCH)
        if stage not in (None, actual):
            raise RunFolderError(f"{path} is the folder of a {one_line(actual)}, not of a {stage}")
        match summary:
            case None | {"complete": False}:
                resume = f"python -m {_COMMANDS.get(str(actual), 'oneshot.search')} --resume {quoted(path)}"
                raise RunFolderError(f"{path} is not finished; continue with: {resume}")
            case {"architecture": record}:
                return cls.from_record(record, path / SUMMARY)
            case {"benchmark": {"arch": arch}}:
                return cls.from_record({"space": "nb201", "text": arch}, path / SUMMARY)
        raise RunFolderError(f"{path / SUMMARY} is damaged, or of another version: it has no 'architecture'")

    @property
    def record(self) -> dict[str, str]:
        """What files have of it; `from_record` reads it."""
        return {"space": self.space, "text": str(self.value)}

    def diagrams(self, title: str | None = None) -> list[Diagram]:
        """Return its diagrams, or only the one of this title; ConfigError if there is none."""
        diagrams = get_space(self.space).diagrams(self.value)
        chosen = [diagram for diagram in diagrams if title in (None, diagram.title)]
        if not chosen:
            titles = ", ".join(diagram.title for diagram in diagrams)
            raise ConfigError(f"there is no {title!r} in the architecture; there are {titles}")
        return chosen


def _names_folder(text: str) -> bool:
    """Return whether a text is the path of a folder, and no architecture."""
    return any(os.path.exists(os.path.join(text, name)) for name in (_CONFIG, SUMMARY)) or (
        os.sep in text and not set(text) & set("|({")
    )
