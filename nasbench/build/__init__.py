"""Build stores from the published files."""

from nasbench.faces import lazy

__all__, __getattr__ = lazy(__file__)
