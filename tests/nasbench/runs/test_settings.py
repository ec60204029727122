import argparse
from dataclasses import dataclass

import numpy as np
import pytest

from nasbench.errors import InvalidArgumentError
from nasbench.runs.settings import LARGEST, add_flags, finite, given, option, whole


@dataclass(frozen=True)
class Config:
    size_limit: int = option(3, "how large")
    rate: float | None = option(None, "how fast", type=float)
    kind: str = option("a", "which", choices=("a", "b"))
    loud: bool = option(False, "whether to shout")
    place: str | None = option(None, "where", type=str, metavar="X@Y")
    names: tuple = option((), "which ones", type=str, metavar="NAME", repeat=True)


def test_flags_are_the_options_and_only_those_given_come_back():
    parser = argparse.ArgumentParser()
    add_flags(parser, Config)
    assert given(parser.parse_args([]), Config) == {}
    args = parser.parse_args(["--size-limit", "3", "--rate", "1e3", "--kind", "b", "--loud"])
    assert Config(**given(args, Config)) == Config(3, 1000.0, "b", True)
    help_text = parser.format_help()
    assert "how large (default: 3)" in help_text
    assert "--rate RATE" in help_text
    assert "--kind {a,b}" in help_text
    assert "--place X@Y" in help_text
    assert "--loud " in help_text
    assert "--names NAME " in help_text
    assert "None" not in help_text
    assert "()" not in help_text


def test_a_flag_that_repeats_gives_a_list():
    parser = argparse.ArgumentParser()
    add_flags(parser, Config)
    for _ in range(2):  # the second time, nothing is left of the first
        assert given(parser.parse_args(["--names", "a", "--names", "b"]), Config) == {"names": ["a", "b"]}


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (0, (1,), "n is a whole number of at least 1, got 0"),
        (LARGEST + 1, (1,), "n is a whole number in [1, 10,000,000], got 10000001"),
        (10**400, (1,), f"n is a whole number in [1, 10,000,000], got 1{'0' * 17}...{'0' * 19}"),
        (8, (0, 7), "n is a whole number in [0, 7], got 8"),
        (True, (0,), "n is a whole number of at least 0, got True"),
        ("x" * 1000, (0,), f"n is a whole number of at least 0, got '{'x' * 47}...{'x' * 48}'"),
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
