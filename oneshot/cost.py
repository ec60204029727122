"""What a network costs: parameters, and multiply-adds for one image."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from oneshot import ops
from oneshot.graph.graph import Graph


class Cost(NamedTuple):
    """Counts."""

    params: int
    #: As papers print them: an auxiliary head is only for training.
    params_without_auxiliary: int
    #: Multiply-adds for one image, in evaluation mode.
    flops: int


def cost_of(network: Graph, image: tuple[int, int, int] = (3, 32, 32)) -> Cost:
    """Return the cost of a parsed graph.

    >>> from oneshot.spaces.nb201 import build_network
    >>> cost_of(build_network(6111))
    Cost(params=1073466, params_without_auxiliary=1073466, flops=153272970)

    A copy runs: the graph keeps its mode, its buffers and its gradients, and no random number is drawn.
    Multiply-adds are those of convolutions and linear layers, where a bias is an addition for each output;
    normalization, pooling and sums are free, as in NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326).

    Parameters
    ----------
    network
        The graph.
    image
        The shape (C, H, W) of an image.

    Returns
    -------
    Cost
        Parameters and multiply-adds.

    Raises
    ------
    GraphError
        If the graph is not parsed, or does not take such images.
    """
    sizes = {parameter: parameter.numel() for parameter in network.parameters()}
    heads = [module for module in network.modules() if isinstance(module, ops.AuxiliaryHead)]
    auxiliary = {parameter for head in heads for parameter in head.parameters()}
    params, for_training = sum(sizes.values()), sum(sizes[parameter] for parameter in auxiliary)
    return Cost(params, params - for_training, _multiply_adds(network, image))


def _multiply_adds(network: Graph, image: tuple[int, int, int]) -> int:
    total = 0

    def count(layer: nn.Conv2d | nn.Linear, _: object, out: Tensor) -> None:
        nonlocal total
        total += out.numel() * (layer.weight[0].numel() + (layer.bias is not None))

    copy = network.clone().to("cpu", torch.float32).eval()
    for module in copy.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(count)
    with torch.no_grad():
        copy.interpret(torch.zeros(1, *image))  # a plan leaves out what weights of zero follow
    return total
