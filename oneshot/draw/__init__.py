"""Pictures of architectures for papers: cells and motifs as layered graphs."""

from oneshot.draw.render import figure, save

__all__ = ["figure", "save"]
