"""The log formats of searches, and the format for evaluations: one row per evaluation, step by step."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from blackbox.errors import RunFolderError
from blackbox.search.history import History
from nasbench.arrays import Codes
from nasbench.errors import one_line
from nasbench.runs.log import decode_numbers, first_line_text
from nasbench.runs.text import counted
from nasbench.spaces import Space

H = TypeVar("H")
_ROUNDS = 8  # rounds of searching for equal rows; with noise, a cell has a few different scores
_STEPS = 20  # steps whose rows are joined at once


class SearchLog(ABC, Generic[H]):
    """The format of a log of some trials of a search.

    `trials` are the numbers of the trials. In a log, cells are given by their official index in the space.
    """

    header: bytes

    def __init__(self, space: Space, trials: Sequence[int]) -> None:
        self.trials = trials
        self._space = space

    @abstractmethod
    def whole(self, data: bytes) -> int:
        """Return the length in bytes of the complete steps or jobs in a log's data, header included."""

    @abstractmethod
    def encode(self, rows: H) -> bytes:
        """Return the rows of a history as bytes."""

    @abstractmethod
    def decode(self, data: bytes, path: str | Path) -> H:
        """Return the complete steps or jobs in a log's data; errors name the file `path`."""

    @abstractmethod
    def join(self, logs: Sequence[Path], sizes: Sequence[int]) -> Iterator[bytes]:
        """Yield the rows of all trials from the logs of parts; `sizes` are the parts' numbers of trials."""

    def _lines(self, data: bytes, path: str | Path) -> bytes:
        """Return the complete steps or jobs in a log, without the header, which is checked."""
        if not data.startswith(self.header):
            raise RunFolderError(f"{path} is damaged: {first_line_text(self.header)}")
        return data[len(self.header) : self.whole(data)]

    def _table(self, lines: bytes, path: str | Path) -> NDArray[np.float64]:
        """Return the numbers in the lines of a log, (lines, columns)."""
        try:
            return decode_numbers(lines)
        except ValueError as error:
            raise RunFolderError(f"{path} is damaged: {one_line(error)}") from None


class EvaluationLog(SearchLog[History]):
    """The log format with a row per evaluation: number, trial, official index, scores, seconds."""

    def __init__(self, space: Space, trials: Sequence[int], objectives: int = 1) -> None:
        super().__init__(space, trials)
        self._objectives = objectives
        self.header = evaluations_header(objectives)

    def encode(self, rows: History) -> bytes:
        return b"".join(self.blocks(rows))

    def blocks(self, history: History, start: int = 0) -> Iterator[bytes]:
        """Yield the rows of the steps from `start` on, in blocks of several steps.

        Rows with the same cell, scores and seconds end in the same text, which is formatted once.
        """
        codes = history.codes[:, start:].T.ravel()
        if not codes.size:
            return
        scores = history.scores[:, start:].swapaxes(0, 1).reshape(len(codes), -1)
        columns = [*scores.T, history.costs[:, start:].T.ravel()]
        row = "%d" + ",%r" * len(columns) + "\n"
        model = _model_rows(codes, columns)
        models = np.flatnonzero(model == np.arange(len(model)))
        place = np.empty_like(model)
        place[models] = np.arange(len(models))
        indices = self._space.official_index()[codes[models]].tolist()
        numbers = zip(indices, *(column[models].tolist() for column in columns), strict=True)
        ends = np.array([row % each for each in numbers], dtype=object)[place[model]]
        trials = [f"{trial}," for trial in self.trials]
        for first in range(start, len(history), _STEPS):
            steps = range(first, min(first + _STEPS, len(history)))
            rows = slice((steps.start - start) * len(trials), (steps.stop - start) * len(trials))
            pieces = [""] * (3 * len(steps) * len(trials))
            pieces[0::3] = chain.from_iterable(repeat(f"{step + 1},", len(trials)) for step in steps)
            pieces[1::3] = trials * len(steps)
            pieces[2::3] = ends[rows].tolist()
            yield "".join(pieces).encode()

    def whole(self, data: bytes) -> int:
        end = data.rfind(b"\n") + 1
        for _ in range((data.count(b"\n") - 1) % len(self.trials)):  # rows of an incomplete step
            end = data.rfind(b"\n", 0, end - 1) + 1
        return end

    def decode(self, data: bytes, path: str | Path) -> History:
        lines, order = self._lines(data, path), self._space.official_order()
        history = History(len(self.trials), self._objectives)
        if not lines:
            return history
        table = self._table(lines, path)
        try:
            number, trial, index, *scores, costs = table.T.reshape(
                4 + self._objectives, lines.count(b"\n") // len(self.trials), len(self.trials)
            )
        except ValueError as error:
            raise RunFolderError(f"{path} is damaged: {one_line(error)}") from None
        steps = len(number)
        if (
            (number != np.arange(1, steps + 1)[:, None]).any()
            or (trial != np.array(self.trials)).any()
            or not np.isin(index, np.arange(len(order))).all()
            or not (np.max(scores, axis=0) < np.inf).all()  # nor NaN; -inf: a failed evaluation
            or not np.isfinite(costs).all()
        ):
            raise RunFolderError(
                f"{path} is damaged: its rows are not {counted(steps, 'evaluation')} of"
                f" {counted(len(self.trials), 'trial')}"
            )
        told = scores[0] if self._objectives == 1 else np.stack(scores, axis=-1)
        history.extend(order[index.astype(np.intp)].astype(np.intp).T, told.swapaxes(0, 1), costs.T)
        return history

    def join(self, logs: Sequence[Path], sizes: Sequence[int]) -> Iterator[bytes]:
        with ExitStack() as stack:
            files = [stack.enter_context(open(path, "rb")) for path in logs]
            for file in files:
                file.readline()  # the header
            while lines := [
                line
                for _ in range(_STEPS)
                for file, size in zip(files, sizes, strict=True)
                for line in islice(file, size)
            ]:
                yield b"".join(lines)


def evaluations_header(objectives: int) -> bytes:
    """Return the first line of a log of evaluations."""
    scores = ["score", *(f"score{n}" for n in range(2, objectives + 1))]
    return (",".join(["evaluation", "trial", "index", *scores, "cost"]) + "\n").encode()


def _model_rows(codes: Codes, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.intp]:
    """Return for each row the number of a row with the same code and the same bits in all columns, (n,).

    Equal rows share one model row; rows that are left after some rounds are their own model. All arrays are
    (n,).
    """
    bits = [column.view(np.int64) for column in columns]
    every = np.arange(len(codes))
    model = np.empty_like(every)
    latest = np.empty(codes.max() + 1, dtype=np.intp)  # a row of each code
    left: slice | NDArray[np.intp] = slice(None)
    for _ in range(_ROUNDS):
        rows, own = every[left], codes[left]
        latest[own] = rows
        other = latest[own]
        alike = np.logical_and.reduce([column[other] == column[left] for column in bits])
        model[left] = np.where(alike, other, rows)
        if alike.all():
            break
        left = rows[~alike]
    return model
