"""Arrays as short text for `numbers.js` of the page."""

import base64
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

MISSING = 65_535  # replaces a missing value
FINE_MISSING = 2**24 - 1  # the same for 24 bits
_MOST_DECIMALS = 9


def wholes(values: ArrayLike) -> str:
    """Return integers in [0, 65,535] as base64, 16 bits each, the low byte first."""
    return base64.b64encode(np.asarray(values, dtype="<u2").tobytes()).decode()


def counts(values: ArrayLike) -> str:
    """Return integers >= 0 as base64: seven bits per byte, low bits first; the eighth bit: more bytes follow.

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
    """Return numbers as {low, decimals, steps}, rounded to as many decimals as 16 bits can represent.

    NaN is `MISSING`. A value is (low + step) / 10^decimals; decimals is negative for a wide range of values.

    >>> packed = decimals([91.60667, 9.7, float("nan")])
    >>> packed["low"], packed["decimals"], np.frombuffer(base64.b64decode(packed["steps"]), "<u2").tolist()
    (970, 2, [8191, 0, 65535])
    """
    packed, steps = _steps(values, MISSING)
    return packed | {"steps": wholes(steps)}


def deflated(values: ArrayLike) -> dict[str, Any]:
    """Return numbers as `decimals` does, but with 24 bits each and compressed by zlib.

    All low bytes come first, then all middle ones, then all high ones. NaN is 2^24 - 1.

    >>> packed = deflated([91.60667, 9.7, float("nan")])
    >>> packed["low"], packed["decimals"], list(zlib.decompress(base64.b64decode(packed["steps"])))
    (970000, 5, [203, 0, 255, 250, 0, 255, 124, 0, 255])
    """
    packed, steps = _steps(values, FINE_MISSING)
    planes = steps.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].T
    return packed | {"steps": base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()}


def _steps(values: ArrayLike, missing: int) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Return {low, decimals}, and the number of steps of each value above low, below `missing`."""
    values = np.asarray(values, dtype=np.float64)
    known = values[~np.isnan(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    span = max(float(high - low), 1e-300)
    digits = min(_MOST_DECIMALS, math.floor(math.log10((missing - 2) / span)))
    steps = np.rint(values * 10.0**digits)
    first = np.rint(low * 10.0**digits)
    steps = np.where(np.isnan(steps), missing, np.minimum(steps - first, missing - 1))
    return {"low": int(first), "decimals": digits}, steps
