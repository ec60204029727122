"""MeCo: linear independence of the channels of each layer."""

import torch
from torch import Tensor, nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def meco(network: nn.Module, batch: Batch) -> float:
    """Return the sum over convolutions of the minimum eigenvalue of the channels' correlation matrix.

    The matrix has the Pearson correlations of the feature maps of the first image of the batch. A constant
    channel has correlation 0 with every channel, even itself, so a network that passes no information only
    gets the score of the layers before its cells.

    References
    ----------
    Jiang et al. 2023, "MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum Eigenvalue of
    Correlation", NeurIPS 2023, equation 4.
    """
    return sum(
        _min_eigenvalue(feature[0].flatten(1).double()) for feature in passes(network, batch).forward.features
    )


def _min_eigenvalue(channels: Tensor) -> float:
    """Return the minimum eigenvalue of the correlations of channels, shape (C, pixels)."""
    centred = channels - channels.mean(1, keepdim=True)
    lengths = centred.norm(dim=1, keepdim=True)
    scaled = centred / torch.where(lengths > 0, lengths, 1.0)
    return float(torch.linalg.eigvalsh(scaled @ scaled.T)[0].clip(0))
