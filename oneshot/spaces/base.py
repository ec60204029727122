"""What searches and trainings ask of a space in addition to its graph; loads no torch."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, TypeVar

from oneshot.errors import ConfigError

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.graph.graph import Graph

A = TypeVar("A")  # the class of a space's architectures


class Sizes(NamedTuple):
    """How wide and how deep a network of a space is."""

    #: Channels of the first stage.
    channels: int
    #: Cells, as the space counts them.
    cells: int


MAXIMUM = Sizes(channels=65_536, cells=1_000)  # beyond all published ones; more take endless memory and time


class Diagram(NamedTuple):
    """A graph to be drawn from its inputs to its output."""

    #: The heading.
    title: str
    #: (id, label, kind) of each node; the kind is "input", "node" or "output".
    nodes: tuple[tuple[int, str, str], ...]
    #: (id of the source, id of the target, label) of each edge; the label is an operation, or "" for none.
    edges: tuple[tuple[int, int, str], ...]


class Graphs(NamedTuple, Generic[A]):
    """What a space makes of graphs, and of architectures; its module needs torch."""

    #: Takes classes, channels and cells; as `Space.build`.
    build: Callable[[int, int, int], "Graph"]
    #: As `Space.edges`.
    edges: Callable[["Graph"], "dict[str, EdgeData]"]
    #: As `Space.architecture`.
    read: Callable[["Graph"], A]
    #: As `Space.fixed_path`.
    fixed_path: Callable[["Graph", A], AbstractContextManager["Graph"]]
    #: Takes an architecture, classes, channels, cells, and whether it has an auxiliary classifier if it can.
    build_network: Callable[..., "Graph"]


class Space(ABC, Generic[A]):
    """A search space: its supernet, its architectures, and the networks that are trained from scratch.

    >>> from oneshot.spaces.registry import get_space
    >>> space = get_space("hierarchical")
    >>> architecture = space.read("Hierarchy(motifs=[['conv_1x1']], cell=[0])")
    >>> space.operations(architecture)
    ('conv_1x1',)

    An architecture is a value whose `str` is one line that `read` takes.
    """

    #: The name by which commands know the space.
    name: ClassVar[str]
    #: One line for the help.
    summary: ClassVar[str]
    #: The class of its architectures.
    architecture_class: type[A]
    #: How often its networks halve the height and the width of an image.
    halvings: ClassVar[int] = 2
    #: The published sizes of the supernet.
    searched: ClassVar[Sizes]
    #: The published sizes of the network that is trained from scratch.
    trained: ClassVar[Sizes]
    #: The sizes of both for images of about 8×8 pixels: a minute's work on a CPU.
    smaller: ClassVar[Sizes]
    #: The smallest sizes of its networks.
    minimum: ClassVar[Sizes] = Sizes(channels=1, cells=1)
    #: Whether `cells` is the number of cells of each stage, not of the whole network.
    cells_per_stage: ClassVar[bool] = True
    #: Settings of a method whose defaults differ in this space.
    defaults: ClassVar[dict[str, object]] = {}
    #: Whether NAS-Bench-201 has its architectures.
    in_benchmark: ClassVar[bool] = False
    #: Whether its networks can have a second classifier in training.
    has_auxiliary: ClassVar[bool] = False

    @abstractmethod
    def build(self, classes: int, channels: int, cells: int) -> "Graph":
        """Return the space as a Graph, whose edges have lists of candidates."""

    @abstractmethod
    def edges(self, graph: "Graph") -> "dict[str, EdgeData]":
        """Return the edges whose candidates a method weighs, by name; one of each edge's copies."""

    @abstractmethod
    def candidates(self, edge: str) -> tuple[str, ...]:
        """Return the names of the candidates at an edge, by its name in `edges`."""

    @abstractmethod
    def architecture(self, graph: "Graph") -> A:
        """Return the architecture of a graph with one operation, or a `choice`, at each edge."""

    @abstractmethod
    def fixed_path(self, graph: "Graph", architecture: A) -> AbstractContextManager["Graph"]:
        """Return a context in which a supernet computes only the path of an architecture."""

    @abstractmethod
    def build_network(
        self, architecture: A, classes: int, channels: int, cells: int, auxiliary: bool
    ) -> "Graph":
        """Return the network of an architecture as `network` does, at sizes that are given."""

    @abstractmethod
    def read(self, text: str) -> A:
        """Return the architecture of a text; GenotypeError if the text is not what `str` gives."""

    @abstractmethod
    def from_json(self, value: dict[str, object]) -> A:
        """Return the architecture of what `to_json` gives, without the space's name."""

    @abstractmethod
    def json(self, architecture: A) -> Mapping[str, object]:
        """Return an architecture as plain values."""

    @abstractmethod
    def operations(self, architecture: A) -> tuple[str, ...]:
        """Return the names of the operations in an architecture."""

    @abstractmethod
    def diagrams(self, architecture: A) -> list[Diagram]:
        """Return the diagrams of an architecture, for a picture."""

    @abstractmethod
    def claims(self, text: str) -> bool:
        """Return whether a text looks like an architecture of this space."""

    def contains(self, architecture: object) -> bool:
        """Return whether a value is an architecture of this space."""
        return isinstance(architecture, self.architecture_class)

    def network(
        self,
        architecture: A,
        classes: int = 10,
        channels: int | None = None,
        cells: int | None = None,
        auxiliary: bool = False,
    ) -> "Graph":
        """Return the network of an architecture that is trained from scratch, parsed.

        Parameters
        ----------
        architecture
            Of this space.
        classes
            Classes of images, at least 2.
        channels, cells
            Its sizes; None: those of `trained`.
        auxiliary
            Whether it has a second classifier in training.

        Raises
        ------
        ConfigError
            If a size is too small, or the space has no second classifier.
        """
        if auxiliary and not self.has_auxiliary:
            raise ConfigError(f"networks of {self.name} have no auxiliary classifier; those of darts have")
        channels = self.trained.channels if channels is None else channels
        cells = self.trained.cells if cells is None else cells
        return self.build_network(architecture, classes, channels, cells, auxiliary)

    def to_json(self, architecture: A) -> dict[str, object]:
        """Return an architecture and its space as plain values, whose JSON `parse_architecture` takes."""
        return {"space": self.name, **self.json(architecture)}


def check_minimum(**bounds: tuple[object, int]) -> None:
    """Raise ConfigError unless each value is an integer of at least its minimum; `name=(value, minimum)`."""
    for name, (value, minimum) in bounds.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise ConfigError(f"{name} must be an integer >= {minimum}, got {value!r}")
