"""What spaces read off the edges of their cells: the operation that is chosen, the number of a candidate."""

from oneshot.errors import GraphError
from oneshot.mixed import Mixture


def chosen(edge, where):
    """The one operation of an edge, that of its `choice` where it is mixed; GraphError if none is chosen."""
    op = edge.op
    if isinstance(op, Mixture) and edge.has("choice"):
        op = op.primitives[edge.choice]
    if isinstance(op, (Mixture, list)):
        raise GraphError(f"{where} still has candidates; get_final_architecture() chooses")
    return op


def candidates(edge, where):
    """The candidates of a mixed edge, a list; GraphError for another edge."""
    if not isinstance(edge.op, Mixture):
        raise GraphError(f"{where} has no candidates under weights, but {line(edge.op)}")
    return edge.op.get_embedded_ops()


def candidate(edge, name, name_of, where):
    """The number of a mixed edge's candidate of a name; `name_of(op)`: a candidate's name."""
    for number, op in enumerate(candidates(edge, where)):
        if name_of(op) == name:
            return number
    raise GraphError(f"{where} has no {name} among its candidates")


def line(op):
    """An operation in one line."""
    return " ".join(str(op).split())
