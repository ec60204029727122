"""Early stopping when the validation loss becomes sharp (DARTS-ES; Zela et al. 2020, arXiv:1909.09656)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd import grad

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.parts.base import Part, PartSettings

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.methods.base import MetaOptimizer
    from oneshot.search.settings import SearchSettings


@dataclass(frozen=True)
class EigenvalueSettings(PartSettings):
    """Settings of the early stopping by eigenvalue."""

    eigenvalue_ratio: float = option(
        0.0,
        "stop when the largest eigenvalue of the validation loss's Hessian in the alphas has grown by more"
        " than this factor within a window; 0: never; 1.3 in DARTS-ES (Zela et al. 2020)",
        at_least=0,  # 1.3 in the authors' code; 1 / 0.75 in the paper
    )
    eigenvalue_window: int = option(
        5,
        "number of epochs per average of eigenvalues, and between the two averages",
        at_least=1,  # section 4.3
    )
    eigenvalue_start: int = option(
        10,
        "first epoch whose architecture can be returned",
        at_least=0,  # authors' code
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.eigenvalue_ratio <= 1:
            raise ConfigError(f"eigenvalue_ratio must be 0 or > 1, got {self.eigenvalue_ratio}")

    @property
    def is_neutral(self) -> bool:
        return self.eigenvalue_ratio == 0


class EigenvalueStop(Part[EigenvalueSettings]):
    """Early stopping by the largest eigenvalue of d2L_val/dalpha2, with the architecture of an earlier epoch.

    After each epoch the eigenvalue is computed on its last validation batch. Its average over a window of k
    epochs around epoch i is compared with the average around epoch i - k. If their ratio exceeds the limit,
    the search stops and returns the architecture of epoch i - k. A search that does not stop equals the
    search without the part, bit for bit.

    References
    ----------
    Zela et al. 2020, arXiv:1909.09656, section 4.3: k = 5, stop if the ratio of i - k to i is below 0.75. The
    factor 1.3 and the first 10 epochs are from the authors' code.
    """

    name = "eigenvalue stop"
    config_class = EigenvalueSettings
    can_stop = True

    def __init__(self, config: EigenvalueSettings | None = None) -> None:
        super().__init__(config)
        self._eigenvalues: list[float] = []  # one per epoch
        self._scores: list[list[Tensor]] = []  # of the last epochs; (K,) for each edge
        self._returned: list[Tensor] | None = None  # scores of the architecture to return

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if method.mixed([nn.Identity()]).samples:
            raise ConfigError(
                "eigenvalue_ratio needs a loss that is a function of the alphas;"
                f" {method.name} samples a path for each pass"
            )
        needed = self.config.eigenvalue_start + self._span
        if method.config.epochs < needed:
            raise ConfigError(
                f"eigenvalue_ratio can stop a search only after {needed} epochs, so epochs must be >="
                f" {needed}, got {method.config.epochs}"
            )
        super().join(method)

    @property
    def _span(self) -> int:
        """Number of epochs from the returned architecture to the stop."""
        window = self.config.eigenvalue_window
        return window + window // 2 + 1

    def check(self, settings: "SearchSettings") -> None:
        if settings.compile:
            raise ConfigError("eigenvalue_ratio needs second derivatives, which --compile does not support")

    def eigenvalue(self, data: Batch) -> float:
        """Return the largest eigenvalue of the Hessian in all alphas of the loss on a batch."""
        method, (images, labels) = self.method, data
        alphas = method.alphas
        method.graph.eval()  # no sampled weights; normalization uses the batch in both modes
        try:
            logits = method.logits(images, amp=False)
            loss = method.group.weighted(method.loss(logits, labels), len(labels))
            gradient = _flat(grad(loss, alphas, create_graph=True, materialize_grads=True, allow_unused=True))
            rows = [
                _flat(grad(each, alphas, retain_graph=True, materialize_grads=True, allow_unused=True))
                for each in gradient
            ]
        finally:
            method.graph.train()
        (hessian,) = method.group.sums([torch.stack(rows)])
        hessian = hessian.double().cpu()
        return float(torch.linalg.eigvalsh((hessian + hessian.T) / 2)[-1])

    def end_epoch(self, epoch: int, data_train: Batch, data_val: Batch) -> str | None:
        window, ratio = self.config.eigenvalue_window, self.config.eigenvalue_ratio
        self._eigenvalues.append(self.eigenvalue(data_val))
        edges = self._edges
        self._scores = [*self._scores, [self.method.scores(edge).clone() for edge in edges]][-self._span :]
        returned = epoch + 1 - self._span  # from 0
        if returned < self.config.eigenvalue_start:
            return None
        now, before = (
            sum(self._eigenvalues[last - window : last]) / window for last in (epoch + 1, epoch + 1 - window)
        )
        if now <= ratio * before or before <= 0:
            return None
        self._return(self._scores[0])
        return (
            f"the largest eigenvalue of the validation loss rose from {before:.3g} to {now:.3g}; the"
            f" architecture is the one after epoch {returned + 1}"
        )

    def _return(self, scores: list[Tensor]) -> None:
        self._returned = scores
        for edge, each in zip(self._edges, scores, strict=True):
            edge.set("returned", each, shared=True)

    def scores(self, edge: "EdgeData", scores: Tensor) -> Tensor:
        returned: Tensor = edge.get("returned", scores)
        return returned.to(scores.device)

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        return {"eigenvalues": self._eigenvalues, "scores": self._scores, "returned": self._returned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._eigenvalues, self._scores = list(state["eigenvalues"]), list(state["scores"])
        if state["returned"] is not None:
            self._return(state["returned"])


def _flat(tensors: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])
