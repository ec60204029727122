"""The spaces by the names that commands know them by, and what is asked of each; loaded when needed."""

import json
import re
from abc import ABC, abstractmethod

from nasbench.cell import EDGES, OPERATIONS, Cell
from nasbench.errors import NASBenchError, shown
from oneshot.errors import ConfigError, GenotypeError
from oneshot.spaces import genotype
from oneshot.spaces.diagram import Diagram
from oneshot.spaces.genotype import PUBLISHED, Genotype, Hierarchy, dense_edges, published_names
from oneshot.spaces.sizes import Sizes


class Space(ABC):
    """What searches and trainings ask of a space beside its graph.

    An architecture is a value whose `str` is one line, from which `parse` makes it again.
    """

    name = None
    summary = None  # for the help
    kind = None  # the class of its architectures
    halvings = 2  # how often its network halves the height and the width of an image
    searched = None  # the published Sizes of the supernet
    trained = None  # those of the network that is trained from scratch
    smaller = None  # Sizes of both for images of some 8×8 pixels: a minute's work on a CPU
    least = Sizes(channels=1, cells=1)  # that its networks can have
    defaults = {}  # settings of a method that are others in this space  # noqa: RUF012
    in_benchmark = False  # whether NAS-Bench-201 has its architectures

    @abstractmethod
    def build(self, classes, channels, cells):
        """The space as a Graph."""

    @abstractmethod
    def edges(self, graph):
        """{name: EdgeData} of the edges whose candidates a method weighs, each with its copies once."""

    @abstractmethod
    def candidates(self, edge):
        """The names of the candidates at an edge, by its name in `edges`."""

    @abstractmethod
    def architecture(self, graph):
        """The architecture of a graph with one operation, or a `choice`, at each edge."""

    @abstractmethod
    def alone(self, graph, architecture):
        """A context in which a supernet computes the path of an architecture alone."""

    @abstractmethod
    def network(self, architecture, classes=10, channels=None, cells=None, auxiliary=False):
        """The network of an architecture that is trained from scratch, a parsed Graph.

        `channels`, `cells`: by default those of `trained`; `auxiliary`: with a second classifier in training,
        ConfigError in a space that has none.
        """

    @abstractmethod
    def read(self, text):
        """The architecture of a text; GenotypeError says what is wrong with it."""

    @abstractmethod
    def from_json(self, value):
        """The architecture of what `to_json` gives, without the space's name."""

    @abstractmethod
    def json(self, architecture):
        """An architecture as a dict of plain values."""

    @abstractmethod
    def operations(self, architecture):
        """The names of the operations in an architecture, a tuple."""

    @abstractmethod
    def diagrams(self, architecture):
        """What a picture of an architecture shows, a list of Diagrams."""

    @abstractmethod
    def claims(self, text):
        """Whether a text looks like an architecture of this space."""

    # What spaces share

    def to_json(self, architecture):
        """An architecture and its space as a dict of plain values, of which `parse` takes the JSON text."""
        return {"space": self.name, **self.json(architecture)}

    def parse(self, text):
        """The architecture of a text, a JSON text or a published name; GenotypeError says what is wrong.

        >>> str(SPACES["nb201"].parse("6111")) == str(Cell.from_index(6111))
        True
        """
        _, architecture = architecture_of(text, self.name)
        return architecture


