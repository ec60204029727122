"""Base class of all methods: mix a supernet, update its weights and alphas, read its architecture."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Protocol, Self, TypeVar, overload

import torch
from torch import Tensor, nn
from torch.autograd import grad
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from data.loader import Batch
from oneshot.errors import ConfigError, GraphError
from oneshot.graph.edge import EdgeData
from oneshot.graph.graph import Graph, Neighbours, Scope
from oneshot.methods.config import AlphaConfig as AlphaConfig
from oneshot.methods.config import SearchConfig as SearchConfig
from oneshot.methods.supernet import Supernet
from oneshot.mixed import ABSENT, Mixture, choosing, nonzero_mask
from oneshot.parts.base import Part
from oneshot.training.distributed import ProcessGroup
from oneshot.training.metrics import Measured, Outcome, precise
from oneshot.training.sync_norm import synchronize

C = TypeVar("C", bound=SearchConfig)
T = TypeVar("T")
Device = str | torch.device
Parameters = list[nn.Parameter]
Penalty = Callable[[], Tensor | float]  # a term that is added to a loss
Activation = Literal["softmax", "sigmoid", "dirichlet"]


class Step(NamedTuple):
    """Logits and losses of a step, before its updates."""

    #: Shape ``(N, classes)``.
    logits_train: Tensor
    #: Shape ``(N, classes)``; None if the method used no validation images.
    logits_val: Tensor | None
    #: A scalar.
    train_loss: Tensor
    #: A scalar; None if the method used no validation images.
    val_loss: Tensor | None


class ProgressBar(Protocol):
    """A function that yields items and shows how many of them are done."""

    def __call__(self, items: Sequence[T], unit: str) -> Iterable[T]: ...


class _FromSupernet(Generic[T]):
    """An attribute that is read from the supernet, unless a method that builds its own graph has set it."""

    def __init__(self, read: Callable[[Supernet], T]) -> None:
        self._read = read

    @overload
    def __get__(self, method: None, _: object) -> Self: ...

    @overload
    def __get__(self, method: "MetaOptimizer[Any]", _: object) -> T: ...

    def __get__(self, method: "MetaOptimizer[Any] | None", _: object) -> Self | T:  # Any: its config
        return self if method is None else self._read(method.supernet)


class MetaOptimizer(ABC, Generic[C]):
    """A method that builds the supernet of a space, trains it step by step and selects the architecture.

    >>> from oneshot.methods.darts import DARTS
    >>> from oneshot.spaces.nb201 import NasBench201SearchSpace, read_cell
    >>> method = DARTS()
    >>> method.adapt_search_space(NasBench201SearchSpace(channels=2, cells=1))
    >>> images, labels = torch.randn(8, 3, 8, 8), torch.arange(8)
    >>> step = method.step((images, labels), (images, labels))
    >>> len(read_cell(method.get_final_architecture()).ops)
    6

    A subclass is generic in its settings. It defines how an edge's candidates are mixed (`mixed`), which data
    is stored on an edge (`add_alphas`), and what a step does (`step`). The space itself is not modified.

    Parameters
    ----------
    config
        Settings of the method; by default, the defaults of `config_class`.
    amp
        Whether to compute in bfloat16 where it is safe; weights and alphas stay float32.
    parts
        Parts to add to the method; see `oneshot.parts`.

    Raises
    ------
    ConfigError
        If a part cannot be combined with this method.
    """

    #: Name in reports.
    name: ClassVar[str]
    #: The class of the settings.
    config_class: type[C]
    #: How alphas determine the weights of an edge's candidates; None without alphas.
    activation: ClassVar[Activation | None] = "softmax"
    #: Whether the weights have a temperature, which depends on the epoch.
    has_temperature: ClassVar[bool] = False

    #: The supernet's graph.
    graph = _FromSupernet(lambda supernet: supernet.graph)
    #: The graphs in it whose edges are searched.
    scope = _FromSupernet(lambda supernet: supernet.scope)
    #: The weights, without the alphas.
    weights = _FromSupernet(lambda supernet: supernet.weights)
    #: The alphas as a module.
    architectural_weights = _FromSupernet(lambda supernet: supernet.architectural_weights)
    #: The alphas.
    alphas = _FromSupernet(lambda supernet: supernet.alphas)
    #: The optimizer of the weights.
    op_optimizer = _FromSupernet(lambda supernet: supernet.op_optimizer)
    #: The optimizer of the alphas; None without alphas.
    arch_optimizer = _FromSupernet(lambda supernet: supernet.arch_optimizer)
    #: The schedule of the weights' learning rate; it steps after each epoch.
    schedule = _FromSupernet(lambda supernet: supernet.schedule)

    def __init__(
        self,
        config: C | None = None,
        amp: bool = False,
        parts: Sequence[Part[Any]] = (),  # each has its own settings
    ) -> None:
        self.config: C = self.config_class() if config is None else config
        self.amp = amp
        #: The parts of the method.
        self.parts = tuple(parts)
        self.loss: Callable[[Tensor, Tensor], Tensor] = nn.CrossEntropyLoss()
        #: The processes that search together, each with a part of every batch.
        self.group = ProcessGroup()
        #: Returns the validation half in batches, for parts that evaluate the supernet; None if unknown.
        self.validation: Callable[[], Iterable[Batch]] | None = None
        #: Returns the space as a new graph, for parts that rebuild the supernet; None if unknown.
        self.build_space: Callable[[], Graph] | None = None
        self._supernet: Supernet | None = None
        for part in self.parts:
            part.join(self)

    @property
    def supernet(self) -> Supernet:
        """The supernet; raises GraphError before `adapt_search_space`."""
        if self._supernet is None:
            raise GraphError(f"{self.name} has no supernet yet; adapt_search_space(space) builds it")
        return self._supernet

    @property
    def validates_present_weights(self) -> bool:
        """Whether the alphas' gradient is the gradient of the validation loss at the current weights."""
        return True

    # To be implemented by subclasses

    @abstractmethod
    def mixed(self, primitives: list[nn.Module]) -> Mixture:
        """Return the Mixture of an edge's candidates, `primitives`."""

    def add_alphas(self, edge: EdgeData) -> None:
        """Set the data by which `edge` and its copies are mixed; called once for all copies."""
        alpha = 1e-3 * torch.randn(len(edge.op))  # as in the authors' code of the methods
        edge.set("alpha", nn.Parameter(alpha), shared=True)

    @abstractmethod
    def step(self, data_train: Batch, data_val: Batch) -> Step:
        """Update weights and alphas by a batch of each half.

        Parameters
        ----------
        data_train, data_val
            Images, float32 ``(N, 3, H, W)``, and labels, int64 ``(N,)``, of the training and the validation
            half.

        Returns
        -------
        Step
            Logits and losses before the updates.
        """

    def new_epoch(self, epoch: int) -> None:  # noqa: B027
        """Update what depends on `epoch`, counted from 0; called at its start and when it is resumed."""

    def conclude(self, batches: Iterable[Batch], progress: ProgressBar | None = None) -> None:  # noqa: B027
        """Select the architecture after the last epoch, if the method does so only at the end.

        Parameters
        ----------
        batches
            Validation batches (images, labels); can be iterated over several times, like a list.
        progress
            Progress bar for long work; None for no bar.
        """

    def scores(self, edge: EdgeData) -> Tensor:
        """Return the score of each of the edge's K candidates, shape (K,); the highest is selected."""
        scores: Tensor = edge.alpha.detach()
        return scores

    def expected_weights(self, edge: EdgeData) -> Tensor:
        """Return the expected weights of an edge's K candidates, shape (K,), differentiable in the alphas."""
        return torch.softmax(edge.alpha, dim=-1)

    def final_scores(self, edge: EdgeData) -> Tensor:
        """Return the scores of an edge's candidates, as changed by the parts, shape (K,)."""
        scores = self.scores(edge)
        for part in self.parts:
            scores = part.scores(edge, scores)
        return scores

    def probabilities(self, edge: EdgeData) -> Tensor:
        """Return the scores of an edge's candidates as probabilities, shape (K,), for comparing edges."""
        return torch.softmax(self.final_scores(edge), dim=-1)

    # Epochs

    def begin_epoch(self, epoch: int) -> None:
        """Update what depends on `epoch`, counted from 0, in the method and its parts."""
        for part in self.parts:
            part.prepare_epoch(epoch)
        self.new_epoch(epoch)
        for part in self.parts:
            part.new_epoch(epoch)

    def end_epoch(self, epoch: int, data_train: Batch, data_val: Batch) -> str | None:
        """End an epoch, and return why a part stops the search.

        Parameters
        ----------
        epoch
            Number of the epoch, counted from 0.
        data_train, data_val
            The last batches (images, labels) of the epoch.

        Returns
        -------
        str or None
            Reason for the stop; None to continue.
        """
        reasons = [part.end_epoch(epoch, data_train, data_val) for part in self.parts]
        return next((reason for reason in reasons if reason is not None), None)

    # The supernet

    def adapt_search_space(self, space: Graph, scope: Scope = None, device: Device = "cpu") -> None:
        """Build the supernet of a space.

        Parameters
        ----------
        space
            Unparsed Graph whose edges have lists of candidates.
        scope
            The graphs in it to search; by default the space's `OPTIMIZER_SCOPE`.
        device
            Device of the supernet.

        Raises
        ------
        GraphError
            If no edge in scope has candidates, or an edge outside the scope has some.
        """
        graph, config = space.clone(), self.config
        scope = scope or graph.OPTIMIZER_SCOPE
        if not any(isinstance(op, (list, tuple)) for op in graph.get_all_edge_data("op", scope, True)):
            name = graph.name
            raise GraphError(f"{name} has no edge with a list of candidates in scope: nothing to search")
        for part in self.parts:
            graph.update_edges(_if_candidates(_on_candidates(part.candidates)), scope)
        for add_data in (self.add_alphas, *(part.add_data for part in self.parts)):
            graph.update_edges(_if_candidates(add_data), scope, private_edge_data=False)
        for part in self.parts:
            graph.update_nodes(_on_edges(part.add_node_data), scope)
        graph.update_edges(_if_candidates(_on_candidates(self._mixture)), scope)
        graph = graph.parse().to(device).train()
        if torch.device(device).type != "cpu":
            # the memory format of images in plans, so that weights are not copied in each step
            graph = graph.to(memory_format=torch.channels_last)
        keys = ("alpha", *(key for part in self.parts for key in part.parameter_keys))
        alphas = nn.ParameterList(value for key in keys for value in graph.get_all_edge_data(key, scope))
        rate, decay = config.learning_rate, config.weight_decay
        op_optimizer = SGD(
            graph.parameters(),
            rate,
            config.momentum,
            weight_decay=decay,
            nesterov=config.nesterov,
            foreach=True,
        )
        schedule = CosineAnnealingLR(op_optimizer, config.epochs, config.learning_rate_min)
        arch_optimizer = self._arch_optimizer(alphas) if len(alphas) else None
        self._supernet = Supernet(graph, scope, alphas, op_optimizer, arch_optimizer, schedule)

    def _mixture(self, primitives: list[nn.Module]) -> Mixture:
        mixture = self.mixed(primitives)
        for part in self.parts:
            part.change_mixture(mixture)
        return mixture

    def _arch_optimizer(self, alphas: nn.ParameterList) -> Optimizer:
        rate, decay = self._alpha_config.arch_learning_rate, self._alpha_config.arch_weight_decay
        betas = 0.5, 0.999  # Liu et al. 2019, section 3.1
        return Adam(alphas.parameters(), rate, betas, weight_decay=decay, foreach=True)

    def require_alphas(self, reason: str) -> None:
        """Raise a ConfigError with `reason` unless the method has alphas."""
        if not isinstance(self.config, AlphaConfig):
            raise ConfigError(f"{reason}; {self.name} has none")

    @property
    def _alpha_config(self) -> AlphaConfig:
        if not isinstance(self.config, AlphaConfig):
            rule, kind = "so its settings must derive from AlphaConfig", type(self.config).__name__
            raise ConfigError(f"{self.name} has alphas, {rule}, got {kind}")
        return self.config

    def compile(self) -> None:
        """Run the supernet through torch.compile from now on; on CUDA, launch its kernels as one graph.

        Raises
        ------
        ConfigError
            If mixtures are `one_hot`, because each sampled path would be compiled separately.
        """
        if any(edge.op.one_hot for edge in self.supernet.mixed_edges()):
            raise ConfigError(f"{self.name} cannot be compiled: it samples a new path at each step")
        self.supernet.captured = any(parameter.is_cuda for parameter in self.weights)
        self.graph.compile(mode="reduce-overhead" if self.supernet.captured else None)

    def distribute(self, group: ProcessGroup) -> None:
        """Search together with other processes, each of which has a part of every batch.

        Gradients and normalizations are computed over the whole batch. Call this before `compile` and the
        first step.

        Parameters
        ----------
        group
            The processes.

        Raises
        ------
        ConfigError
            If a part does not support several processes.
        """
        for part in self.parts:
            part.distribute(group)
        self.group = group
        synchronize(self.graph, group)
        group.broadcast([*self.graph.parameters(), *self.graph.buffers(), *self.alphas])

    def logits(self, images: Tensor, amp: bool | None = None) -> Tensor:
        """Return the supernet's logits.

        Parameters
        ----------
        images
            Shape ``(N, 3, H, W)``.
        amp
            Whether to compute in bfloat16; by default as the method was created.

        Returns
        -------
        Tensor
            Shape ``(N, classes)``, float32; float64 if the supernet is float64.
        """
        captured = self.supernet.captured
        if captured:  # this pass may overwrite the output of the last one
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # torch's
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.amp if amp is None else amp):
            logits: Tensor = self.graph(images)
        return precise(logits.clone() if captured else logits)

    @torch.no_grad()
    def evaluate(self, batches: Iterable[Batch]) -> Measured:
        """Return loss and accuracy of the current supernet.

        Parameters
        ----------
        batches
            Batches (images, labels); with several processes, each process's part of them.

        Returns
        -------
        Measured
            Mean loss and accuracy in percent over the images of all processes.
        """
        total = torch.zeros(3, dtype=torch.float64)
        self.graph.eval()
        try:
            for images, labels in batches:
                logits = self.logits(images)
                outcome = Outcome(logits, cross_entropy(logits, labels), labels)
                total = total.to(images.device) + outcome.sums()
        finally:
            self.graph.train()
        return Measured.from_sums(*self.group.sum(total).tolist())

    # Updates

    def two_updates(
        self,
        data_train: Batch,
        data_val: Batch,
        penalty: Penalty | None = None,
        gradients: Callable[[Penalty | None], tuple[Tensor, Tensor, list[Tensor]]] | None = None,
    ) -> Step:
        """Update alphas on the validation loss and weights on the training loss, in the config's order.

        Parameters
        ----------
        data_train, data_val
            Batches (images, labels).
        penalty
            Function that returns a term to add to the validation loss, in addition to the parts' penalties.
        gradients
            Function that returns logits, loss and gradients of the alphas, given the sum of all penalties;
            with it, alphas are updated first. By default, gradients of the validation loss at the current
            weights.

        Returns
        -------
        Step
            Logits and losses before each update.
        """
        total = self._total_penalty(penalty)

        def update_alphas() -> tuple[Tensor | None, Tensor | None]:
            if not self._updates_alphas():
                return None, None
            if gradients is None:
                return self.update(self.alpha_optimizer, self.alphas, data_val, total)
            logits, loss, alpha_gradients = gradients(total)
            self.descend(self.alpha_optimizer, self.alphas, alpha_gradients)
            return logits, loss

        if self._alpha_config.first == "alphas" or gradients is not None:
            (logits_val, val_loss), (logits_train, train_loss) = update_alphas(), self.train(data_train)
        else:
            (logits_train, train_loss), (logits_val, val_loss) = self.train(data_train), update_alphas()
        return Step(logits_train, logits_val, train_loss, val_loss)

    def joint_update(self, data_train: Batch) -> Step:
        """Update weights and alphas by the gradients of one pass over `data_train`; return the Step."""
        if not self._updates_alphas():
            logits, loss = self.train(data_train)
            return Step(logits, None, loss, None)
        parameters = [*self.weights, *self.alphas]
        with self.during_weights(data_train):
            logits, loss, gradients = self.gradients(data_train, parameters, self._total_penalty())
        count = len(self.weights)
        self.descend(self.op_optimizer, self.weights, gradients[:count])
        self.descend(self.alpha_optimizer, self.alphas, gradients[count:])
        return Step(logits, None, loss, None)

    def _updates_alphas(self) -> bool:
        return all(part.updates_alphas() for part in self.parts)

    def _total_penalty(self, penalty: Penalty | None = None) -> Penalty | None:
        """Return the sum of a penalty and the parts' penalties; None if there are none."""
        penalties = [] if penalty is None else [penalty]
        penalties += [part.alpha_penalty for part in self.parts if part.has_alpha_penalty]
        return (lambda: sum(term() for term in penalties)) if penalties else None

    def train(self, data_train: Batch) -> tuple[Tensor, Tensor]:
        """Update the weights by the batch `data_train`, as changed by the parts; return (logits, loss)."""
        with self.during_weights(data_train):
            return self.update(self.op_optimizer, self.weights, data_train)

    @contextmanager
    def during_weights(self, data_train: Batch) -> Iterator[None]:
        """Apply, within the block, the parts' changes for updating the weights by `data_train`."""
        with ExitStack() as stack:
            for part in self.parts:
                stack.enter_context(part.during_weights(data_train))
            yield

    @property
    def alpha_optimizer(self) -> Optimizer:
        """The optimizer of the alphas; raises GraphError without alphas."""
        if self.arch_optimizer is None:
            raise GraphError(f"{self.name} has no alphas to update; add_alphas() sets none")
        return self.arch_optimizer

    def update(
        self, optimizer: Optimizer, parameters: Parameters, data: Batch, penalty: Penalty | None = None
    ) -> tuple[Tensor, Tensor]:
        """Take one step of an optimizer by the gradients of the loss on a batch.

        Parameters
        ----------
        optimizer
            Optimizer of `parameters`.
        parameters
            Weights or alphas.
        data
            A batch (images, labels).
        penalty
            Function that returns a term to add to the loss.

        Returns
        -------
        tuple of Tensor
            Logits, shape ``(N, classes)``, and loss, before the step, detached.
        """
        of_alphas = optimizer is self.arch_optimizer
        watched = [part.watched_weights() if of_alphas else [] for part in self.parts]
        wanted = [*parameters, *chain.from_iterable(watched)]
        logits, loss, gradients = self.gradients(data, wanted, penalty)
        self.descend(optimizer, parameters, gradients[: len(parameters)])
        others = iter(gradients[len(parameters) :])
        for part, weights in zip(self.parts, watched, strict=True):
            if weights:
                part.see_validation(list(islice(others, len(weights))))
        return logits, loss

    def gradients(
        self, data: Batch, parameters: Parameters, penalty: Penalty | None = None, amp: bool | None = None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return logits, loss and the gradients of the given parameters only.

        With several processes, logits and loss belong to this process's part of the batch, and gradients to
        the whole batch.

        A parameter that the loss does not depend on has a gradient of 0, as in the authors' experiments
        (`zero_grad` of PyTorch before 2.0 sets zeros), so momentum and weight decay still change it.

        Parameters
        ----------
        data
            A batch (images, labels).
        parameters
            Some of the weights and alphas.
        penalty
            Function that returns a term to add to the loss.
        amp
            As in `logits`.

        Returns
        -------
        tuple
            Logits, shape ``(N, classes)``, loss, and a gradient per parameter, all detached.
        """
        images, labels = data
        with _only(parameters, [*self.weights, *self.alphas]):
            logits = self.logits(images, amp)
            loss = self.loss(logits, labels)
            objective = self.group.weighted(loss if penalty is None else loss + penalty(), len(labels))
            computed: Sequence[Tensor | None] = [None] * len(parameters)
            if objective.requires_grad:  # else `none` was sampled on every path to the output
                computed = grad(objective, parameters, allow_unused=True)
            gradients = _with_zeros(computed, parameters)
            if self.supernet.captured:
                gradients = [each.clone() for each in gradients]
        return logits.detach(), loss.detach(), self.group.sums(gradients)

    def descend(self, optimizer: Optimizer, parameters: Parameters, gradients: Sequence[Tensor]) -> None:
        """Take one step of `optimizer` by `gradients` of its `parameters`, clipped as the config says."""
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        of_weights = optimizer is self.op_optimizer
        if of_weights:
            for part in self.parts:
                part.before_clipping()
        if of_weights or self._alpha_config.clip_alphas:
            clip_grad_norm_(parameters, self.config.grad_clip, foreach=True)
        if of_weights:
            for part in self.parts:
                part.before_weights()
        optimizer.step()
        optimizer.zero_grad()

    # The architecture

    @property
    def draws(self) -> bool:
        """Whether each pass samples a new path."""
        return any(edge.op.samples for edge in self.supernet.mixed_edges())

    @property
    def may_select_none(self) -> bool:
        """Whether an edge may become Zero."""
        return self.graph.CHOOSES_NONE and not self.config.exclude_none

    def edge_score(self, edge: EdgeData) -> float:
        """Return the score of a mixed `edge`: its largest probability except Zero's, changed by the parts."""
        score = float(self.probabilities(edge).float().cpu()[nonzero_mask(edge.op)].max())
        for part in self.parts:
            score = part.edge_score(edge, score)
        return score

    def choice(self, edge: EdgeData, weak: bool = False) -> int:
        """Return the number of the candidate that is currently selected at a mixed edge.

        Parameters
        ----------
        edge
            The edge.
        weak
            Whether the space leaves the edge out; it is then Zero, or ABSENT if it has no Zero.
        """
        scores, nonzero = self.final_scores(edge).float().cpu(), nonzero_mask(edge.op)
        if weak:
            return ABSENT if nonzero.all() else int(nonzero.int().argmin())
        if not self.may_select_none:
            scores = scores.masked_fill(~nonzero, -torch.inf)
        return int(scores.argmax())

    def choices(self, edges: Iterable[EdgeData]) -> list[int]:
        """Return the numbers of the candidates selected now at mixed `edges`; Zero or ABSENT if weak."""
        weak = {edge.owner(edge.op.key) for edge in self.graph.weak_edges(self.edge_score)}
        return [self.choice(edge, edge.owner(edge.op.key) in weak) for edge in edges]

    @contextmanager
    def as_chosen(self) -> Iterator[Graph]:
        """Let the supernet compute only the path of its current architecture, within the block."""
        edges = self.supernet.searched_edges
        with choosing(list(zip(edges, self.choices(edges), strict=True))):
            yield self.graph

    def get_final_architecture(self) -> Graph:
        """Return the parsed space with only the selected operation at each searched edge.

        Weights are copied, unless the space's `prepare_evaluation` builds a different network, which has new
        weights.
        """
        graph = self.graph.clone().unparse()
        graph.prepare_discretization(self.edge_score)

        def discretize(edge: EdgeData) -> None:
            if isinstance(edge.op, Mixture):
                edge.set("op", edge.op.discrete(self.choice(edge)))

        graph.update_edges(discretize, self.scope, private_edge_data=True)
        graph.prepare_evaluation()
        return graph.parse()

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        """Return the state for resuming a search: weights, alphas, both optimizers, schedule, parts."""
        parts = {part.name: part.state_dict() for part in self.parts}
        return self.supernet.state_dict() | ({"parts": parts} if parts else {})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state`, which `state_dict` returned."""
        for part in self.parts:
            part.prepare_state(state["parts"][part.name])
        self.supernet.load_state_dict(state)
        for part in self.parts:
            part.load_state_dict(state["parts"][part.name])


@contextmanager
def _only(parameters: Iterable[nn.Parameter], everything: Iterable[nn.Parameter]) -> Iterator[None]:
    """Disable the gradients of all but the given parameters within the block."""
    wanted = set(map(id, parameters))
    fixed = [each for each in everything if each.requires_grad and id(each) not in wanted]
    for each in fixed:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in fixed:
            each.requires_grad_(True)


def _with_zeros(gradients: Sequence[Tensor | None], parameters: Parameters) -> list[Tensor]:
    """Return the gradients with zeros for None; the zeros of one type are allocated at once."""
    without = [p for p, gradient in zip(parameters, gradients, strict=True) if gradient is None]
    zeros: dict[int, Tensor] = {}
    for dtype in {parameter.dtype for parameter in without}:
        alike = [parameter for parameter in without if parameter.dtype == dtype]
        sizes = [parameter.numel() for parameter in alike]
        for parameter, part in zip(alike, torch.split(alike[0].new_zeros(sum(sizes)), sizes), strict=True):
            zeros[id(parameter)] = part.as_strided(parameter.shape, parameter.stride(), part.storage_offset())
    return [
        zeros[id(parameter)] if gradient is None else gradient
        for parameter, gradient in zip(parameters, gradients, strict=True)
    ]


def _if_candidates(update: Callable[[EdgeData], None]) -> Callable[[EdgeData], None]:
    """Restrict an update of edges to those with a list of candidates."""

    def update_candidates(edge: EdgeData) -> None:
        if isinstance(edge.op, (list, tuple)):
            update(edge)

    return update_candidates


def _on_edges(update: Callable[[list[EdgeData]], None]) -> Callable[[object, Neighbours, Neighbours], None]:
    """Return an update of nodes that passes on the edges into a node that have a list of candidates."""

    def update_node(_: object, into: Neighbours, out: Neighbours) -> None:
        edges = [edge for _, edge in into if isinstance(edge.op, (list, tuple))]
        if edges:
            update(edges)

    return update_node


def _on_candidates(change: Callable[[list[nn.Module]], object]) -> Callable[[EdgeData], None]:
    """Return an update that replaces an edge's candidates by `change(candidates)`."""
    return lambda edge: edge.set("op", change(edge.op))
