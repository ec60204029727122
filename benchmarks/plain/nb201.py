"""NAS-Bench-201's supernet in plain modules."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.plain.mixing import Nothing, mixed, mixing


def conv(c_in, c_out, kernel, stride=1, affine=False):
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(c_out, affine=affine, track_running_stats=False),
    )


class PlainCell(nn.Module):
    def __init__(self, c):
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

    def forward(self, x, weights, drawn):
        nodes, edge = [x], 0
        for target in range(1, 4):
            arriving = []
            for source in range(target):
                arriving.append(mixed(self.edges[edge], nodes[source], weights[edge], drawn and drawn[edge]))
                edge += 1
            nodes.append(sum(arriving))
        return nodes[-1]


class PlainBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b = conv(c, 2 * c, 3, 2, affine=True), conv(2 * c, 2 * c, 3, affine=True)
        self.down = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c, 2 * c, 1, bias=False))

    def forward(self, x):
        return self.down(x) + self.b(self.a(x))


class PlainSupernet(nn.Module):
    def __init__(self, tau=None, channels=(16, 32, 64), cells=5):
        super().__init__()
        self.tau = tau
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(channels[0], track_running_stats=False),
        )
        layers = []
        for c in channels:
            if layers:
                layers.append(PlainBlock(c // 2))
            layers += [PlainCell(c) for _ in range(cells)]
        self.layers = nn.ModuleList(layers)
        self.last = nn.BatchNorm2d(channels[-1], track_running_stats=False)
        self.classifier = nn.Linear(channels[-1], 10)
        self.alphas = nn.ParameterList([1e-3 * torch.randn(6, 5)])

    def forward(self, x):
        ((weights, drawn),) = mixing(self.alphas, self.tau)
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x, weights, drawn) if isinstance(layer, PlainCell) else layer(x)
        return self.classifier(F.relu(self.last(x)).mean((2, 3)))
