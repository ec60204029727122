"""The space of DARTS in plain modules: its supernet, and the network of a genotype that is trained."""

import torch
from torch import nn

from benchmarks.plain.mixing import Nothing, mixed, mixing

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
NODES = 4  # of a cell, beside its inputs and its output


def norm(c, trained):
    return nn.BatchNorm2d(c, affine=trained, track_running_stats=trained)


def depthwise(c_in, c_out, kernel, stride, dilation, trained):
    """ReLU, a convolution of each channel, one of 1×1, normalization."""
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(c_in, c_in, kernel, stride, padding, dilation, groups=c_in, bias=False),
        nn.Conv2d(c_in, c_out, 1, bias=False),
        norm(c_out, trained),
    ]


class Halved(nn.Module):
    """Half the height and width, from two convolutions on pixels that the other leaves out."""

    def __init__(self, c_in, c_out, trained):
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(c_in, c_out // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(c_in, c_out - c_out // 2, 1, 2, bias=False)
        self.bn = norm(c_out, trained)

    def forward(self, x):
        x = self.relu(x)
        return self.bn(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], dim=1))


def candidate(name, c, stride, trained):
    """An operation; `trained`: in a network of its own, else in the supernet."""
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
    """What both kinds of cells begin with: their two inputs at one size."""

    def __init__(self, before, c, was_reduced, trained):
        """`before`: channels of the inputs."""
        super().__init__()
        self.first = (
            Halved(before[0], c, trained)
            if was_reduced
            else nn.Sequential(nn.ReLU(), nn.Conv2d(before[0], c, 1, bias=False), norm(c, trained))
        )
        self.second = nn.Sequential(nn.ReLU(), nn.Conv2d(before[1], c, 1, bias=False), norm(c, trained))


class SearchedCell(PlainCell):
    def __init__(self, before, c, was_reduced, reduces):
        super().__init__(before, c, was_reduced, trained=False)
        self.reduces = reduces
        self.edges = nn.ModuleList(
            nn.ModuleList(
                candidate(name, c, 2 if reduces and source < 2 else 1, False) for name in OPERATIONS
            )
            for node in range(NODES)
            for source in range(node + 2)
        )

    def forward(self, one, two, weights, drawn):
        nodes, edge = [self.first(one), self.second(two)], 0
        for _ in range(NODES):
            arriving = []
            for x in nodes:
                arriving.append(mixed(self.edges[edge], x, weights[edge], drawn and drawn[edge]))
                edge += 1
            nodes.append(sum(arriving))
        return torch.cat(nodes[2:], dim=1)


class PlainSupernet(nn.Module):
    def __init__(self, tau=None, c=16, layers=8, classes=10):
        super().__init__()
        self.tau = tau
        stem_norm = nn.BatchNorm2d(3 * c, track_running_stats=False)
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * c, 3, padding=1, bias=False), stem_norm)
        before, was_reduced, cells = (3 * c, 3 * c), False, []
        for layer in range(layers):
            reduces = layer in (layers // 3, 2 * layers // 3)
            c = 2 * c if reduces else c
            cells.append(SearchedCell(before, c, was_reduced, reduces))
            before, was_reduced = (before[1], NODES * c), reduces
        self.cells = nn.ModuleList(cells)
        self.classifier = nn.Linear(NODES * c, classes)
        edges, count = len(cells[0].edges), len(OPERATIONS)
        self.alphas = nn.ParameterList([1e-3 * torch.randn(edges, count) for _ in range(2)])

    def forward(self, x):
        of_kind = mixing(self.alphas, self.tau)
        one = two = self.stem(x)
        for cell in self.cells:
            one, two = two, cell(one, two, *of_kind[cell.reduces])
        return self.classifier(two.mean((2, 3)))


class DropPath(nn.Module):
    """Leaves out an image's path in training, each at the rate, and scales those that stay."""

    rate = 0.0

    def forward(self, x):
        if not self.training or not self.rate:
            return x
        keep = 1 - self.rate
        return x / keep * torch.empty(len(x), 1, 1, 1, device=x.device, dtype=x.dtype).bernoulli_(keep)


class TrainedCell(PlainCell):
    def __init__(self, before, c, was_reduced, reduces, chosen):
        super().__init__(before, c, was_reduced, trained=True)
        self.sources = [source for _, source in chosen]
        ops = []
        for name, source in chosen:
            op = candidate(name, c, 2 if reduces and source < 2 else 1, True)
            ops.append(op if isinstance(op, nn.Identity) else nn.Sequential(op, DropPath()))
        self.ops = nn.ModuleList(ops)

    def forward(self, one, two):
        nodes = [self.first(one), self.second(two)]
        arriving = zip(self.ops, self.sources, strict=True)
        for (op_a, a), (op_b, b) in zip(arriving, arriving, strict=True):
            nodes.append(op_a(nodes[a]) + op_b(nodes[b]))
        return torch.cat(nodes[2:], dim=1)


class PlainNetwork(nn.Module):
    """The network of a genotype; its auxiliary head stands behind two thirds of the cells."""

    def __init__(self, normal, reduce, c=36, layers=20, classes=10):
        """`normal`, `reduce`: pairs of an operation's name and a source, two a node, all nodes in the end."""
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * c, 3, padding=1, bias=False), norm(3 * c, True))
        before, was_reduced, cells = (3 * c, 3 * c), False, []
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

    def forward(self, x):
        one = two = self.stem(x)
        auxiliary = None
        for layer, cell in enumerate(self.cells):
            one, two = two, cell(one, two)
            if layer == self.last_third and self.training:
                auxiliary = self.auxiliary(two)
        logits = self.classifier(two.mean((2, 3)))
        return (logits, auxiliary) if self.training else logits
