"""Arrays as short text, which the page's `numbers.js` reads."""

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

MISSING = 65_535  # in place of a value that is not there
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
    values = np.asarray(values, dtype=np.float64)
    known = values[~np.isnan(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    span = max(float(high - low), 1e-300)
    digits = min(_MOST_DECIMALS, math.floor(math.log10((MISSING - 2) / span)))
    steps = np.rint(values * 10.0**digits)
    first = np.rint(low * 10.0**digits)
    steps = np.where(np.isnan(steps), MISSING, np.minimum(steps - first, MISSING - 1))
    return {"low": int(first), "decimals": digits, "steps": wholes(steps)}
