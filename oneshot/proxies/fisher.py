"""Fisher: the importance of channels for the loss."""

from torch import nn

from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import passes


def fisher(network: nn.Module, batch: Batch) -> float:
    """Return the sum of the Fisher information of the output channels of all layers.

    The information of a channel is half the mean over images of the squared sum over pixels of activation
    times gradient of the loss. It counts once for each weight of the channel's filter.

    References
    ----------
    Theis et al. 2018, arXiv:1801.05787; Turner et al. 2020, arXiv:1906.04113, equation 2; counted as in
    Abdelfattah et al. 2021, arXiv:2101.08134.
    """
    outputs = passes(network, batch).gradients("fisher").outputs
    channels = ((each.square().mean(0).sum() / 2).item() * weight[0].numel() for each, weight in outputs)
    return float(sum(channels))
