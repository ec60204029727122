import argparse
import json
from dataclasses import dataclass

import numpy as np
import pytest

from nasbench.errors import ConfigError, InvalidArgumentError
from nasbench.runs.settings import Settings, option


@dataclass(frozen=True)
class Config(Settings):
    size_limit: int = option(3, "how large")
    rate: float | None = option(None, "how fast", type=float)
    kind: str = option("a", "which", choices=("a", "b"))
    loud: bool = option(False, "whether to shout")
    place: str | None = option(None, "where", type=str, metavar="X@Y")
    names: tuple = option((), "which ones", type=str, metavar="NAME", repeat=True)


def test_flags_are_the_options_and_only_those_given_come_back():
    parser = argparse.ArgumentParser()
    Config.add_flags(parser)
    assert Config.given(parser.parse_args([])) == {}
    args = parser.parse_args(["--size-limit", "3", "--rate", "1e3", "--kind", "b", "--loud"])
    assert Config(**Config.given(args)) == Config(3, 1000.0, "b", True)
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
    Config.add_flags(parser)
    for _ in range(2):  # the second time, nothing is left of the first
        assert Config.given(parser.parse_args(["--names", "a", "--names", "b"])) == {"names": ["a", "b"]}


@dataclass(frozen=True)
class Search(Settings):
    sample: int = option(10, "cells per tournament", at_least=1, at_most=100)
    seed: int = option(0, "random seed", at_least=0, at_most=2**63 - 1)
    rate: float = option(0.5, "learning rate", above=0, below=1)
    kind: str = option("a", "which", choices=("a", "b", "c"))
    loud: bool = option(False, "whether to shout")
    place: str = option("here", "where")
    names: tuple[str, ...] = option((), "which ones", type=str, repeat=True)
    free: int = option(3, "without bounds")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.free > self.sample:
            raise ConfigError(f"free must be at most sample, got {self.free}")


@dataclass(frozen=True)
class Run(Settings):
    evals: int | None = option(None, "evaluations", type=int, at_least=1, on_resume="raise")
    budget: float | None = option(None, "seconds", type=float, above=0, on_resume="raise")


@dataclass(frozen=True)
class Machine(Settings):
    device: str | None = option(None, "where it runs", type=str, on_resume="free")
    download: bool = option(False, "fetch what is missing", on_resume="free")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sample": 0}, "sample must be an integer in [1, 100], got 0"),
        ({"sample": 1.5}, "sample must be an integer in [1, 100], got 1.5"),
        ({"rate": 0}, "rate must be > 0, got 0"),
        ({"rate": 1.0}, "rate must be < 1, got 1.0"),
        ({"rate": None}, "rate must be a finite number, got None"),
        ({"kind": "d"}, "kind must be a, b or c, got 'd'"),
        ({"kind": []}, "kind must be a, b or c, got []"),
        ({"loud": 1}, "loud must be true or false, got 1"),
        ({"place": 5}, "place must be a string, got 5"),
        ({"free": 11}, "free must be at most sample, got 11"),
    ],
)
def test_a_value_that_is_not_allowed_is_an_error(values, message):
    with pytest.raises(ConfigError) as caught:
        Search(**values)
    assert str(caught.value) == message
    assert isinstance(caught.value, InvalidArgumentError)


def test_values_become_plain_ones_and_none_is_allowed_where_it_is_the_default():
    settings = Search(sample=np.int64(7), rate=np.float32(0.25))
    assert (type(settings.sample), settings.sample) == (int, 7)
    assert (type(settings.rate), settings.rate) == (float, 0.25)
    assert Run() == Run(None, None)
    assert type(Run(budget=5).budget) is int  # as it was given


def test_settings_come_from_flags():
    parser = argparse.ArgumentParser()
    Search.add_flags(parser)
    assert Search.from_flags(parser.parse_args([])) == Search()
    args = parser.parse_args(["--sample", "20", "--loud", "--names", "x"])
    assert Search.given(args) == {"sample": 20, "loud": True, "names": ["x"]}
    assert Search.from_flags(parser.parse_args(["--no-loud"])).loud is False


def test_help_says_type_range_and_default():
    parser = argparse.ArgumentParser()
    Search.add_flags(parser)
    lines = " ".join(parser.format_help().split())
    assert "--sample N cells per tournament (1 to 100; default: 10)" in lines
    assert "--seed N random seed (at least 0; default: 0)" in lines
    assert "--rate RATE learning rate (above 0, below 1; default: 0.5)" in lines
    assert "--loud, --no-loud whether to shout (default: False)" in lines
    assert "--kind {a,b,c} which (default: a)" in lines
    assert "--free N without bounds (default: 3)" in lines


def test_settings_are_read_from_the_json_that_they_are_written_to():
    settings = Search(sample=20, names=("a", "b"))
    record = json.loads(json.dumps(settings.to_json()))
    assert Search.from_json(record, "search") == settings
    del record["loud"]
    assert Search.from_json(record, "search") == settings


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "search is []"),
        ({"sample": 5, "x\n": 1}, r"search has an unknown option 'x\\n'"),
        ({"sample": 0}, "sample must be an integer in [1, 100], got 0"),
        ({"sample": "5"}, "sample must be an integer in [1, 100], got '5'"),
        ({"free": "5"}, "'>' not supported between instances of 'str' and 'int'"),
    ],
)
def test_a_damaged_record_is_an_error(record, message):
    with pytest.raises(ConfigError) as caught:
        Search.from_json(record, "search")
    assert str(caught.value) == message.replace("\\\\", "\\")


def test_a_record_that_must_be_complete_names_what_is_missing():
    with pytest.raises(ConfigError, match="^run has no budget, evals$"):
        Run.from_json({}, "run", complete=True)
    assert Run.from_json({"evals": 1, "budget": None}, "run", complete=True) == Run(1)


def test_a_resumed_run_may_raise_some_options_and_change_others():
    assert Run(10).resumed({"evals": 20}) == Run(20)
    assert Run(10).resumed({}) == Run(10).resumed({"evals": 10}) == Run(10)
    assert Machine("cpu", True).resumed({"device": "cuda", "download": False}) == Machine("cuda")


@pytest.mark.parametrize(
    ("settings", "given", "others", "message"),
    [
        (
            Run(20),
            {"evals": 10},
            (),
            "--evals 10 differs from the run's --evals 20; on resume you can only increase"
            " --evals and --budget",
        ),
        (
            Run(20),
            {"budget": 5.0},
            (),
            "--budget 5.0 differs from the run, which was started without --budget; on resume you can"
            " only increase --evals and --budget",
        ),
        (
            Search(),
            {"sample": 5},
            (Run,),
            "--sample 5 differs from the run's --sample 10; on resume you can only increase"
            " --evals and --budget",
        ),
        (
            Search(),
            {"loud": True},
            (Machine,),
            "--loud differs from the run's --no-loud; on resume you can only change --device and --download",
        ),
        (Search(loud=True), {"loud": False}, (), "--no-loud differs from the run's --loud"),
        (
            Search(),
            {"names": ("a", "b")},
            (),
            "--names a,b differs from the run, which was started without --names",
        ),
        (
            Search(),
            {"free": 1},
            (Run, Machine),
            "--free 1 differs from the run's --free 3; on resume you can only increase --evals and --budget,"
            " and change --device and --download",
        ),
    ],
)
def test_a_resumed_run_keeps_its_other_options(settings, given, others, message):
    with pytest.raises(ConfigError) as caught:
        settings.resumed(given, *others)
    assert str(caught.value).startswith(message)
