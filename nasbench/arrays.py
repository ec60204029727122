"""Shared names of array types; each use gives the shape."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.intp]  # points of a search space by number
CodesLike = Codes | Sequence[int]
Digits = NDArray[np.intp]  # values of the variables of points, (..., D)
Scores = NDArray[np.float64]  # higher is better; -inf: failed
Seconds = NDArray[np.float64]
Mask = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)  # elements of an array of any type
