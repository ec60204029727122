"""Array types of images."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (N, H, W, 3), 0..255
Labels = NDArray[np.int64]  # (N,), class numbers
Positions = NDArray[np.int64]  # (n,), positions of images in a data set
