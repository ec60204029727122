"""The space of DARTS in plain modules: its supernet, and the network of a genotype."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmarks.plain.mixing import Nothing, Supernet, at, mixed, total

OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NODES = 4  # nodes of a cell, without inputs and output
PARTS = 4  # of the channels, one of which goes through the candidates of PC-DARTS


def norm(c: int, trained: bool) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(c, affine=trained, track_running_stats=trained)


def depthwise(
    c_in: int, c_out: int, kernel: int, stride: int, dilation: int, trained: bool
) -> list[nn.Module]:
    """Return ReLU, a depthwise convolution, a 1×1 convolution and normalization."""
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(c_in, c_in, kernel, stride, padding, dilation, groups=c_in, bias=False),
        nn.Conv2d(c_in, c_out, 1, bias=False),
        norm(c_out, trained),
    ]


class Halved(nn.Module):
    """A layer that halves height and width by two convolutions of different pixels."""

    def __init__(self, c_in: int, c_out: int, trained: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(c_in, c_out // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(c_in, c_out - c_out // 2, 1, 2, bias=False)
        self.bn = norm(c_out, trained)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        y: Tensor = self.bn(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], dim=1))
        return y


def candidate(name: str, c: int, stride: int, trained: bool) -> nn.Module:
    """Return an operation of the supernet or, with `trained`, of a network that is trained from scratch."""
    match name:
        case "none":
            return Nothing(stride)
        case "max_pool_3x3" | "avg_pool_3x3":
            pool = (
                nn.MaxPool2d(3, stride, 1)
                if name.startswith("max")
                else nn.AvgPool2d(3, stride, 1, count_include_pad=False)
            )
            return pool if trained else nn.Sequential(pool, norm(c, False))
        case "skip_connect":
            return nn.Identity() if stride == 1 else Halved(c, c, trained)
        case "sep_conv_3x3" | "sep_conv_5x5":
            kernel = int(name[-1])
            first = depthwise(c, c, kernel, stride, 1, trained)
            return nn.Sequential(*first, *depthwise(c, c, kernel, 1, 1, trained))
        case "dil_conv_3x3" | "dil_conv_5x5":
            return nn.Sequential(*depthwise(c, c, int(name[-1]), stride, 2, trained))
    raise ValueError(f"no operation {name!r}")


class PlainCell(nn.Module):
    """Common part of all cells, which converts their two inputs to the same size."""

    def __init__(self, before: tuple[int, int], c: int, was_reduced: bool, trained: bool) -> None:
        """Create the layers; `before` are the channels of the inputs."""
        super().__init__()
        self.first = (
            Halved(before[0], c, trained)
            if was_reduced
            else nn.Sequential(nn.ReLU(), nn.Conv2d(before[0], c, 1, bias=False), norm(c, trained))
        )
        self.second = nn.Sequential(nn.ReLU(), nn.Conv2d(before[1], c, 1, bias=False), norm(c, trained))


class SearchedCell(PlainCell):
    """A cell of the supernet, with all candidates on each edge."""

    def __init__(self, before: tuple[int, int], c: int, was_reduced: bool, reduces: bool) -> None:
        super().__init__(before, c, was_reduced, trained=False)
        self.edges = nn.ModuleList(
            nn.ModuleList(
                candidate(name, c, 2 if reduces and source < 2 else 1, False) for name in OPERATIONS
            )
            for node in range(NODES)
            for source in range(node + 2)
        )

    def forward(self, one: Tensor, two: Tensor, weights: Tensor, drawn: list[int] | None) -> Tensor:
        nodes, edge = [self.first(one), self.second(two)], 0
        for _ in range(NODES):
            arriving = []
            for x in nodes:
                arriving.append(mixed(self.edges[edge], x, weights[edge], at(drawn, edge)))
                edge += 1
            nodes.append(total(arriving))
        return torch.cat(nodes[2:], dim=1)


class PartialEdge(nn.Module):
    """The candidates of an edge on the first quarter of the channels; the others bypass them."""

    def __init__(self, c: int, stride: int) -> None:
        super().__init__()
        self.ops = nn.ModuleList(candidate(name, c // PARTS, stride, False) for name in OPERATIONS)
        self.pool = nn.MaxPool2d(2, 2) if stride == 2 else nn.Identity()

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        first = x.shape[1] // PARTS
        y = mixed(self.ops, x[:, :first], weights, None)
        y = torch.cat([y, self.pool(x[:, first:])], dim=1)
        n, c, h, w = y.shape
        return y.view(n, PARTS, c // PARTS, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class PartialCell(PlainCell):
    """A cell of the supernet of PC-DARTS."""

    def __init__(self, before: tuple[int, int], c: int, was_reduced: bool, reduces: bool) -> None:
        super().__init__(before, c, was_reduced, trained=False)
        self.edges = nn.ModuleList(
            PartialEdge(c, 2 if reduces and source < 2 else 1)
            for node in range(NODES)
            for source in range(node + 2)
        )

    def forward(self, one: Tensor, two: Tensor, weights: Tensor, betas: Tensor) -> Tensor:
        nodes, edge = [self.first(one), self.second(two)], 0
        for _ in range(NODES):
            scales = betas[edge : edge + len(nodes)].softmax(-1)
            arriving = []
            for x, scale in zip(nodes, scales, strict=True):
                arriving.append(scale * self.edges[edge](x, weights[edge]))
                edge += 1
            nodes.append(total(arriving))
        return torch.cat(nodes[2:], dim=1)


class PlainSupernet(Supernet):
    """The supernet of the space."""

    cell: type[nn.Module] = SearchedCell

    def __init__(self, tau: float | None = None, c: int = 16, layers: int = 8, classes: int = 10) -> None:
        super().__init__(tau)
        stem_norm = nn.BatchNorm2d(3 * c, track_running_stats=False)
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * c, 3, padding=1, bias=False), stem_norm)
        before, was_reduced = (3 * c, 3 * c), False
        cells: list[nn.Module] = []
        self.reduces = [layer in (layers // 3, 2 * layers // 3) for layer in range(layers)]
        for reduces in self.reduces:
            c = 2 * c if reduces else c
            cells.append(self.cell(before, c, was_reduced, reduces))
            before, was_reduced = (before[1], NODES * c), reduces
        self.cells = nn.ModuleList(cells)
        self.classifier = nn.Linear(NODES * c, classes)
        edges, count = sum(node + 2 for node in range(NODES)), len(OPERATIONS)
        self.alphas = nn.ParameterList([1e-3 * torch.randn(edges, count) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        weights = self.mixing()  # of normal and reduction cells
        one = two = self.stem(x)
        for cell, reduces in zip(self.cells, self.reduces, strict=True):
            one, two = two, cell(one, two, *weights[reduces])
        logits: Tensor = self.classifier(two.mean((2, 3)))
        return logits


class PartialSupernet(PlainSupernet):
    """The supernet of PC-DARTS: partial channels, and weights of the edges into a node."""

    cell = PartialCell

    def __init__(self, tau: float | None = None, c: int = 16, layers: int = 8, classes: int = 10) -> None:
        super().__init__(tau, c, layers, classes)
        self.alphas.extend([1e-3 * torch.randn(len(self.alphas[0])) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        weights = [alpha.softmax(-1) for alpha in self.alphas[:2]]
        one = two = self.stem(x)
        for cell, reduces in zip(self.cells, self.reduces, strict=True):
            one, two = two, cell(one, two, weights[reduces], self.alphas[2 + reduces])
        logits: Tensor = self.classifier(two.mean((2, 3)))
        return logits


class DropPath(nn.Module):
    """Drop path: in training, zero random images at the given rate and scale up the others."""

    rate = 0.0

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return x
        keep = 1 - self.rate
        return x / keep * torch.empty(len(x), 1, 1, 1, device=x.device, dtype=x.dtype).bernoulli_(keep)


class TrainedCell(PlainCell):
    """A cell of a genotype."""

    def __init__(
        self,
        before: tuple[int, int],
        c: int,
        was_reduced: bool,
        reduces: bool,
        chosen: Sequence[tuple[str, int]],
    ) -> None:
        super().__init__(before, c, was_reduced, trained=True)
        self.sources = [source for _, source in chosen]
        ops = []
        for name, source in chosen:
            op = candidate(name, c, 2 if reduces and source < 2 else 1, True)
            ops.append(op if isinstance(op, nn.Identity) else nn.Sequential(op, DropPath()))
        self.ops = nn.ModuleList(ops)

    def forward(self, one: Tensor, two: Tensor) -> Tensor:
        nodes = [self.first(one), self.second(two)]
        arriving = zip(self.ops, self.sources, strict=True)
        for (op_a, a), (op_b, b) in zip(arriving, arriving, strict=True):
            nodes.append(op_a(nodes[a]) + op_b(nodes[b]))
        return torch.cat(nodes[2:], dim=1)


class PlainNetwork(nn.Module):
    """The network of a genotype; its auxiliary classifier follows two thirds of the cells."""

    def __init__(
        self,
        normal: Sequence[tuple[str, int]],
        reduce: Sequence[tuple[str, int]],
        c: int = 36,
        layers: int = 20,
        classes: int = 10,
    ) -> None:
        """Create the network; `normal` and `reduce` are pairs (operation, source), two per node."""
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * c, 3, padding=1, bias=False), norm(3 * c, True))
        before, was_reduced = (3 * c, 3 * c), False
        cells: list[PlainCell] = []
        self.last_third = 2 * layers // 3
        for layer in range(layers):
            reduces = layer in (layers // 3, self.last_third)
            c = 2 * c if reduces else c
            cells.append(TrainedCell(before, c, was_reduced, reduces, reduce if reduces else normal))
            before, was_reduced = (before[1], NODES * c), reduces
            if layer == self.last_third:
                self.auxiliary = nn.Sequential(
                    nn.ReLU(),
                    nn.AvgPool2d(5, 3, count_include_pad=False),
                    nn.Conv2d(NODES * c, 128, 1, bias=False),
                    norm(128, True),
                    nn.ReLU(),
                    nn.Conv2d(128, 768, 2, bias=False),
                    norm(768, True),
                    nn.ReLU(),
                    nn.Flatten(),
                    nn.Linear(768, classes),
                )
        self.cells = nn.ModuleList(cells)
        self.classifier = nn.Linear(NODES * c, classes)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor | None]:
        one = two = self.stem(x)
        auxiliary: Tensor | None = None
        for layer, cell in enumerate(self.cells):
            one, two = two, cell(one, two)
            if layer == self.last_third and self.training:
                auxiliary = self.auxiliary(two)
        logits: Tensor = self.classifier(two.mean((2, 3)))
        return (logits, auxiliary) if self.training else logits
