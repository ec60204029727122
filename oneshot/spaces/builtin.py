"""The published spaces; their graphs, which need torch, are imported when they are asked for."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

from nasbench.cell import EDGES, OPERATIONS, Cell
from nasbench.errors import NASBenchError
from oneshot.errors import GenotypeError
from oneshot.spaces import genotype
from oneshot.spaces.base import Diagram, Sizes, Space
from oneshot.spaces.genotype import Genotype, Hierarchy, dense_edges

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.graph.graph import Graph

V = TypeVar("V", Genotype, Hierarchy)


class NASBench201Space(Space[Cell]):
    """The cells of NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326)."""

    name = "nb201"
    summary = "the cells of NAS-Bench-201"
    architecture_class = Cell
    searched = trained = Sizes(channels=16, cells=5)  # section 2.1
    smaller = Sizes(channels=8, cells=1)
    in_benchmark = True

    def build(self, classes: int, channels: int, cells: int) -> "Graph":
        from oneshot.spaces.nb201 import NasBench201SearchSpace

        return NasBench201SearchSpace(classes, channels, cells)

    def edges(self, graph: "Graph") -> "dict[str, EdgeData]":
        from oneshot.spaces.nb201 import cells_in

        cell = cells_in(graph)[0]  # all others are its copies
        return {f"{source}→{target}": cell.edges[source + 1, target + 1] for source, target in EDGES}

    def candidates(self, edge: str) -> tuple[str, ...]:
        return OPERATIONS

    def architecture(self, graph: "Graph") -> Cell:
        from oneshot.spaces.nb201 import read_cell

        return read_cell(graph)

    def fixed_path(self, graph: "Graph", architecture: Cell) -> AbstractContextManager["Graph"]:
        from oneshot.spaces.nb201 import fixed_path

        return fixed_path(graph, architecture)

    def build_network(
        self, architecture: Cell, classes: int, channels: int, cells: int, auxiliary: bool
    ) -> "Graph":
        from oneshot.spaces.nb201 import build_network

        return build_network(architecture, classes, channels, cells)

    def claims(self, text: str) -> bool:
        return bool(re.match(r"\s*(\||\d+\s*$)", text))

    def read(self, text: str) -> Cell:
        try:
            if text.strip().isdecimal():
                return Cell.from_index(int(text))
            return Cell.from_string(text.strip())
        except (NASBenchError, ValueError) as error:  # the latter of a number with thousands of digits
            raise GenotypeError(f"cannot read a cell of NAS-Bench-201: {error}") from None

    def json(self, architecture: Cell) -> Mapping[str, object]:
        return {"arch": str(architecture)}

    def from_json(self, value: dict[str, object]) -> Cell:
        match value:
            case {"arch": str(arch)} if len(value) == 1:
                return self.read(arch)
        raise GenotypeError(
            f"a cell of NAS-Bench-201 has arch, a string; got {', '.join(map(repr, value)) or 'nothing'}"
        )

    def operations(self, architecture: Cell) -> tuple[str, ...]:
        return architecture.ops

    def diagrams(self, architecture: Cell) -> list[Diagram]:
        nodes = ((0, "in", "input"), (1, "1", "node"), (2, "2", "node"), (3, "out", "output"))
        edges = zip(EDGES, architecture.ops, strict=True)
        title = f"cell {architecture.index}"
        return [Diagram(title, nodes, tuple((source, target, op) for (source, target), op in edges))]


class _WrittenSpace(Space[V]):
    """A space whose architectures know their own text, JSON and diagrams."""

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


class DARTSSpace(_WrittenSpace[Genotype]):
    """Normal and reduction cells of DARTS (Liu et al. 2019, arXiv:1806.09055)."""

    name = "darts"
    summary = "normal and reduction cells of DARTS"
    architecture_class = Genotype
    searched = Sizes(channels=16, cells=8)  # section 3.1
    trained = Sizes(channels=36, cells=20)  # section 3.2
    smaller = Sizes(channels=4, cells=3)
    minimum = Sizes(channels=1, cells=3)
    has_auxiliary = True

    def build(self, classes: int, channels: int, cells: int) -> "Graph":
        from oneshot.spaces.darts import DARTSSearchSpace

        return DARTSSearchSpace(classes, channels, cells)

    def edges(self, graph: "Graph") -> "dict[str, EdgeData]":
        from oneshot.spaces.darts import cells_in

        named: dict[str, EdgeData] = {}
        for cell in cells_in(graph):
            for source, target, edge in sorted(cell.edges(data=True), key=lambda each: (each[1], each[0])):
                if target < max(cell.nodes):
                    named.setdefault(f"{cell.scope} {source - 1}→{target - 1}", edge)
        return dict(sorted(named.items(), key=lambda each: each[0].startswith("reduction")))

    def candidates(self, edge: str) -> tuple[str, ...]:
        return genotype.OPERATIONS

    def architecture(self, graph: "Graph") -> Genotype:
        from oneshot.spaces.darts import read_genotype

        return read_genotype(graph)

    def fixed_path(self, graph: "Graph", architecture: Genotype) -> AbstractContextManager["Graph"]:
        from oneshot.spaces.darts import fixed_path

        return fixed_path(graph, architecture)

    def build_network(
        self, architecture: Genotype, classes: int, channels: int, cells: int, auxiliary: bool
    ) -> "Graph":
        from oneshot.spaces.darts import build_network

        return build_network(architecture, classes, channels, cells, auxiliary)

    def claims(self, text: str) -> bool:
        # Genotype(...) or a dictionary; a dictionary with "space" is the JSON of `to_json`
        return bool(re.match(r"""(?s)\s*(Genotype|\{\s*['"](normal|reduce)(?!.*"space"))""", text))


class HierarchicalSpace(_WrittenSpace[Hierarchy]):
    """Cells of motifs of primitives (Liu et al. 2018, arXiv:1711.00436)."""

    name = "hierarchical"
    summary = "motifs of motifs, as in Liu et al. 2018"
    architecture_class = Hierarchy
    searched = Sizes(channels=16, cells=1)  # section 4.1
    trained = Sizes(channels=64, cells=2)
    smaller = Sizes(channels=2, cells=1)
    defaults = {"epochs": 10, "batch": 10}  # Ruchte et al. 2020, NASLib, appendix A.1

    def build(self, classes: int, channels: int, cells: int) -> "Graph":
        from oneshot.spaces.hierarchical import HierarchicalSearchSpace

        return HierarchicalSearchSpace(classes, channels, cells)

    def edges(self, graph: "Graph") -> "dict[str, EdgeData]":
        from oneshot.spaces.hierarchical import cells_in

        cell = cells_in(graph)[0]  # all others are its copies, and all instances of a motif are alike
        named: dict[str, EdgeData] = {}
        for number, motif in enumerate(cell.edges[1, 2].op.get_embedded_ops()):
            for source, target in dense_edges(len(motif.nodes)):
                named[f"motif {number}, {source}→{target}"] = motif.edges[source + 1, target + 1]
        for source, target in dense_edges(len(cell.nodes)):
            named[f"cell {source}→{target}"] = cell.edges[source + 1, target + 1]
        return named

    def candidates(self, edge: str) -> tuple[str, ...]:
        return tuple(f"motif {k}" for k in range(6)) if edge.startswith("cell") else genotype.PRIMITIVES

    def architecture(self, graph: "Graph") -> Hierarchy:
        from oneshot.spaces.hierarchical import read_hierarchy

        return read_hierarchy(graph)

    def fixed_path(self, graph: "Graph", architecture: Hierarchy) -> AbstractContextManager["Graph"]:
        from oneshot.spaces.hierarchical import fixed_path

        return fixed_path(graph, architecture)

    def build_network(
        self, architecture: Hierarchy, classes: int, channels: int, cells: int, auxiliary: bool
    ) -> "Graph":
        from oneshot.spaces.hierarchical import build_network

        return build_network(architecture, classes, channels, cells)

    def claims(self, text: str) -> bool:
        return text.strip().startswith("Hierarchy")
