"""Training and testing of architectures from scratch, such as one that a search found."""

from nasbench.faces import lazy

__all__, __getattr__ = lazy(__file__)
