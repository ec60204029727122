"""The logs of runs as bytes: rows of evaluations, step by step, or of jobs, trial by trial."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from contextlib import ExitStack
from itertools import chain, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from blackbox.errors import RunFolderError
from blackbox.search.history import History
from blackbox.search.jobs import JOB, JobHistory
from nasbench.errors import said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nasbench.arrays import Codes
    from nasbench.spaces import Space

H = TypeVar("H", History, JobHistory)
_ROUNDS = 8  # of looking for rows that are alike; a table with noise gives a cell few different scores
_STEPS = 100  # whose rows are joined at once


class SearchLog(ABC, Generic[H]):
    """The format of a log of some trials of a search.

    `trials`: their numbers; cells stand in it by their official index in the space.
    """

    header: bytes

    def __init__(self, space: Space, trials: Sequence[int]) -> None:
        self.trials = trials
        self._space = space

    @abstractmethod
    def whole(self, data: bytes) -> int:
        """Return how many bytes of a log's data, which has its header, make up whole steps or jobs."""

    @abstractmethod
    def decode(self, data: bytes, path: str | Path) -> H:
        """Return the whole steps or jobs in a log's data; RunFolderError names the file at `path`."""

    @abstractmethod
    def join(self, logs: Sequence[Path], sizes: Sequence[int]) -> Iterator[bytes]:
        """Yield the rows of all trials from the logs of their parts, which have so many trials each."""

    def _lines(self, data: bytes, path: str | Path) -> bytes:
        """Return the whole steps or jobs in a log without its header, which must be there."""
        if not data.startswith(self.header):
            text = self.header.decode().strip()
            raise RunFolderError(f"{path} is damaged: its first line should be {text}")
        return data[len(self.header) : self.whole(data)]

    def _table(self, lines: bytes, path: str | Path) -> NDArray[np.float64]:
        """Return the numbers in lines of a log, (lines, columns)."""
        try:
            return read_rows(lines)
        except ValueError as error:
            raise RunFolderError(f"{path} is damaged: {said(error)}") from None


class EvaluationLog(SearchLog[History]):
    """A row per evaluation: number, trial, official index, a score per objective, seconds."""

    header = b"evaluation,trial,index,score,cost\n"

    def __init__(self, space: Space, trials: Sequence[int], objectives: int = 1) -> None:
        super().__init__(space, trials)
        self._objectives = objectives
        if objectives > 1:
            scores = ["score", *(f"score{n}" for n in range(2, objectives + 1))]
            self.header = self.header.replace(b"score", ",".join(scores).encode())

    def encode(self, history: History, start: int = 0) -> bytes:
        """Return the rows of the steps from `start` on.

        Rows of the same cell, scores and seconds end in the same text, which is made once.
        """
        steps = range(start, len(history))
        codes = history.codes[:, start:].T.ravel()
        if not codes.size:
            return b""
        scores = history.scores[:, start:].swapaxes(0, 1).reshape(len(codes), -1)
        values = np.column_stack([scores, history.costs[:, start:].T.ravel()])
        pattern = _one_of_those_alike(codes, values)
        rows = np.flatnonzero(pattern == np.arange(len(pattern)))
        place = np.empty_like(pattern)
        place[rows] = np.arange(len(rows))
        row = "%d" + ",%r" * values.shape[1] + "\n"
        indices = self._space.official_index()[codes[rows]].tolist()
        ends = [
            row % (index, *numbers) for index, numbers in zip(indices, values[rows].tolist(), strict=True)
        ]
        pieces = [""] * (3 * len(codes))
        pieces[0::3] = chain.from_iterable(repeat(f"{step + 1},", len(self.trials)) for step in steps)
        pieces[1::3] = [f"{trial}," for trial in self.trials] * len(steps)
        pieces[2::3] = np.array(ends, dtype=object)[place[pattern]].tolist()
        return "".join(pieces).encode()

    def whole(self, data: bytes) -> int:
        end = data.rfind(b"\n") + 1
        for _ in range((data.count(b"\n") - 1) % len(self.trials)):  # rows of a step that is not whole
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
            raise RunFolderError(f"{path} is damaged: {said(error)}") from None
        steps = len(number)
        if (
            (number != np.arange(1, steps + 1)[:, None]).any()
            or (trial != np.array(self.trials)).any()
            or not np.isin(index, np.arange(len(order))).all()
            or not (np.max(scores, axis=0) < np.inf).all()  # nor NaN; -inf: a failed evaluation
            or not np.isfinite(costs).all()
        ):
            raise RunFolderError(
                f"{path} is damaged: its rows are not {steps} evaluations of {len(self.trials)} trials"
            )
        told = scores[0] if self._objectives == 1 else np.stack(scores, axis=-1)
        history.extend(order[index.astype(np.intp)].T, told.swapaxes(0, 1), costs.T)
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


