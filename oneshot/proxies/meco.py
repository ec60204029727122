"""How far the channels of each layer are from being linear combinations of each other."""

import torch
from torch import Tensor, nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def meco(network: nn.Module, batch: Batch) -> float:
    """Return the sum over convolutions of the least eigenvalue of their channels' correlation matrix.

    Jiang et al. 2023, "MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum Eigenvalue of
    Correlation", NeurIPS 2023, equation 4: the Pearson correlations of the feature maps of one image, here
    the first of the batch. A channel that is constant correlates with none, not even with itself, so a
    network that passes no information scores only the layers before its cells.
    """
    return sum(_least(feature[0].flatten(1).double()) for feature in passes(network, batch).forward.features)


def _least(channels: Tensor) -> float:
    """Return the least eigenvalue of the correlations of channels (C, pixels)."""
    centred = channels - channels.mean(1, keepdim=True)
    lengths = centred.norm(dim=1, keepdim=True)
    scaled = centred / torch.where(lengths > 0, lengths, 1.0)
    return float(torch.linalg.eigvalsh(scaled @ scaled.T)[0].clip(0))
