import numpy as np
import pytest

from nasbench.errors import InvalidArgumentError
from nasbench.runs.checks import LARGEST, bounded, bounds_text, finite, integer, whole


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (0, (1,), "n must be an integer >= 1, got 0"),
        (LARGEST + 1, (1,), "n must be an integer in [1, 10,000,000], got 10000001"),
        (10**400, (1,), f"n must be an integer in [1, 10,000,000], got 1{'0' * 17}...{'0' * 19}"),
        (8, (0, 7), "n must be an integer in [0, 7], got 8"),
        (True, (0,), "n must be an integer >= 0, got True"),
        ("x" * 1000, (0,), f"n must be an integer >= 0, got '{'x' * 47}...{'x' * 48}'"),
    ],
)
def test_numbers_out_of_bounds_are_one_short_line(value, bounds, message):
    with pytest.raises(InvalidArgumentError) as caught:
        whole("n", value, *bounds)
    assert str(caught.value) == message


def test_numbers_of_any_type():
    assert whole("n", np.uint8(7), 0) == 7
    assert [finite(value) for value in (1, 0.5, np.float32(0.25))] == [1.0, 0.5, 0.25]
    assert {finite(value) for value in (True, None, "1", 10**400, float("inf"), float("nan"), [])} == {None}
    with pytest.raises(InvalidArgumentError, match="got a value that is too long to show"):
        whole("n", 10**5000, 0)  # more digits than Python makes a text of
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidArgumentError, match=r"got \[\[\[\[...\]\]\]\]"):
        whole("n", deep, 0)


def test_integers_of_any_type():
    assert [integer(value) for value in (3, np.uint8(7), np.int64(-1))] == [3, 7, -1]
    assert {integer(value) for value in (True, np.True_, 1.0, "1", None, np.array([1, 2]))} == {None}


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (0, {"above": 0}, "x must be > 0, got 0"),
        (-0.5, {"at_least": 0}, "x must be >= 0, got -0.5"),
        (float("nan"), {"at_least": 0}, "x must be a finite number, got nan"),
        ("1", {}, "x must be a finite number, got '1'"),
        (1.0, {"at_least": 0, "below": 1}, "x must be < 1, got 1.0"),
        (2e6, {"at_most": 1_000_000}, "x must be <= 1,000,000, got 2000000.0"),
        (1e31, {}, "x must be <= 1e+30, got 1e+31"),
    ],
)
def test_a_number_out_of_its_bounds_is_an_error(value, bounds, message):
    with pytest.raises(InvalidArgumentError) as caught:
        bounded("x", value, **bounds)
    assert str(caught.value) == message


def test_a_number_within_its_bounds_becomes_a_float():
    found = bounded("x", np.float32(0.5), at_least=0, below=1)
    assert (found, type(found)) == (0.5, float)


def test_bounds_as_text():
    assert bounds_text(at_least=1, at_most=100_000) == "1 to 100,000"
    assert bounds_text(above=0, below=1) == "above 0, below 1"
    assert bounds_text(at_most=0.5) == "at most 0.5"
    assert bounds_text() == ""
