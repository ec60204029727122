"""Perturbation-based selection of the architecture (DARTS-PT; Wang et al. 2021, arXiv:2108.04392)."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.mixed import ABSENT, nonzero_mask
from oneshot.parts.base import Part, PartSettings

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.methods.base import MetaOptimizer
    from oneshot.search.settings import SearchSettings

_UNDECIDED = -1
_CERTAIN = 30.0  # score of a selected candidate; with 0 for the others, its probability is 1 in float32


@dataclass(frozen=True)
class SelectionSettings(PartSettings):
    """Settings of the selection."""

    select: str = option(
        "strength",
        "selection of the architecture. strength: by the highest alphas; perturbation: after the search,"
        " edge by edge, the candidate whose removal lowers the validation accuracy most",
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

    edges: tuple[int, ...]  # numbers of the mixed edges into it
    removed: int  # number of these edges to remove


class _Cell(NamedTuple):
    """The edges and nodes of a cell and its copies that are to be decided, one at a time."""

    edges: tuple[int, ...]
    nodes: tuple[_Node, ...]


class Selection(Part[SelectionSettings]):
    """Perturbation-based selection: by the supernet's accuracy, not by the size of the alphas.

    After the last epoch of the search, a random edge of each kind of cell is decided. Each of its candidates
    is removed in turn: its weight is set to 0, the others keep theirs, and the supernet is evaluated on the
    validation images. The candidate whose removal lowers the accuracy most is selected. Weights and alphas
    are then trained for some epochs before the next edge is decided. If a space keeps only some edges into a
    node, as the DARTS space does, nodes are decided last: each edge into a node is left out in turn, and
    those that lower the accuracy most are kept. The last decision ends the search.

    Tuning starts without momentum and at a tenth of the learning rate, as in the authors' code for
    NAS-Bench-201. In their code for the DARTS space, this rate falls by a cosine.

    References
    ----------
    Wang et al. 2021, arXiv:2108.04392, section 4 and algorithm 1.
    """

    name = "selection"
    config_class = SelectionSettings

    def __init__(self, config: SelectionSettings | None = None) -> None:
        super().__init__(config)
        self._chosen: list[int] = []  # candidate of each distinct edge; empty before the first decision
        self._pruned: list[tuple[int, int]] = []  # cell and node of each decided node

    def join(self, method: "MetaOptimizer[Any]") -> None:
        if method.mixed([nn.Identity()]).samples:
            raise ConfigError(
                f"--select perturbation needs all candidates in each pass; {method.name} samples a path"
            )
        stopping = [part.name for part in method.parts if part.can_stop]
        if stopping:
            raise ConfigError(
                f"--select perturbation starts after the last epoch, but {stopping[0]} may stop earlier"
            )
        super().join(method)

    def check(self, settings: "SearchSettings") -> None:
        if settings.compile:
            raise ConfigError(
                "--select perturbation changes the supernet, so it cannot be combined with --compile"
            )

    # The decisions

    def _cells(self) -> list[_Cell]:
        """Return the decisions, in an order that depends only on the space."""
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
        """Select the candidate of an edge whose removal lowers the supernet's accuracy most."""
        edge, method = self._edges[number], self.method
        mask = nonzero_mask(edge.op)
        eligible = [k for k, nonzero in enumerate(mask.tolist()) if nonzero or method.may_select_none]
        results = {}
        for candidate in eligible:
            with _without(edge, candidate):
                results[candidate] = method.evaluate(batches)
        self._choose(number, min(results, key=lambda k: (results[k].accuracy, -results[k].loss)))

    def _decide_node(self, node: _Node, batches: Iterable[Batch]) -> None:
        """Remove the edges into a node that lower the accuracy least if they alone are removed."""
        results = {}
        for number in node.edges:
            kept = self._chosen[number]
            self._choose(number, self._zero(number))
            results[number] = self.method.evaluate(batches)
            self._choose(number, kept)
        weakest = sorted(node.edges, key=lambda n: (-results[n].accuracy, results[n].loss))
        for number in weakest[: node.removed]:
            self._choose(number, self._zero(number))

    def _zero(self, number: int) -> int:
        """Return the number of an edge's Zero candidate; ABSENT if it has none."""
        nonzero = nonzero_mask(self._edges[number].op)
        return ABSENT if nonzero.all() else int(nonzero.int().argmin())

    def _choose(self, number: int, candidate: int) -> None:
        self._chosen[number] = candidate
        for key in ("choice", "decided"):  # only the first is changed by evaluations of other paths
            self._edges[number].set(key, candidate, shared=True)

    def scores(self, edge: "EdgeData", scores: Tensor) -> Tensor:
        chosen = edge.get("decided", _UNDECIDED)
        if chosen in (_UNDECIDED, ABSENT):
            return scores
        return torch.zeros_like(scores).index_fill_(0, torch.tensor(chosen, device=scores.device), _CERTAIN)

    def edge_score(self, edge: "EdgeData", score: float) -> float:
        return -1.0 if edge.get("decided", _UNDECIDED) == ABSENT else score  # below every probability

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        return {"chosen": self._chosen, "pruned": self._pruned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._chosen, self._pruned = list(state["chosen"]), list(state["pruned"])
        for number, candidate in enumerate(self._chosen):
            if candidate != _UNDECIDED:
                self._choose(number, candidate)


@contextmanager
def _without(edge: "EdgeData", candidate: int) -> Iterator[None]:
    """Set the weight of a candidate to 0 at a mixed edge and its copies, within the block."""
    before = edge.offset if edge.has("offset") else None
    edge.op.eval()  # the mode of the evaluation
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
