"""Progress bars on stderr, and other work once per second."""

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
    """A progress bar on stderr, shown only on terminals; use it in a `with`.

    >>> history = []
    >>> with Progress("random search", "evaluations", total=3, on_tick=[lambda: print("saved")]) as progress:
    ...     for step in range(3):
    ...         history.append(step)
    ...         stopped = progress.update(len(history))
    >>> stopped
    False

    `update` is cheap enough for a tight loop: it does nothing until a tick is due, once per second. Then it
    calls the functions in `on_tick`, such as one that flushes a log, and updates the bar.

    Parameters
    ----------
    name, unit
        Texts of the bar.
    total
        Total amount of work; None if unknown.
    done
        Amount of work done by an earlier run.
    shown
        Whether to show the bar.
    stop
        Function that returns whether to stop; `update` returns its result.
    on_tick
        Functions that are called at every tick.
    interval
        Seconds between ticks.
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
        """Set the amount of work done, tick if it is due, and return whether to stop.

        `detail()` returns a text to show after the bar; it is called only when the bar is updated.
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
        """Add `count` to the work done; return whether to stop."""
        return self.update(self.done + count)

    def finish(self, done: float | None = None) -> None:
        """Tick a last time and leave the bar, if shown, at the final amount of work."""
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
    """Yield items with a progress bar on stderr, shown only on terminals."""
    with Progress(name, unit, total, shown=shown) as progress:
        for item in items:
            yield item
            progress.advance()
        progress.finish()
