"""The base of the methods that train one random path per pass, and compare trained paths at the end."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from data.loader import Batch
from oneshot.errors import ConfigError, GraphError
from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph, Scope
from oneshot.methods.base import Device, MetaOptimizer, ProgressBar, SearchConfig, Step
from oneshot.mixed import ABSENT, Mixture, nonzero_mask
from oneshot.parts.base import Part
from oneshot.training.metrics import Measured

Path = Sequence[int]  # the number of a candidate, or ABSENT, at each searched edge, one of its copies
Paths = list[tuple[int, ...]]


class PathConfig(SearchConfig, ABC):
    """Settings of a method of paths."""

    @property
    @abstractmethod
    def batches(self) -> int:
        """Validation batches that paths are compared on."""


P = TypeVar("P", bound=PathConfig)


class PathMixedOp(Mixture):
    """One candidate, the one that the edge's `choice` names, as it is."""

    key = "choice"
    samples = one_hot = True

    def weights(self, edge: EdgeData) -> NoReturn:
        raise GraphError("an edge of random paths has a choice, which needs no weights; choose a candidate")


@dataclass
class _Contest:
    """The comparison of a champion with a challenger, within an epoch."""

    epoch: int | None  # None before the first, and at the end
    rivals: list[list[int]]  # the champion's path, and the challenger's if there is one
    scores: list[float] = field(init=False)  # of each, the sum over images of its accuracy in this epoch
    judged: int = 0  # batches in this epoch

    def __post_init__(self) -> None:
        self.scores = [0.0] * len(self.rivals)


