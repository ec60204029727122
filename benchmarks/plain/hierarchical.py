"""The hierarchical space's supernet in plain modules: cells of motifs of operations."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.plain.mixing import Nothing, Supernet, Weights, at, mixed, mixing, total

CHANNELS = (16, 32, 64)
MOTIFS = 6
MOTIF_NODES = 4
CELL_NODES = 5
CANDIDATES = 7


def norm(c: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(c, affine=False, track_running_stats=False)


def depthwise(c: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c, c, 3, stride, 1, groups=c, bias=False)


def separable(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        depthwise(c_in, stride), nn.Conv2d(c_in, c_out, 1, bias=False), norm(c_out), nn.ReLU()
    )


def candidates(c: int) -> nn.ModuleList:
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


def count_edges(nodes: int) -> int:
    return nodes * (nodes - 1) // 2


class PlainMotif(nn.Module):
    """A motif with all candidates on each edge."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(candidates(c) for _ in range(count_edges(MOTIF_NODES)))
        self.output = nn.Sequential(nn.Conv2d((MOTIF_NODES - 1) * c, c, 1, bias=False), norm(c))

    def forward(self, x: Tensor, weights: Tensor, drawn: list[int] | None) -> Tensor:
        nodes, edge = [x], 0
        for target in range(1, MOTIF_NODES):
            arriving = []
            for node in nodes:
                arriving.append(mixed(self.edges[edge], node, weights[edge], at(drawn, edge)))
                edge += 1
            nodes.append(total(arriving) if target < MOTIF_NODES - 1 else torch.cat(arriving, dim=1))
        y: Tensor = self.output(nodes[-1])
        return y


class PlainCell(nn.Module):
    """A cell with all motifs on each edge."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            nn.ModuleList(PlainMotif(c) for _ in range(MOTIFS)) for _ in range(count_edges(CELL_NODES))
        )

    def forward(
        self, x: Tensor, weights: Tensor, drawn: list[int] | None, motif_weights: Sequence[Weights]
    ) -> Tensor:
        nodes, edge = [x], 0
        edges: Any = self.edges  # ModuleLists of motifs, which torch does not type
        for _ in range(1, CELL_NODES):
            arriving = []
            for node in nodes:
                motifs: list[Callable[[Tensor], Tensor]] = [
                    partial(_run, motif, mixture)
                    for motif, mixture in zip(edges[edge], motif_weights, strict=True)
                ]
                arriving.append(mixed(motifs, node, weights[edge], at(drawn, edge)))
                edge += 1
            nodes.append(total(arriving))
        return nodes[-1]


def _run(motif: nn.Module, mixture: Weights, x: Tensor) -> Tensor:
    y: Tensor = motif(x, *mixture)
    return y


class PlainSupernet(Supernet):
    """The supernet of the space."""

    def __init__(
        self, tau: float | None = None, channels: Sequence[int] = CHANNELS, classes: int = 10
    ) -> None:
        super().__init__(tau)
        self.stem = nn.Sequential(nn.Conv2d(3, channels[0], 3, padding=1, bias=False), norm(channels[0]))
        self.cells = nn.ModuleList(PlainCell(c) for c in channels)
        after = (*channels[1:], channels[-1])
        self.joints = nn.ModuleList(
            separable(c, wider, 2 if wider > c else 1) for c, wider in zip(channels, after, strict=True)
        )
        self.classifier = nn.Linear(channels[-1], classes)
        self.alphas = nn.ParameterList(
            [1e-3 * torch.randn(count_edges(CELL_NODES), MOTIFS)]
            + [1e-3 * torch.randn(count_edges(MOTIF_NODES), CANDIDATES) for _ in range(MOTIFS)]
        )

    def forward(self, x: Tensor) -> Tensor:
        cell_weights, *motif_weights = mixing(self.alphas, self.tau)
        x = self.stem(x)
        for cell, joint in zip(self.cells, self.joints, strict=True):
            x = joint(cell(x, *cell_weights, motif_weights))
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits
