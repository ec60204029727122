"""Mixed operations: weighted candidates of an edge; methods define the weights."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeVar

import torch
from torch import Tensor, nn

from nasbench.runs.checks import integer
from oneshot.errors import GraphError
from oneshot.ops import DropPath, DroppedIdentity, Identity, Pruned, Zero, add_up
from oneshot.partial import Bypass, with_channels

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData

K = TypeVar("K", bound=Hashable)
#: `choice` of an edge that is left out; its output is zeros, even if no candidate is `Zero`
ABSENT = -2  # not -1, a common value of wrong indices


class Mixing(NamedTuple):
    """Weights of the K candidates of an edge and its copies in one forward pass."""

    #: weights, shape (K,); None to run the candidate `drawn` without a weight
    weights: Tensor | None
    #: number of the only candidate whose weight is not 0, or ABSENT; None if several may have weights
    drawn: int | None
    #: sum of the other weights, a scalar 0, if it is added to the output for its gradient
    others: Tensor | None = None
    #: factor of the edge's output, a scalar; None for no factor
    scale: Tensor | None = None
    #: numbers of the candidates that were not pruned; None if all are left
    kept: tuple[int, ...] | None = None

    @property
    def inputs(self) -> list[Tensor]:
        """Inputs of a plan: weights (K,), or (K + 1,) with the scale as the last; and `others`."""
        given = [each for each in (self.weights, self.others) if each is not None]
        if self.scale is None or not given:
            return given
        weights, *others = (each * self.scale for each in given)
        return [torch.cat([weights, self.scale.reshape(1)]), *others]


class Mixture(nn.Module, ABC):
    """K candidates of an edge, with weights that a subclass computes from the edge.

    The graph calls `weights(edge)` once per forward pass for all edges that share the value `key`. If a
    candidate is sampled, only that candidate is computed. An edge with a `choice`, a number in [0, K) or
    ABSENT, runs only that candidate, without a weight, or none. With a `bypass`, candidates process only part
    of the channels.

    >>> from oneshot.graph import Graph
    >>> from oneshot.ops import Identity, Zero
    >>> graph = Graph()
    >>> graph.add_edge(1, 2, op=MixedOp([Identity(), Zero()]), alpha=torch.zeros(2))
    >>> graph.parse()(torch.ones(1))
    tensor([0.5000])

    Parameters
    ----------
    primitives
        Candidates, at least one module.

    Raises
    ------
    GraphError
        If there are no candidates.
    """

    #: name of the edge's value that the weights depend on
    key = "alpha"
    #: whether each pass samples one-hot weights
    samples = False
    #: whether only the candidate with weight 1 is computed
    one_hot = False
    #: whether the weights that are 0 are added to the output for their gradients
    adds_others = False

    def __init__(self, primitives: Iterable[nn.Module]) -> None:
        super().__init__()
        primitives = list(primitives)
        if not primitives:
            raise GraphError("a mixed operation needs at least one candidate, got none")
        self.primitives = nn.ModuleList(primitives)
        #: path of the other channels if candidates process only part of them; set by a part of the method
        self.bypass: Bypass | None
        self.register_module("bypass", None)
        #: drop path of the mixture's output; None for none
        self.drop_path: DropPath | None = None

    def sampled(self, edge: "EdgeData") -> int | None:
        """Return the number of the candidate sampled before for the next pass of `edge`, or None."""
        return None

    @abstractmethod
    def weights(self, edge: "EdgeData") -> Tensor:
        """Return the weights of the candidates.

        Parameters
        ----------
        edge
            Data of one of the edges that share the value `key`.

        Returns
        -------
        Tensor
            Weights, shape ``(K,)``, differentiable with respect to the tensors of the edge.
        """

    def get_embedded_ops(self) -> list[nn.Module]:
        """Return the list of candidates."""
        return list(self.primitives)

    def discrete(self, number: int) -> nn.Module:
        """Return a candidate for use outside the mixture.

        Parameters
        ----------
        number
            Number of the candidate.

        Returns
        -------
        torch.nn.Module
            The candidate, a skip connection without dropout; with a `bypass`, a copy for all channels with
            new weights.
        """
        op = self.primitives[number]
        if isinstance(op, DroppedIdentity):
            op = Identity()
        return op if self.bypass is None else with_channels(op, Fraction(self.bypass.k))

    def bypassed(self, mixing: Mixing) -> "Bypass | None":
        """Return the bypass in a pass with `mixing`; None if Zero is chosen for the whole edge."""
        if mixing.weights is None and mixing.drawn not in (None, ABSENT):
            return None if isinstance(self.primitives[mixing.drawn], Zero) else self.bypass
        return self.bypass

    def mix(self, x: Tensor, mixing: Mixing) -> Tensor:
        """Return the weighted sum of the candidates' outputs; a sampled candidate is computed alone.

        Parameters
        ----------
        x
            Input of the edge, shape ``(N, C, H, W)``.
        mixing
            Weights of the candidates in this pass.

        Returns
        -------
        Tensor
            Output of the edge.
        """
        bypass = self.bypassed(mixing)
        out = self._mix(x, mixing) if bypass is None else bypass(self._mix(bypass.first(x), mixing), x)
        if mixing.scale is not None:
            out = out * mixing.scale
        if mixing.drawn == ABSENT:
            out = out * 0.0
        return out if self.drop_path is None else self.drop_path(out)

    def _mix(self, x: Tensor, mixing: Mixing) -> Tensor:
        if mixing.drawn == ABSENT:
            return self.primitives[0](x)  # type: ignore[no-any-return]  # torch's
        if mixing.drawn is not None:
            out: Tensor = self.primitives[mixing.drawn](x)
            if mixing.weights is not None:
                out = out * mixing.weights[mixing.drawn]
            return out if mixing.others is None else out + mixing.others
        if mixing.weights is None:
            raise GraphError("a mixing needs weights or a sampled candidate, got neither")
        terms = enumerate(zip(mixing.weights, self.primitives, strict=True))
        kept = mixing.kept
        return add_up([weight * op(x) for k, (weight, op) in terms if kept is None or k in kept])

    def forward(self, x: Tensor) -> NoReturn:
        """Raise GraphError for every x, because there are no weights without an edge."""
        raise GraphError(
            "a mixed operation gets its weights from an edge; place it in a graph and call parse()"
        )


class MixedOp(Mixture):
    """A mixture weighted by the softmax of the edge's `alpha`, as in DARTS.

    Parameters
    ----------
    primitives
        Candidates, at least one module.

    References
    ----------
    Liu et al. 2019, arXiv:1806.09055.
    """

    def weights(self, edge: "EdgeData") -> Tensor:
        """Return the softmax of the edge's `alpha`, shape (K,)."""
        return torch.softmax(edge.alpha, dim=-1)


