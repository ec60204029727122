"""Graphs that describe search spaces and networks."""

from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph

__all__ = ["EdgeData", "Graph"]
