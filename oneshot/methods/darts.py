"""DARTS: a softmax over candidates, searched by gradient (Liu et al. 2019, arXiv:1806.09055)."""

from dataclasses import dataclass

import torch

from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.methods.base import AlphaConfig, MetaOptimizer, Step
from oneshot.mixed import MixedOp

_REACH = 0.01  # how far the finite differences go to either side, a norm (section 2.3, its footnote)


@dataclass(frozen=True)
class DARTSConfig(AlphaConfig):
    """DARTS (Liu et al. 2019, arXiv:1806.09055)."""

    order: int = option(
        1,
        "1: alphas by the validation loss at the weights as they are; 2: at the weights after a step",
        choices=(1, 2),
    )

    def __post_init__(self):
        super().__post_init__()
        if self.order not in (1, 2):
            raise ConfigError(f"order is 1 or 2, got {self.order!r}")


class DARTS(MetaOptimizer):
    """Alphas down the validation loss, weights down the training loss, in turn."""

    name = "DARTS"
    config_class = DARTSConfig

    def mixed(self, primitives):
        return MixedOp(primitives)

    def step(self, data_train, data_val):
        if self.config.order == 1:
            return self.two_updates(data_train, data_val)
        logits_val, val_loss, gradients = self.second_order_gradients(data_train, data_val)
        self.descend(self.arch_optimizer, self.alphas, gradients)
        logits_train, train_loss = self.update(self.op_optimizer, self.weights, data_train)
        return Step(logits_train, logits_val, train_loss, val_loss)

    def second_order_gradients(self, data_train, data_val):
        """(logits, loss, gradients) of the validation loss at w' = w - lr * (momentum * v + dL_train/dw).

        Section 2.3, equations 7 and 8. Gradient: dL_val/dalpha at w', less lr times the product of
        d2L_train/dalpha dw and dL_val/dw', which is taken by finite differences of the training loss at
        w ± R dL_val/dw', R = 0.01 / |dL_val/dw'|.
        Never in bfloat16, which would round such a difference away.
        """
        weights, alphas = self.weights, self.alphas
        rate = self.op_optimizer.param_groups[0]["lr"]
        before = [weight.detach().clone() for weight in weights]
        try:
            self._unrolled(data_train, weights, rate)
            logits, loss, gradients = self.gradients(data_val, [*alphas, *weights], amp=False)
            of_alphas, of_weights = gradients[: len(alphas)], gradients[len(alphas) :]
            norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in of_weights]))
            radius = _REACH / norm.clamp_min(1e-12)  # a gradient of 0 moves nothing
            ends = []
            for sign in (1, -1):
                _move(weights, before, of_weights, sign * radius)
                ends.append(self.gradients(data_train, alphas, amp=False)[2])
        finally:
            _move(weights, before)
        products = [(plus - minus) / (2 * radius) for plus, minus in zip(*ends, strict=True)]
        return logits, loss, [g - rate * product for g, product in zip(of_alphas, products, strict=True)]

    def _unrolled(self, data_train, weights, rate):
        """Take the step of SGD that the weights would take, without its momentum being changed."""
        gradients = self.gradients(data_train, weights, amp=False)[2]
        config = self.config
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                step = gradient + config.weight_decay * weight
                velocity = self.op_optimizer.state.get(weight, {}).get("momentum_buffer")
                if velocity is not None:
                    step = step + config.momentum * velocity
                weight.sub_(rate * step)


@torch.no_grad()
def _move(weights, origins, directions=None, radius=0.0):
    """Put each weight at its origin plus the radius times its direction; without, at its origin exactly."""
    for number, (weight, origin) in enumerate(zip(weights, origins, strict=True)):
        weight.copy_(origin if directions is None else origin + radius * directions[number])
