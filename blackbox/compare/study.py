"""What is compared, and the pieces that its work comes in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from blackbox.compare.spec import Spec
from blackbox.table.settings import RunConfig

_TRIALS = 50  # of a part: more at once are no faster
_LEAST_PARTS = 16  # of an algorithm, if it has as many trials: so many processes have work
_MOST_PARTS = 400  # whose logs are open at once when they are joined
PARTS = ".parts"  # the folder of parts of runs that are not complete
_IN_A_NAME = "-_.,="  # beside letters and digits


@dataclass(frozen=True)
class Study:
    """Algorithms and what is common to them: the same in every process.

    >>> study = Study((Spec.of("re"), Spec.of("re:sample=3")), RunConfig(trials=500), None, Path("runs"))
    >>> [str(study.run_folder(number)) for number in range(2)], len(study.parts)
    (['runs/re', 'runs/re_sample=3'], 32)
    """

    specs: tuple[Spec, ...]
    settings: RunConfig  # with its space and its signal
    store: str | None = None  # the path of the table, None: the default
    folder: Path | None = None  # where runs are kept
    created: str | None = None  # when the comparison was

    @property
    def parts(self) -> list[Part]:
        """The Parts of all algorithms, turn by turn. How many does not depend on the processes."""
        trials = self.settings.trials
        size = max(min(_TRIALS, -(-trials // _LEAST_PARTS)), -(-trials // _MOST_PARTS))
        return [
            Part(number, first, min(first + size, trials))
            for first in range(0, trials, size)
            for number in range(len(self.specs))
        ]

    @property
    def _root(self) -> Path:
        return cast("Path", self.folder)  # the folders of a study are asked for only if it has one

    def run_folder(self, number: int) -> Path:
        """Return the folder for the run of an algorithm: its label, as far as a file's name may have it."""
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
    """Trials of an algorithm, from `first` to before `end`."""

    number: int  # of the algorithm
    first: int
    end: int
    steps: int | None = None  # evaluations to go on to beyond the budget, as long as the slowest trial does

    @property
    def trials(self) -> range:
        return range(self.first, self.end)


class Whole(NamedTuple):
    """The run of an algorithm, to be made of its parts."""

    number: int


def _file_name(label: str) -> str:
    return "".join(c if c.isalnum() or c in _IN_A_NAME else "_" for c in label)
