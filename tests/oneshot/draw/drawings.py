"""Diagrams for tests, and checks of drawn diagrams."""

import random
from itertools import combinations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from nasbench.cell import CELLS, Cell
from oneshot.spaces.base import Diagram
from oneshot.spaces.genotype import OPERATIONS, PRIMITIVES, Genotype, Hierarchy
from oneshot.spaces.published import PUBLISHED
from oneshot.spaces.registry import get_space

ENDS = ((0, "in", "input"), (1, "out", "output"))
PARALLEL = Diagram(
    "parallel",
    ((0, "c_{k-1}", "input"), (1, "0", "node"), (2, "1", "node"), (3, "c_{k}", "output")),
    (
        (0, 1, "sep_conv_3x3"),
        (0, 1, "skip_connect"),
        (1, 2, "max_pool_3x3"),
        (1, 2, "none"),
        (1, 3, ""),
        (1, 3, ""),
        (2, 3, ""),
    ),
)


def published():
    return {name: architecture.diagrams() for name, architecture in PUBLISHED.items()}


def drawn_at_random(count, seed):
    """Return random lists of Diagrams: a third each of genotypes, hierarchies and NAS-Bench-201 cells."""
    rng = random.Random(seed)
    makers = (_genotype, _hierarchy, lambda rng: get_space("nb201").diagrams(Cell(rng.randrange(CELLS))))
    return [makers[number % 3](rng) for number in range(count)]


def _genotype(rng):
    def cell():
        return [
            (rng.choice(OPERATIONS), source)
            for node in range(2, 2 + nodes)
            for source in rng.sample(range(node), 2)
        ]

    nodes = rng.randint(2, 5)
    concat = list(range(2, 2 + nodes))
    return Genotype(cell(), concat, cell(), rng.sample(concat, rng.randint(1, nodes))).diagrams()


def _hierarchy(rng):
    edges = rng.choice((1, 3, 6))
    motifs = [[rng.choice(PRIMITIVES) for _ in range(edges)] for _ in range(3)]
    return Hierarchy(motifs, [rng.randrange(3) for _ in range(rng.choice((3, 6, 10)))]).diagrams()


class Seen:
    """The positions of everything that a figure shows, in pixels of 1/200 inch."""

    def __init__(self, figure):
        figure.set_dpi(200)
        renderer = FigureCanvasAgg(figure).get_renderer()
        self.boxes, self.texts, self.arrows = {}, [], {}
        for axes in figure.axes:
            for patch in axes.patches:
                kind = patch.get_gid().split("-")[2]
                if kind == "edge":
                    self.arrows[patch.get_gid()] = patch
                else:
                    self.boxes[patch.get_gid()] = patch.get_window_extent(renderer)
        for text in [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]:
            self.texts.append((text.get_text(), text.get_window_extent(renderer)))
        self.page = figure.bbox

    def overlaps(self):
        """Return pairs of boxes that intersect, and texts that are neither in one box nor clear of all."""
        found = [
            (a, b) for (a, one), (b, other) in combinations(self.boxes.items(), 2) if one.overlaps(other)
        ]
        for text, extent in self.texts:
            over = [box for box in self.boxes.values() if box.overlaps(extent)]
            if over and not (len(over) == 1 and _within(over[0], extent)):
                found.append(text)
        found += [(a, b) for (a, one), (b, other) in combinations(self.texts, 2) if one.overlaps(other)]
        return found

    def outside(self):
        """Return the names of everything that is not on the page."""
        extents = [*self.boxes.items(), *self.texts]
        return [name for name, extent in extents if not _within(self.page, extent)]


def _within(outer, inner):
    return outer.x0 <= inner.x0 and inner.x1 <= outer.x1 and outer.y0 <= inner.y0 and inner.y1 <= outer.y1


def points_on(path, count=24):
    """Return points (n * count, 2) on a Bézier curve with control points (3 n + 1, 2)."""
    t = np.linspace(0, 1, count)[:, None]
    pieces = [path[k : k + 4] for k in range(0, len(path) - 1, 3)]
    return np.vstack(
        [
            (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
            for a, b, c, d in pieces
        ]
    )
