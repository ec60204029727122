"""Edges of cells, given by graph, source and target: selected operations, numbers of candidates."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from torch import nn

from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph
from oneshot.mixed import ABSENT, Mixture, choosing

NameOf: TypeAlias = Callable[[nn.Module], str | None]  # name of an operation; None if it is not in the space


def with_drop_path(op: nn.Module) -> nn.Module:
    """Return an operation followed by drop path, except for Zero and Identity, for training from scratch."""
    return op if isinstance(op, (ops.Zero, ops.Identity)) else ops.Sequential(op, ops.DropPath())


def without_drop_path(op: nn.Module) -> nn.Module:
    """Return the operation that was given to `with_drop_path`."""
    if isinstance(op, nn.Sequential) and len(op) == 2 and isinstance(op[1], ops.DropPath):
        return op[0]
    return op


def where(graph: Graph, source: int, target: int) -> str:
    """Return the place of an edge, for messages."""
    return f"edge {source}-{target} of {'a ' * graph.name.endswith('cell')}{graph.name}"


def selected(graph: Graph, source: int, target: int) -> nn.Module:
    """Return the operation of an edge or of its `choice`; raise GraphError if several candidates are left."""
    edge = graph.edges[source, target]
    op: nn.Module | list[nn.Module] = edge.op
    if isinstance(op, Mixture) and edge.has("choice"):
        op = ops.Zero() if edge.choice == ABSENT else op.primitives[edge.choice]
    if isinstance(op, (Mixture, list)):
        place = where(graph, source, target)
        raise GraphError(f"{place} still has candidates; get_final_architecture() selects one")
    return op


def operation_name(graph: Graph, source: int, target: int, name_of: NameOf, kind: str) -> str:
    """Return the name of an edge's operation; raise GraphError if it is not a `kind`."""
    op = selected(graph, source, target)
    name = "none" if graph.edges[source, target].is_deleted else name_of(op)
    if name is None:
        raise GraphError(f"{where(graph, source, target)} has {one_line(op)}, which is not {kind}")
    return name


def candidates(graph: Graph, source: int, target: int) -> list[nn.Module]:
    """Return the candidates of a mixed edge; raise GraphError for other edges."""
    op = graph.edges[source, target].op
    if not isinstance(op, Mixture):
        place = where(graph, source, target)
        raise GraphError(f"{place} must have a mixed operation, got {one_line(op)}")
    return op.get_embedded_ops()


def choice(graph: Graph, source: int, target: int, name: str, name_of: NameOf) -> tuple[EdgeData, int]:
    """Return an edge and the number of its candidate `name`; ABSENT if that is `none` and it has none."""
    names = [name_of(op) for op in candidates(graph, source, target)]
    if name == "none" and name not in names:
        return graph.edges[source, target], ABSENT
    if name not in names:
        raise GraphError(f"{where(graph, source, target)} has no {name} among its candidates")
    return graph.edges[source, target], names.index(name)


@contextmanager
def choosing_in(graph: Graph, choices: Sequence[tuple[EdgeData, int]], cells: str) -> Iterator[Graph]:
    """Let the edges of a supernet's cells run one candidate each; raise GraphError if there are none."""
    if not choices:
        raise GraphError(f"{graph.name} has no {cells}")
    with choosing(choices):
        yield graph


def one_line(op: object) -> str:
    """Return an operation as one line of text."""
    return " ".join(str(op).split())
