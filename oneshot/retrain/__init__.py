"""Training from scratch of an architecture, such as one that a search found, and testing it."""

from nasbench.faces import lazy

__all__, __getattr__ = lazy(__file__)