class MixedEdge(NamedTuple):
    """An edge with a mixed operation."""

    #: its operation
    op: Mixture
    #: its data
    edge: "EdgeData"
    #: its place, for messages
    where: str

    @property
    def key(self) -> Hashable:
        """Value that is equal for edges that share their mixing."""
        return type(self.op), self.edge.owner("choice" if self.edge.has("choice") else self.op.key)


def nonzero_mask(candidates: Mixture | Sequence[nn.Module]) -> Tensor:
    """Return a boolean mask (K,) of the candidates other than `Zero`; all True if there are none."""
    ops = candidates.get_embedded_ops() if isinstance(candidates, Mixture) else candidates
    mask = torch.tensor([not isinstance(op, Zero) for op in ops])
    return mask if mask.any() else ~mask


def pruned_mask(mixture: Mixture) -> Tensor:
    """Return a boolean mask (K,) of the candidates that the supernet was built without."""
    return torch.tensor([isinstance(op, Pruned) for op in mixture.primitives])


@contextmanager
def choosing(choices: Sequence[tuple["EdgeData", int]]) -> Iterator[None]:
    """Let mixed edges and their copies run one candidate each within the block.

    Parameters
    ----------
    choices
        Pairs of an edge and the number of its candidate.
    """
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


def mixings(edges: Mapping[K, MixedEdge]) -> dict[K, Mixing]:
    """Return the mixing of each edge by key, with at most one transfer from the device."""
    weights: dict[K, Tensor] = {}
    drawn: dict[K, int] = {}
    for key, (mixture, edge, where) in edges.items():
        count = len(mixture.primitives)
        if edge.has("choice"):
            number: int | None = integer(edge.choice)
            if number is None or not (0 <= number < count or number == ABSENT):
                raise GraphError(
                    f"{where}: choice must be an integer in [0, {count - 1}], or {ABSENT} for none,"
                    f" got {edge.choice!r}"
                )
            drawn[key] = number
            continue
        if not edge.has(mixture.key):
            raise GraphError(f"{where} has no {mixture.key!r}, which its {type(mixture).__name__} needs")
        weights[key] = candidate_weights(mixture, edge)
        if edge.has("offset"):  # a perturbation, shape (K,)
            weights[key] = weights[key] + edge.offset
        if weights[key].shape != (count,):
            shape = tuple(weights[key].shape)
            raise GraphError(f"{where} has {count} candidates, but weights of shape {shape}")
    hard = [key for key in weights if edges[key].op.one_hot]
    ahead = {key: edges[key].op.sampled(edges[key].edge) for key in hard}
    drawn |= {key: number for key, number in ahead.items() if number is not None}
    new = [key for key in hard if key not in drawn]
    if new:
        tops = torch.stack([weights[key].detach().argmax() for key in new]).tolist()
        drawn |= zip(new, tops, strict=True)
    adding = [key for key in hard if edges[key].op.adds_others and weights[key].requires_grad]
    others = {key: weights[key].sum() - weights[key][drawn[key]] for key in adding}
    scales = _scales({key: edges[key].edge for key in weights})
    kept = {key: tuple(edges[key].edge.kept) for key in weights if edges[key].edge.has("kept")}
    return {
        key: Mixing(weights.get(key), drawn.get(key), others.get(key), scales.get(key), kept.get(key))
        for key in edges
    }


