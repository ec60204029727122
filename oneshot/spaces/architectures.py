"""Architectures given as a value, as text or as the folder of a finished run."""

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
_SEARCH = "search"  # stage of run folders whose config.json has none
_COMMANDS = {"retraining": "oneshot.retrain", "pipeline": "oneshot.pipeline"}  # others: oneshot.search


class Architecture(NamedTuple):
    """An architecture and its space.

    >>> architecture = Architecture.parse("0")
    >>> architecture.space, architecture.value.index
    ('nb201', 0)
    >>> Architecture.parse("DARTS_V2").diagrams("reduction")[0].title
    'reduction'
    """

    #: name of the space
    space: str
    #: a Cell, Genotype or Hierarchy
    value: Any  # Any: each space has its own class of architectures

    @classmethod
    def parse(
        cls, source: object, space: SpaceName | str | None = None, *, stage: str | None = _SEARCH
    ) -> "Architecture":
        """Return an architecture given in any form.

        Parameters
        ----------
        source
            Text for `parse_architecture`, an architecture of a space, an Architecture, or the folder of a
            finished run, as a path or text.
        space
            Name of the space that the architecture must belong to; None for any.
        stage
            Stage in the config.json that the run must have, such as "search"; None for any.

        Returns
        -------
        Architecture
            The architecture with the name of its space.

        Raises
        ------
        GenotypeError
            If a text is not an architecture, or if the architecture belongs to another space.
        RunFolderError
            If the folder does not exist, is damaged or does not have a finished run of that stage.
        ConfigError
            If there is no space of this name.
        """
        if isinstance(source, Architecture):
            architecture = source
        elif isinstance(source, os.PathLike) or (isinstance(source, str) and _names_folder(source)):
            architecture = cls._from_folder(Path(source), stage)
        else:
            architecture = cls(*parse_architecture(str(source), space))
        if space is not None and get_space(space).name != architecture.space:
            raise GenotypeError(f"the architecture belongs to the space {architecture.space}, not {space}")
        return architecture

    @classmethod
    def from_record(cls, record: Any, path: str | Path) -> "Architecture":  # Any: JSON of a file
        """Return the architecture of a record in a file.

        Parameters
        ----------
        record
            Value of the property `record`, read from the file.
        path
            Path of the file, for messages.

        Returns
        -------
        Architecture
            The architecture with the name of its space.

        Raises
        ------
        RunFolderError
            If `record` is not the record of an architecture.
        """
        try:
            return cls(*parse_architecture(record["text"], record["space"]))
        except (LookupError, TypeError, OneShotError, NASBenchError) as error:
            reason = f"no architecture: {one_line(error)}"
            raise RunFolderError(f"{path} is damaged, or of another version: {reason}") from None

    @classmethod
    def _from_folder(cls, path: Path, stage: str | None) -> "Architecture":
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
        """Name of the space and text, for files; `from_record` reads it."""
        return {"space": self.space, "text": str(self.value)}

    def diagrams(self, title: str | None = None) -> list[Diagram]:
        """Return the diagrams of the architecture.

        Parameters
        ----------
        title
            Title of the only diagram to return; None for all.

        Returns
        -------
        list of Diagram
            Diagrams, such as "normal" and "reduction" for a Genotype.

        Raises
        ------
        ConfigError
            If there is no diagram of this title.
        """
        diagrams = get_space(self.space).diagrams(self.value)
        chosen = [diagram for diagram in diagrams if title in (None, diagram.title)]
        if not chosen:
            titles = ", ".join(diagram.title for diagram in diagrams)
            raise ConfigError(f"the architecture has no diagram {title!r}; its diagrams are {titles}")
        return chosen


def _names_folder(text: str) -> bool:
    """Return whether a text is the path of a folder rather than an architecture."""
    return any(os.path.exists(os.path.join(text, name)) for name in (_CONFIG, SUMMARY)) or (
        os.sep in text and not set(text) & set("|({")
    )
