import base64

import numpy as np
import pytest

from nasbench.pages import pack


def read_wholes(text):
    return np.frombuffer(base64.b64decode(text), "<u2")


def read_counts(text):
    """Seven bits a byte, as `numbers.js` reads them."""
    found, value, shift = [], 0, 0
    for byte in base64.b64decode(text):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(value)
            value = shift = 0
    return found


def read_decimals(packed):
    steps = read_wholes(packed["steps"]).astype(float)
    values = (packed["low"] + steps) / 10.0 ** packed["decimals"]
    return np.where(steps == pack.MISSING, np.nan, values)


def test_wholes():
    values = [0, 1, 255, 256, 65_535]
    assert read_wholes(pack.wholes(values)).tolist() == values


def test_counts():
    values = [0, 1, 127, 128, 16_383, 16_384, 500_000, 2**31]
    assert read_counts(pack.counts(values)) == values
    assert len(base64.b64decode(pack.counts([127] * 100))) == 100


@pytest.mark.parametrize(
    ("low", "high", "decimals"),
    [(9.7, 91.6, 2), (0.07, 1.53, 4), (7.78, 220.1, 2), (0.007, 0.026, 6), (-1e6, 1e6, -2), (5, 5, 9)],
)
def test_decimals_are_the_numbers_rounded(low, high, decimals):
    values = np.random.default_rng(0).uniform(low, high, 1000)
    values[:2] = low, high
    values[7] = np.nan
    packed = pack.decimals(values)
    assert packed["decimals"] == decimals
    np.testing.assert_allclose(read_decimals(packed), np.round(values, decimals), rtol=1e-15)


def test_nothing_is_known():
    assert np.isnan(read_decimals(pack.decimals([np.nan, np.nan]))).all()
