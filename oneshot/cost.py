"""Cost of networks: parameters and multiply-adds for one image."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph.graph import Graph, Scope
from oneshot.mixed import Mixture


class Cost(NamedTuple):
    """Cost of a network."""

    #: number of parameters
    params: int
    #: number of parameters without the auxiliary classifier, as papers report it
    params_without_auxiliary: int
    #: multiply-adds for one image in evaluation mode
    flops: int


def measure_cost(network: Graph, image: tuple[int, int, int] = (3, 32, 32)) -> Cost:
    """Return the cost of a parsed graph.

    >>> from oneshot.spaces.nb201 import build_network
    >>> measure_cost(build_network(6111))
    Cost(params=1073466, params_without_auxiliary=1073466, flops=153272970)

    Only convolutions and linear layers count as multiply-adds, with one addition per output for a bias, as in
    NAS-Bench-201; normalization, pooling and sums do not. A copy of the graph is run, so the graph keeps its
    mode, buffers and gradients, and no random numbers are used.

    Parameters
    ----------
    network
        Parsed graph.
    image
        Shape (C, H, W) of an image.

    Returns
    -------
    Cost
        Parameters and multiply-adds.

    Raises
    ------
    GraphError
        If the graph is not parsed or does not accept images of this shape.

    References
    ----------
    Dong & Yang 2020, arXiv:2001.00326.
    """
    sizes = {parameter: parameter.numel() for parameter in network.parameters()}
    heads = [module for module in network.modules() if isinstance(module, ops.AuxiliaryHead)]
    auxiliary = {parameter for head in heads for parameter in head.parameters()}
    params, for_training = sum(sizes.values()), sum(sizes[parameter] for parameter in auxiliary)
    return Cost(params, params - for_training, _multiply_adds(network, image))


def _multiply_adds(network: Graph, image: tuple[int, int, int]) -> int:
    copy = network.clone().to("cpu", torch.float32).eval()
    counts = _count(copy)
    with torch.no_grad():
        copy.interpret(torch.zeros(1, *image))  # a plan would skip layers before zeros
    return sum(counts)


def _count(module: nn.Module) -> list[int]:
    """Return a list to which each layer of a module appends its multiply-adds when it runs."""
    counts: list[int] = []

    def count(layer: nn.Conv2d | nn.Linear, _: object, out: Tensor) -> None:
        counts.append(out.numel() * (layer.weight[0].numel() + (layer.bias is not None)))

    for each in module.modules():
        if isinstance(each, (nn.Conv2d, nn.Linear)):
            each.register_forward_hook(count)
    return counts


class _Probe(nn.Module):
    """All candidates of an edge, with a count of the multiply-adds of each."""

    def __init__(self, candidates: list[nn.Module]) -> None:
        super().__init__()
        self.candidates = nn.ModuleList(candidates)
        self.counts = list(map(_count, candidates))

    def forward(self, x: Tensor) -> Tensor:
        outputs: list[Tensor] = [candidate(x) for candidate in self.candidates]
        return outputs[0]


def candidate_costs(
    supernet: Graph, scope: Scope, image: tuple[int, int, int] = (3, 32, 32)
) -> list[tuple[list[int], list[int]]]:
    """Return (parameters, multiply-adds for one image) of the candidates of each mixed edge in scope.

    Edges, including copies, are in the order of `supernet.all_edges(scope)`. Multiply-adds are counted as in
    `measure_cost`. Parameters are counted in the supernet, where normalizations may have none. Raise
    GraphError if a candidate contains a mixed operation, because its cost depends on the selected candidate.
    """
    copy = supernet.clone().unparse().to("cpu", torch.float32).eval()
    probes = []
    for edge in copy.all_edges(scope):
        if isinstance(edge.op, Mixture):
            candidates = edge.op.get_embedded_ops()
            if any(isinstance(module, Mixture) for each in candidates for module in each.modules()):
                raise GraphError(
                    f"a candidate in {supernet.name} contains a mixed operation, so it has no fixed cost"
                )
            probes.append(_Probe(candidates))
            edge.set("op", probes[-1])
    with torch.no_grad():
        copy.parse().interpret(torch.zeros(1, *image))
    return [
        (
            [sum(parameter.numel() for parameter in each.parameters()) for each in probe.candidates],
            list(map(sum, probe.counts)),
        )
        for probe in probes
    ]
