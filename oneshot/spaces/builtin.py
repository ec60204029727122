"""The published spaces; the modules of their graphs, which need torch, are imported on first use."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, TypeVar

from nasbench.cell import OPERATIONS, Cell
from nasbench.errors import NASBenchError
from oneshot.errors import GenotypeError
from oneshot.spaces import genotype
from oneshot.spaces.base import Diagram, Graphs, Sizes, Space
from oneshot.spaces.genotype import Genotype, Hierarchy, dense_diagram
from oneshot.spaces.notation import EDGES_PER_NODE

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.graph.graph import Graph

A = TypeVar("A")
V = TypeVar("V", Genotype, Hierarchy)


class _BuiltinSpace(Space[A]):
    """A space whose graphs are in a module of this package."""

    #: name of the module, which needs torch; "" for the name of the space
    module: ClassVar[str] = ""

    @property
    def _graphs(self) -> Graphs[A]:
        graphs: Graphs[A] = import_module(f"oneshot.spaces.{self.module or self.name}").GRAPHS
        return graphs

    def build(self, classes: int, channels: int, cells: int) -> "Graph":
        return self._graphs.build(classes, channels, cells)

    def edges(self, graph: "Graph") -> "dict[str, EdgeData]":
        return self._graphs.edges(graph)

    def architecture(self, graph: "Graph") -> A:
        return self._graphs.read(graph)

    def fixed_path(self, graph: "Graph", architecture: A) -> AbstractContextManager["Graph"]:
        return self._graphs.fixed_path(graph, architecture)

    def build_network(
        self, architecture: A, classes: int, channels: int, cells: int, auxiliary: bool
    ) -> "Graph":
        options = {"auxiliary": auxiliary} if self.has_auxiliary else {}
        return self._graphs.build_network(architecture, classes, channels, cells, **options)


class NASBench201Space(_BuiltinSpace[Cell]):
    """The cells of NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326)."""

    name = "nb201"
    summary = "the cells of NAS-Bench-201"
    architecture_class = Cell
    searched = trained = Sizes(channels=16, cells=5)  # section 2.1
    smaller = Sizes(channels=8, cells=1)
    in_benchmark = True

    def candidates(self, edge: str) -> tuple[str, ...]:
        return OPERATIONS

    def claims(self, text: str) -> bool:
        return bool(re.match(r"\s*(\||\d+\s*$)", text))

    def read(self, text: str) -> Cell:
        try:
            if text.strip().isdecimal():
                return Cell.from_index(int(text))
            return Cell.from_string(text.strip())
        except (NASBenchError, ValueError) as error:  # ValueError: a number with thousands of digits
            raise GenotypeError(f"cannot read a cell of NAS-Bench-201: {error}") from None

    def json(self, architecture: Cell) -> Mapping[str, object]:
        return {"arch": str(architecture)}

    def from_json(self, value: dict[str, object]) -> Cell:
        match value:
            case {"arch": str(arch)} if len(value) == 1:
                return self.read(arch)
        raise GenotypeError(
            "the JSON of a cell of NAS-Bench-201 must have only arch, a string; got"
            f" {', '.join(map(repr, value)) or 'nothing'}"
        )

    def operations(self, architecture: Cell) -> tuple[str, ...]:
        return architecture.ops

    def diagrams(self, architecture: Cell) -> list[Diagram]:
        return [dense_diagram(f"cell {architecture.index}", 4, architecture.ops)]


class _WrittenSpace(_BuiltinSpace[V]):
    """A space whose architectures have methods for text, JSON and diagrams."""

    def read(self, text: str) -> V:
        return self.architecture_class.from_text(text)

    def json(self, architecture: V) -> Mapping[str, object]:
        return architecture.to_json()

    def from_json(self, value: dict[str, object]) -> V:
        return self.architecture_class.from_json(value)

    def operations(self, architecture: V) -> tuple[str, ...]:
        return architecture.operations

    def diagrams(self, architecture: V) -> list[Diagram]:
        return architecture.diagrams()


class _CellsOfDARTS(_WrittenSpace[Genotype]):
    """A space with the cells and networks of DARTS."""

    module = "darts"
    architecture_class = Genotype
    searched = Sizes(channels=16, cells=8)  # section 3.1
    trained = Sizes(channels=36, cells=20)  # section 3.2
    smaller = Sizes(channels=4, cells=3)
    minimum = Sizes(channels=1, cells=3)
    cells_per_stage = False
    has_auxiliary = True

    def contains(self, architecture: object) -> bool:
        if not isinstance(architecture, Genotype):
            return False
        named = {"normal": architecture.normal, "reduction": architecture.reduce}
        return all(
            operation in self.candidates(f"{cell} {source}→{EDGES_PER_NODE + number // EDGES_PER_NODE}")
            for cell, edges in named.items()
            for number, (operation, source) in enumerate(edges)
        )

    def claims(self, text: str) -> bool:
        # Genotype(...) or a dictionary; a dictionary with "space" is from `to_json`
        return bool(re.match(r"""(?s)\s*(Genotype|\{\s*['"](normal|reduce)(?!.*"space"))""", text))


class DARTSSpace(_CellsOfDARTS):
    """Normal and reduction cells of DARTS (Liu et al. 2019, arXiv:1806.09055)."""

    name = "darts"
    summary = "normal and reduction cells of DARTS"

    def candidates(self, edge: str) -> tuple[str, ...]:
        return genotype.OPERATIONS


class RobustDARTSSpace(_CellsOfDARTS):
    """One of the spaces S1 to S4, with few operations at each edge (Zela et al. 2020, arXiv:1909.09656).

    The sizes are the same as for DARTS, whose supernet the authors' code also uses for CIFAR-10.
    """

    def __init__(self, name: str, summary: str, candidates: Callable[[str], tuple[str, ...]]) -> None:
        """Create a space; `candidates` returns the names of the operations at an edge."""
        self.name, self.summary, self._candidates = name, summary, candidates  # type: ignore[misc]  # ClassVars

    def build(self, classes: int, channels: int, cells: int) -> "Graph":
        from oneshot.spaces.darts import DARTSSearchSpace  # imported here because it needs torch

        return DARTSSearchSpace(classes, channels, cells, self._candidates)

    def candidates(self, edge: str) -> tuple[str, ...]:
        return self._candidates(edge)


class HierarchicalSpace(_WrittenSpace[Hierarchy]):
    """Cells of motifs of primitives (Liu et al. 2018, arXiv:1711.00436)."""

    name = "hierarchical"
    summary = "motifs of motifs, as in Liu et al. 2018"
    architecture_class = Hierarchy
    searched = Sizes(channels=16, cells=1)  # section 4.1
    trained = Sizes(channels=64, cells=2)
    smaller = Sizes(channels=2, cells=1)
    defaults = {"epochs": 10, "batch": 10}  # Ruchte et al. 2020, NASLib, appendix A.1

    def candidates(self, edge: str) -> tuple[str, ...]:
        return tuple(f"motif {k}" for k in range(6)) if edge.startswith("cell") else genotype.PRIMITIVES

    def claims(self, text: str) -> bool:
        return text.strip().startswith("Hierarchy")
