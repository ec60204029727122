"""Shared array types; the shape is given where they are used."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # any element type, such as an array of a store
Values = NDArray[np.float64]  # values of a metric; NaN if not recorded
Numbering = NDArray[np.uint16]  # one number per cell: code, official index or isomorphism class
Codes = NDArray[np.intp]  # numbers of points of a search space
CodesLike = Codes | Sequence[int]
Digits = NDArray[np.intp]  # values of the variables of points, (..., D)
Scores = NDArray[np.float64]  # higher is better; -inf: failed
Seconds = NDArray[np.float64]
Mask = NDArray[np.bool_]
Features = NDArray[np.float32]  # encoded points, (n, F)
Scalar = TypeVar("Scalar", bound=np.generic)  # element type of an array