def candidate_weights(mixture: Mixture, edge: "EdgeData") -> Tensor:
    """Return the weights of an edge's candidates, shape (K,), given the edge's `kept` and `temperature`.

    Only the candidates in `kept`, a list of numbers, are mixed; all others have weight 0. Alphas are divided
    by the `temperature`.
    """
    if not (edge.has("kept") or edge.has("temperature")):
        return mixture.weights(edge)
    reduced = type(edge)()
    for name in edge:
        if name not in ("op", "alpha", "kept", "temperature"):
            reduced.set(name, edge[name])
    alpha = edge.alpha / edge.get("temperature", 1.0)
    if not edge.has("kept"):
        reduced.set("alpha", alpha)
        return mixture.weights(reduced)
    kept = torch.tensor(edge.kept, device=alpha.device)
    reduced.set("alpha", alpha[kept])
    weights = mixture.weights(reduced)
    return weights.new_zeros(len(mixture.primitives)).index_copy(0, kept, weights)


def _scales(edges: "Mapping[K, EdgeData]") -> dict[K, Tensor]:
    """Return the scale of each edge with a `beta`, softmax(beta)[place]; edges into a node share it."""
    betas = {id(edge.beta): edge.beta for edge in edges.values() if edge.has("beta")}
    scales = {key: torch.softmax(beta, dim=-1).unbind() for key, beta in betas.items()}
    return {key: scales[id(edge.beta)][edge.place] for key, edge in edges.items() if edge.has("beta")}
