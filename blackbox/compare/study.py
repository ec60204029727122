"""The definition of a comparison, and the parts that its work is divided into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from blackbox.compare.spec import Spec
from blackbox.table.settings import RunConfig

_TRIALS = 50  # trials per part; more at once are not faster
_LEAST_PARTS = 16  # minimum per algorithm if it has enough trials, to keep this number of processes busy
_MOST_PARTS = 400  # maximum per algorithm, because all logs are open at once when they are joined
PARTS = ".parts"  # folder for the parts of incomplete runs
_IN_A_NAME = "-_.,="  # characters of a name in addition to letters and digits


@dataclass(frozen=True)
class Study:
    """The algorithms of a comparison and their common settings, the same in every process.

    >>> specs = Spec.parse("re"), Spec.parse("re:sample=3")
    >>> study = Study(specs, RunConfig(trials=500), None, Path("runs"))
    >>> [str(study.run_folder(number)) for number in range(2)], len(study.parts)
    (['runs/re', 'runs/re_sample=3'], 32)
    """

    specs: tuple[Spec, ...]  #: the algorithms
    settings: RunConfig  #: common settings, with the table's space and signal
    store: str | None = None  #: path of the table; None for the default store
    folder: Path | None = None  #: folder for the runs; None if they are not saved
    created: str | None = None  #: time of creation of the comparison

    @property
    def parts(self) -> list[Part]:
        """The Parts of all algorithms in turn; their number does not depend on the number of processes."""
        trials = self.settings.trials
        size = max(min(_TRIALS, -(-trials // _LEAST_PARTS)), -(-trials // _MOST_PARTS))
        return [
            Part(number, first, min(first + size, trials))
            for first in range(0, trials, size)
            for number in range(len(self.specs))
        ]

    @property
    def _root(self) -> Path:
        return cast("Path", self.folder)  # only called if the study has a folder

    def run_folder(self, number: int) -> Path:
        """Return the folder for the run of an algorithm, named by its label."""
        names = [_file_name(spec.label) for spec in self.specs]
        before = names[:number].count(names[number])
        return self._root / (f"{names[number]}_{before + 1}" if before else names[number])

    def parts_folder(self, number: int) -> Path:
        """Return the folder for the parts of a run until it is complete."""
        return self._root / PARTS / self.run_folder(number).name

    def part_folder(self, part: Part) -> Path:
        """Return the folder for a part."""
        return self.parts_folder(part.number) / str(part.first)


class Part(NamedTuple):
    """Some consecutive trials of an algorithm."""

    number: int  #: number of the algorithm
    first: int  #: number of the first trial
    end: int  #: number of the last trial + 1
    #: evaluations per trial, beyond the budget like the slowest trial; None if unknown
    steps: int | None = None

    @property
    def trials(self) -> range:
        """The numbers of the trials."""
        return range(self.first, self.end)


class Whole(NamedTuple):
    """The complete run of an algorithm, which is joined from its parts."""

    number: int  #: number of the algorithm


def _file_name(label: str) -> str:
    return "".join(c if c.isalnum() or c in _IN_A_NAME else "_" for c in label)
