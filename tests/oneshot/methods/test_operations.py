"""The operations of a search step, on the device "meta", which computes nothing."""

import csv
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.sizes import build_small
from benchmarks.operations import Operations, empty_batch, like_a_card
from benchmarks.supernet import SAMPLED, new_method
from oneshot.methods.registry import METHODS
from oneshot.spaces.base import Sizes

SIZES = {"nb201": Sizes(4, 1), "darts": Sizes(4, 3), "hierarchical": Sizes(4, 1)}
NAMES = [*METHODS, "pc-darts", "sdarts-adv"]
PATHS = ("rsws", "spos", "fairnas")  # which sample on the CPU, another path for each step
with (Path(__file__).parents[2] / "expected" / "operations.csv").open() as file:
    EXPECTED = {(row["space"], row["method"]): int(row["operations"]) for row in csv.DictReader(file)}


@pytest.fixture(autouse=True)
def on_meta():
    with like_a_card():
        yield


def steps(step, space, count=3):
    """The operations of steps, the first of which compiles plans and creates what optimizers keep."""
    data, found = (empty_batch(4, 8),) * 2, []
    torch.manual_seed(0)
    for _ in range(count):
        with Operations("meta", SAMPLED[space]) as seen:
            step(*data)
        found.append(seen)
    return found[1:]


def steps_of(space, name):
    method = new_method(name)
    with nullcontext() if name in PATHS else torch.device("meta"):
        method.adapt_search_space(build_small(space, SIZES[space]), device="meta")
    return steps(method.step, space)


def test_all_methods_on_all_spaces_are_pinned():
    missing = {(space, name) for space in SIZES for name in NAMES} - EXPECTED.keys()
    assert missing == {("hierarchical", "sdarts-adv")}  # takes minutes to count


def is_slow(space, name):
    return space != "nb201" or name == "sdarts-adv"


@pytest.mark.parametrize(
    ("space", "name"),
    [pytest.param(*pair, marks=pytest.mark.slow if is_slow(*pair) else ()) for pair in EXPECTED],
)
def test_a_step(space, name):
    before, last = steps_of(space, name)
    assert len(last.work) == EXPECTED[space, name]
    # one transfer for the samples of both passes
    assert last.waits == (["_to_copy"] if name == "gdas" else [])
    if name not in PATHS:
        assert last.work == before.work
