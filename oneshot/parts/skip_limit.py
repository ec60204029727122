"""Limits of skip connections: early stopping (DARTS+), and a restricted architecture (P-DARTS)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot import ops
from oneshot.errors import ConfigError
from oneshot.mixed import ABSENT, nonzero_mask
from oneshot.parts.base import Part, PartSettings
from oneshot.parts.selection import Selection
from oneshot.spaces.darts import REDUCTION

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.methods.base import MetaOptimizer
    from oneshot.search.settings import SearchSettings

_SHARE = "skip_share"  # edge data: probability of the skip connection, if it is ruled out


def _check_cell(name: str, settings: "SearchSettings") -> None:
    if settings.space == "hierarchical":
        raise ConfigError(f"{name} needs a normal cell; the space hierarchical has motifs instead")


def selected_skips(method: "MetaOptimizer[Any]") -> "list[EdgeData]":  # whatever its settings
    """Return the edges of the currently selected normal cell that are skip connections."""
    with method.as_chosen() as graph:
        cells = (cell for cell in graph.graphs() if cell.scope != REDUCTION)
        skips = [
            [
                edge
                for *_, edge in cell.edges(data=True)
                if edge.has("choice")
                and edge.choice != ABSENT
                and isinstance(edge.op.primitives[edge.choice], ops.Identity)
            ]
            for cell in cells
        ]
    return max(skips, key=len)


@dataclass(frozen=True)
class SkipLimitSettings(PartSettings):
    """Settings of the early stopping by skip connections."""

    skip_limit: int = option(
        0,
        "stop after the first epoch whose normal cell has this many skip connections or more; 0: never; 2 in"
        " DARTS+"
        " (Liang et al. 2019)",
        at_least=0,
    )

    @property
    def is_neutral(self) -> bool:
        return self.skip_limit == 0


class SkipLimit(Part[SkipLimitSettings]):
    """Early stopping when the currently selected normal cell has too many skip connections.

    The paper's criterion 1 is "two or more". The cell of that epoch is the architecture. In the DARTS space,
    reduction cells are not counted. NAS-Bench-201 has one cell, with six edges instead of a normal cell's
    eight; its skip connections are counted.

    References
    ----------
    Liang et al. 2019, arXiv:1909.06035, section 3.3.
    """

    name = "skip limit"
    config_class = SkipLimitSettings
    can_stop = True

    def check(self, settings: "SearchSettings") -> None:
        _check_cell("skip_limit", settings)

    def skips(self) -> int:
        """Return the number of skip connections in the currently selected normal cell."""
        return len(selected_skips(self.method))

    def end_epoch(self, epoch: int, data_train: Batch, data_val: Batch) -> str | None:
        skips, limit = self.skips(), self.config.skip_limit
        if skips < limit:
            return None
        return f"the cell has {skips} skip connections after epoch {epoch + 1}; the limit is {limit}"


@dataclass(frozen=True)
class SkipRestrictionSettings(PartSettings):
    """Settings of the maximum number of skip connections."""

    final_skips: int = option(
        -1,
        "maximum number of skip connections in the normal cell of the architecture; -1: any; 2 in P-DARTS",
        at_least=-1,
    )

    @property
    def is_neutral(self) -> bool:
        return self.final_skips == -1


class SkipRestriction(Part[SkipRestrictionSettings]):
    """A maximum number of skip connections in the normal cell of the selected architecture.

    After each epoch, while the selected normal cell has too many, the skip connection with the lowest
    probability is ruled out at its edge. The next best candidate takes its place, and the edge is compared
    with others by that candidate's probability. The search itself is not changed. If an edge has no other
    candidate that may be selected, it keeps its skip connection.

    References
    ----------
    Chen et al. 2019 (P-DARTS), arXiv:1904.12760, section 3.3; the order follows the authors' code
    (train_search.py).
    """

    name = "skip restriction"
    config_class = SkipRestrictionSettings

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if method.activation not in ("softmax", "dirichlet"):
            raise ConfigError(
                f"final_skips compares probabilities that add up to 1 at each edge; {method.name} has none"
            )
        if any(isinstance(part, Selection) for part in method.parts):
            raise ConfigError("final_skips needs a next best candidate; --select perturbation has none")
        super().join(method)

    def check(self, settings: "SearchSettings") -> None:
        _check_cell("final_skips", settings)

    def end_epoch(self, epoch: int, data_train: Batch, data_val: Batch) -> None:
        for edge in self._edges:
            edge.pop(_SHARE, None)
        while len(skips := selected_skips(self.method)) > self.config.final_skips:
            left = [edge for edge in skips if self._has_other(edge)]
            if not left:
                break
            weakest = min(left, key=self._share)
            weakest.set(_SHARE, self._share(weakest), shared=True)

    def _share(self, edge: "EdgeData") -> float:
        """Return the probability of an edge's skip connection."""
        return float(self.method.probabilities(edge).float().cpu()[_skip_mask(edge)].sum())

    def _has_other(self, edge: "EdgeData") -> bool:
        """Return whether another candidate of an edge may be selected."""
        eligible = ~_skip_mask(edge) & (nonzero_mask(edge.op) | self.method.may_select_none)
        return bool(self.method.final_scores(edge).cpu()[eligible].isfinite().any())

    def scores(self, edge: "EdgeData", scores: Tensor) -> Tensor:
        if not edge.has(_SHARE):
            return scores
        return scores.masked_fill(_skip_mask(edge).to(scores.device), -torch.inf)

    def edge_score(self, edge: "EdgeData", score: float) -> float:
        share: float = edge.get(_SHARE, 0.0)
        return score * (1 - share)  # as before the skip connection was ruled out

    def state_dict(self) -> dict[str, Any]:  # plain values
        return {"shares": [edge.get(_SHARE) for edge in self._edges]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for edge, share in zip(self._edges, state["shares"], strict=True):
            edge.pop(_SHARE, None)
            if share is not None:
                edge.set(_SHARE, share, shared=True)


def _skip_mask(edge: "EdgeData") -> Tensor:
    """Return a boolean mask (K,) of an edge's skip connections."""
    return torch.tensor([isinstance(op, ops.Identity) for op in edge.op.primitives])
