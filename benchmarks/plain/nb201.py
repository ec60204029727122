"""NAS-Bench-201's supernet in plain modules."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.plain.mixing import Nothing, Supernet, at, mixed, mixing, total


def conv(c_in: int, c_out: int, kernel: int, stride: int = 1, affine: bool = False) -> nn.Sequential:
    """Return ReLU, convolution, normalization."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(c_out, affine=affine, track_running_stats=False),
    )


class PlainCell(nn.Module):
    """A cell with all candidates on each of its six edges."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            nn.ModuleList(
                [
                    Nothing(),
                    nn.Identity(),
                    conv(c, c, 1),
                    conv(c, c, 3),
                    nn.AvgPool2d(3, 1, 1, count_include_pad=False),
                ]
            )
            for _ in range(6)
        )

    def forward(self, x: Tensor, weights: Tensor, drawn: list[int] | None) -> Tensor:
        nodes, edge = [x], 0
        for target in range(1, 4):
            arriving = []
            for source in range(target):
                arriving.append(mixed(self.edges[edge], nodes[source], weights[edge], at(drawn, edge)))
                edge += 1
            nodes.append(total(arriving))
        return nodes[-1]


class PlainBlock(nn.Module):
    """The residual block between two stages."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.a, self.b = conv(c, 2 * c, 3, 2, affine=True), conv(2 * c, 2 * c, 3, affine=True)
        self.down = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c, 2 * c, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.down(x) + self.b(self.a(x))
        return y


class PlainSupernet(Supernet):
    """The supernet of the space."""

    def __init__(
        self, tau: float | None = None, channels: Sequence[int] = (16, 32, 64), cells: int = 5
    ) -> None:
        super().__init__(tau)
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(channels[0], track_running_stats=False),
        )
        layers: list[nn.Module] = []
        for c in channels:
            if layers:
                layers.append(PlainBlock(c // 2))
            layers += [PlainCell(c) for _ in range(cells)]
        self.layers = nn.ModuleList(layers)
        self.last = nn.BatchNorm2d(channels[-1], track_running_stats=False)
        self.classifier = nn.Linear(channels[-1], 10)
        self.alphas = nn.ParameterList([1e-3 * torch.randn(6, 5)])

    def forward(self, x: Tensor) -> Tensor:
        ((weights, drawn),) = mixing(self.alphas, self.tau)
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x, weights, drawn) if isinstance(layer, PlainCell) else layer(x)
        logits: Tensor = self.classifier(F.relu(self.last(x)).mean((2, 3)))
        return logits
