"""A penalty on the expected cost of the architecture (SNAS; Xie et al. 2019, arXiv:1812.09926)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from nasbench.errors import NASBenchError, one_line
from nasbench.metrics import METRICS
from nasbench.runs.settings import option
from oneshot.cost import candidate_costs
from oneshot.errors import ConfigError
from oneshot.parts.base import Part, PartSettings

if TYPE_CHECKING:
    from oneshot.methods.base import MetaOptimizer
    from oneshot.search.scorer import Scorer
    from oneshot.search.settings import SearchSettings

COUNTED = ("params", "flops")  # counted in the supernet; all other costs come from a table
MEASURED = tuple(name for name in METRICS if name.endswith(("latency", "energy")))


@dataclass(frozen=True)
class CostSettings(PartSettings):
    """Settings of the penalty on the expected cost."""

    cost_weight: float = option(
        0.0,
        "weight of the expected cost, a fraction of the maximum cost, in the loss of the alphas",
        at_least=0,
    )
    expected_cost: str = option(
        "flops",
        "cost of the candidates: params, flops, or a latency or energy recorded in the table of the space,"
        " such as raspi4_latency",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.expected_cost not in (*COUNTED, *MEASURED):
            raise ConfigError(
                f"expected_cost must be one of {', '.join((*COUNTED, *MEASURED))}; got {self.expected_cost!r}"
            )

    @property
    def is_neutral(self) -> bool:
        return self.cost_weight == 0


class ExpectedCost(Part[CostSettings]):
    """A penalty that adds the expected cost of the sampled or weighted candidates to the loss of the alphas.

    The penalty is w * sum over edges e and candidates k of p_ek c_ek. The expected weight p_ek is
    differentiable in the alphas; c_ek is the candidate's cost at all copies of the edge. Costs are divided by
    the sum over edges of the maximum cost, so that the sum is in [0, 1] if the weights of each edge sum to 1.

    Parameters and multiply-adds are counted in the supernet, for images of 32×32 pixels. A measured cost is
    known only for entire cells: c_ek is the mean over all cells with candidate k at edge e, minus the mean of
    the edge's cheapest candidate. This is the additive model with the least squared error over all cells.

    References
    ----------
    Xie et al. 2019, arXiv:1812.09926, for the resource constraint, which is linear in the edges' weights. Cai
    et al. 2019, arXiv:1812.00332, for the expected latency.
    """

    name = "expected cost"
    config_class = CostSettings
    has_alpha_penalty = True

    def __init__(self, config: CostSettings | None = None) -> None:
        super().__init__(config)
        self._costs: list[Tensor] = []  # of each searched edge, (K,); fractions of the maximum cost
        self._table: list[Tensor] | None = None  # costs in their unit, in the order of the space's edges
        self._space: str | None = None

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if method.activation is None:
            raise ConfigError(f"cost_weight needs a method with alphas; {method.name} has none")
        super().join(method)

    def load(self, settings: "SearchSettings", scorer: "Scorer | None") -> None:
        if settings.space == "hierarchical":
            raise ConfigError(
                "cost_weight needs candidates of fixed cost; motifs of the space hierarchical have none"
            )
        if self.config.expected_cost in COUNTED:
            return
        if scorer is None:
            raise ConfigError(
                f"expected_cost {self.config.expected_cost} needs a table, and {settings.space} has none;"
                " try flops or params"
            )
        try:
            values = scorer.bench.by_code(scorer.dataset, self.config.expected_cost)
        except NASBenchError as error:
            raise ConfigError(
                f"expected_cost {self.config.expected_cost} is not in the table: {one_line(error)}"
            ) from None
        self._table, self._space = additive_costs(values), settings.space

    def costs(self) -> list[Tensor]:
        """Return the costs of each searched edge's candidates, shape (K,), as fractions of the maximum."""
        if not self._costs:
            costs = self._counted() if self.config.expected_cost in COUNTED else self._measured()
            maximum = sum(float(each.max()) for each in costs)
            self._costs = [each / maximum for each in costs]
        return self._costs

    def _counted(self) -> list[Tensor]:
        supernet, kind = self.method.supernet, COUNTED.index(self.config.expected_cost)
        totals: dict[int, Tensor] = {}  # summed over copies
        counts = candidate_costs(supernet.graph, supernet.scope)
        for edge, both in zip(supernet.mixed_edges(), counts, strict=True):
            owner, values = edge.owner(edge.op.key), torch.tensor(both[kind], dtype=torch.float64)
            totals[owner] = totals[owner] + values if owner in totals else values
        return list(totals.values())

    def _measured(self) -> list[Tensor]:
        from oneshot.spaces.registry import get_space

        if self._table is None or self._space is None:
            raise ConfigError(
                f"expected_cost {self.config.expected_cost} needs a table, which only oneshot.search opens"
            )
        edges = get_space(self._space).edges(self.method.graph).values()
        by_owner = {edge.owner("alpha"): costs for edge, costs in zip(edges, self._table, strict=True)}
        return [by_owner[edge.owner("alpha")] for edge in self._edges]

    def alpha_penalty(self) -> Tensor:
        edges = self._edges
        terms = [
            self.method.expected_weights(edge) @ costs.to(edge.alpha)
            for edge, costs in zip(edges, self.costs(), strict=True)
        ]
        return self.config.cost_weight * torch.stack(terms).sum()

    def state_dict(self) -> dict[str, Any]:  # tensors
        return {"costs": self.costs()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._costs = list(state["costs"])


def additive_costs(values: Sequence[float] | np.ndarray[Any, Any]) -> list[Tensor]:
    """Return the costs of the five candidates at each of the six edges of NAS-Bench-201, shape (5,) each.

    `values` are the costs of all cells in the order of their codes, NaN if unknown. Raise a ConfigError if
    the costs of all cells with some candidate are unknown.
    """
    table = np.asarray(values, dtype=np.float64).reshape((5,) * 6)
    costs = []
    for edge in range(6):
        known = np.moveaxis(table, edge, 0).reshape(5, -1)
        if np.isnan(known).all(axis=1).any():
            raise ConfigError(f"the table has no costs of cells with one of the candidates at edge {edge}")
        means = np.nanmean(known, axis=1)
        costs.append(torch.tensor(means - means.min()))
    return costs
