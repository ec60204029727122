"""What a network costs: parameters, and multiply-adds for one image."""

from typing import NamedTuple

import torch
from torch import nn

from oneshot import ops


class Cost(NamedTuple):
    """Counts."""

    params: int
    params_without_auxiliary: int  # as papers print them: an auxiliary head is for training alone
    flops: int  # multiply-adds for one image, in evaluation mode


def cost_of(network, image=(3, 32, 32)):
    """The Cost of a parsed graph for an image of shape (C, H, W).

    >>> from oneshot.spaces.nb201 import build_network
    >>> cost_of(build_network(6111))
    Cost(params=1073466, params_without_auxiliary=1073466, flops=153272970)

    A copy runs: the graph keeps its mode, its buffers and its gradients, and no random number is drawn.
    Multiply-adds are those of convolutions and linear layers, where a bias is an addition for each output;
    normalization, pooling and sums are free, as in NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326).
    """
    sizes = {parameter: parameter.numel() for parameter in network.parameters()}
    heads = [module for module in network.modules() if isinstance(module, ops.AuxiliaryHead)]
    auxiliary = {parameter for head in heads for parameter in head.parameters()}
    params, of_heads = sum(sizes.values()), sum(sizes[parameter] for parameter in auxiliary)
    return Cost(params, params - of_heads, _multiply_adds(network, image))


def _multiply_adds(network, image):
    total = 0

    def count(layer, _, out):
        nonlocal total
        total += out.numel() * (layer.weight[0].numel() + (layer.bias is not None))

    copy = network.clone().to("cpu", torch.float32).eval()
    for module in copy.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(count)
    with torch.no_grad():
        copy.interpret(torch.zeros(1, *image))  # a plan leaves out what weights of zero follow
    return total
