"""Ctrl-C: deferred until results are saved, or ignored temporarily."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Self


@contextmanager
def ignoring_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C within the block; no effect outside the main thread."""
    before = None
    with suppress(ValueError):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


class HeldInterrupt:
    """Context that defers a first Ctrl-C so that results are saved; a second one raises KeyboardInterrupt.

    Parameters
    ----------
    patient
        Whether to defer every Ctrl-C, if an exit in between would do harm.

    Attributes
    ----------
    came
        Whether there was a Ctrl-C.
    """

    def __init__(self, patient: bool = False) -> None:
        self.came = False
        self._patient = patient
        self._before: Any = None  # a handler of the signal module

    def __enter__(self) -> Self:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            with suppress(ValueError):  # not in the main thread
                self._before = signal.signal(signal.SIGINT, self._hold)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hold(self, number: int, frame: FrameType | None) -> None:
        if self.came and not self._patient:
            raise KeyboardInterrupt
        self.came = True
