"""Sizes of the networks and batches of the checks."""

from collections.abc import Mapping
from dataclasses import dataclass

from oneshot.graph.graph import Graph
from oneshot.spaces.base import Sizes
from oneshot.spaces.hierarchical import HierarchicalSearchSpace
from oneshot.spaces.registry import get_space

SPACES = ("nb201", "darts", "hierarchical")


@dataclass(frozen=True)
class Scale:
    """Sizes of the checks."""

    #: Supernets whose results are compared.
    compared: Mapping[str, Sizes]
    #: Supernets and batches whose speed is measured; the sizes of a search.
    timed: Mapping[str, tuple[Sizes, int]]
    #: Supernet that torch.compile runs; it has fewer cells, because compiling all takes minutes.
    compiled: Sizes
    #: Height and width of random images.
    side: int
    #: Training images of a random data set.
    images: int
    #: First batch size tried by the checks of the largest batch; it is halved until it fits.
    largest: int
    #: Epochs of the protocol.
    protocol: int


def build(space: str, sizes: Sizes) -> Graph:
    """Return a space for 10 classes."""
    return get_space(space).build(10, sizes.channels, sizes.cells)


def build_small(space: str, sizes: Sizes) -> Graph:
    """Return a space for 10 classes; the hierarchical space has fewer motifs and nodes than published."""
    if space != "hierarchical":
        return build(space, sizes)
    return HierarchicalSearchSpace(10, sizes.channels, sizes.cells, motifs=2, motif_nodes=3, cell_nodes=3)


FULL = Scale(
    compared={"nb201": Sizes(8, 1), "darts": Sizes(8, 3), "hierarchical": Sizes(4, 1)},
    timed={
        name: (get_space(name).searched, batch)
        for name, batch in (("nb201", 64), ("darts", 64), ("hierarchical", 10))
    },
    compiled=Sizes(16, 1),
    side=32,
    images=50_000,
    largest=2048,
    protocol=12,
)
# seconds on two cores, for tests
TINY = Scale(
    compared={"nb201": Sizes(2, 1), "darts": Sizes(2, 3), "hierarchical": Sizes(1, 1)},
    timed={"nb201": (Sizes(2, 1), 4)},
    compiled=Sizes(2, 1),
    side=8,
    images=32,
    largest=8,
    protocol=1,
)
