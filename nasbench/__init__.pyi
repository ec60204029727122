from nasbench.benchmark import NB201 as NB201
from nasbench.benchmark import SSS as SSS
from nasbench.cell import CELLS as CELLS
from nasbench.cell import EDGES as EDGES
from nasbench.cell import OPERATIONS as OPERATIONS
from nasbench.cell import Cell as Cell
from nasbench.errors import NASBenchError as NASBenchError
from nasbench.size import SizeCell as SizeCell

__version__: str
