"""AZ-NAS: three scores of the blocks of a network, and their combination with its cost by ranks."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes

_SMALL = 1e-6  # added to singular values, as in the authors' code
_UNTRAINABLE = 2 - 1 / _SMALL  # trainability of a block without gradient


def az_expressivity(network: nn.Module, batch: Batch) -> float:
    """Return the sum over blocks of the entropy of their channels' principal components.

    Blocks are the parts of the network whose outputs are images. A block that passes no information has
    entropy 0.

    References
    ----------
    Lee & Ham 2024, arXiv:2403.19232, equations 1 to 3.
    """
    return float(sum(_entropies(network, batch)))


def az_progressivity(network: nn.Module, batch: Batch) -> float:
    """Return the minimum increase of the entropy from one block to the next; 0 for a single block.

    References
    ----------
    Lee & Ham 2024, arXiv:2403.19232, equation 4.
    """
    growth = np.diff(_entropies(network, batch))
    return float(growth.min()) if growth.size else 0.0


def az_trainability(network: nn.Module, batch: Batch) -> float:
    """Return the mean over blocks of how close the largest singular value of their Jacobian is to 1.

    For a singular value s, it is 2 - s - 1 / (s + 1e-6), which is at most about 0. The Jacobian is estimated
    with random signs at the output of the block. A block without gradient has the value 2 - 1e6.

    References
    ----------
    Lee & Ham 2024, arXiv:2403.19232, equations 5 to 8.
    """
    scores = []
    for signs, gradient in passes(network, batch).block_gradients():
        scores.append(_UNTRAINABLE if gradient is None else _trainability(signs, gradient))
    return float(np.mean(scores)) if scores else 0.0


def az_nas(columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the sum over proxies of the logarithm of each network's relative rank.

    Ranks are among the N given networks, so scores are only comparable within one table.

    Parameters
    ----------
    columns
        Expressivity, progressivity, trainability and multiply-adds, each of shape ``(N,)``; NaN if missing.

    Returns
    -------
    ndarray
        Score of each network, shape ``(N,)``.

    References
    ----------
    Lee & Ham 2024, arXiv:2403.19232, equation 9.
    """
    from scipy.stats import rankdata

    ranks = [rankdata(column, nan_policy="omit") / np.count_nonzero(~np.isnan(column)) for column in columns]
    return np.asarray(np.log(ranks).sum(0))


def _entropies(network: nn.Module, batch: Batch) -> list[float]:
    return [_entropy(block.detach().double()) for block in passes(network, batch).forward.blocks]


def _entropy(block: Tensor) -> float:
    """Return the entropy of the eigenvalues of the channels' covariance, for a block (N, C, H, W)."""
    rows = block.permute(0, 2, 3, 1).flatten(0, 2)
    rows = rows - rows.mean(0)
    values = torch.linalg.eigvalsh(rows.T @ rows / len(rows)).clip(0)
    total = values.sum()
    return float(torch.special.entr(values / total).sum()) if total > 0 else 0.0


def _trainability(signs: Tensor, gradient: Tensor) -> float:
    """Return a block's trainability from signs at its output and the gradient at its input, (N, C, H, W)."""
    if signs.shape[2] != gradient.shape[2]:  # pixels that become one are treated as channels
        gradient = F.pixel_unshuffle(gradient, gradient.shape[2] // signs.shape[2])
    after, before = (each.permute(0, 2, 3, 1).flatten(0, 2) for each in (signs, gradient))
    jacobian = before.T @ after / len(after)
    largest = float(torch.linalg.matrix_norm(jacobian, 2))
    return 2 - largest - 1 / (largest + _SMALL)
