"""One step of training DARTS' network, compared with plain modules (`python -m benchmarks.evaluation`)."""

import argparse

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.plain.darts import DropPath, PlainNetwork
from benchmarks.rows import batch, compare, serve
from benchmarks.timing import print_conditions
from oneshot import ops
from oneshot.spaces.darts import build_network
from oneshot.spaces.published import DARTS_V2

RUNS = 7
BATCH = 16
ROWS = ("plain modules", "plain, channels last", "oneshot")
PARAMETERS = 3_349_342  # without the auxiliary classifier
RATE = 0.2  # of drop path
AUXILIARY = 0.4  # weight of the auxiliary classifier's loss


class Training:
    """SGD on the network of DARTS_V2: 36 channels, 20 cells, an auxiliary classifier, drop path."""

    def __init__(self, row: str, device: str) -> None:
        torch.manual_seed(0)
        network: nn.Module = (
            build_network(DARTS_V2, auxiliary=True)
            if row == "oneshot"
            else PlainNetwork(DARTS_V2.normal, DARTS_V2.reduce)
        )
        if "channels last" in row:
            network = network.to(memory_format=torch.channels_last)
        for module in network.modules():
            if isinstance(module, (DropPath, ops.DropPath)):
                module.rate = RATE
        self.network = network.to(device).train()
        self.optimizer = torch.optim.SGD(network.parameters(), 0.025, 0.9, weight_decay=3e-4)

    def step(self, images: Tensor, labels: Tensor) -> None:
        self.optimizer.zero_grad()
        logits, auxiliary = self.network(images)
        loss = F.cross_entropy(logits, labels) + AUXILIARY * F.cross_entropy(auxiliary, labels)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()


def check() -> None:
    """Check that both networks have the published number of parameters of DARTS_V2 at these sizes."""
    head = ("auxiliary", "edge_17_24")
    for row in ("plain modules", "oneshot"):
        named = Training(row, "cpu").network.named_parameters()
        count = sum(parameter.numel() for name, parameter in named if not name.startswith(head))
        if count != PARAMETERS:
            raise SystemExit(f"{row}: {count:,} parameters, not {PARAMETERS:,}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation", description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--serve", choices=ROWS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        training, data = Training(args.serve, args.device), batch(BATCH, args.device, 1)
        serve(lambda: training.step(*data), args.device)
        return
    check()
    print_conditions(args.runs, torch=torch.__version__)
    own = ["-m", "benchmarks.evaluation", "--device", args.device, "--serve"]
    title = f"DARTS_V2, one step of training, batch {BATCH}, {PARAMETERS:,} parameters"
    compare(title, {row: [*own, row] for row in ROWS}, args.runs)


if __name__ == "__main__":
    main()
