"""Tabular neural architecture search benchmarks: what does this cell score?"""

from typing import TYPE_CHECKING

from nasbench.faces import lazy

if TYPE_CHECKING:
    from nasbench.benchmark import NB201 as NB201
    from nasbench.benchmark import SSS as SSS
    from nasbench.cell import CELLS as CELLS
    from nasbench.cell import EDGES as EDGES
    from nasbench.cell import OPERATIONS as OPERATIONS
    from nasbench.cell import Cell as Cell
    from nasbench.errors import NASBenchError as NASBenchError
    from nasbench.size import SizeCell as SizeCell

__version__ = "0.2.0"

__all__ = ["CELLS", "EDGES", "NB201", "OPERATIONS", "SSS", "Cell", "NASBenchError", "SizeCell"]
__getattr__ = lazy(
    {
        "CELLS": "nasbench.cell",
        "EDGES": "nasbench.cell",
        "NB201": "nasbench.benchmark",
        "OPERATIONS": "nasbench.cell",
        "SSS": "nasbench.benchmark",
        "Cell": "nasbench.cell",
        "NASBenchError": "nasbench.errors",
        "SizeCell": "nasbench.size",
    }
)
