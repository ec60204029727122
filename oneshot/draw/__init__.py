"""Architectures as pictures: cells and motifs as layered graphs that a paper can print."""

from oneshot.draw.render import figure, save

__all__ = ["figure", "save"]
