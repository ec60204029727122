"""Pending evaluations of a search with several workers per trial."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from blackbox.search.history import History
from nasbench.arrays import Codes


class PendingEvaluations:
    """Evaluations that a search asked for and that were not told yet.

    If a result never arrives, the oldest pending evaluation is dropped first.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._seen = len(history)  # steps
        self._codes: list[Codes] = []  # (T,) each, oldest first
        self._answers: dict[int, Codes] = {}  # since the last `tell`, by number of pending evaluations

    def answer(self, pending: int, propose: Callable[[int, Sequence[Codes]], Codes]) -> Codes:
        """Return the codes (T,) for `ask(pending)`, the same codes until `tell` is called.

        `propose(step, codes)` returns new codes; its argument `codes` is the last `pending` codes (T,) that
        were asked for and not told yet, as far as they are known.
        """
        length = len(self._history)
        if self._seen != length:
            if pending:
                self._remove(self._history.last(length - self._seen)[0])
            self._answers = {}
            self._seen = length
        if pending not in self._answers:
            codes = self._codes[max(len(self._codes) - pending, 0) :]
            self._answers[pending] = propose(length + pending, codes)
            self._codes = [*codes, self._answers[pending]]
        return self._answers[pending].copy()

    def expect(self, codes: Codes) -> None:
        """Add codes (T,) that an earlier run of the search asked for."""
        self._codes.append(codes)

    def _remove(self, evaluated: Iterable[Codes]) -> None:
        for codes in evaluated:
            for position, pending in enumerate(self._codes):
                if np.array_equal(pending, codes):
                    del self._codes[position]
                    break
