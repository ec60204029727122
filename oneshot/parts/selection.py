"""Edges decided one by one by the accuracy without a candidate (Wang et al. 2021, arXiv:2108.04392)."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.mixed import nonzero_mask
from oneshot.parts.base import Part, PartSettings

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.methods.base import MetaOptimizer
    from oneshot.search.settings import SearchSettings

_UNDECIDED = -1
_CERTAIN = 30.0  # the score of a decided candidate, others 0: a probability of 1 within float32


@dataclass(frozen=True)
class SelectionSettings(PartSettings):
    """Settings of the selection."""

    select: str = option(
        "strength",
        "how the architecture is selected. strength: the highest alphas; perturbation: after the search, edge"
        " after edge becomes the candidate whose removal lowers the validation accuracy most",
        choices=("strength", "perturbation"),
    )
    tune_epochs: int = option(
        5,  # section 4.1; the authors' code on NAS-Bench-201
        "epochs of training between two decisions of --select perturbation, in addition to --epochs",
        at_least=1,
    )

    @property
    def is_neutral(self) -> bool:
        return self.select == "strength"


class _Node(NamedTuple):
    """A node of a cell into which a space keeps only some edges."""

    #: Numbers of the mixed edges into it.
    edges: tuple[int, ...]
    #: How many of them go.
    removed: int


class _Cell(NamedTuple):
    """The decisions about a cell and its copies, of which one is made at a time."""

    edges: tuple[int, ...]
    nodes: tuple[_Node, ...]


class Selection(Part[SelectionSettings]):
    """Perturbation-based selection: the supernet's accuracy decides, not the size of the alphas.

    After the last epoch of the search, a random edge of each kind of cell is decided. Each of its candidates
    is left out in turn: its weight is set to 0, the others keep theirs, and the supernet is evaluated on the
    validation images. The candidate whose absence hurts most stays alone. Weights and alphas are trained for
    some epochs, and the next edge follows. Where a space keeps only some edges into a node, as the space of
    DARTS does, nodes are decided last: the edge whose removal hurts least goes first. The last decision ends
    the search.

    The weights' optimizer begins tuning without momentum and at a tenth of the learning rate, as in the
    authors' code for NAS-Bench-201. In their code for the space of DARTS that rate falls by a cosine.

    References
    ----------
    Wang et al. 2021, arXiv:2108.04392, section 4 and algorithm 1.
    """

    name = "selection"
    config_class = SelectionSettings

    def __init__(self, config: SelectionSettings | None = None) -> None:
        super().__init__(config)
        self._chosen: list[int] = []  # of each distinct edge; empty before the first decision
        self._pruned: list[tuple[int, int]] = []  # cell and node of each node that is decided

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if method.mixed([nn.Identity()]).samples:
            raise ConfigError(
                f"--select perturbation leaves candidates out of a mixture; {method.name} samples a path for"
                " each pass"
            )
        stopping = [part.name for part in method.parts if part.can_stop]
        if stopping:
            raise ConfigError(
                f"--select perturbation follows the last epoch of a search; {stopping[0]} may stop it before"
            )
        super().join(method)

    def check(self, settings: "SearchSettings") -> None:
        if settings.compile:
            raise ConfigError("--select perturbation changes the supernet; --compile would compile each")

    # The decisions

    def _cells(self) -> list[_Cell]:
        """Return the decisions, in an order that depends on the space alone."""
        graph, edges = self.method.graph, self._edges
        numbers = {edge.owner(edge.op.key): number for number, edge in enumerate(edges)}
        weak = {edge.owner(edge.op.key) for edge in graph.weak_edges(lambda edge: 0.0)}
        owners = {number: owner for owner, number in numbers.items()}
        cells, seen = [], set[int]()
        for cell in graph.graphs():
            arriving: dict[int, list[int]] = {}
            for _, target, edge in cell.edges(data=True):
                owner = edge.owner(edge.op.key) if edge.has("alpha") else None
                if owner in numbers and numbers[owner] not in seen:
                    arriving.setdefault(target, []).append(numbers[owner])
            new = [number for node in arriving.values() for number in node]
            seen |= set(new)
            nodes = [_Node(tuple(node), sum(owners[n] in weak for n in node)) for node in arriving.values()]
            if new:
                cells.append(_Cell(tuple(new), tuple(node for node in nodes if node.removed)))
        return cells

    @property
    def _edges(self) -> "list[EdgeData]":
        return self.method.supernet.searched_edges()

    def extra_epochs(self) -> int:
        decisions = max(len(cell.edges) + len(cell.nodes) for cell in self._cells())
        return (decisions - 1) * self.config.tune_epochs

    def new_epoch(self, epoch: int) -> None:
        config, optimizer = self.method.config, self.method.op_optimizer
        if epoch >= config.epochs:
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate / 10  # authors' code

    def end_epoch(self, epoch: int, data_train: Batch, data_val: Batch) -> str | None:
        tuned = epoch + 1 - self.method.config.epochs
        if tuned < 0 or tuned % self.config.tune_epochs:
            return None
        if tuned == 0:
            self._chosen = [_UNDECIDED] * len(self._edges)
            self.method.op_optimizer.state.clear()  # the momentum
        validation = self.method.validation
        batches = [data_val] if validation is None else validation()
        for number, cell in enumerate(self._cells()):
            left = [edge for edge in cell.edges if self._chosen[edge] == _UNDECIDED]
            nodes = [n for n in range(len(cell.nodes)) if (number, n) not in self._pruned]
            if left:
                self._decide_edge(left[int(torch.randint(len(left), ()))], batches)
            elif nodes:
                node = nodes[int(torch.randint(len(nodes), ()))]
                self._decide_node(cell.nodes[node], batches)
                self._pruned.append((number, node))
        return None

    def _decide_edge(self, number: int, batches: Iterable[Batch]) -> None:
        """Let an edge become the candidate without which the supernet is worst."""
        edge, method = self._edges[number], self.method
        mask = nonzero_mask(edge.op)
        eligible = [k for k, nonzero in enumerate(mask.tolist()) if nonzero or method.may_select_none]
        results = {}
        for candidate in eligible:
            with _without(edge, candidate):
                results[candidate] = method.evaluate(batches)
        self._choose(number, min(results, key=lambda k: (results[k].accuracy, -results[k].loss)))

    def _decide_node(self, node: _Node, batches: Iterable[Batch]) -> None:
        """Remove the edges into a node without which the supernet is best, one after the other."""
        left = list(node.edges)
        for _ in range(node.removed):
            results = {}
            for number in left:
                kept = self._chosen[number]
                self._choose(number, self._zero(number))
                results[number] = self.method.evaluate(batches)
                self._choose(number, kept)
            worst = max(results, key=lambda n: (results[n].accuracy, -results[n].loss))
            self._choose(worst, self._zero(worst))
            left.remove(worst)

    def _zero(self, number: int) -> int:
        """Return the number of an edge's candidate that is Zero."""
        return int(nonzero_mask(self._edges[number].op).int().argmin())

    def _choose(self, number: int, candidate: int) -> None:
        self._chosen[number] = candidate
        self._edges[number].set("choice", candidate, shared=True)

    def scores(self, edge: "EdgeData", scores: Tensor) -> Tensor:
        if not self._chosen:
            return scores
        key = edge.owner(edge.op.key)
        number = next(n for n, each in enumerate(self._edges) if each.owner(each.op.key) == key)
        chosen = self._chosen[number]
        if chosen == _UNDECIDED:
            return scores
        return torch.zeros_like(scores).index_fill_(0, torch.tensor(chosen, device=scores.device), _CERTAIN)

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        return {"chosen": self._chosen, "pruned": self._pruned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._chosen, self._pruned = list(state["chosen"]), list(state["pruned"])
        for number, candidate in enumerate(self._chosen):
            if candidate != _UNDECIDED:
                self._choose(number, candidate)


@contextmanager
def _without(edge: "EdgeData", candidate: int) -> Iterator[None]:
    """Let a mixed edge and its copies have no weight for a candidate, within the block."""
    before = edge.offset if edge.has("offset") else None
    edge.op.eval()  # as it is evaluated
    with torch.no_grad():
        weights = edge.op.weights(edge)
    offset = torch.zeros_like(weights) if before is None else before.detach().clone()
    offset[candidate] = -weights[candidate]
    edge.set("offset", offset, shared=True)
    try:
        yield
    finally:
        edge.op.train()
        if before is None:
            del edge["offset"]
        else:
            edge.set("offset", before, shared=True)
