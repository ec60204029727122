"""Tabular neural architecture search benchmarks: what does this cell score?"""

from nasbench.faces import lazy

__version__ = "0.1.0"

__all__, __getattr__ = lazy(__file__)
