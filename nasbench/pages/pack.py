"""Arrays as short text, which the page's `numbers.js` reads."""

import base64
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

MISSING = 65_535  # in place of a value that is not there
FINE_MISSING = 2**24 - 1  # the same in 24 bits
_MOST_DECIMALS = 9


def wholes(values: ArrayLike) -> str:
    """Return integers in [0, 65,535] as base64, 16 bits each, the low byte first."""
    return base64.b64encode(np.asarray(values, dtype="<u2").tobytes()).decode()


def counts(values: ArrayLike) -> str:
    """Return integers >= 0 as base64: seven bits per byte, the low ones first; the eighth: more follow.

    >>> counts([0, 1, 300])
    'AAGsAg=='
    """
    data = bytearray()
    for value in np.asarray(values).tolist():
        while value > 127:
            data.append(value & 127 | 128)
            value >>= 7
        data.append(value)
    return base64.b64encode(data).decode()


def decimals(values: ArrayLike) -> dict[str, Any]:
    """Return numbers, rounded to the decimals that 16 bits have room for: {low, decimals, steps}.

    NaN is `MISSING`. A value is (low + step) / 10^decimals, where decimals is negative for numbers far apart.

    >>> packed = decimals([91.60667, 9.7, float("nan")])
    >>> packed["low"], packed["decimals"], np.frombuffer(base64.b64decode(packed["steps"]), "<u2").tolist()
    (970, 2, [8191, 0, 65535])
    """
    packed, steps = _steps(values, MISSING)
    return packed | {"steps": wholes(steps)}


def deflated(values: ArrayLike) -> dict[str, Any]:
    """Return numbers as `decimals` does, in 24 bits each, which zlib compresses.

    All low bytes come first, then all middle ones, then all high ones. NaN is 2^24 - 1.

    >>> packed = deflated([91.60667, 9.7, float("nan")])
    >>> packed["low"], packed["decimals"], list(zlib.decompress(base64.b64decode(packed["steps"])))
    (970000, 5, [203, 0, 255, 250, 0, 255, 124, 0, 255])
    """
    packed, steps = _steps(values, FINE_MISSING)
    planes = steps.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].T
    return packed | {"steps": base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()}


def _steps(values: ArrayLike, missing: int) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Return what values are counted in, {low, decimals}, and the count of each, below `missing`."""
    values = np.asarray(values, dtype=np.float64)
    known = values[~np.isnan(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    span = max(float(high - low), 1e-300)
    digits = min(_MOST_DECIMALS, math.floor(math.log10((missing - 2) / span)))
    steps = np.rint(values * 10.0**digits)
    first = np.rint(low * 10.0**digits)
    steps = np.where(np.isnan(steps), missing, np.minimum(steps - first, missing - 1))
    return {"low": int(first), "decimals": digits}, steps
