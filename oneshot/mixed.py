"""Mixed operations: an edge's candidates, weighted. What a method adds is where the weights come from."""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from nasbench.runs.checks import integer
from oneshot.errors import GraphError
from oneshot.ops import Zero


class Mixing(NamedTuple):
    """How an edge, with all its copies, mixes its K candidates in one forward pass."""

    weights: torch.Tensor | None  # (K,); None: the drawn candidate as it is
    drawn: int | None  # the only candidate with a weight that is not zero, if it is known that there is one
    others: torch.Tensor | None = None  # the sum of the other weights, a scalar 0, if the output has it


class Mixture(nn.Module, ABC):
    """An edge's K candidates under weights that a subclass takes from the edge.

    The graph asks for `weights(edge)` once a forward pass for all edges that have the value `key` in common,
    and computes nothing of candidates that were not drawn. An edge whose data have a `choice`, a number in
    [0, K), runs that candidate alone, as it is.
    """

    key = "alpha"  # the value of the edge that the weights are of
    samples = False  # whether the weights of each pass are another sample, one of them 1 and all others 0
    one_hot = False  # whether the candidate whose weight is 1 is the only one to be computed
    adds_others = False  # whether the weights that are 0 are added to the output, for their gradients

    def __init__(self, primitives):
        super().__init__()
        primitives = list(primitives)
        if not primitives:
            raise GraphError("a mixed operation has at least one candidate, got none")
        self.primitives = nn.ModuleList(primitives)

    @abstractmethod
    def weights(self, edge):
        """The candidates' weights, shape (K,), differentiable in what the edge holds."""

    def get_embedded_ops(self):
        """The candidates, a list."""
        return list(self.primitives)

    def mix(self, x, mixing):
        """The weighted sum of what the candidates make of x; those that were not drawn are not computed."""
        if mixing.drawn is not None:
            out = self.primitives[mixing.drawn](x)
            if mixing.weights is not None:
                out = out * mixing.weights[mixing.drawn]
            return out if mixing.others is None else out + mixing.others
        out = [weight * op(x) for weight, op in zip(mixing.weights, self.primitives, strict=True)]
        return sum(out[1:], out[0])

    def forward(self, x):
        raise GraphError(
            "a mixed operation gets its weights from an edge: place it in a graph and parse() that"
        )


class MixedOp(Mixture):
    """Candidates weighted by the softmax of the edge's `alpha` (DARTS, Liu et al. 2019, arXiv:1806.09055)."""

    def weights(self, edge):
        return torch.softmax(edge.alpha, dim=-1)


def something(candidates):
    """Which of a Mixture's candidates are more than Zero, bool (K,); all of them where none is."""
    ops = candidates.get_embedded_ops() if isinstance(candidates, Mixture) else candidates
    found = torch.tensor([not isinstance(op, Zero) for op in ops])
    return found if found.any() else ~found


@contextmanager
def choosing(choices):
    """Within the block, mixed edges and their copies run one candidate each; of (EdgeData, number) pairs."""
    before = [(edge, edge.choice, "choice" in edge.shared_store) for edge, _ in choices if edge.has("choice")]
    for edge, *_ in before:
        edge.pop("choice", None)
    try:
        for edge, choice in choices:
            edge.set("choice", choice, shared=True)
        yield
    finally:
        for edge, _ in choices:
            edge.pop("choice", None)
        for edge, choice, shared in before:
            edge.set("choice", choice, shared)


def mixings(edges):
    """{key: Mixing} of mixed edges, {key: (mixture, edge, where)}; one transfer from the device at most."""
    weights, drawn = {}, {}
    for key, (mixture, edge, where) in edges.items():
        count = len(mixture.primitives)
        if edge.has("choice"):
            drawn[key] = _choice(edge.choice, count, where)
            continue
        if not edge.has(mixture.key):
            raise GraphError(f"{where} has no {mixture.key!r}, which its {type(mixture).__name__} mixes by")
        weights[key] = mixture.weights(edge)
        if weights[key].shape != (count,):
            raise GraphError(
                f"{where} has {count} candidates, but weights of shape {tuple(weights[key].shape)}"
            )
    hard = [key for key in weights if edges[key][0].one_hot]
    if hard:
        tops = torch.stack([weights[key].detach().argmax() for key in hard]).tolist()
        drawn |= zip(hard, tops, strict=True)
    others = {
        key: weights[key].sum() - weights[key][drawn[key]]
        for key in hard
        if edges[key][0].adds_others and weights[key].requires_grad
    }
    return {key: Mixing(weights.get(key), drawn.get(key), others.get(key)) for key in edges}


def _choice(choice, count, where):
    number = integer(choice)
    if number is None or not 0 <= number < count:
        raise GraphError(f"{where}: a choice is a number in [0, {count - 1}], got {choice!r}")
    return number