class NB201(Space):
    name = "nb201"
    summary = "the cells of NAS-Bench-201"
    kind = Cell
    searched = trained = Sizes(channels=16, cells=5)  # Dong & Yang 2020, arXiv:2001.00326, section 2.1
    smaller = Sizes(channels=8, cells=1)
    in_benchmark = True

    def build(self, classes, channels, cells):
        from oneshot.spaces.nb201 import NasBench201SearchSpace

        return NasBench201SearchSpace(classes, channels, cells)

    def edges(self, graph):
        from oneshot.spaces.nb201 import cells_in

        cell = cells_in(graph)[0]  # all others are its copies
        return {f"{source}→{target}": cell.edges[source + 1, target + 1] for source, target in EDGES}

    def candidates(self, edge):
        return OPERATIONS

    def architecture(self, graph):
        from oneshot.spaces.nb201 import cell_of

        return cell_of(graph)

    def alone(self, graph, architecture):
        from oneshot.spaces.nb201 import as_cell

        return as_cell(graph, architecture)

    def network(self, architecture, classes=10, channels=None, cells=None, auxiliary=False):
        from oneshot.spaces.nb201 import network_of

        _no_auxiliary(auxiliary, self.name)
        channels, cells = _sizes(self.trained, channels, cells)
        return network_of(architecture, classes, channels, cells)

    def claims(self, text):
        return bool(re.match(r"\s*(\||\d+\s*$)", text))

    def read(self, text):
        try:
            if text.strip().isdecimal():
                return Cell.from_index(int(text))
            return Cell.from_string(text.strip())
        except (NASBenchError, ValueError) as error:  # the latter of a number with thousands of digits
            raise GenotypeError(f"cannot read a cell of NAS-Bench-201: {error}") from None

    def json(self, architecture):
        return {"arch": str(architecture)}

    def from_json(self, value):
        if set(value) != {"arch"} or not isinstance(value["arch"], str):
            raise GenotypeError(
                f"a cell of NAS-Bench-201 has arch, a string; got {', '.join(map(repr, value)) or 'nothing'}"
            )
        return self.read(value["arch"])

    def operations(self, architecture):
        return architecture.ops

    def diagrams(self, architecture):
        nodes = ((0, "in", "input"), (1, "1", "node"), (2, "2", "node"), (3, "out", "output"))
        edges = zip(EDGES, architecture.ops, strict=True)
        title = f"cell {architecture.index}"
        return [Diagram(title, nodes, tuple((source, target, op) for (source, target), op in edges))]


class DARTS(Space):
    name = "darts"
    summary = "normal and reduction cells of DARTS"
    kind = Genotype
    searched = Sizes(channels=16, cells=8)  # Liu et al. 2019, arXiv:1806.09055, section 3.1
    trained = Sizes(channels=36, cells=20)  # section 3.2
    smaller = Sizes(channels=4, cells=3)
    least = Sizes(channels=1, cells=3)

    def build(self, classes, channels, cells):
        from oneshot.spaces.darts import DARTSSearchSpace

        return DARTSSearchSpace(classes, channels, cells)

    def edges(self, graph):
        from oneshot.spaces.darts import cells_in

        found = {}
        for cell in cells_in(graph):
            for source, target, edge in sorted(cell.edges(data=True), key=lambda each: (each[1], each[0])):
                if target < max(cell.nodes):
                    found.setdefault(f"{cell.scope} {source - 1}→{target - 1}", edge)
        return dict(sorted(found.items(), key=lambda each: each[0].startswith("reduction")))

    def candidates(self, edge):
        return genotype.OPERATIONS

    def architecture(self, graph):
        from oneshot.spaces.darts import genotype_of

        return genotype_of(graph)

    def alone(self, graph, architecture):
        from oneshot.spaces.darts import as_genotype

        return as_genotype(graph, architecture)

    def network(self, architecture, classes=10, channels=None, cells=None, auxiliary=False):
        from oneshot.spaces.darts import network_of

        channels, cells = _sizes(self.trained, channels, cells)
        return network_of(architecture, classes, channels, cells, auxiliary)

    def claims(self, text):
        # Genotype(...) or a dictionary; a dictionary with "space" is the JSON of `to_json`
        return bool(re.match(r"""(?s)\s*(Genotype|\{\s*['"](normal|reduce)(?!.*"space"))""", text))

    def read(self, text):
        return Genotype.from_text(text)

    def json(self, architecture):
        return architecture.to_json()

    def from_json(self, value):
        return Genotype.from_json(value)

    def operations(self, architecture):
        return architecture.operations

    def diagrams(self, architecture):
        return architecture.diagrams()


