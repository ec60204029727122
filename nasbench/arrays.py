"""Shared names of array types; each use gives the shape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # of any type, as arrays of a store
Values = NDArray[np.float64]  # of a metric; NaN: not recorded
Mask = NDArray[np.bool_]
Numbering = NDArray[np.uint16]  # a number for each cell of a space: its code, official index or class
