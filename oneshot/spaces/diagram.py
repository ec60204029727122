"""What a picture of an architecture shows: nodes, and arrows between them that are named by operations."""

from typing import NamedTuple


class Diagram(NamedTuple):
    """A graph to be drawn from its inputs to its output."""

    title: str
    nodes: tuple  # (id, label, kind); kind: "input", "node" or "output"
    edges: tuple  # (id of the source, id of the target, label); label: an operation, or "" for a plain arrow
