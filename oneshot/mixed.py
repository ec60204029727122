"""Mixed operations: an edge's candidates, weighted. What a method adds is where the weights come from."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeVar

import torch
from torch import Tensor, nn

from nasbench.runs.checks import integer
from oneshot.errors import GraphError
from oneshot.ops import DropPath, Zero, add_up
from oneshot.partial import Bypass, with_channels

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData

K = TypeVar("K", bound=Hashable)
#: The `choice` of an edge that is left out: zeros of the candidates' shape, whether or not one is `Zero`.
ABSENT = -2  # not -1, which a mistaken index gives


class Mixing(NamedTuple):
    """How an edge, with all its copies, mixes its K candidates in one forward pass."""

    #: Shape (K,); None runs the sampled candidate as it is.
    weights: Tensor | None
    #: The number of the only candidate whose weight is not zero, if it is known that there is one, or ABSENT.
    drawn: int | None
    #: The sum of the other weights, a scalar 0, if it is added to the output.
    others: Tensor | None = None
    #: What the whole output of the edge is multiplied by, a scalar; None: nothing.
    scale: Tensor | None = None
    #: The numbers of the candidates that were not pruned; None: all of them.
    kept: tuple[int, ...] | None = None

    @property
    def inputs(self) -> list[Tensor]:
        """The tensors that a plan takes: weights (K,), or (K + 1,) if the last is a scale; and others."""
        given = [each for each in (self.weights, self.others) if each is not None]
        if self.scale is None or not given:
            return given
        weights, *others = (each * self.scale for each in given)
        return [torch.cat([weights, self.scale.reshape(1)]), *others]


class Mixture(nn.Module, ABC):
    """An edge's K candidates under weights that a subclass takes from the edge.

    The graph asks for `weights(edge)` once per forward pass for all edges that share the value `key`, and
    computes only the sampled candidate if one is. An edge whose data have a `choice`, a number in [0, K) or
    ABSENT, runs that candidate alone, as it is, or none. With a `bypass`, candidates take only some channels.

    >>> from oneshot.graph import Graph
    >>> from oneshot.ops import Identity, Zero
    >>> graph = Graph()
    >>> graph.add_edge(1, 2, op=MixedOp([Identity(), Zero()]), alpha=torch.zeros(2))
    >>> graph.parse()(torch.ones(1))
    tensor([0.5000])

    Parameters
    ----------
    primitives
        The candidates, one or more modules.

    Raises
    ------
    GraphError
        If there is no candidate.
    """

    #: The name of the edge's value that the weights depend on.
    key = "alpha"
    #: Whether each pass samples its weights, one of them 1 and all others 0.
    samples = False
    #: Whether only the candidate whose weight is 1 is computed.
    one_hot = False
    #: Whether the weights that are 0 are added to the output, for their gradients.
    adds_others = False

    def __init__(self, primitives: Iterable[nn.Module]) -> None:
        super().__init__()
        primitives = list(primitives)
        if not primitives:
            raise GraphError("a mixed operation has at least one candidate, got none")
        self.primitives = nn.ModuleList(primitives)
        #: The way of the other channels, if candidates have only some; a part sets it.
        self.bypass: Bypass | None
        self.register_module("bypass", None)
        #: Zeroes the mixture's output for some images; None: for none.
        self.drop_path: DropPath | None = None

    @abstractmethod
    def weights(self, edge: "EdgeData") -> Tensor:
        """Return the candidates' weights.

        Parameters
        ----------
        edge
            The data of one of the edges that share `key`.

        Returns
        -------
        Tensor
            Shape (K,), differentiable in what the edge holds.
        """

    def get_embedded_ops(self) -> list[nn.Module]:
        """Return the candidates."""
        return list(self.primitives)

    def discrete(self, number: int) -> nn.Module:
        """Return a candidate for all channels; if it has only some, another one with new weights."""
        op = self.primitives[number]
        return op if self.bypass is None else with_channels(op, Fraction(self.bypass.k))

    def bypassed(self, mixing: Mixing) -> "Bypass | None":
        """Return the way of the other channels; there is none where Zero was chosen for the whole edge."""
        if mixing.weights is None and mixing.drawn not in (None, ABSENT):
            return None if isinstance(self.primitives[mixing.drawn], Zero) else self.bypass
        return self.bypass

    def mix(self, x: Tensor, mixing: Mixing) -> Tensor:
        """Return the weighted sum of the candidates' outputs; a sampled candidate alone is computed."""
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
        """Raise GraphError: without an edge there are no weights."""
        raise GraphError(
            "a mixed operation gets its weights from an edge: place it in a graph and parse() that"
        )


