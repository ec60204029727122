"""The language of search spaces."""

from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph

__all__ = ["EdgeData", "Graph"]
