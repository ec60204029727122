"""One search step of a space's supernet, compared with plain modules (`python -m benchmarks.supernet`)."""

from __future__ import annotations

import argparse
from itertools import count
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.operations import Operations, empty_batch, like_a_card
from benchmarks.plain import darts, hierarchical, nb201
from benchmarks.plain.mixing import AdversarialSearch, ConcreteSearch, PlainSearch, Supernet
from benchmarks.rows import batch, compare, serve
from benchmarks.timing import in_turn, print_conditions, print_times
from nasbench.runs.text import format_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oneshot.graph.graph import Graph
    from oneshot.methods.base import MetaOptimizer

RUNS = 5
TAU = 10.0
ROWS = ("plain modules", "plain, channels last", "oneshot", "oneshot, bf16")
# further rows of GDAS; plain modules use `sampled`
ESTIMATORS = {"oneshot, sampled": "sampled", "oneshot, full": "full"}


# By space: its supernet in plain modules, and the batch size of a search.
CASES: dict[str, tuple[Callable[[float | None], Supernet], int]] = {
    "nb201": (nb201.PlainSupernet, 64),
    "darts": (darts.PlainSupernet, 64),
    "hierarchical": (hierarchical.PlainSupernet, 10),
}
# the candidate that GDAS samples when operations are counted
SAMPLED = {"nb201": 3, "darts": 4, "hierarchical": 1}
METHODS: dict[str, tuple[str, ...]] = {"darts": ROWS, "gdas": (*ROWS, *ESTIMATORS)}
IN_DARTS = ("pc-darts", "sdarts-adv", "snas")  # methods with plain modules only in the space of DARTS
UPDATES: dict[str, type[PlainSearch]] = {"sdarts-adv": AdversarialSearch, "snas": ConcreteSearch}


def new_space(name: str) -> Graph:
    from oneshot.spaces.registry import get_space

    space = get_space(name)
    return space.build(10, space.searched.channels, space.searched.cells)


def new_method(name: str, amp: bool = False, **settings: Any) -> MetaOptimizer[Any]:  # values of its settings
    """Return a method, or a published one with its parts but no warm-up and no stages."""
    from oneshot.methods.published import PUBLISHED_METHODS
    from oneshot.methods.registry import get_method
    from oneshot.parts.registry import build_parts, select_parts
    from oneshot.search.settings import SMOKE_PARTS

    method = get_method(name)
    published = PUBLISHED_METHODS[name].values | SMOKE_PARTS if name in PUBLISHED_METHODS else {}
    return method(method.config_class(**settings), amp, build_parts(select_parts(published)))


def search(space: str, method: str, row: str, device: str) -> PlainSearch | MetaOptimizer[Any]:
    """Return the object that takes the steps of a row."""
    torch.manual_seed(0)
    if row.startswith("plain"):
        build = darts.PartialSupernet if method == "pc-darts" else CASES[space][0]
        network = build(TAU if method == "gdas" else None)
        if "channels last" in row:
            network = network.to(memory_format=torch.channels_last)
        return UPDATES.get(method, PlainSearch)(network, device)
    settings = {"estimator": ESTIMATORS[row]} if row in ESTIMATORS else {}
    optimizer = new_method(method, "bf16" in row, **settings)
    optimizer.adapt_search_space(new_space(space), device=device)
    return optimizer


def operations(space: str, method: str, row: str) -> int:
    """Return the number of operations of a row's step, counted on a device that computes nothing."""
    with like_a_card():
        with torch.device("meta"):
            optimizer = search(space, method, row, "meta")
        data = empty_batch(4, 32)
        for _ in range(2):  # the first step compiles plans and creates the states of optimizers
            with Operations("meta", SAMPLED[space]) as seen:
                optimizer.step(data, data)
    return len(seen.work)


def print_operations(space: str, methods: Iterable[str]) -> None:
    """Print the operations of a step of each method."""
    rows = []
    for method in methods:
        plain, ours = (operations(space, method, row) for row in ("plain modules", "oneshot"))
        rows.append([method, plain, ours, round(ours / plain, 3)])
    print(format_table([f"{space}, operations per step", "plain modules", "oneshot", "ratio"], rows))


def prepare(name: str, runs: int) -> None:
    """Print the duration of the work before the first step."""
    space = new_space(name)
    optimizer = new_method("darts")
    optimizer.adapt_search_space(space)

    def compile_again() -> None:
        optimizer.graph.unparse().parse().plan  # noqa: B018 - the plan is built on first access

    tasks = {
        "building the space": lambda: new_space(name),
        "its supernet: mixed, parsed, with optimizers": lambda: new_method("darts").adapt_search_space(space),
        "parsing and compiling alone": compile_again,
    }
    print(f"{name}, before the first step")
    print_times(in_turn(tasks, runs), "ms")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.supernet", description=__doc__)
    parser.add_argument("--space", choices=CASES, default="nb201")
    parser.add_argument("--method", choices=[*METHODS, *IN_DARTS], help="only measure steps of this method")
    parser.add_argument(
        "--row",
        action="append",
        choices=METHODS["gdas"],
        help="only measure this row; repeat for several rows",
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument(
        "--operations", action="store_true", help="count the operations of a step instead of timing it"
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.method in IN_DARTS and args.space != "darts":
        parser.error(f"--method {args.method} has plain modules only in --space darts")
    size = CASES[args.space][1]
    if args.serve:
        (row,) = args.row
        optimizer = search(args.space, args.method, row, args.device)
        data = batch(size, args.device, 1), batch(size, args.device, 2)
        numbers = count()

        def step() -> None:
            torch.manual_seed(next(numbers))  # GDAS samples the same paths in all rows of oneshot
            optimizer.step(*data)

        serve(step, args.device)
        return
    methods = METHODS if args.method is None else [args.method]
    if args.operations:
        print_operations(args.space, methods)
        return
    print_conditions(args.runs, torch=torch.__version__)
    if args.row is None:
        prepare(args.space, args.runs)
    own = ["-m", "benchmarks.supernet", "--serve", "--space", args.space, "--device", args.device]
    for method in methods:
        rows = [row for row in METHODS.get(method, ROWS) if args.row is None or row in args.row]
        commands = {row: [*own, "--method", method, "--row", row] for row in rows}
        compare(f"{args.space}, {method}, one step: alphas and weights, batch {size}", commands, args.runs)


if __name__ == "__main__":
    main()
