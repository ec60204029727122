"""The hierarchical space's supernet in plain modules: cells of motifs of operations."""

import torch
from torch import nn

from benchmarks.plain.mixing import Nothing, mixed, mixing

CHANNELS = (16, 32, 64)
MOTIFS = 6
MOTIF_NODES = 4
CELL_NODES = 5
CANDIDATES = 7


def norm(c):
    return nn.BatchNorm2d(c, affine=False, track_running_stats=False)


def depthwise(c, stride=1):
    return nn.Conv2d(c, c, 3, stride, 1, groups=c, bias=False)


def separable(c_in, c_out, stride=1):
    return nn.Sequential(
        depthwise(c_in, stride), nn.Conv2d(c_in, c_out, 1, bias=False), norm(c_out), nn.ReLU()
    )


def candidates(c):
    return nn.ModuleList(
        [
            Nothing(),
            nn.Identity(),
            nn.MaxPool2d(3, 1, 1),
            nn.AvgPool2d(3, 1, 1, count_include_pad=False),
            separable(c, c),
            nn.Sequential(depthwise(c), norm(c), nn.ReLU()),
            nn.Sequential(nn.Conv2d(c, c, 1, bias=False), norm(c), nn.ReLU()),
        ]
    )


def edges_of(nodes):
    return nodes * (nodes - 1) // 2


class PlainMotif(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.edges = nn.ModuleList(candidates(c) for _ in range(edges_of(MOTIF_NODES)))
        self.output = nn.Sequential(nn.Conv2d((MOTIF_NODES - 1) * c, c, 1, bias=False), norm(c))

    def forward(self, x, weights, drawn):
        nodes, edge = [x], 0
        for target in range(1, MOTIF_NODES):
            arriving = []
            for x in nodes:
                arriving.append(mixed(self.edges[edge], x, weights[edge], drawn and drawn[edge]))
                edge += 1
            nodes.append(sum(arriving) if target < MOTIF_NODES - 1 else torch.cat(arriving, dim=1))
        return self.output(nodes[-1])


class PlainCell(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.edges = nn.ModuleList(
            nn.ModuleList(PlainMotif(c) for _ in range(MOTIFS)) for _ in range(edges_of(CELL_NODES))
        )

    def forward(self, x, weights, drawn, of_motifs):
        nodes, edge = [x], 0
        for _ in range(1, CELL_NODES):
            arriving = []
            for x in nodes:
                motifs = [
                    lambda x, motif=motif, of=of: motif(x, *of)
                    for motif, of in zip(self.edges[edge], of_motifs, strict=True)
                ]
                arriving.append(mixed(motifs, x, weights[edge], drawn and drawn[edge]))
                edge += 1
            nodes.append(sum(arriving))
        return nodes[-1]


class PlainSupernet(nn.Module):
    def __init__(self, tau=None, channels=CHANNELS, classes=10):
        super().__init__()
        self.tau = tau
        self.stem = nn.Sequential(nn.Conv2d(3, channels[0], 3, padding=1, bias=False), norm(channels[0]))
        self.cells = nn.ModuleList(PlainCell(c) for c in channels)
        after = (*channels[1:], channels[-1])
        self.joints = nn.ModuleList(
            separable(c, wider, 2 if wider > c else 1) for c, wider in zip(channels, after, strict=True)
        )
        self.classifier = nn.Linear(channels[-1], classes)
        self.alphas = nn.ParameterList(
            [1e-3 * torch.randn(edges_of(CELL_NODES), MOTIFS)]
            + [1e-3 * torch.randn(edges_of(MOTIF_NODES), CANDIDATES) for _ in range(MOTIFS)]
        )

    def forward(self, x):
        of_cell, *of_motifs = mixing(self.alphas, self.tau)
        x = self.stem(x)
        for cell, joint in zip(self.cells, self.joints, strict=True):
            x = joint(cell(x, *of_cell, of_motifs))
        return self.classifier(x.mean((2, 3)))