class Hierarchical(Space):
    name = "hierarchical"
    summary = "motifs of motifs, as in Liu et al. 2018"
    kind = Hierarchy
    searched = Sizes(channels=16, cells=1)  # Liu et al. 2018, arXiv:1711.00436, section 4.1
    trained = Sizes(channels=64, cells=2)
    smaller = Sizes(channels=2, cells=1)
    defaults = {"epochs": 10, "batch": 10}  # Ruchte et al. 2020, NASLib, appendix A.1  # noqa: RUF012

    def build(self, classes, channels, cells):
        from oneshot.spaces.hierarchical import HierarchicalSearchSpace

        return HierarchicalSearchSpace(classes, channels, cells)

    def edges(self, graph):
        from oneshot.spaces.hierarchical import cells_in

        cell = cells_in(graph)[0]  # all others are its copies, and all instances of a motif are alike
        first = cell.edges[1, 2]
        found = {}
        for number, motif in enumerate(first.op.get_embedded_ops()):
            for source, target in dense_edges(len(motif.nodes)):
                found[f"motif {number}, {source}→{target}"] = motif.edges[source + 1, target + 1]
        for source, target in dense_edges(len(cell.nodes)):
            found[f"cell {source}→{target}"] = cell.edges[source + 1, target + 1]
        return found

    def candidates(self, edge):
        return tuple(f"motif {k}" for k in range(6)) if edge.startswith("cell") else genotype.PRIMITIVES

    def architecture(self, graph):
        from oneshot.spaces.hierarchical import hierarchy_of

        return hierarchy_of(graph)

    def alone(self, graph, architecture):
        from oneshot.spaces.hierarchical import as_hierarchy

        return as_hierarchy(graph, architecture)

    def network(self, architecture, classes=10, channels=None, cells=None, auxiliary=False):
        from oneshot.spaces.hierarchical import network_of

        _no_auxiliary(auxiliary, self.name)
        channels, cells = _sizes(self.trained, channels, cells)
        return network_of(architecture, classes, channels, cells)

    def claims(self, text):
        return text.strip().startswith("Hierarchy")

    def read(self, text):
        return Hierarchy.from_text(text)

    def json(self, architecture):
        return architecture.to_json()

    def from_json(self, value):
        return Hierarchy.from_json(value)

    def operations(self, architecture):
        return architecture.operations

    def diagrams(self, architecture):
        return architecture.diagrams()


SPACES = {space.name: space for space in (NB201(), DARTS(), Hierarchical())}


def space_of(name):
    """The Space of a name; ConfigError lists the names.

    >>> space_of("nb201").candidates("0→1")[0]
    'none'
    """
    if not isinstance(name, str) or name not in SPACES:
        raise ConfigError(f"unknown space {name!r}; the spaces are {', '.join(SPACES)}")
    return SPACES[name]


def architecture_of(text, space=None):
    """The architecture that a text is of, in any form: (name of its space, architecture).

    >>> name, architecture = architecture_of("DARTS_V2")
    >>> name, architecture.normal[0]
    ('darts', ('sep_conv_3x3', 0))

    `text`: what an architecture's `str` gives, a genotype in any notation that `Genotype.from_text` reads, a
    JSON text of `Space.to_json`, the index of a cell, or a published name. GenotypeError says what is wrong
    with it, or that it is not of the `space` that is named.
    """
    name, architecture = _any(text)
    if space is not None and name != space_of(space).name:
        raise GenotypeError(f"the architecture is of the space {name}, not of {space}")
    return name, architecture


def _any(text):
    if not isinstance(text, str):
        raise GenotypeError(f"an architecture is read from a text, got {text!r}")
    if text.strip() in PUBLISHED:
        found = PUBLISHED[text.strip()]
        return next(name for name, space in SPACES.items() if isinstance(found, space.kind)), found
    for name, space in SPACES.items():
        if space.claims(text):
            return name, space.read(text)
    if text.strip().startswith("{"):
        return _of_json(text)
    raise GenotypeError(
        f"{shown(text)} is no architecture: a Genotype(...) or its dictionary, a Hierarchy(...), an arch"
        f" string or index of NAS-Bench-201, their JSON, or one of {published_names()}"
    )


def _of_json(text):
    try:
        value = json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise GenotypeError(f"cannot read the JSON of an architecture: {error}") from None
    name = value.pop("space", None)
    if not isinstance(name, str) or name not in SPACES:
        raise GenotypeError(
            f"the JSON of an architecture has a space, one of {', '.join(SPACES)}; got {name!r}"
        )
    return name, SPACES[name].from_json(value)


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object of a JSON text; ValueError if it has a key twice, of which json takes the last."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError(f"an object has a key twice: {shown([key for key, _ in pairs])}")
    return value


def _sizes(usual, channels, cells):
    return usual.channels if channels is None else channels, usual.cells if cells is None else cells


def _no_auxiliary(auxiliary, name):
    if auxiliary:
        raise ConfigError(f"networks of {name} have no auxiliary classifier; those of darts have")
