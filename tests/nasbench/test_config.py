import argparse
from dataclasses import dataclass

from nasbench.config import add_flags, given, option


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
