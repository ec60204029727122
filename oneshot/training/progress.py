"""The progress bar of a training, on stderr; off where that is no terminal."""

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, Self, TypeVar

from tqdm import tqdm

from oneshot.training.metrics import Measured
from oneshot.training.trainer import Trainer

_T = TypeVar("_T")
_INTERVAL = 1.0  # seconds between looks; each waits for the device once


class Bar:
    """Looks at a Trainer once a second: the measurements of its epoch so far, and whether they are finite."""

    def __init__(self, trainer: Trainer[Any], name: str, images_per_step: int, shown: bool = True) -> None:
        total = trainer.task.epochs * len(trainer.task)
        self._trainer, self._images_per_step = trainer, images_per_step
        self._bar = tqdm(total=total, initial=trainer.steps, desc=name, unit=" steps", disable=_hidden(shown))
        self._steps, self._time = trainer.steps, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def look(self) -> None:
        """Look, if it is time to; called after each step."""
        now = time.monotonic()
        if now < self._time + _INTERVAL:
            return
        texts = "".join(map(_text, ("train", "val"), self._trainer.look()))
        images = (self._trainer.steps - self._steps) * self._images_per_step
        rate = images / (now - self._time)
        self._time = now
        self.finish()
        self._bar.set_postfix_str(f"epoch {self._trainer.epoch + 1}, {texts}{rate:,.0f} images/s")

    def finish(self) -> None:
        """Show where the training is now."""
        self._bar.update(self._trainer.steps - self._steps)
        self._steps = self._trainer.steps


def counting(items: Sequence[_T], unit: str, name: str, shown: bool = True) -> Iterable[_T]:
    """Return the items of a list, with a bar of how many of them are done."""
    return tqdm(items, desc=name, unit=f" {unit}", disable=_hidden(shown))


def _hidden(shown: bool) -> bool | None:
    """Return whether to hide a bar; None: unless stderr is a terminal."""
    return None if shown and sys.stderr else True


def _text(name: str, measured: Measured) -> str:
    if measured.loss != measured.loss:  # of no images
        return ""
    return f"{name} loss {measured.loss:.3f} accuracy {measured.accuracy:.1f} %, "
