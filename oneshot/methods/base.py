"""What all methods share: the supernet, two optimizers, gradients of just what is updated, the end."""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from nasbench.errors import shown
from nasbench.runs.settings import finite, option, whole
from oneshot.errors import ConfigError, GraphError
from oneshot.mixed import Mixture, choosing, nonzero_mask
from oneshot.training.distributed import ProcessGroup
from oneshot.training.sync_norm import synchronize

_LARGEST = 1e30  # that float32 has room to compute with


@dataclass(frozen=True)
class SearchConfig:
    """Settings of a search by gradient, by default as in NASLib (Ruchte et al. 2020), appendix A.1."""

    epochs: int = option(50, "passes over the training half")
    batch: int = option(64, "images per step from each half")
    learning_rate: float = option(0.025, "initial learning rate of the weights")
    learning_rate_min: float = option(0.001, "final learning rate of the weights, after the cosine")
    momentum: float = option(0.9, "momentum of the weights' SGD")
    nesterov: bool = option(False, "use Nesterov momentum")
    weight_decay: float = option(3e-4, "weight decay of the weights")
    grad_clip: float = option(
        5.0, "norm to which the weights' gradients are clipped; 5 in the code of Liu et al. 2019"
    )
    exclude_none: bool = option(False, "never select `none`, as is usual in the DARTS space")

    def __post_init__(self):
        whole("epochs", self.epochs, 1)
        whole("batch", self.batch, 2)
        for name in ("learning_rate", "grad_clip"):
            at_least(name, getattr(self, name), 0, excluded=True)
        for name in ("learning_rate_min", "momentum", "weight_decay"):
            at_least(name, getattr(self, name), 0)
        if self.momentum >= 1:
            raise ConfigError(f"momentum is below 1, got {self.momentum}")
        truth("nesterov", self.nesterov)
        if self.nesterov and self.momentum == 0:
            raise ConfigError("nesterov needs a momentum > 0, got 0")
        if self.learning_rate_min > self.learning_rate:
            raise ConfigError(
                "the learning rate falls from learning_rate to learning_rate_min, got"
                f" {self.learning_rate} and {self.learning_rate_min}"
            )


@dataclass(frozen=True)
class AlphaConfig(SearchConfig):
    """Settings of a method with architecture parameters."""

    arch_learning_rate: float = option(3e-4, "learning rate of the alphas' Adam")
    arch_weight_decay: float = option(1e-3, "weight decay of the alphas")
    first: str = option(
        "alphas", "parameters that each step updates first; the others follow", choices=("alphas", "weights")
    )
    clip_alphas: bool = option(
        True,
        "clip the gradients of the alphas to --grad-clip too, as in snippet 7 of the NASLib paper; Liu et al."
        " and AutoDL-Projects clip only the weights' gradients",
    )

    def __post_init__(self):
        super().__post_init__()
        if self.first not in ("alphas", "weights"):
            raise ConfigError(f"first must be alphas or weights, got {shown(self.first)}")
        truth("clip_alphas", self.clip_alphas)
        at_least("arch_learning_rate", self.arch_learning_rate, 0, excluded=True)
        at_least("arch_weight_decay", self.arch_weight_decay, 0)


def at_least(name, value, least, excluded=False):
    """ConfigError unless a number is finite and at least, or with `excluded` above, a bound."""
    number = finite(value)
    if number is None or number < least or (excluded and number == least):
        raise ConfigError(
            f"{name} is a number {'above' if excluded else 'of at least'} {least}, got {shown(value)}"
        )
    if number > _LARGEST:
        raise ConfigError(f"{name} must be at most {_LARGEST:.0e}, got {shown(value)}")


