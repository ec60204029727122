"""Gradient-based searches with one supernet."""

from nasbench.faces import lazy

__all__, __getattr__ = lazy(__file__)
