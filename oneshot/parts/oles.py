"""Operation-level early stopping (OLES; Jiang et al. 2023, NeurIPS)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.graph.graph import Graph
from oneshot.ops import FactorizedReduce, Identity
from oneshot.parts.base import Part, PartSettings

if TYPE_CHECKING:
    from oneshot.methods.base import MetaOptimizer
    from oneshot.methods.supernet import Supernet


@dataclass(frozen=True)
class OLESSettings(PartSettings):
    """Settings of the operation-level early stopping; values are defaults of the authors' train_search.py."""

    oles_threshold: float = option(
        -1.0,
        "stop training an operation's weights when its gradients of training and validation batches are less"
        " similar than this; -1: never; 0.4 in OLES",  # --patience
        at_least=-1,
        at_most=1,
    )
    oles_window: int = option(
        20,  # --count
        "steps over which the similarity is averaged before it is compared with the threshold",
        at_least=1,
    )
    oles_validation: str = option(
        "added",
        "gradient that is compared with the training gradient. added: the sum of both gradients, as in the"
        " authors' code; alone: the validation gradient, as in the paper's formula, which needs a lower"
        " threshold",
        choices=("added", "alone"),
    )

    @property
    def is_neutral(self) -> bool:
        return self.oles_threshold == -1


class OperationStop(Part[OLESSettings]):
    """Early stopping of a candidate's weights once its training and validation gradients disagree.

    In each step, a candidate's gradient of the validation loss is compared with its clipped gradient of the
    last training batch: by the cosine along the output channels, averaged over the other dimensions of each
    weight and over the candidate's weights. If the mean over `oles_window` steps is below the threshold, the
    candidate is no longer trained: neither gradient nor momentum nor decay moves its weights, and its
    gradient does not count towards the norm that is clipped. Each copy of an edge decides for itself; alphas
    are always trained. Candidates without weights and skip connections with weights (at stride 2) are left
    out.

    References
    ----------
    Jiang et al. 2023, "Operation-Level Early Stopping for Robustifying Differentiable NAS", NeurIPS. Cosine,
    threshold and window follow `check_grads_cosine` in the authors' train_search.py. There the validation
    gradient is added to the training gradient, which was not reset; the threshold of 0.4 was chosen for this
    sum. The code divides the sum of 21 similarities by 20; here the mean is over 20.
    """

    name = "operation stop"
    config_class = OLESSettings

    def __init__(self, config: OLESSettings | None = None) -> None:
        super().__init__(config)
        self._supernet: Supernet | None = None  # the supernet that the state belongs to
        self._operations: list[list[nn.Parameter]] = []
        self._stopped: list[bool] = []  # of each operation
        self._sums: Tensor = torch.zeros(0)  # of the similarities in the window, one per operation
        self._steps = 0  # in the window
        self._training: list[list[Tensor]] = []  # gradients of each operation; empty before the first step

    def join(self, method: "MetaOptimizer[Any]") -> None:
        method.require_alphas("oles_threshold needs the gradient that updates the alphas")
        if method.mixed([Identity()]).samples:
            raise ConfigError(
                "oles_threshold needs gradients of all candidates in each pass;"
                f" {method.name} samples one candidate"
            )
        if not method.validates_present_weights:
            raise ConfigError(
                "oles_threshold needs the gradient of the validation loss at the current weights; try"
                " --order 1 with darts, --levels 2 with snas"
            )
        super().join(method)

    def _follow(self) -> None:
        """Reset the state if the method has another supernet."""
        supernet = self.method.supernet
        if self._supernet is supernet:
            return
        self._supernet = supernet
        self._operations = [
            list(op.parameters())
            for edge in supernet.mixed_edges()
            for op in edge.op.primitives
            if not isinstance(op, (Graph, FactorizedReduce)) and any(True for _ in op.parameters())
        ]
        self._stopped = [False] * len(self._operations)
        self._sums = torch.zeros(len(self._operations))
        self._steps, self._training = 0, []

    @property
    def stopped(self) -> list[bool]:
        """Whether each operation with weights has stopped, in the order of the supernet's edges."""
        self._follow()
        return list(self._stopped)

    def watched_weights(self) -> list[nn.Parameter]:
        self._follow()
        if not self._training:  # nothing to compare with
            return []
        return list(chain.from_iterable(each for _, each in self._running()))

    def _running(self) -> list[tuple[int, list[nn.Parameter]]]:
        return [(n, each) for n, each in enumerate(self._operations) if not self._stopped[n]]

    def see_validation(self, gradients: list[Tensor]) -> None:
        rest, running = iter(gradients), [number for number, _ in self._running()]
        similarities = []
        for number in running:
            pairs = [(next(rest), training) for training in self._training[number]]
            similarities.append(torch.stack([self._similarity(*pair) for pair in pairs]).mean())
        if similarities:
            self._sums = self._sums.to(similarities[0].device, torch.float64)
            self._sums[running] += torch.stack(similarities).double()
        self._steps += 1
        if self._steps < self.config.oles_window:
            return
        for number, mean in zip(running, (self._sums[running] / self._steps).tolist(), strict=True):
            self._stopped[number] = mean < self.config.oles_threshold
        self._sums, self._steps = torch.zeros_like(self._sums), 0

    def _similarity(self, validation: Tensor, training: Tensor) -> Tensor:
        compared = validation if self.config.oles_validation == "alone" else validation + training
        return torch.cosine_similarity(compared, training, dim=0).mean()

    def before_clipping(self) -> None:
        self._follow()
        for stopped, weights in zip(self._stopped, self._operations, strict=True):
            if stopped:
                for weight in weights:
                    weight.grad = None

    def before_weights(self) -> None:
        self._training = [
            [] if stopped else [weight.grad.clone() for weight in weights if weight.grad is not None]
            for stopped, weights in zip(self._stopped, self._operations, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        self._follow()
        return {
            "stopped": list(self._stopped),
            "sums": self._sums.double(),
            "steps": self._steps,
            "training": self._training,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._follow()
        self._stopped, self._steps = list(state["stopped"]), int(state["steps"])
        self._sums = state["sums"]
        device = self.method.supernet.weights[0].device
        self._training = [[each.to(device) for each in gradients] for gradients in state["training"]]