def truth(name: str, value: object) -> None:
    """Raise a ConfigError unless a value is True or False."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false, got {shown(value)}")


class Step(NamedTuple):
    """What a step gave, before its updates."""

    logits_train: torch.Tensor  # (N, classes)
    logits_val: torch.Tensor | None  # (N, classes); None for a method that looks at no validation images
    train_loss: torch.Tensor
    val_loss: torch.Tensor | None


@contextmanager
def only(parameters, among):
    """Within the block, just the former of these parameters need a gradient: nothing is kept for others."""
    wanted = set(map(id, parameters))
    still = [each for each in among if each.requires_grad and id(each) not in wanted]
    for each in still:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in still:
            each.requires_grad_(True)


def _of_candidates(update_func):
    """The same update, of edges that have a list of candidates; others in scope stay as they are."""

    def update(edge):
        if isinstance(edge.op, (list, tuple)):
            update_func(edge)

    return update


class MetaOptimizer(ABC):
    """A method that searches a space: `adapt_search_space`, then `step` after `step`, then the architecture.

    A method says how an edge's candidates are mixed (`mixed`), which data it keeps on an edge (`add_alphas`),
    and what a step does. Its graph is a clone: the space stays as it is.
    """

    name = None  # for people
    config_class = SearchConfig

    def __init__(self, config=None, amp=False):
        """`amp`: bfloat16 autocast, weights and alphas staying float32."""
        self.config = self.config_class() if config is None else config
        self.amp = amp
        self.loss = nn.CrossEntropyLoss()
        self.group = ProcessGroup()  # that searches together, and whose batches are one
        self._captured = False  # whether passes replay kernels that were captured, into the same memory
        self.architectural_weights = nn.ParameterList()
        self.graph = self.scope = self.op_optimizer = self.arch_optimizer = self.schedule = None

    # What a method fills in

    @abstractmethod
    def mixed(self, primitives):
        """The Mixture of an edge's candidates."""

    def add_alphas(self, edge):
        """Set the data that an edge and its copies are mixed by, shared; called once for all copies."""
        alpha = 1e-3 * torch.randn(len(edge.op))  # the methods' own code
        edge.set("alpha", nn.Parameter(alpha), shared=True)

    @abstractmethod
    def step(self, data_train, data_val):
        """Update all parameters by a batch (images, labels) of each half; returns a Step."""

    def new_epoch(self, epoch):  # noqa: B027
        """What changes with the epochs, counted from 0; called before each, and again where one goes on."""

    def conclude(self, batches, progress=None):  # noqa: B027
        """What a method decides only at its end, by validation batches (images, labels).

        `progress(items, unit)`: gives the items of a list, and shows how many of them are done.
        """

    def strengths(self, edge):
        """How much the method would have each of an edge's K candidates, (K,); the strongest is chosen."""
        return edge.alpha.detach()

    def shares(self, edge):
        """The strengths of an edge's candidates as shares, (K,), which are compared between edges."""
        return torch.softmax(self.strengths(edge), dim=-1)

    # What methods share

    def adapt_search_space(self, space, scope=None, device="cpu"):
        """Make the supernet of a space; `scope`: what is searched, by default what the space says."""
        graph = space.clone()
        self.scope = scope or graph.OPTIMIZER_SCOPE
        if not any(isinstance(op, (list, tuple)) for op in graph.get_all_edge_data("op", self.scope, True)):
            raise GraphError(
                f"{graph.name} has no edge with a list of candidates in scope: nothing to search"
            )
        graph.update_edges(_of_candidates(self.add_alphas), self.scope, private_edge_data=False)
        graph.update_edges(_of_candidates(lambda edge: edge.set("op", self.mixed(edge.op))), self.scope)
        self.graph = graph.parse().to(device).train()
        self.architectural_weights = nn.ParameterList(graph.get_all_edge_data("alpha", self.scope))
        config = self.config
        self.op_optimizer = torch.optim.SGD(
            graph.parameters(),
            config.learning_rate,
            config.momentum,
            weight_decay=config.weight_decay,
            nesterov=config.nesterov,
        )
        if len(self.architectural_weights):
            self.arch_optimizer = torch.optim.Adam(
                self.architectural_weights.parameters(),
                config.arch_learning_rate,
                betas=(0.5, 0.999),  # Liu et al. 2019, section 3.1
                weight_decay=config.arch_weight_decay,
            )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.op_optimizer, config.epochs, config.learning_rate_min
        )

    def compile(self):
        """Run the supernet through torch.compile from now on; on CUDA its kernels are launched as one graph.

        ConfigError for a method whose mixtures are `one_hot`, as each path drawn would be compiled.
        """
        if any(mixture.one_hot for mixture in self._mixtures()):
            raise ConfigError(f"{self.name} draws a path for each step: nothing to compile once")
        self._captured = any(parameter.is_cuda for parameter in self.weights)
        self.graph.compile(mode="reduce-overhead" if self._captured else None)

    def distribute(self, group):
        """Search together with the processes of a group, each of which has a part of every batch.

        Gradients are those of the whole batch, and normalizations see all of it. Call this before `compile`
        and the first step.
        """
        self.group = group
        synchronize(self.graph, group)
        group.broadcast([*self.graph.parameters(), *self.graph.buffers(), *self.alphas])

    def logits(self, images, amp=None):
        """What the supernet says of images, (N, classes) in float32, or float64 if it is that.

        `amp`: whether in bfloat16; None: as the search was told.
        """
        if self._captured:
            torch.compiler.cudagraph_mark_step_begin()  # what the last pass gave may be overwritten
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.amp if amp is None else amp):
            logits = self.graph(images)
        if self._captured:
            logits = logits.clone()
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def two_updates(self, data_train, data_val, penalty=None):
        """Update alphas on the validation loss and weights on the training loss, in the config's order."""

        def alphas():
            return self.update(self.arch_optimizer, self.alphas, data_val, penalty)

        def weights():
            return self.update(self.op_optimizer, self.weights, data_train)

        if self.config.first == "alphas":
            (logits_val, val_loss), (logits_train, train_loss) = alphas(), weights()
        else:
            (logits_train, train_loss), (logits_val, val_loss) = weights(), alphas()
        return Step(logits_train, logits_val, train_loss, val_loss)

    @contextmanager
    def as_chosen(self):
        """Within the block the supernet computes the path of the architecture that it would become now."""
        mixed = {}  # of the copies of an edge, one stands for all
        for edge in self.graph.all_edges(self.scope):
            if isinstance(edge.op, Mixture):
                mixed.setdefault(edge.owner(edge.op.key), edge)
        with choosing(list(zip(mixed.values(), self.choices(mixed.values()), strict=True))):
            yield self.graph

    def choices(self, edges):
        """The candidates that mixed edges would become now, a list of numbers; Zero for weak edges."""
        weak = {edge.owner(edge.op.key) for edge in self.graph.weak_edges(self.edge_strength)}
        return [self.choice(edge, edge.owner(edge.op.key) in weak) for edge in edges]

    def update(self, optimizer, parameters, data, penalty=None):
        """Take one step of an optimizer down the loss on data; return (logits, loss), detached.

        `penalty`: a function that gives a further loss.
        """
        logits, loss, gradients = self.gradients(data, parameters, penalty)
        self.descend(optimizer, parameters, gradients)
        return logits, loss

    def gradients(self, data, parameters, penalty=None, amp=None):
        """Return (logits, loss, gradients of these parameters alone), detached.

        Of several processes that search together, each has its own logits and loss, and all have the
        gradients of the whole batch.

        A parameter without a part in the loss has a gradient of 0, as when the methods' code was run
        (`zero_grad` of PyTorch before 2.0 sets zeros): momentum and weight decay still move it.

        `penalty`: a function that gives a further loss; `amp`: as in `logits`.
        """
        images, labels = data
        with only(parameters, [*self.weights, *self.alphas]):
            logits = self.logits(images, amp)
            loss = self.loss(logits, labels)
            objective = self.group.weighted(loss if penalty is None else loss + penalty(), len(labels))
            if objective.requires_grad:
                gradients = torch.autograd.grad(
                    objective, parameters, allow_unused=True, materialize_grads=True
                )
            else:  # `none` was sampled on every way to the output
                gradients = [torch.zeros_like(each) for each in parameters]
            if self._captured:
                gradients = [each.clone() for each in gradients]
        return logits.detach(), loss.detach(), self.group.sums(gradients)

    def descend(self, optimizer, parameters, gradients):
        """Take one step of an optimizer by gradients, clipped as the config says."""
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        if optimizer is self.op_optimizer or self.config.clip_alphas:
            clip_grad_norm_(parameters, self.config.grad_clip)
        optimizer.step()
        optimizer.zero_grad()

    @property
    def draws(self):
        """Whether each pass gives the output of another path, sampled."""
        return any(mixture.samples for mixture in self._mixtures())

    def _mixtures(self):
        return [edge.op for edge in self.graph.all_edges(self.scope) if isinstance(edge.op, Mixture)]

    @property
    def weights(self):
        """The supernet's weights, a list of parameters; the alphas are not among them."""
        return [parameter for group in self.op_optimizer.param_groups for parameter in group["params"]]

    @property
    def alphas(self):
        """The alphas, a list of parameters."""
        return list(self.architectural_weights.parameters())

    @property
    def chooses_none(self):
        """Whether an edge may become Zero."""
        return self.graph.CHOOSES_NONE and not self.config.exclude_none

    def edge_strength(self, edge):
        """How much the method would have a mixed edge: its greatest share of a candidate other than Zero."""
        return float(self.shares(edge).float().cpu()[nonzero_mask(edge.op)].max())

    def choice(self, edge, weak=False):
        """The candidate that a mixed edge would become now, a number; Zero for a `weak` one that has it."""
        strengths, other = self.strengths(edge).float().cpu(), nonzero_mask(edge.op)
        if weak and not other.all():
            return int(other.int().argmin())
        if not self.chooses_none:
            strengths = strengths.masked_fill(~other, -torch.inf)
        return int(strengths.argmax())

    def get_final_architecture(self):
        """The space with one operation at each searched edge, parsed; weights are copies.

        A space whose `prepare_evaluation` makes another network of it gives new weights.
        """
        graph = self.graph.clone().unparse()
        graph.prepare_discretization(self.edge_strength)

        def discretize(edge):
            if isinstance(edge.op, Mixture):
                edge.set("op", edge.op.get_embedded_ops()[self.choice(edge)])

        graph.update_edges(discretize, self.scope, private_edge_data=True)
        graph.prepare_evaluation()
        return graph.parse()

    def state_dict(self):
        """All that a search needs to go on: weights, alphas, both optimizers, the schedule."""
        return {
            "weights": self.graph.state_dict(),
            "alphas": [alpha.detach() for alpha in self.alphas],
            "op_optimizer": self.op_optimizer.state_dict(),
            "arch_optimizer": self.arch_optimizer and self.arch_optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def load_state_dict(self, state):
        self.graph.load_state_dict(state["weights"])
        with torch.no_grad():
            for alpha, value in zip(self.alphas, state["alphas"], strict=True):
                alpha.copy_(value)
        self.op_optimizer.load_state_dict(state["op_optimizer"])
        if self.arch_optimizer is not None:
            self.arch_optimizer.load_state_dict(state["arch_optimizer"])
        self.schedule.load_state_dict(state["schedule"])
