"""Random search with weight sharing: random paths train one supernet, which then judges many more of them."""

from dataclasses import dataclass
from itertools import islice

import torch
from torch.nn.functional import one_hot

from nasbench.runs.settings import option, whole
from oneshot.errors import ConfigError, GraphError
from oneshot.methods.base import MetaOptimizer, SearchConfig, Step
from oneshot.mixed import Mixture, nonzero_mask
from oneshot.training.metrics import evaluate


@dataclass(frozen=True)
class RSWSConfig(SearchConfig):
    """Random search with weight sharing (Li & Talwalkar 2019, arXiv:1902.07638), counts as in their code."""

    epochs: int = option(250, "passes over the training half")  # NAS-Bench-201's authors' setting for it
    paths: int = option(1000, "random paths that are compared at the end")
    batches: int = option(10, "validation batches that paths are first compared on")
    finalists: int = option(10, "paths, the best of those, that are then compared on all validation batches")

    def __post_init__(self):
        super().__post_init__()
        for name in ("paths", "batches", "finalists"):
            whole(name, getattr(self, name), 1)


class PathMixedOp(Mixture):
    """One candidate, the one that the edge's `choice` names, as it is."""

    key = "choice"
    samples = one_hot = True

    def weights(self, edge):
        raise GraphError("an edge of random paths has a choice, which needs no weights; choose a candidate")


class RSWS(MetaOptimizer):
    """Each step trains one path, drawn uniformly; at the end, the best of many paths is the architecture.

    A path has one candidate at each edge, the same at all copies of the edge. Until `conclude`, the
    architecture is a champion: in each epoch a random challenger meets it on the epoch's first validation
    batches, at the weights of the time, and takes its place by being right more often. That says how the
    search goes, for some forward passes an epoch; it has no part in the training, nor in the end.
    """

    name = "random search with weight sharing"
    config_class = RSWSConfig

    def __init__(self, config=None, amp=False):
        super().__init__(config, amp)
        self._edges = []  # one of each searched edge's copies; a path is a number for each
        self._epoch = None
        self._rivals = []  # the champion, and its challenger once there is one: paths
        self._scores = []  # of each, accuracy by images in this epoch
        self._judged = 0  # batches in this epoch

    def mixed(self, primitives):
        return PathMixedOp(primitives)

    def add_alphas(self, edge):
        edge.set("choice", 0, shared=True)
        edge.set("best", 0, shared=True)

    def adapt_search_space(self, space, scope=None, device="cpu"):
        super().adapt_search_space(space, scope, device)
        found = {edge.owner("best"): edge for edge in self.graph.all_edges(self.scope) if edge.has("best")}
        self._edges = list(found.values())
        self._epoch, self._rivals, self._scores, self._judged = None, [self._eligible()], [0.0], 0
        self._set("best", self._rivals[0])
        self._set("choice", self._rivals[0])

    def strengths(self, edge):
        return one_hot(torch.tensor(edge.best), len(edge.op.primitives))

    def shares(self, edge):
        return self.strengths(edge).float()

    def new_epoch(self, epoch):
        if epoch != self._epoch:  # else it is one that a resumed search had begun
            self._epoch, self._judged = epoch, 0
            self._rivals, self._scores = [self._best(), self._eligible()], [0.0, 0.0]

    def step(self, data_train, data_val):
        self._set("choice", self._drawn())
        logits, loss = self.update(self.op_optimizer, self.weights, data_train)
        if len(self._rivals) > 1 and self._judged < self.config.batches:
            self._judge(data_val)
        self._set("choice", self._best())
        return Step(logits, None, loss, None)

    def _judge(self, data):
        self._judged += 1
        (count,) = self.group.sum_integers([len(data[1])])
        for number, path in enumerate(self._rivals):
            self._scores[number] += count * self._evaluated(path, [data]).accuracy
        self._set("best", self._rivals[self._scores.index(max(self._scores))])

    def conclude(self, batches, progress=None):
        """Compare random paths by accuracy: all on the first few batches, and the best of them on all.

        `batches` can be gone through again and again, as a list. As in the authors' code, but that all paths
        meet the same batches, that a path drawn again is not evaluated again, and that the loss decides
        between equals.
        """
        first = list(islice(iter(batches), self.config.batches))
        if not first:
            raise ConfigError("paths are compared on one validation batch or more, got none")
        paths = list(dict.fromkeys(tuple(self._eligible()) for _ in range(self.config.paths)))
        finalists = self._ranked(paths, first, progress)[: self.config.finalists]
        best = self._ranked(finalists, batches, progress)[0]
        self._rivals, self._scores = [list(best)], [0.0]
        self._set("best", best)
        self._set("choice", best)

    def _ranked(self, paths, batches, progress=None):
        """Paths, a list, the best on batches first."""
        shown = paths if progress is None else progress(paths, " paths")
        found = {path: self._evaluated(path, batches) for path in shown}
        return sorted(paths, key=lambda path: (-found[path].accuracy, found[path].loss))

    def _evaluated(self, path, batches):
        self._set("choice", path)
        return evaluate(self, batches)

    def _drawn(self):
        """A path of all there are, a list."""
        return self._path(self.graph.CHOOSES_NONE)

    def _eligible(self):
        """A path of those that the architecture may be, a list."""
        return self._path(self.chooses_none)

    def _path(self, none):
        """A path, a list; the edges that the space leaves out are drawn too, and are Zero."""
        numbers = {}  # of edges, at random; drawn where the space asks

        def strength(edge):
            owner = edge.owner("best")
            if owner not in numbers:
                numbers[owner] = float(torch.rand(()))
            return numbers[owner]

        weak = {edge.owner("best") for edge in self.graph.weak_edges(strength)}
        path = []
        for edge in self._edges:
            other = nonzero_mask(edge.op)
            allowed = torch.ones_like(other) if none else other
            if edge.owner("best") in weak and not other.all():
                allowed = ~other
            allowed = allowed.nonzero().flatten().tolist()
            path.append(allowed[int(torch.randint(len(allowed), ()))])
        return path

    def _best(self):
        return [edge.best for edge in self._edges]

    def _set(self, key, path):
        for edge, number in zip(self._edges, path, strict=True):
            edge.set(key, number, shared=True)

    def state_dict(self):
        return super().state_dict() | {
            "best": self._best(),
            "epoch": self._epoch,
            "rivals": self._rivals,
            "scores": self._scores,
            "judged": self._judged,
        }

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self._set("best", state["best"])
        self._set("choice", state["best"])
        self._epoch, self._judged = state["epoch"], state["judged"]
        self._rivals, self._scores = [list(path) for path in state["rivals"]], list(state["scores"])
