"""Random search with weight sharing: random paths train one supernet, which then ranks many more of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.errors import ConfigError, GraphError
from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph, Scope
from oneshot.methods.base import Device, MetaOptimizer, ProgressBar, SearchConfig, Step
from oneshot.mixed import Mixture, nonzero_mask
from oneshot.parts.base import Part
from oneshot.training.metrics import Measured

Path = Sequence[int]  # the number of a candidate at each searched edge, one of its copies
Paths = list[tuple[int, ...]]


@dataclass(frozen=True)
class RSWSConfig(SearchConfig):
    """Random search with weight sharing (Li & Talwalkar 2019, arXiv:1902.07638), counts as in their code."""

    # the setting of NAS-Bench-201's authors for it
    epochs: int = option(250, "passes over the training half", at_least=1)
    paths: int = option(1000, "random paths that are compared at the end", at_least=1)
    batches: int = option(10, "validation batches that paths are first compared on", at_least=1)
    finalists: int = option(
        10, "paths, the best of those, that are then compared on all validation batches", at_least=1
    )


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


class RSWS(MetaOptimizer[RSWSConfig]):
    """Random paths are trained, one per step; at the end, the best of many paths is the architecture.

    A path has one candidate at each edge, the same at all copies of the edge, and is sampled uniformly. Until
    `conclude`, the architecture is a champion: in each epoch a random challenger meets it on the epoch's
    first validation batches, at the current weights, and replaces it if it is right more often. That shows
    how the search proceeds, for some forward passes per epoch; it affects neither the training nor the end.

    References
    ----------
    Li & Talwalkar 2019, arXiv:1902.07638.
    """

    name = "random search with weight sharing"
    config_class = RSWSConfig

    def __init__(
        self, config: RSWSConfig | None = None, amp: bool = False, parts: Sequence[Part[Any]] = ()
    ) -> None:
        super().__init__(config, amp, parts)
        self._edges: list[EdgeData] = []  # one of each searched edge's copies
        self._contest = _Contest(None, [])

    def mixed(self, primitives: list[nn.Module]) -> PathMixedOp:
        return PathMixedOp(primitives)

    def add_alphas(self, edge: EdgeData) -> None:
        edge.set("choice", 0, shared=True)
        edge.set("best", 0, shared=True)

    def adapt_search_space(self, space: Graph, scope: Scope = None, device: Device = "cpu") -> None:
        super().adapt_search_space(space, scope, device)
        edges = {edge.owner("best"): edge for edge in self.graph.all_edges(self.scope) if edge.has("best")}
        self._edges = list(edges.values())
        champion = self._eligible_path()
        self._contest = _Contest(None, [champion])
        self._select(champion)

    def scores(self, edge: EdgeData) -> Tensor:
        return one_hot(torch.tensor(edge.best), len(edge.op.primitives))

    def probabilities(self, edge: EdgeData) -> Tensor:
        return self.scores(edge).float()

    def new_epoch(self, epoch: int) -> None:
        if epoch != self._contest.epoch:  # else a resumed search had begun it
            self._contest = _Contest(epoch, [self._best_path(), self._eligible_path()])

    def step(self, data_train: Batch, data_val: Batch) -> Step:
        self._set("choice", self._training_path())
        logits, loss = self.train(data_train)
        if len(self._contest.rivals) > 1 and self._contest.judged < self.config.batches:
            self._judge(data_val)
        self._set("choice", self._best_path())
        return Step(logits, None, loss, None)

    def _judge(self, data: Batch) -> None:
        """Compare champion and challenger on one more batch."""
        contest = self._contest
        contest.judged += 1
        (count,) = self.group.sum_integers([len(data[1])])
        for number, path in enumerate(contest.rivals):
            contest.scores[number] += count * self._evaluate_path(path, [data]).accuracy
        self._set("best", contest.rivals[contest.scores.index(max(contest.scores))])

    def conclude(self, batches: Iterable[Batch], progress: ProgressBar | None = None) -> None:
        """Compare random paths by accuracy: all on the first few batches, the best of them on all batches.

        As in the authors' code, except that all paths meet the same batches, that a path sampled again is not
        evaluated again, and that the loss breaks ties. ConfigError without a batch.
        """
        first = list(islice(iter(batches), self.config.batches))
        if not first:
            raise ConfigError("paths are compared on one validation batch or more, got none")
        paths = list(dict.fromkeys(tuple(self._eligible_path()) for _ in range(self.config.paths)))
        finalists = self._ranked(paths, first, progress)[: self.config.finalists]
        best = self._ranked(finalists, batches, progress)[0]
        self._contest = _Contest(self._contest.epoch, [list(best)], judged=self._contest.judged)
        self._select(best)

    def _ranked(self, paths: Paths, batches: Iterable[Batch], progress: ProgressBar | None) -> Paths:
        """Return paths, the best on the batches first."""
        shown = paths if progress is None else progress(paths, "paths")
        results = {path: self._evaluate_path(path, batches) for path in shown}
        return sorted(paths, key=lambda path: (-results[path].accuracy, results[path].loss))

    def _evaluate_path(self, path: Path, batches: Iterable[Batch]) -> Measured:
        self._set("choice", path)
        return self.evaluate(batches)

    def _training_path(self) -> list[int]:
        """Sample a path of all that exist."""
        return self._sample_path(self.graph.CHOOSES_NONE)

    def _eligible_path(self) -> list[int]:
        """Sample a path of those that the architecture may be."""
        return self._sample_path(self.may_select_none)

    def _sample_path(self, with_none: bool) -> list[int]:
        """Sample a path; the edges that the space leaves out are sampled too, and are Zero."""
        numbers: dict[int, float] = {}  # of edges, at random; sampled when the space asks for them

        def random_score(edge: EdgeData) -> float:
            owner = edge.owner("best")
            if owner not in numbers:
                numbers[owner] = float(torch.rand(()))
            return numbers[owner]

        weak = {edge.owner("best") for edge in self.graph.weak_edges(random_score)}
        path = []
        for edge in self._edges:
            nonzero = nonzero_mask(edge.op)
            mask = torch.ones_like(nonzero) if with_none else nonzero
            if edge.owner("best") in weak and not nonzero.all():
                mask = ~nonzero
            allowed = mask.nonzero().flatten().tolist()
            path.append(allowed[int(torch.randint(len(allowed), ()))])
        return path

    def _best_path(self) -> list[int]:
        return [edge.best for edge in self._edges]

    def _set(self, key: str, path: Path) -> None:
        for edge, number in zip(self._edges, path, strict=True):
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
