"""Partial channel connections and edge normalization (PC-DARTS; Xu et al. 2020, arXiv:1907.05737)."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.graph.graph import Graph
from oneshot.mixed import Mixture
from oneshot.partial import Bypass, find_stride, with_channels
from oneshot.parts.base import Part, PartSettings

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.methods.base import MetaOptimizer
    from oneshot.search.settings import SearchSettings


@dataclass(frozen=True)
class PartialChannelsSettings(PartSettings):
    """Settings of partial channels."""

    partial_channels: int = option(
        1,
        "K: only 1/K of an edge's channels pass through its candidates, the others bypass them; 4 in PC-DARTS"
        " on CIFAR-10",
        at_least=1,
    )

    @property
    def is_neutral(self) -> bool:
        return self.partial_channels == 1


class PartialChannels(Part[PartialChannelsSettings]):
    """Candidates on the first 1/K of an edge's channels; the others bypass them, then all are shuffled.

    At stride 2 the other channels pass through a 2×2 max pool. If candidates are nested, such as motifs of
    primitives, only the innermost ones have fewer channels. The architecture's operations have all channels,
    with new weights. An edge with `none` selected passes on no channels at all.

    References
    ----------
    Xu et al. 2020, arXiv:1907.05737, section 3.2, equation 2; section 4.2 for K = 4. As in the authors' code,
    the mask is fixed and the channels are shuffled.
    """

    name = "partial channels"
    config_class = PartialChannelsSettings

    def check(self, settings: "SearchSettings") -> None:
        k = self.config.partial_channels
        if settings.channels % k:
            raise ConfigError(
                f"partial_channels must divide the supernet's channels, {settings.channels}, got {k}"
            )

    def candidates(self, primitives: list[nn.Module]) -> list[nn.Module]:
        if _are_nested(primitives):
            return primitives
        return [with_channels(op, Fraction(1, self.config.partial_channels)) for op in primitives]

    def change_mixture(self, mixture: Mixture) -> None:
        candidates = mixture.get_embedded_ops()
        if not _are_nested(candidates):
            mixture.bypass = Bypass(self.config.partial_channels, find_stride(candidates))


def _are_nested(candidates: list[nn.Module]) -> bool:
    return any(isinstance(op, Graph) for op in candidates)


@dataclass(frozen=True)
class EdgeNormalizationSettings(PartSettings):
    """Settings of edge normalization."""

    edge_normalization: bool = option(
        False, "weight the edges into a node by the softmax of learned betas, updated with the alphas"
    )

    @property
    def is_neutral(self) -> bool:
        return not self.edge_normalization


class EdgeNormalization(Part[EdgeNormalizationSettings]):
    """Learned weights of edges: a softmax over the edges into a node.

    At the end, edges are compared by this weight times the probability of their operation.

    References
    ----------
    Xu et al. 2020, arXiv:1907.05737, section 3.3, equation 3. Betas start near 0, as in the authors' code.
    """

    name = "edge normalization"
    config_class = EdgeNormalizationSettings
    parameter_keys = ("beta",)

    def join(self, method: "MetaOptimizer[Any]") -> None:  # whatever its settings
        super().join(method)
        method.require_alphas(f"{self.name} learns betas with the alphas")

    def add_node_data(self, edges: "list[EdgeData]") -> None:
        if len(edges) == 1:
            return  # the weight of a single edge is 1
        beta = nn.Parameter(1e-3 * torch.randn(len(edges)))  # the authors' code
        for place, edge in enumerate(edges):
            edge.set("beta", beta, shared=True)
            edge.set("place", place, shared=True)

    def edge_score(self, edge: "EdgeData", score: float) -> float:
        if not edge.has("beta"):
            return score
        return score * float(torch.softmax(edge.beta.detach(), dim=-1)[edge.place])
