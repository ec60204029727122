"""Interface of search spaces, which does not import torch."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, TypeVar

from oneshot.errors import ConfigError

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.graph.graph import Graph

A = TypeVar("A")  # class of a space's architectures


class Sizes(NamedTuple):
    """Width and depth of a network."""

    #: channels of the first stage
    channels: int
    #: number of cells, per stage or in total (`Space.cells_per_stage`)
    cells: int


MAXIMUM = Sizes(channels=65_536, cells=1_000)  # far above all published sizes; limits memory and time


class Diagram(NamedTuple):
    """A graph to draw."""

    #: heading
    title: str
    #: (id, label, kind) of each node; the kind is "input", "node" or "output"
    nodes: tuple[tuple[int, str, str], ...]
    #: (id of the source, id of the target, label) of each edge; the label is an operation or ""
    edges: tuple[tuple[int, int, str], ...]


class Graphs(NamedTuple, Generic[A]):
    """Functions of a space whose module imports torch."""

    #: as `Space.build`
    build: Callable[[int, int, int], "Graph"]
    #: as `Space.edges`
    edges: Callable[["Graph"], "dict[str, EdgeData]"]
    #: as `Space.architecture`
    read: Callable[["Graph"], A]
    #: as `Space.fixed_path`
    fixed_path: Callable[["Graph", A], AbstractContextManager["Graph"]]
    #: as `Space.build_network`, without `auxiliary` if the space has no auxiliary classifier
    build_network: Callable[..., "Graph"]


class Space(ABC, Generic[A]):
    """A search space: its supernet, its architectures and their networks for training from scratch.

    >>> from oneshot.spaces.registry import get_space
    >>> space = get_space("hierarchical")
    >>> architecture = space.read("Hierarchy(motifs=[['conv_1x1']], cell=[0])")
    >>> space.operations(architecture)
    ('conv_1x1',)

    Architectures are values; `str` returns one line of text that `read` accepts.
    """

    #: name of the space on the command line
    name: ClassVar[str]
    #: one line for help texts
    summary: ClassVar[str]
    #: class of its architectures
    architecture_class: type[A]
    #: how often its networks halve the height and width of an image
    halvings: ClassVar[int] = 2
    #: published sizes of the supernet
    searched: ClassVar[Sizes]
    #: published sizes of the networks trained from scratch
    trained: ClassVar[Sizes]
    #: sizes of both for images of about 8×8 pixels, which take a CPU about a minute
    smaller: ClassVar[Sizes]
    #: minimum sizes of its networks
    minimum: ClassVar[Sizes] = Sizes(channels=1, cells=1)
    #: whether `cells` is the number of cells per stage rather than in the whole network
    cells_per_stage: ClassVar[bool] = True
    #: settings of methods whose defaults differ in this space
    defaults: ClassVar[dict[str, object]] = {}
    #: whether its architectures are in NAS-Bench-201
    in_benchmark: ClassVar[bool] = False
    #: whether its networks can have an auxiliary classifier in training
    has_auxiliary: ClassVar[bool] = False

    @abstractmethod
    def build(self, classes: int, channels: int, cells: int) -> "Graph":
        """Return the space as a graph with a list of candidates at each searched edge.

        Parameters
        ----------
        classes
            Classes of the images, >= 2.
        channels
            Channels of the first stage.
        cells
            Number of cells, per stage if `cells_per_stage`.

        Returns
        -------
        Graph
            The space, not parsed.

        Raises
        ------
        ConfigError
            If a size is too small.
        """

    @abstractmethod
    def edges(self, graph: "Graph") -> "dict[str, EdgeData]":
        """Return the searched edges of a graph by name.

        Parameters
        ----------
        graph
            Graph from `build`, or a supernet of it.

        Returns
        -------
        dict of str to EdgeData
            Data of one copy of each edge.
        """

    @abstractmethod
    def candidates(self, edge: str) -> tuple[str, ...]:
        """Return the names of the candidates at an edge.

        Parameters
        ----------
        edge
            Name of the edge, a key of `edges`.

        Returns
        -------
        tuple of str
            Names in the order of the candidates.
        """

    @abstractmethod
    def architecture(self, graph: "Graph") -> A:
        """Return the architecture of a graph.

        Parameters
        ----------
        graph
            Graph of this space with one operation or a `choice` at each edge.

        Returns
        -------
        architecture
            Instance of `architecture_class`.

        Raises
        ------
        GraphError
            If an edge has several candidates, or if copies of a cell differ.
        """

    @abstractmethod
    def fixed_path(self, graph: "Graph", architecture: A) -> AbstractContextManager["Graph"]:
        """Return a context in which a supernet runs only the path of an architecture.

        Parameters
        ----------
        graph
            Supernet of this space.
        architecture
            Architecture of this space.

        Returns
        -------
        context manager of Graph
            The supernet; its edges are restored at the end of the block.

        Raises
        ------
        GraphError
            If an edge lacks the candidate that the architecture needs.
        GenotypeError
            If the architecture and the supernet have different numbers of nodes.
        """

    @abstractmethod
    def build_network(
        self, architecture: A, classes: int, channels: int, cells: int, auxiliary: bool
    ) -> "Graph":
        """Return the network of an architecture, as `network` does, with all sizes given.

        Parameters
        ----------
        architecture
            Architecture of this space.
        classes
            Classes of the images, >= 2.
        channels
            Channels of the first stage.
        cells
            Number of cells, per stage if `cells_per_stage`.
        auxiliary
            Whether the network has an auxiliary classifier; ignored unless `has_auxiliary`.

        Returns
        -------
        Graph
            The network, parsed.

        Raises
        ------
        ConfigError
            If a size is too small.
        """

    @abstractmethod
    def read(self, text: str) -> A:
        """Return the architecture that `text`, such as its `str`, describes; GenotypeError if it has none."""

    @abstractmethod
    def from_json(self, value: dict[str, object]) -> A:
        """Return the architecture of `value`, the dictionary of `to_json` without the space's name."""

    @abstractmethod
    def json(self, architecture: A) -> Mapping[str, object]:
        """Return `architecture` as values that JSON can represent."""

    @abstractmethod
    def operations(self, architecture: A) -> tuple[str, ...]:
        """Return the names of the operations in `architecture`."""

    @abstractmethod
    def diagrams(self, architecture: A) -> list[Diagram]:
        """Return the diagrams of `architecture` to draw."""

    @abstractmethod
    def claims(self, text: str) -> bool:
        """Return whether `text` looks like an architecture of this space."""

    def contains(self, architecture: object) -> bool:
        """Return whether a value, `architecture`, is an architecture of this space."""
        return isinstance(architecture, self.architecture_class)

    def network(
        self,
        architecture: A,
        classes: int = 10,
        channels: int | None = None,
        cells: int | None = None,
        auxiliary: bool = False,
    ) -> "Graph":
        """Return the network of an architecture for training from scratch.

        Parameters
        ----------
        architecture
            Architecture of this space.
        classes
            Classes of the images, >= 2.
        channels, cells
            Sizes of the network; by default the published ones, `trained`.
        auxiliary
            Whether the network has an auxiliary classifier in training.

        Returns
        -------
        Graph
            The network, parsed.

        Raises
        ------
        ConfigError
            If a size is too small, or if the space has no auxiliary classifier.
        """
        if auxiliary and not self.has_auxiliary:
            raise ConfigError(
                f"networks of {self.name} cannot have an auxiliary classifier; networks of darts can"
            )
        channels = self.trained.channels if channels is None else channels
        cells = self.trained.cells if cells is None else cells
        return self.build_network(architecture, classes, channels, cells, auxiliary)

    def to_json(self, architecture: A) -> dict[str, object]:
        """Return `architecture` and its space as a dictionary, whose JSON `parse_architecture` reads."""
        return {"space": self.name, **self.json(architecture)}


def check_minimum(**bounds: tuple[object, int]) -> None:
    """Raise ConfigError unless each value is an integer >= its minimum; `bounds`: name=(value, minimum)."""
    for name, (value, minimum) in bounds.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise ConfigError(f"{name} must be an integer >= {minimum}, got {value!r}")
