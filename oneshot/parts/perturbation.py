"""Perturbation of the mixture weights (SmoothDARTS; Chen & Hsieh 2020, arXiv:2002.05283)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.ops import Identity
from oneshot.parts.base import Part, PartSettings

if TYPE_CHECKING:
    from data.loader import Batch
    from oneshot.graph.edge import EdgeData
    from oneshot.methods.base import MetaOptimizer


@dataclass(frozen=True)
class PerturbationSettings(PartSettings):
    """Settings of the perturbation, by default as in the authors' code (sota/cnn/train_search.py)."""

    perturb: str = option(
        "none",
        "perturbation of the mixture weights while the network's weights are updated: random (SDARTS-RS), or"
        " adversarial (SDARTS-ADV), which takes about perturb_steps times as long",
        choices=("none", "random", "adversarial"),
    )
    perturb_epsilon: float = option(
        0.3, "maximum perturbation of a mixture weight, reached after the last epoch", above=0, at_most=1
    )
    perturb_epsilon_start: float = option(
        0.03, "maximum perturbation in the first epoch; linear in between", at_least=0, at_most=1
    )
    perturb_steps: int = option(
        7, "steps of projected gradient ascent of an adversarial perturbation", at_least=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.perturb_epsilon_start > self.perturb_epsilon:
            raise ConfigError(
                f"perturb_epsilon_start must be <= perturb_epsilon {self.perturb_epsilon},"
                f" got {self.perturb_epsilon_start}"
            )

    @property
    def is_neutral(self) -> bool:
        return self.perturb == "none"


class Perturbation(Part[PerturbationSettings]):
    """Updates of the weights at perturbed mixture weights; the alphas are updated at unperturbed ones.

    A perturbation is clipped to ±epsilon, and the perturbed mixture weights are then clipped to [0, 1] and
    divided by their sum. A random perturbation is uniform. An adversarial one starts from a random one and
    climbs the training loss by the sign of the gradient, in steps of 2 epsilon / steps; it is used only if
    the loss increases.

    References
    ----------
    Chen & Hsieh 2020, arXiv:2002.05283, equations 4 to 7. The random start, the step size, the projection to
    the simplex and the comparison of losses follow the authors' code (attacker/perturb.py).
    """

    name = "perturbation"
    config_class = PerturbationSettings

    def __init__(self, config: PerturbationSettings | None = None) -> None:
        super().__init__(config)
        self._epsilon = self.config.perturb_epsilon_start

    def join(self, method: "MetaOptimizer[Any]") -> None:  # whatever its settings
        super().join(method)
        method.require_alphas(f"{self.name} changes the weights of mixed candidates")
        if method.mixed([Identity()]).one_hot:
            raise ConfigError(
                f"{self.name} needs all candidates of an edge in each pass; {method.name} samples one"
            )

    def new_epoch(self, epoch: int) -> None:
        start, end = self.config.perturb_epsilon_start, self.config.perturb_epsilon
        self._epsilon = start + (end - start) * epoch / self.method.config.epochs

    @contextmanager
    def during_weights(self, data_train: "Batch") -> Iterator[None]:
        by_owner = {edge.owner("alpha"): edge for edge in self.method.supernet.mixed_edges()}
        edges = list(by_owner.values())
        try:
            _set(edges, self._offsets(edges, data_train))
            yield
        finally:
            for edge in edges:
                edge.pop("offset", None)

    def _offsets(self, edges: "Sequence[EdgeData]", data: "Batch") -> list[Tensor]:
        graph = self.method.graph.eval()  # as in the authors' code; mixtures do not sample in this mode
        try:
            present = [edge.op.weights(edge).detach() for edge in edges]
            offsets = [self._project(_uniform(weights, self._epsilon), weights) for weights in present]
            return (
                self._climb(edges, present, offsets, data)
                if self.config.perturb == "adversarial"
                else offsets
            )
        finally:
            graph.train()

    def _climb(
        self,
        edges: "Sequence[EdgeData]",
        present: Sequence[Tensor],
        offsets: list[Tensor],
        data: "Batch",
    ) -> list[Tensor]:
        """Return offsets that increase the loss on a batch; zeros if none do."""
        rate = 2 * self._epsilon / self.config.perturb_steps
        zeros = [torch.zeros_like(weights) for weights in present]
        before = self._loss(edges, zeros, data)
        for _ in range(self.config.perturb_steps):
            leaves = [nn.Parameter(offset) for offset in offsets]
            _set(edges, leaves)
            gradients = self.method.gradients(data, leaves)[2]
            offsets = [
                self._project(leaf.detach() + rate * gradient.sign(), weights)
                for leaf, gradient, weights in zip(leaves, gradients, present, strict=True)
            ]
        falls = before > self._loss(edges, offsets, data)  # stays on the device, so that nothing waits for it
        return [torch.where(falls, 0.0, offset) for offset in offsets]

    @torch.no_grad()
    def _loss(self, edges: "Sequence[EdgeData]", offsets: Sequence[Tensor], data: "Batch") -> Tensor:
        """Return the sum of all processes' losses at the given offsets, a float64 scalar."""
        _set(edges, offsets)
        images, labels = data
        loss = self.method.group.weighted(self.method.loss(self.method.logits(images), labels), len(labels))
        return self.method.group.sum(loss.double())

    def _project(self, offset: Tensor, weights: Tensor) -> Tensor:
        """Project an offset, shape (K,), to ±epsilon and so that weights plus offset sum to 1."""
        moved = weights + offset.clamp(-self._epsilon, self._epsilon)
        clipped = moved.clamp(0, 1)
        total = clipped.sum()
        highest = torch.zeros_like(moved).index_fill_(0, moved.argmax(), 1.0)
        return torch.where(total == 0, highest, clipped / total) - weights

    def state_dict(self) -> dict[str, Any]:
        return {"epsilon": self._epsilon}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._epsilon = float(state["epsilon"])


def _uniform(like: Tensor, epsilon: float) -> Tensor:
    return torch.empty_like(like).uniform_(-epsilon, epsilon)


def _set(edges: "Sequence[EdgeData]", offsets: Sequence[Tensor]) -> None:
    for edge, offset in zip(edges, offsets, strict=True):
        edge.set("offset", offset, shared=True)
