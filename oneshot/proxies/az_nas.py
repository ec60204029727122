"""AZ-NAS: three views of a network's blocks, which are combined with its cost by their ranks."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes

_SMALL = 1e-6  # added to singular values, as by the authors
_NOTHING = 2 - 1 / _SMALL  # trainability of a block whose gradient is 0


def az_expressivity(network: nn.Module, batch: Batch) -> float:
    """Return the sum over blocks of the entropy of their channels' principal components.

    Lee & Ham 2024, arXiv:2403.19232, equations 1 to 3. Blocks are the parts of the network whose outputs are
    images; of a block that passes no information the entropy is 0.
    """
    return float(sum(_entropies(network, batch)))


def az_progressivity(network: nn.Module, batch: Batch) -> float:
    """Return the least growth of the entropy from a block to the next.

    Lee & Ham 2024, arXiv:2403.19232, equation 4; 0 for a network of one block.
    """
    growth = np.diff(_entropies(network, batch))
    return float(growth.min()) if growth.size else 0.0


def az_trainability(network: nn.Module, batch: Batch) -> float:
    """Return the mean over blocks of how near the largest singular value of their Jacobian is to 1.

    Lee & Ham 2024, arXiv:2403.19232, equations 5 to 8: 2 - s - 1 / (s + 1e-6), at most about 0. The Jacobian
    is estimated by random signs at the block's output; a block without gradient has 2 - 1e6.
    """
    scores = []
    for signs, gradient in passes(network, batch).block_gradients():
        scores.append(_NOTHING if gradient is None else _trainability(signs, gradient))
    return float(np.mean(scores)) if scores else 0.0


def az_nas(columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the sum over proxies of the logarithm of the relative rank of each network, (N,).

    Lee & Ham 2024, arXiv:2403.19232, equation 9. The ranks are those among the N networks that are given, so
    the score is only comparable within one table.

    Parameters
    ----------
    columns
        Expressivity, progressivity, trainability and multiply-adds, each ``(N,)``; NaN for no score.
    """
    from scipy.stats import rankdata

    ranks = [rankdata(column, nan_policy="omit") / np.count_nonzero(~np.isnan(column)) for column in columns]
    return np.asarray(np.log(ranks).sum(0))


def _entropies(network: nn.Module, batch: Batch) -> list[float]:
    return [_entropy(block.detach().double()) for block in passes(network, batch).forward.blocks]


def _entropy(block: Tensor) -> float:
    """Return the entropy of the eigenvalues of the covariance of channels, block (N, C, H, W)."""
    rows = block.permute(0, 2, 3, 1).flatten(0, 2)
    rows = rows - rows.mean(0)
    values = torch.linalg.eigvalsh(rows.T @ rows / len(rows)).clip(0)
    total = values.sum()
    return float(torch.special.entr(values / total).sum()) if total > 0 else 0.0


def _trainability(signs: Tensor, gradient: Tensor) -> float:
    """Return the trainability of a block: signs at its output, gradient at its input, (N, C, H, W)."""
    if signs.shape[2] != gradient.shape[2]:  # the pixels that become one are its channels
        gradient = F.pixel_unshuffle(gradient, gradient.shape[2] // signs.shape[2])
    after, before = (each.permute(0, 2, 3, 1).flatten(0, 2) for each in (signs, gradient))
    jacobian = before.T @ after / len(after)
    largest = float(torch.linalg.matrix_norm(jacobian, 2))
    return 2 - largest - 1 / (largest + _SMALL)
