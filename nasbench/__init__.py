"""Tabular neural architecture search benchmarks: look up the metrics of a cell."""

from nasbench.faces import lazy

__version__ = "0.2.0"

__all__, __getattr__ = lazy(__file__)
