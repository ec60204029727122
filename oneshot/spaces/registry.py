"""The spaces by the names that commands know them by, and what a search asks of each; loaded when needed."""

from abc import ABC, abstractmethod

from nasbench.cell import EDGES, OPERATIONS
from oneshot.errors import ConfigError


class Space(ABC):
    """What a search asks of a space beside its graph."""

    summary = None  # for the help
    operations = ()  # names of an edge's candidates, in their order
    halvings = 0  # how often its network halves the height and the width of an image

    @abstractmethod
    def build(self, classes, channels, cells):
        """The space as a Graph."""

    @abstractmethod
    def edges(self, graph):
        """{name: EdgeData} of the edges whose candidates a method weighs, each with its copies once."""

    @abstractmethod
    def cell(self, graph):
        """What a graph with one operation at each edge is in the benchmark: a nasbench Cell."""

    @abstractmethod
    def alone(self, graph, cell):
        """A context in which a supernet computes the path of a cell alone."""


class NB201(Space):
    summary = "the cells of NAS-Bench-201"
    operations = OPERATIONS
    halvings = 2

    def build(self, classes, channels, cells):
        from oneshot.spaces.nb201 import NasBench201SearchSpace

        return NasBench201SearchSpace(classes, channels, cells)

    def edges(self, graph):
        from oneshot.spaces.nb201 import cells_in

        cell = cells_in(graph)[0]  # all others are its copies
        return {f"{source}→{target}": cell.edges[source + 1, target + 1] for source, target in EDGES}

    def cell(self, graph):
        from oneshot.spaces.nb201 import cell_of

        return cell_of(graph)

    def alone(self, graph, cell):
        from oneshot.spaces.nb201 import as_cell

        return as_cell(graph, cell)


SPACES = {"nb201": NB201()}


def space_of(name):
    """The Space of a name; ConfigError lists the names.

    >>> space_of("nb201").operations[0]
    'none'
    """
    if not isinstance(name, str) or name not in SPACES:
        raise ConfigError(f"unknown space {name!r}; the spaces are {', '.join(SPACES)}")
    return SPACES[name]
