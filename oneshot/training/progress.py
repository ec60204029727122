"""The progress bar of a search, on stderr; off where that is no terminal."""

import sys
import time

from tqdm import tqdm

_INTERVAL = 1.0  # seconds between looks; each waits for the device once


class Bar:
    """Looks at a Training once a second: what its epoch gave so far, and whether that still is numbers."""

    def __init__(self, training, name, shown=True):
        hidden = None if shown and sys.stderr else True  # None: hidden unless it is a terminal
        total = training.epochs * training.steps_an_epoch
        done = _steps(training)
        self._bar = tqdm(total=total, initial=done, desc=name, unit=" steps", disable=hidden)
        self._steps, self._images, self._time = done, 0, time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()

    def look(self, training, images):
        """Count `images` of a step in; DivergedError where a loss is no number any more."""
        self._images += images
        now = time.monotonic()
        if now < self._time + _INTERVAL:
            return
        train, val = training.so_far()
        rate, self._images = self._images / (now - self._time), 0
        self._time = now
        steps = _steps(training)
        self._bar.update(steps - self._steps)
        self._steps = steps
        self._bar.set_postfix_str(
            f"epoch {training.epoch + 1}, {_text('train', train)}{_text('val', val)}{rate:,.0f} images/s"
        )

    def finish(self, training):
        """Show where the training ended."""
        steps = _steps(training)
        self._bar.update(steps - self._steps)
        self._steps = steps


def _steps(training):
    return training.epoch * training.steps_an_epoch + training.batch


def _text(name, measured):
    if measured.loss != measured.loss:  # of no images
        return ""
    return f"{name} loss {measured.loss:.3f} accuracy {measured.accuracy:.1f} %, "
