"""A progress bar on stderr, and what else happens once a second during long work."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Never, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")
_INTERVAL = 1.0  # seconds between ticks


class Progress(AbstractContextManager["Progress"]):
    """A bar that shows how much is done, on stderr if that is a terminal; use it in a `with`.

    >>> history = []
    >>> with Progress("random search", "evaluations", total=3, on_tick=[lambda: print("saved")]) as progress:
    ...     for step in range(3):
    ...         history.append(step)
    ...         stopped = progress.update(len(history))
    >>> stopped
    False

    `update` is cheap enough for a tight loop: it does nothing until a tick is due, once a second. Then it
    calls the functions in `on_tick`, such as one that flushes a log, and moves the bar.

    `total`: how much there is to do, None if unknown; `done`: how much was done before, by an earlier run;
    `shown`: False for no bar; `stop`: whether to stop, which `update` returns; `interval`: seconds between
    ticks.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        total: float | None = None,
        *,
        done: float = 0,
        shown: bool = True,
        stop: Callable[[], bool] = lambda: False,
        on_tick: Sequence[Callable[[], None]] = (),
        interval: float = _INTERVAL,
    ) -> None:
        self.done = done
        self._name, self._unit, self._total, self._initial = name, unit, total, done
        self._shown = shown and sys.stderr is not None and sys.stderr.isatty()
        self._stop, self._on_tick, self._interval = stop, on_tick, interval
        self._next = time.monotonic() + interval
        self._bar: tqdm[Never] | None = None

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, done: float, detail: Callable[[], str] | None = None) -> bool:
        """Note how much is done and tick if it is time; return whether to stop.

        `detail()`: a text to show behind the bar, made only when it is shown.
        """
        self.done = done
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._interval
            for function in self._on_tick:
                function()
            self._show(detail)
        return self._stop()

    def advance(self, count: float = 1) -> bool:
        """Note that more is done; return whether to stop."""
        return self.update(self.done + count)

    def finish(self, done: float | None = None) -> None:
        """Tick once more at the end, and leave the bar, if one is shown, where the work ended."""
        self.done = self.done if done is None else done
        for function in self._on_tick:
            function()
        if self._bar is not None:
            self._show(None)

    def _show(self, detail: Callable[[], str] | None) -> None:
        if not self._shown:
            return
        if self._bar is None:
            from tqdm import tqdm  # imported here because most commands end before a bar is shown

            unit = f" {self._unit}"
            self._bar = tqdm(total=self._total, initial=self._initial, desc=self._name, unit=unit)
        bar = self._bar
        if detail is not None:
            bar.set_postfix_str(detail(), refresh=False)
        bar.update(self.done - bar.n)
        bar.refresh()


def tracked(items: Iterable[T], name: str, unit: str, total: int, *, shown: bool = True) -> Iterator[T]:
    """Yield items, with a progress bar on stderr if that is a terminal."""
    with Progress(name, unit, total, shown=shown) as progress:
        for item in items:
            yield item
            progress.advance()
        progress.finish()