class MixedOp(Mixture):
    """Candidates weighted by the softmax of the edge's `alpha` (DARTS, Liu et al. 2019, arXiv:1806.09055)."""

    def weights(self, edge: "EdgeData") -> Tensor:
        """Return softmax(alpha), shape (K,)."""
        return torch.softmax(edge.alpha, dim=-1)


class MixedEdge(NamedTuple):
    """An edge whose operation is mixed, and its place for messages."""

    op: Mixture
    edge: "EdgeData"
    where: str

    @property
    def key(self) -> Hashable:
        """Return a value that is equal for edges that share their mixing."""
        return type(self.op), self.edge.owner("choice" if self.edge.has("choice") else self.op.key)


def nonzero_mask(candidates: Mixture | Sequence[nn.Module]) -> Tensor:
    """Return a boolean mask (K,) of the candidates other than `Zero`; all True if there are none."""
    ops = candidates.get_embedded_ops() if isinstance(candidates, Mixture) else candidates
    mask = torch.tensor([not isinstance(op, Zero) for op in ops])
    return mask if mask.any() else ~mask


@contextmanager
def choosing(choices: Sequence[tuple["EdgeData", int]]) -> Iterator[None]:
    """Let mixed edges and their copies run one candidate each within the block.

    Parameters
    ----------
    choices
        Pairs of edge and number of the candidate.
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
    """Return the mixing of each edge under the edge's key; at most one transfer from the device."""
    weights: dict[K, Tensor] = {}
    drawn: dict[K, int] = {}
    for key, (mixture, edge, where) in edges.items():
        count = len(mixture.primitives)
        if edge.has("choice"):
            number: int | None = integer(edge.choice)
            if number is None or not (0 <= number < count or number == ABSENT):
                raise GraphError(f"{where}: a choice is a number in [0, {count - 1}], got {edge.choice!r}")
            drawn[key] = number
            continue
        if not edge.has(mixture.key):
            raise GraphError(f"{where} has no {mixture.key!r}, which its {type(mixture).__name__} mixes by")
        weights[key] = candidate_weights(mixture, edge)
        if edge.has("offset"):  # a perturbation, shape (K,)
            weights[key] = weights[key] + edge.offset
        if weights[key].shape != (count,):
            shape = tuple(weights[key].shape)
            raise GraphError(f"{where} has {count} candidates, but weights of shape {shape}")
    hard = [key for key in weights if edges[key].op.one_hot]
    if hard:
        tops = torch.stack([weights[key].detach().argmax() for key in hard]).tolist()
        drawn |= zip(hard, tops, strict=True)
    adding = [key for key in hard if edges[key].op.adds_others and weights[key].requires_grad]
    others = {key: weights[key].sum() - weights[key][drawn[key]] for key in adding}
    scales = _scales({key: edges[key].edge for key in weights})
    kept = {key: tuple(edges[key].edge.kept) for key in weights if edges[key].edge.has("kept")}
    return {
        key: Mixing(weights.get(key), drawn.get(key), others.get(key), scales.get(key), kept.get(key))
        for key in edges
    }


def candidate_weights(mixture: Mixture, edge: "EdgeData") -> Tensor:
    """Return the weights of an edge's candidates, shape (K,), as the edge's `kept` and `temperature` say.

    Only the candidates `kept`, a list of numbers, are mixed, all others have weight 0; alphas are divided by
    the `temperature`.
    """
    if not (edge.has("kept") or edge.has("temperature")):
        return mixture.weights(edge)
    from oneshot.graph.edge import EdgeData  # imported here because graphs import mixtures

    kept = torch.tensor(edge.get("kept", range(len(mixture.primitives))), device=edge.alpha.device)
    reduced = EdgeData()
    for name in edge:
        if name not in ("op", "alpha", "kept", "temperature"):
            reduced.set(name, edge[name])
    reduced.set("alpha", edge.alpha[kept] / edge.get("temperature", 1.0))
    weights = mixture.weights(reduced)
    return weights.new_zeros(len(mixture.primitives)).index_copy(0, kept, weights)


def _scales(edges: "Mapping[K, EdgeData]") -> dict[K, Tensor]:
    """Return the scale of each edge with a `beta`, the numbers of all edges into a node; `place`: its own."""
    betas = {id(edge.beta): edge.beta for edge in edges.values() if edge.has("beta")}
    scales = {key: torch.softmax(beta, dim=-1).unbind() for key, beta in betas.items()}
    return {key: scales[id(edge.beta)][edge.place] for key, edge in edges.items() if edge.has("beta")}
