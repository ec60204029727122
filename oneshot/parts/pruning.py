"""Base class of the parts that prune candidates during a search."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from oneshot.errors import ConfigError
from oneshot.mixed import nonzero_mask
from oneshot.ops import Identity
from oneshot.parts.base import Part, PartSettings
from oneshot.parts.beta_decay import BetaDecay
from oneshot.parts.cost import ExpectedCost
from oneshot.parts.perturbation import Perturbation
from oneshot.parts.selection import Selection

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.methods.base import MetaOptimizer
    from oneshot.search.settings import SearchSettings

P = TypeVar("P", bound=PartSettings)
_ALL_CANDIDATES = Perturbation, Selection, BetaDecay, ExpectedCost  # they use the weights or alphas of all


class PruningPart(Part[P]):
    """A part that lets an edge mix only the candidates that are `kept`; the others are not computed.

    Pruned candidates keep their alphas and weights, so the numbers of candidates never change. Their
    gradients are 0 from then on.
    """

    #: The first option of the part, for messages.
    option: str

    def join(self, method: "MetaOptimizer[Any]") -> None:
        samples = method.mixed([Identity()]).samples
        if method.activation not in ("softmax", "dirichlet") or samples:
            raise ConfigError(
                f"{self.option} prunes candidates whose weights add up to 1 in each pass; {method.name}"
                " weighs them in another way; try darts"
            )
        others = [part.name for part in method.parts if isinstance(part, _ALL_CANDIDATES)]
        if others:
            raise ConfigError(
                f"{self.option} prunes candidates, but {others[0]} needs the weights of all; try one of them"
            )
        super().join(method)

    def check(self, settings: "SearchSettings") -> None:
        if settings.compile:
            raise ConfigError(
                f"{self.option} changes the supernet, and --compile would compile each one; omit --compile"
            )

    def kept(self, edge: "EdgeData") -> list[int]:
        """Return the numbers of the candidates of an edge that are left."""
        numbers: list[int] = edge.get("kept", list(range(len(edge.op.primitives))))
        return numbers

    def keep(self, edge: "EdgeData", numbers: list[int]) -> None:
        """Keep only the candidates `numbers` of an edge, and at least one that may be selected."""
        scores = self.method.final_scores(edge).float().cpu()
        eligible = nonzero_mask(edge.op) | self.method.may_select_none
        if not any(eligible[k] for k in numbers):
            best = int(scores.masked_fill(~eligible, -torch.inf).argmax())
            numbers = [*numbers, best]
        if len(numbers) < len(self.kept(edge)):
            edge.set("kept", sorted(numbers), shared=True)

    def scores(self, edge: "EdgeData", scores: Tensor) -> Tensor:
        if not edge.has("kept"):
            return scores
        kept = torch.tensor(edge.kept, device=scores.device)
        return torch.full_like(scores, -torch.inf).index_copy(0, kept, scores[kept])

    def state_dict(self) -> dict[str, Any]:  # plain values
        return {"kept": [self.kept(edge) for edge in self._edges]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for edge, numbers in zip(self._edges, state["kept"], strict=True):
            edge.set("kept", list(numbers), shared=True)
