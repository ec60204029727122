"""What is compared, the pieces that its work comes in, and what is kept of them."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from blackbox.compare.spec import Spec
from blackbox.kinds.reader import changes_of
from blackbox.search.jobs import JobHistory
from blackbox.table.settings import RunConfig

_TRIALS = 50  # of a part: more at once are no faster
_LEAST_PARTS = 16  # of an algorithm, if it has as many trials: so many processes have work
_MOST_PARTS = 400  # whose logs are open at once when they are joined
PARTS = ".parts"  # the folder of what is not whole yet
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
    def parts(self):
        """The Parts of all algorithms, turn by turn. How many does not depend on the processes."""
        trials = self.settings.trials
        size = max(min(_TRIALS, -(-trials // _LEAST_PARTS)), -(-trials // _MOST_PARTS))
        return [
            Part(number, first, min(first + size, trials))
            for first in range(0, trials, size)
            for number in range(len(self.specs))
        ]

    def run_folder(self, number):
        """Where the run of an algorithm is to be: its label, as far as it may stand in a file's name."""
        names = [_file_name(spec.label) for spec in self.specs]
        before = names[:number].count(names[number])
        return self.folder / (f"{names[number]}_{before + 1}" if before else names[number])

    def parts_folder(self, number):
        """Where its parts are until then."""
        return self.folder / PARTS / self.run_folder(number).name

    def part_folder(self, part):
        return self.parts_folder(part.number) / str(part.first)


class Part(NamedTuple):
    """Trials of an algorithm, from `first` to before `end`."""

    number: int  # of the algorithm
    first: int
    end: int
    steps: int | None = None  # evaluations to go on to beyond the budget, as long as the slowest trial does

    @property
    def trials(self):
        return range(self.first, self.end)


class Whole(NamedTuple):
    """The run of an algorithm, to be made of its parts."""

    number: int


class Trials(NamedTuple):
    """What is kept of trials: when their incumbents changed, what they took, and how far they are known."""

    changes: list  # (evaluations or jobs, seconds, codes) of each, as `Run.anytime` has it
    evaluations: np.ndarray  # or jobs, (T,)
    seconds: np.ndarray  # simulated, (T,)
    until: np.ndarray  # seconds up to which their incumbents are known: the budget, or what they took, (T,)

    @classmethod
    def of(cls, history, budget=None):
        """Those of a History, or of a JobHistory."""
        if isinstance(history, JobHistory):
            rows = [history.of(trial) for trial in history.trials]
            ends = [of["end"].max() if len(of) else 0.0 for of in rows]
            changes = [history.anytime(trial) for trial in history.trials]
            ends = np.array(ends, dtype=np.float64)
            until = ends if budget is None else np.full(len(rows), budget)
            return cls(changes, np.array([len(of) for of in rows]), ends, until)
        counted = history.counted(budget)
        spent = np.pad(history.costs.cumsum(axis=1), ((0, 0), (1, 0)))[np.arange(history.trials), counted]
        until = spent if budget is None else np.where(counted < len(history), budget, spent)
        return cls(changes_of(history, budget), counted, spent, until)

    @classmethod
    def joined(cls, parts):
        """Those of several parts, in their order."""
        changes, *columns = zip(*parts, strict=True)
        return cls(list(chain.from_iterable(changes)), *map(np.concatenate, columns))

    def ends(self, axis):
        """How far each trial is known, (T,): in evaluations or simulated seconds, by the axis 0 or 1."""
        return (self.evaluations, self.until)[axis]


def _file_name(label):
    return "".join(c if c.isalnum() or c in _IN_A_NAME else "_" for c in label)
