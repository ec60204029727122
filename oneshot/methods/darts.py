"""DARTS: a softmax over candidates, searched by gradient (Liu et al. 2019, arXiv:1806.09055)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.methods.base import AlphaConfig, MetaOptimizer, Penalty, Step
from oneshot.mixed import MixedOp

Gradients = tuple[Tensor, Tensor, list[Tensor]]  # logits, loss, gradients of parameters
_RADIUS = 0.01  # norm of the step of the finite differences to either side (footnote in section 2.3)


@dataclass(frozen=True)
class DARTSConfig(AlphaConfig):
    """Settings of DARTS (Liu et al. 2019, arXiv:1806.09055)."""

    order: int = option(
        1,
        "order of the gradient by which the validation loss updates the alphas. 1: at the current weights; 2:"
        " at the weights after the next step",
        choices=(1, 2),
    )


class DARTS(MetaOptimizer[DARTSConfig]):
    """DARTS: each step updates alphas by the validation loss and weights by the training loss.

    Parameters
    ----------
    config, amp, parts
        As for `MetaOptimizer`.

    References
    ----------
    Liu et al. 2019, arXiv:1806.09055, algorithm 1.
    """

    name = "DARTS"
    config_class = DARTSConfig

    @property
    def validates_present_weights(self) -> bool:
        return self.config.order == 1

    def mixed(self, primitives: list[nn.Module]) -> MixedOp:
        return MixedOp(primitives)

    def step(self, data_train: Batch, data_val: Batch) -> Step:
        if self.config.order == 1:
            return self.two_updates(data_train, data_val)
        unrolled = partial(self.second_order_gradients, data_train, data_val)
        return self.two_updates(data_train, data_val, gradients=unrolled)

    def second_order_gradients(
        self, data_train: Batch, data_val: Batch, penalty: Penalty | None = None
    ) -> Gradients:
        """Return the second-order gradients of the alphas, at w' = w - lr (momentum v + dL_train/dw).

        The gradient is dL_val/dalpha at w', minus lr times the product of d2L_train/dalpha dw and dL_val/dw'.
        The product is approximated by finite differences of the training loss at `w ± R dL_val/dw'`, where
        `R = 0.01 / |dL_val/dw'|`. It is never computed in bfloat16, whose rounding exceeds the differences.

        Parameters
        ----------
        data_train, data_val
            Batches (images, labels).
        penalty
            Function that returns a term to add to the validation loss.

        Returns
        -------
        tuple
            Logits, loss and gradients of the alphas on `data_val`, at w'.

        References
        ----------
        Liu et al. 2019, arXiv:1806.09055, section 2.3, equations 7 and 8.
        """
        weights, alphas = self.weights, self.alphas
        rate = self.op_optimizer.param_groups[0]["lr"]
        before = [weight.detach().clone() for weight in weights]
        try:
            self._unrolled(data_train, weights, rate)
            logits, loss, gradients = self.gradients(data_val, [*alphas, *weights], penalty, amp=False)
            alpha_gradients, directions = gradients[: len(alphas)], gradients[len(alphas) :]
            norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in directions]))
            radius = _RADIUS / norm.clamp_min(1e-12)  # finite if the gradient is 0
            ends = []
            for sign in (1, -1):
                _move(weights, before, directions, sign * radius)
                ends.append(self.gradients(data_train, alphas, amp=False)[2])
        finally:
            _move(weights, before)
        products = [(plus - minus) / (2 * radius) for plus, minus in zip(*ends, strict=True)]
        unrolled = [g - rate * product for g, product in zip(alpha_gradients, products, strict=True)]
        return logits, loss, unrolled

    def _unrolled(self, data_train: Batch, weights: list[nn.Parameter], rate: float) -> None:
        """Take the SGD step that the weights would take next, without changing the momentum."""
        gradients = self.gradients(data_train, weights, amp=False)[2]
        momentum = self.config.momentum
        decay = self.op_optimizer.param_groups[0]["weight_decay"]  # a part may change it
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                step = gradient + decay * weight
                velocity = self.op_optimizer.state.get(weight, {}).get("momentum_buffer")
                if velocity is not None:
                    step = step + momentum * velocity
                weight.sub_(rate * step)


@torch.no_grad()
def _move(
    weights: list[nn.Parameter],
    origins: list[Tensor],
    directions: Sequence[Tensor] | None = None,
    radius: Tensor | float = 0.0,
) -> None:
    """Set each weight to its origin plus radius times direction; without directions, to its origin."""
    for number, (weight, origin) in enumerate(zip(weights, origins, strict=True)):
        weight.copy_(origin if directions is None else origin + radius * directions[number])
