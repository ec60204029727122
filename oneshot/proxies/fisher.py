"""How much the loss changes if channels are removed, by the first order."""

from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def fisher(network: nn.Module, batch: Batch) -> float:
    """Return the sum over the channels that layers compute of their Fisher information.

    A channel's is half the mean over images of the square of the sum over pixels of activation times gradient
    of the loss: Theis et al. 2018, arXiv:1801.05787, and Turner et al. 2020, arXiv:1906.04113, equation 2. As
    in Abdelfattah et al. 2021, arXiv:2101.08134, each weight of a channel's filter counts with the channel's.
    """
    outputs = passes(network, batch).gradients("fisher").outputs
    channels = ((each.square().mean(0).sum() / 2).item() * weight[0].numel() for each, weight in outputs)
    return float(sum(channels))
