"""The shared part of the plain supernets: the weights of candidates, their sum, and the two updates."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

Weights = tuple[Tensor, list[int] | None]  # (E, K) of the candidates, and the sampled ones, if any


class Nothing(nn.Module):
    """The operation `none`."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride].mul(0.0)


def mixing(alphas: Iterable[Tensor], tau: float | None) -> list[Weights]:
    """Return the weights of each tensor of alphas; with a tau, sampled by Gumbel-softmax."""
    if tau is None:
        return [(alpha.softmax(-1), None) for alpha in alphas]
    soft = [F.gumbel_softmax(alpha, tau, hard=True) for alpha in alphas]
    return [(weights, weights.argmax(-1).tolist()) for weights in soft]


def mixed(
    candidates: Any,  # a list or a ModuleList of modules, which torch does not type
    x: Tensor,
    weights: Tensor,
    drawn: int | None,
) -> Tensor:
    """Return the weighted sum of the candidates' outputs, or the output of the sampled one alone."""
    if drawn is not None:
        y: Tensor = weights[drawn] * candidates[drawn](x)
        return y
    return total(weight * op(x) for weight, op in zip(weights, candidates, strict=True))


def at(drawn: list[int] | None, edge: int) -> int | None:
    """Return the sampled candidate of an edge; None without a sample."""
    return None if drawn is None else drawn[edge]


def total(tensors: Iterable[Tensor]) -> Tensor:
    """Return the sum of tensors, of which there is at least one."""
    return sum(tensors)  # type: ignore[return-value]  # a Tensor, because there is at least one


class Supernet(nn.Module):
    """A network with alphas, which mixes all candidates, or samples one by Gumbel-softmax with a `tau`."""

    alphas: nn.ParameterList

    def __init__(self, tau: float | None = None) -> None:
        super().__init__()
        self.tau = tau
        self.given: list[Tensor] | None = None  # weights to use instead of the weights from the alphas

    def mixing(self) -> list[Weights]:
        """Return the weights of the candidates."""
        if self.given is not None:
            return [(weights, None) for weights in self.given]
        return mixing(self.alphas, self.tau)


class PlainSearch:
    """The two updates of a step by `backward()`, as in the methods' own code."""

    def __init__(self, network: Supernet, device: str = "cpu") -> None:
        self.network = network.to(device)
        alphas = list(self.network.alphas)
        weights = [p for p in self.network.parameters() if all(p is not alpha for alpha in alphas)]
        self.weight_optimizer = torch.optim.SGD(weights, 0.025, 0.9, weight_decay=3e-4, foreach=True)
        self.alpha_optimizer = torch.optim.Adam(alphas, 3e-4, (0.5, 0.999), weight_decay=1e-3, foreach=True)

    def step(self, data_train: tuple[Tensor, Tensor], data_val: tuple[Tensor, Tensor]) -> None:
        """Update the alphas, then the weights."""
        self.update(data_val, self.alpha_optimizer)
        self.update(data_train, self.weight_optimizer)

    def update(self, data: tuple[Tensor, Tensor], *optimizers: torch.optim.Optimizer) -> None:
        """Take a step with each optimizer after one forward and backward pass."""
        images, labels = data
        for optimizer in optimizers:
            optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(self.network(images), labels))
        for optimizer in optimizers:
            nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 5.0, foreach=True)
            optimizer.step()


class ConcreteSearch(PlainSearch):
    """The joint update of SNAS: weights and alphas by one pass at sampled mixture weights."""

    tau = 1.0

    def step(self, data_train: tuple[Tensor, Tensor], data_val: tuple[Tensor, Tensor]) -> None:  # noqa: ARG002 - unused
        self.network.given = [
            F.gumbel_softmax(alpha.log_softmax(-1), self.tau) for alpha in self.network.alphas
        ]
        self.update(data_train, self.alpha_optimizer, self.weight_optimizer)


class AdversarialSearch(PlainSearch):
    """The two updates of SDARTS-ADV: weights at adversarially perturbed mixture weights."""

    epsilon, ascents = 0.03, 7

    def update(self, data: tuple[Tensor, Tensor], *optimizers: torch.optim.Optimizer) -> None:
        if self.weight_optimizer in optimizers:
            self.network.given = self.perturbed(*data)
        super().update(data, *optimizers)
        self.network.given = None

    def perturbed(self, images: Tensor, labels: Tensor) -> list[Tensor]:
        """Return mixture weights near the weights of the alphas that increase the loss on a batch."""

        def loss(weights: list[Tensor]) -> Tensor:
            self.network.given = weights
            return F.cross_entropy(self.network(images), labels)

        rate = 2 * self.epsilon / self.ascents
        present = [alpha.detach().softmax(-1) for alpha in self.network.alphas]
        with torch.no_grad():
            before = loss(present)
        moved = [_simplex(w + torch.empty_like(w).uniform_(-self.epsilon, self.epsilon)) for w in present]
        for _ in range(self.ascents):
            leaves = [weights.requires_grad_() for weights in moved]
            gradients = torch.autograd.grad(loss(leaves), leaves)
            moved = [
                _simplex(w + (leaf.detach() + rate * gradient.sign() - w).clamp(-self.epsilon, self.epsilon))
                for w, leaf, gradient in zip(present, leaves, gradients, strict=True)
            ]
        with torch.no_grad():
            return present if before > loss(moved) else moved


def _simplex(weights: Tensor) -> Tensor:
    clipped = weights.clamp(0, 1)
    return clipped / clipped.sum(-1, keepdim=True)
