"""Shared names of array types; each use gives the shape."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # of any type, as arrays of a store
Values = NDArray[np.float64]  # of a metric; NaN: not recorded
Numbering = NDArray[np.uint16]  # a number for each cell of a space: its code, official index or class
Codes = NDArray[np.intp]  # points of a search space by number
CodesLike = Codes | Sequence[int]
Digits = NDArray[np.intp]  # values of the variables of points, (..., D)
Scores = NDArray[np.float64]  # higher is better; -inf: failed
Seconds = NDArray[np.float64]
Mask = NDArray[np.bool_]
Features = NDArray[np.float32]  # encoded points, (n, F)
Scalar = TypeVar("Scalar", bound=np.generic)  # elements of an array of any type