class PathMethod(MetaOptimizer[P]):
    """Random paths are trained; at the end, the best path that the method finds is the architecture.

    A path has one candidate at each edge, the same at all copies of the edge. Until `conclude`, the
    architecture is a champion: in each epoch a random challenger meets it on the epoch's first validation
    batches, at the current weights, and replaces it if it is right more often. That shows how the search
    proceeds, for some forward passes per epoch; it affects neither the training nor the end.
    """

    activation = None

    def __init__(self, config: P | None = None, amp: bool = False, parts: Sequence[Part[Any]] = ()) -> None:
        super().__init__(config, amp, parts)
        #: The searched edges, one of each one's copies.
        self.path_edges: list[EdgeData] = []
        self._contest = _Contest(None, [])

    def mixed(self, primitives: list[nn.Module]) -> PathMixedOp:
        return PathMixedOp(primitives)

    def add_alphas(self, edge: EdgeData) -> None:
        edge.set("choice", 0, shared=True)
        edge.set("best", 0, shared=True)

    # To be filled in by a method

    @abstractmethod
    def train_paths(self, data_train: Batch) -> tuple[Tensor, Tensor]:
        """Update the weights of one random path or several by a batch; return (logits, loss) of one."""

    @abstractmethod
    def find_path(
        self, first: Sequence[Batch], batches: Iterable[Batch], progress: ProgressBar | None
    ) -> Path:
        """Return the best path that is found; `first`: the first `config.batches` validation batches."""

    # The supernet

    def adapt_search_space(self, space: Graph, scope: Scope = None, device: Device = "cpu") -> None:
        super().adapt_search_space(space, scope, device)
        edges = {edge.owner("best"): edge for edge in self.graph.all_edges(self.scope) if edge.has("best")}
        self.path_edges = list(edges.values())
        champion = self.eligible_path()
        self._contest = _Contest(None, [champion])
        self._select(champion)

    def scores(self, edge: EdgeData) -> Tensor:
        count = len(edge.op.primitives)
        return torch.zeros(count) if edge.best == ABSENT else one_hot(torch.tensor(edge.best), count)

    def probabilities(self, edge: EdgeData) -> Tensor:
        return self.scores(edge).float()

    def new_epoch(self, epoch: int) -> None:
        if epoch != self._contest.epoch:  # else a resumed search had begun it
            self._contest = _Contest(epoch, [self._best_path(), self.eligible_path()])

    def step(self, data_train: Batch, data_val: Batch) -> Step:
        logits, loss = self.train_paths(data_train)
        if len(self._contest.rivals) > 1 and self._contest.judged < self.config.batches:
            self._judge(data_val)
        self.choose(self._best_path())
        return Step(logits, None, loss, None)

    def _judge(self, data: Batch) -> None:
        """Compare champion and challenger on one more batch."""
        contest = self._contest
        contest.judged += 1
        (count,) = self.group.sum_integers([len(data[1])])
        for number, path in enumerate(contest.rivals):
            contest.scores[number] += count * self.evaluate_path(path, [data]).accuracy
        self._set("best", contest.rivals[contest.scores.index(max(contest.scores))])

    def conclude(self, batches: Iterable[Batch], progress: ProgressBar | None = None) -> None:
        first = list(islice(iter(batches), self.config.batches))
        if not first:
            raise ConfigError("paths are compared on one validation batch or more, got none")
        best = self.find_path(first, batches, progress)
        self._contest = _Contest(self._contest.epoch, [list(best)], judged=self._contest.judged)
        self._select(best)

    def ranked(self, paths: Paths, batches: Iterable[Batch], progress: ProgressBar | None) -> Paths:
        """Return paths, the best on the batches first."""
        shown = paths if progress is None else progress(paths, "paths")
        results = {path: self.evaluate_path(path, batches) for path in shown}
        return sorted(paths, key=lambda path: (-results[path].accuracy, results[path].loss))

    def evaluate_path(self, path: Path, batches: Iterable[Batch]) -> Measured:
        self.choose(path)
        return self.evaluate(batches)

    # Paths

    def train_uniform_path(self, data_train: Batch) -> tuple[Tensor, Tensor]:
        """Train a path that is sampled uniformly of all that exist."""
        self.choose(self._sample_path(self.graph.CHOOSES_NONE))
        return self.train(data_train)

    def eligible_path(self) -> list[int]:
        """Sample a path of those that the architecture may be."""
        return self._sample_path(self.may_select_none)

    def _sample_path(self, with_none: bool) -> list[int]:
        """Sample a path; the edges that the space leaves out are sampled too, and are Zero or ABSENT."""
        numbers: dict[int, float] = {}  # of edges, at random; sampled when the space asks for them

        def random_score(edge: EdgeData) -> float:
            owner = edge.owner("best")
            if owner not in numbers:
                numbers[owner] = float(torch.rand(()))
            return numbers[owner]

        weak = self.weak_owners(random_score)
        path = []
        for edge in self.path_edges:
            allowed = self.allowed(edge, with_none, edge.owner("best") in weak)
            path.append(allowed[int(torch.randint(len(allowed), ()))])
        return path

    def weak_owners(self, score: Callable[[EdgeData], float]) -> set[int]:
        """Return the owners of `best` of the edges that the space leaves out by such scores of edges."""
        return {edge.owner("best") for edge in self.graph.weak_edges(score)}

    @staticmethod
    def allowed(edge: EdgeData, with_none: bool, weak: bool = False) -> list[int]:
        """Return the candidates' numbers that a path can have at an edge, ABSENT if there is none.

        `weak`: whether the space leaves the edge out.
        """
        nonzero = nonzero_mask(edge.op)
        if weak:
            return (~nonzero).nonzero().flatten().tolist() or [ABSENT]
        mask = torch.ones_like(nonzero) if with_none else nonzero
        return mask.nonzero().flatten().tolist()

    def choose(self, path: Path) -> None:
        """Let the supernet run a path from now on."""
        self._set("choice", path)

    def _best_path(self) -> list[int]:
        return [edge.best for edge in self.path_edges]

    def _set(self, key: str, path: Path) -> None:
        for edge, number in zip(self.path_edges, path, strict=True):
            edge.set(key, number, shared=True)

    def _select(self, path: Path) -> None:
        self._set("best", path)
        self._set("choice", path)

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        return super().state_dict() | {"best": self._best_path(), **vars(self._contest)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._select(state["best"])
        self._contest = _Contest(state["epoch"], [list(path) for path in state["rivals"]])
        self._contest.scores, self._contest.judged = list(state["scores"]), state["judged"]