class JobLog(SearchLog[JobHistory]):
    """A row per job that ended: number, trial, official index, epochs, score, start, end, worker."""

    header = b"job,trial,index,epoch,score,start,end,worker\n"

    def encode(self, rows: NDArray[np.void]) -> bytes:
        """Return the rows of jobs, an array of dtype JOB."""
        fields = [rows[name] for name in JOB.names]
        fields[JOB.names.index("code")] = self._space.official_index()[rows["code"]]
        row = "%d,%d,%d,%d,%r,%r,%r,%d\n"
        return "".join([row % line for line in zip(*map(np.ndarray.tolist, fields), strict=True)]).encode()

    def whole(self, data: bytes) -> int:
        return data.rfind(b"\n") + 1

    def decode(self, data: bytes, path: str | Path) -> JobHistory:
        lines, order = self._lines(data, path), self._space.official_order()
        if not lines:
            return JobHistory(self.trials, [])
        table = self._table(lines, path)
        if table.shape[1] != len(JOB.names):
            raise RunFolderError(f"{path} is damaged: its rows have {table.shape[1]} columns")
        job, trial, index, epochs, score, start, end, worker = table.T
        whole = np.stack([job, trial, index, epochs, worker])
        if (
            (whole != np.floor(whole)).any()
            or whole.min() < 0
            or whole.max() >= 2**53
            or epochs.min() < 1
            or not np.isin(trial, np.array(self.trials)).all()
            or index.max() >= len(order)
            or np.isnan(score).any()
            or not (np.isfinite(end) & (start >= 0) & (start <= end)).all()
        ):
            raise RunFolderError(f"{path} is damaged: its rows are not jobs of {len(self.trials)} trials")
        rows = np.empty(len(table), dtype=JOB)
        for name, column in zip(JOB.names, table.T, strict=True):
            rows[name] = column
        rows["code"] = order[rows["code"]]
        return JobHistory(self.trials, rows)

    def join(self, logs: Sequence[Path], sizes: Sequence[int]) -> Iterator[bytes]:
        for path in logs:
            yield path.read_bytes()[len(self.header) :]


def read_rows(data: bytes) -> NDArray[np.float64]:
    """Return the numbers in lines of a log, (lines, columns); ValueError if there are none."""
    if not data.strip():
        raise ValueError("its rows are empty")
    return np.loadtxt(io.BytesIO(data), delimiter=",", comments=None, ndmin=2)


def _one_of_those_alike(codes: Codes, values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return for each row one with the same code and bits of values, the same for all that are alike.

    Codes (n,), values (n, V). After some rounds, rows that are left are alike to none but themselves.
    """
    bits = values.view(np.int64)
    found = np.arange(len(codes))
    left = found.copy()
    latest = np.empty(codes.max() + 1, dtype=np.intp)  # a row of each code
    for _ in range(_ROUNDS):
        latest[codes[left]] = left
        other = latest[codes[left]]
        alike = (bits[other] == bits[left]).all(axis=1)
        found[left[alike]] = other[alike]
        left = left[~alike]
        if not left.size:
            break
    return found
