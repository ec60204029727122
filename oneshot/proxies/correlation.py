"""Correlations of rows, such as the gradients of a network at different images."""

import numpy as np
from numpy.typing import NDArray


def correlations(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of each pair of rows, shape (N, N).

    Constant rows, as for a network that passes no information, have correlation 1 with each other and 0 with
    other rows.
    """
    centred = rows - rows.mean(1, keepdims=True)
    lengths = np.sqrt(np.square(centred).sum(1, keepdims=True))
    constant = lengths[:, 0] == 0
    scaled = centred / np.where(lengths == 0, 1, lengths)
    result: NDArray[np.float64] = np.clip(scaled @ scaled.T, -1, 1)
    result[np.ix_(constant, constant)] = 1
    np.fill_diagonal(result, 1)
    return result
