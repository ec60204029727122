"""All thirteen proxies of a cell, compared with plain modules (`python -m benchmarks.proxies`).

Plain: each proxy separately, by `backward()` on a network whose modules run one by one. A cell of a run costs
the building of its network and the proxies.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.timing import in_turn, print_conditions, print_times
from nasbench.runs.progress import tracked
from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import sharing
from oneshot.proxies.registry import get_proxy
from oneshot.score.ranking import sample_cells
from oneshot.spaces.nb201 import build_network

RUNS = 3
SEEING = ("fisher", "grad_norm", "plain", "snip")  # a forward and a backward pass each
JACOBIANS = ("epe_nas", "jacov")  # a forward pass, and a backward pass to the images
NAMES = (*SEEING, *JACOBIANS, "flops", "params", "l2_norm", "nwot", "synflow", "zen", "grasp")


def plain(network: nn.Module, batch: Batch) -> None:
    """Run the passes of each proxy separately, edge by edge, without computing the scores."""
    run: Callable[[Tensor], Tensor] = network.interpret  # type: ignore[assignment]  # of a Graph
    weights = [m.weight for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert batch.labels is not None
    for _ in SEEING:
        torch.autograd.grad(F.cross_entropy(run(batch.images), batch.labels), weights, allow_unused=True)
    for _ in JACOBIANS:
        images = batch.images.clone().requires_grad_()
        torch.autograd.grad(run(images).sum(), images)
    with torch.no_grad():
        for _ in ("nwot", "zen", "zen"):
            run(batch.images)
    loss = F.cross_entropy(run(batch.images), batch.labels)
    first = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
    inner = torch.stack([(each * each.detach()).sum() for each in first]).sum()
    torch.autograd.grad(inner, weights, materialize_grads=True)


def shared(network: nn.Module, batch: Batch) -> None:
    """Compute all proxies, with shared work done once."""
    with sharing():
        for name in NAMES:
            get_proxy(name)(network, batch)


def tasks(cell: int, batch: Batch) -> dict[str, Callable[[], object]]:
    """Return the tasks to time for a cell."""
    network = build_network(cell)
    return {
        "plain modules, only passes": lambda: plain(network, batch),
        "oneshot, all thirteen": lambda: shared(network, batch),
        "oneshot, building and thirteen": lambda: shared(build_network(cell), batch),
        "oneshot, building and synflow": lambda: get_proxy("synflow")(build_network(cell), batch),
        "oneshot, building": lambda: build_network(cell),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proxies", description=__doc__)
    cells = parser.add_mutually_exclusive_group()
    cells.add_argument(
        "--cell", type=int, default=857, help="official index (default: 857, with 122 M flops)"
    )
    cells.add_argument("--cells", type=int, metavar="N", help="N random cells instead, the same in every run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=RUNS, help="runs per cell (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print_conditions(args.runs, torch=torch.__version__)
    batch = Batch.random(64, 10, 32, 0)
    chosen = [args.cell] if args.cells is None else [cell.index for cell in sample_cells(args.cells, 0)]
    seconds: dict[str, list[float]] = defaultdict(list)
    for number, cell in enumerate(tracked(chosen, "timing", "cells", len(chosen))):
        for name, runs in in_turn(tasks(cell, batch), args.runs, warm_ups=int(not number)).items():
            seconds[name] += runs
    what = f"cell {args.cell}" if args.cells is None else f"{args.cells} random cells"
    print(f"{what}, C=16, N=5, batch 64, threads: {args.threads}")
    print_times(seconds, "ms", against="oneshot, all thirteen")


if __name__ == "__main__":
    main()
