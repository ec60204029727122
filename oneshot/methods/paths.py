"""Base class of the methods that train one random path per pass and compare paths at the end."""

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

Path = Sequence[int]  # number of a candidate, or ABSENT, for each searched edge (copies count once)
Paths = list[tuple[int, ...]]


class PathConfig(SearchConfig, ABC):
    """Settings of a method that trains paths."""

    @property
    @abstractmethod
    def batches(self) -> int:
        """Number of validation batches that paths are compared on."""


P = TypeVar("P", bound=PathConfig)


class PathMixedOp(Mixture):
    """The candidate whose number is the edge's `choice`, with weight 1."""

    key = "choice"
    samples = one_hot = True

    def weights(self, edge: EdgeData) -> NoReturn:
        raise GraphError("edges of random paths have no weights; set the edge's choice to a candidate")


@dataclass
class _Contest:
    """The comparison of a champion with a challenger, within an epoch."""

    epoch: int | None  # None before the first epoch and after the last
    rivals: list[list[int]]  # the champion's path, and the challenger's if there is one
    scores: list[float] = field(init=False)  # each rival's accuracy, summed over the images of this epoch
    judged: int = 0  # batches compared in this epoch

    def __post_init__(self) -> None:
        self.scores = [0.0] * len(self.rivals)


class PathMethod(MetaOptimizer[P]):
    """A method that trains random paths and selects the best path found at the end.

    A path has one candidate at each edge, the same at all copies of the edge. Until `conclude`, the
    architecture is a champion: in each epoch a random challenger is compared with it on the epoch's first
    validation batches, at the current weights, and replaces it if its accuracy is higher. This shows the
    progress of the search at the cost of some forward passes per epoch; it affects neither the training nor
    the final selection.

    Parameters
    ----------
    config, amp, parts
        As for `MetaOptimizer`.
    """

    activation = None

    def __init__(self, config: P | None = None, amp: bool = False, parts: Sequence[Part[Any]] = ()) -> None:
        super().__init__(config, amp, parts)
        #: The searched edges, one copy of each.
        self.path_edges: list[EdgeData] = []
        self._contest = _Contest(None, [])

    def mixed(self, primitives: list[nn.Module]) -> PathMixedOp:
        return PathMixedOp(primitives)

    def add_alphas(self, edge: EdgeData) -> None:
        edge.set("choice", 0, shared=True)
        edge.set("best", 0, shared=True)

    # To be implemented by subclasses

    @abstractmethod
    def train_paths(self, data_train: Batch) -> tuple[Tensor, Tensor]:
        """Update the weights of one or more random paths by the batch `data_train`.

        Parameters
        ----------
        data_train
            Images, float32 ``(N, 3, H, W)``, and labels, int64 ``(N,)``.

        Returns
        -------
        tuple of Tensor
            Logits, shape ``(N, classes)``, and loss of the first path.
        """

    @abstractmethod
    def find_path(
        self, first: Sequence[Batch], batches: Iterable[Batch], progress: ProgressBar | None
    ) -> Path:
        """Search for the best path on the trained supernet.

        Parameters
        ----------
        first
            The first `config.batches` validation batches.
        batches
            All validation batches.
        progress
            Progress bar; None for no bar.

        Returns
        -------
        Path
            The best path found.
        """

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
        if epoch != self._contest.epoch:  # equal if a search is resumed within the epoch
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
            raise ConfigError("comparing paths needs at least one validation batch, got none")
        best = self.find_path(first, batches, progress)
        self._contest = _Contest(self._contest.epoch, [list(best)], judged=self._contest.judged)
        self._select(best)

    def ranked(self, paths: Paths, batches: Iterable[Batch], progress: ProgressBar | None) -> Paths:
        """Return `paths`, the best on `batches` first; `progress` shows a bar, None for no bar."""
        shown = paths if progress is None else progress(paths, "paths")
        results = {path: self.evaluate_path(path, batches) for path in shown}
        return sorted(paths, key=lambda path: (-results[path].accuracy, results[path].loss))

    def evaluate_path(self, path: Path, batches: Iterable[Batch]) -> Measured:
        """Choose `path`, and return its loss and accuracy on `batches`."""
        self.choose(path)
        return self.evaluate(batches)

    # Paths

    def train_uniform_path(self, data_train: Batch) -> tuple[Tensor, Tensor]:
        """Train a uniformly sampled path by the batch `data_train`; return (logits, loss)."""
        self.choose(self._sample_path(self.graph.CHOOSES_NONE))
        return self.train(data_train)

    def eligible_path(self) -> list[int]:
        """Sample a path that may become the architecture."""
        return self._sample_path(self.may_select_none)

    def _sample_path(self, with_none: bool) -> list[int]:
        """Sample a path; the edges that the space leaves out are also sampled, and are Zero or ABSENT."""
        scores: dict[int, float] = {}  # random scores by owner, sampled when the space needs them

        def random_score(edge: EdgeData) -> float:
            owner = edge.owner("best")
            if owner not in scores:
                scores[owner] = float(torch.rand(()))
            return scores[owner]

        weak = self.weak_owners(random_score)
        path = []
        for edge in self.path_edges:
            allowed = self.allowed(edge, with_none, edge.owner("best") in weak)
            path.append(allowed[int(torch.randint(len(allowed), ()))])
        return path

    def weak_owners(self, score: Callable[[EdgeData], float]) -> set[int]:
        """Return the owners of `best` of the edges that the space leaves out, given the `score` of each."""
        return {edge.owner("best") for edge in self.graph.weak_edges(score)}

    @staticmethod
    def allowed(edge: EdgeData, with_none: bool, weak: bool = False) -> list[int]:
        """Return the numbers of the candidates that a path can have at an edge.

        Parameters
        ----------
        edge
            A searched edge.
        with_none
            Whether `none` is allowed.
        weak
            Whether the space leaves the edge out; it is then Zero, or ABSENT if there is no Zero.
        """
        nonzero = nonzero_mask(edge.op)
        if weak:
            return (~nonzero).nonzero().flatten().tolist() or [ABSENT]
        mask = torch.ones_like(nonzero) if with_none else nonzero
        return mask.nonzero().flatten().tolist()

    def choose(self, path: Path) -> None:
        """Let the supernet run `path` from now on."""
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
