"""Reading the edges of a space's cells: the selected operation, the number of a candidate."""

from collections.abc import Callable

from torch import nn

from oneshot.errors import GraphError
from oneshot.graph.edge import EdgeData
from oneshot.mixed import Mixture


def selected(edge: EdgeData, where: str) -> nn.Module:
    """Return the one operation of an edge, or that of its `choice`; GraphError if candidates are left."""
    op: nn.Module | list[nn.Module] = edge.op
    if isinstance(op, Mixture) and edge.has("choice"):
        op = op.primitives[edge.choice]
    if isinstance(op, (Mixture, list)):
        raise GraphError(f"{where} still has candidates; get_final_architecture() chooses")
    return op


def candidates(edge: EdgeData, where: str) -> list[nn.Module]:
    """Return the candidates of a mixed edge; GraphError for another edge."""
    if not isinstance(edge.op, Mixture):
        raise GraphError(f"{where} has no candidates under weights, but {one_line(edge.op)}")
    return edge.op.get_embedded_ops()


def candidate_number(
    edge: EdgeData, name: str, name_of: Callable[[nn.Module], str | None], where: str
) -> int:
    """Return the number of the candidate that is called `name`; `name_of(op)` returns a candidate's name."""
    for number, op in enumerate(candidates(edge, where)):
        if name_of(op) == name:
            return number
    raise GraphError(f"{where} has no {name} among its candidates")


def one_line(op: object) -> str:
    """Return an operation as one line."""
    return " ".join(str(op).split())
