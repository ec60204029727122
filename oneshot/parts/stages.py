"""Searches in stages: fewer candidates, more cells or wider operations in each (P-DARTS; DrNAS)."""

import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from nasbench.runs.checks import bounded, whole
from nasbench.runs.settings import option, setting_text
from oneshot.errors import ConfigError, GraphError
from oneshot.ops import DroppedIdentity, Identity, Pruned
from oneshot.parts.base import Part, PartSettings
from oneshot.parts.cost import ExpectedCost
from oneshot.parts.drop_path import SearchDropPath
from oneshot.parts.partial_channels import PartialChannels, PartialChannelsSettings
from oneshot.parts.pruning import PruningPart
from oneshot.spaces.base import MAXIMUM
from oneshot.spaces.registry import get_space

if TYPE_CHECKING:
    from oneshot.graph.edge import EdgeData
    from oneshot.graph.graph import Graph, Scope
    from oneshot.methods.base import MetaOptimizer
    from oneshot.methods.supernet import Supernet
    from oneshot.mixed import Mixture
    from oneshot.search.settings import SearchSettings
    from oneshot.training.distributed import ProcessGroup

_N = TypeVar("_N", int, float)
_FALL = 0.2  # of the logarithm of the dropout rate per epoch; P-DARTS' code


def _list_of(kind: type[_N]) -> Callable[[str], tuple[_N, ...]]:
    """Return a function that parses numbers between commas; the text `none` has no numbers."""

    def parse(text: str) -> tuple[_N, ...]:
        try:
            return () if text == "none" else tuple(kind(each) for each in text.split(","))
        except ValueError:
            raise ArgumentTypeError(f"must be one number per stage, such as 8,5,3; got {text!r}") from None

    return parse


def _listed(kind: type[_N], metavar: str, help: str) -> tuple[_N, ...]:
    return option((), f"{help}, one number per stage", type=_list_of(kind), metavar=metavar)


@dataclass(frozen=True)
class StagesSettings(PartSettings):
    """Settings of the stages; the lists that are given have an entry per stage."""

    #: candidates per edge
    stage_candidates: tuple[int, ...] = _listed(
        int,
        "N,N,...",
        "candidates per edge; the strongest are kept from one stage to the next; 8,5,3 in P-DARTS",
    )
    #: cells of the supernet
    stage_cells: tuple[int, ...] = _listed(
        int, "N,N,...", "cells of the supernet instead of --cells; 5,11,17 in P-DARTS"
    )
    #: K of partial channels
    stage_partial_channels: tuple[int, ...] = _listed(
        int, "K,K,...", "K of partial channels, as --partial-channels; 6,4 in DrNAS on the DARTS space"
    )
    #: first rate of the dropout after skip connections
    stage_skip_dropout: tuple[float, ...] = _listed(
        float, "P,P,...", "first rate of the dropout after skip connections; 0.1,0.4,0.7 in P-DARTS' README"
    )
    stage_warm_up: int = option(
        0, "first epochs of each stage in which only the weights are updated; 10 in P-DARTS", at_least=0
    )
    stage_weights: str = option(
        "new",
        "weights and alphas of a stage. new: initialized, and the learning rate starts again; kept: copied"
        " from the previous stage, also to new channels, with their momentum and a single schedule",
        choices=("new", "kept"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in self.lists.items():
            object.__setattr__(self, name, tuple(values))
        for each in self.stage_candidates:
            whole("stage_candidates", each, 2)
        for each in self.stage_cells:
            whole("stage_cells", each, 1, MAXIMUM.cells)
        for each in self.stage_partial_channels:
            whole("stage_partial_channels", each, 1)
        for rate in self.stage_skip_dropout:
            bounded("stage_skip_dropout", rate, at_least=0, below=1)
        lengths = {name: len(values) for name, values in self.lists.items() if values}
        if len(set(lengths.values())) > 1:
            (one, few), (other, many) = list(lengths.items())[0], list(lengths.items())[-1]
            raise ConfigError(f"{one} has {few} stages, but {other} has {many}; give one number per stage")
        if any(b > a for a, b in zip(self.stage_candidates, self.stage_candidates[1:], strict=False)):
            raise ConfigError(
                f"stage_candidates must not increase, got {setting_text(self.stage_candidates)}"
            )
        if self.stage_warm_up and not lengths:
            raise ConfigError("stage_warm_up needs stages, such as --stage-candidates 5,3; try --warm-up")
        k = self.stage_partial_channels
        if self.stage_weights == "kept" and (self.stage_cells or list(k) != sorted(k, reverse=True)):
            raise ConfigError(
                "stage_weights kept needs a supernet with the same cells, whose operations never get"
                " narrower; try --stage-weights new, or leave stage_cells and an increasing"
                " stage_partial_channels out"
            )

    @property
    def lists(self) -> dict[str, tuple[Any, ...]]:  # integers or numbers
        """The settings that have an entry per stage, by name."""
        names = "stage_candidates", "stage_cells", "stage_partial_channels", "stage_skip_dropout"
        return {name: getattr(self, name) for name in names}

    @property
    def stages(self) -> int:
        """The number of stages; 0 without stages."""
        return max(map(len, self.lists.values()))

    @property
    def is_neutral(self) -> bool:
        return self.stages == 0


class Stages(PruningPart[StagesSettings]):
    """Stages of equal length, each with its own supernet, which is rebuilt between two stages.

    At the end of a stage, the candidates with the highest alphas are kept at each edge; the next supernet has
    only these. It may have more cells, or partial channels with another K. Its weights and alphas are either
    new or kept. With kept weights, the alphas, the state of their optimizer, the weights, their momentum and
    the single schedule of the learning rate continue. If K falls, operations get wider. In each operation, a
    new channel is a copy of a random one; weights and momentum of input and output channels are copied.

    The dropout after skip connections has rate r (L - 1 - t) / L in epoch t of the stage's L epochs during
    the warm-up of W epochs, and r exp(-0.2 (t - W)) afterwards. Skip connections of stride 2 have none.

    References
    ----------
    Chen et al. 2019 (P-DARTS), arXiv:1904.12760, sections 3.2 and 3.3: new weights; the dropout's schedule
    follows the authors' code (train_search.py). Chen et al. 2021 (DrNAS), arXiv:2006.10355: kept weights, as
    in net2wider.py of the authors' code. There each layer of an operation samples its own copies, and the
    learning rate of the second stage starts again at its initial value, but follows the single schedule.
    """

    name = "stages"
    config_class = StagesSettings
    option = "stage_candidates"

    def __init__(self, config: StagesSettings | None = None) -> None:
        super().__init__(config)
        self._next = 0  # stage of a supernet that is being built
        self._rebuilt: Supernet | None = None  # the last one that was rebuilt
        self._stage = 0  # of that supernet
        self._epoch = 0

    def join(self, method: "MetaOptimizer[Any]") -> None:
        config, epochs = self.config, method.config.epochs
        if epochs % config.stages:
            raise ConfigError(
                f"epochs must be a multiple of the {config.stages} stages, got {epochs};"
                f" try {epochs + config.stages - epochs % config.stages}"
            )
        if config.stage_warm_up >= epochs // config.stages:
            raise ConfigError(
                "stage_warm_up must leave an epoch of each stage for the alphas: it must be <"
                f" {epochs // config.stages} epochs, got {config.stage_warm_up}"
            )
        for part in method.parts:
            reason = self._obstacle(part)
            if reason is not None:
                raise ConfigError(f"stages cannot be combined with {part.name}, {reason}")
        if config.stage_candidates:
            super().join(method)
        else:
            Part.join(self, method)
        if config.stage_warm_up:
            method.require_alphas("stage_warm_up delays the updates of the alphas")

    def _obstacle(self, part: Part[Any]) -> str | None:  # Any: its settings
        """Return why another part cannot be combined with the stages; None if it can."""
        if part.can_stop:
            return "which may stop the search before the last stage"
        if isinstance(part, PruningPart) and part is not self:
            return "which also prunes candidates"
        if isinstance(part, ExpectedCost):
            return "whose costs are counted in a single supernet"
        if self.config.stage_partial_channels and isinstance(part, (PartialChannels, SearchDropPath)):
            return "because stage_partial_channels sets the partial channels"
        return None

    def check(self, settings: "SearchSettings") -> None:
        config, space = self.config, get_space(settings.space)
        if settings.compile:
            raise ConfigError(
                "stages rebuild the supernet, and --compile would compile each one; omit --compile"
            )
        multiple = math.lcm(*config.stage_partial_channels)
        if settings.channels % multiple:
            raise ConfigError(
                f"each of stage_partial_channels {setting_text(config.stage_partial_channels)} must divide"
                f" the supernet's channels, got {settings.channels}; try a multiple of {multiple}"
            )
        least = space.minimum.cells
        if min(config.stage_cells, default=least) < least:
            raise ConfigError(
                f"stage_cells must be >= {least} in {settings.space}, got {setting_text(config.stage_cells)}"
            )
        if not config.stage_candidates:
            return
        if settings.space == "hierarchical":
            raise ConfigError("stage_candidates cannot prune motifs of motifs in the space hierarchical")
        count = max(len(space.candidates(edge)) for edge in space.edges(space.build(2, *space.minimum)))
        if config.stage_candidates[0] != count:
            raise ConfigError(
                f"stage_candidates must begin with all candidates of an edge, {count} in {settings.space},"
                f" got {setting_text(config.stage_candidates)}"
            )

    def distribute(self, group: "ProcessGroup") -> None:
        if self.config.stage_skip_dropout:
            raise ConfigError("stage_skip_dropout does not support several processes; use one process")

    # The stages

    @property
    def length(self) -> int:
        """Epochs of a stage."""
        epochs: int = self.method.config.epochs
        return epochs // self.config.stages

    @property
    def stage(self) -> int:
        """Stage of the current supernet, counted from 0."""
        return self._stage if self._rebuilt is self.method.supernet else 0

    def prepare_epoch(self, epoch: int) -> None:
        stage = min(epoch // self.length, self.config.stages - 1)
        if stage != self.stage:
            self._rebuild(stage, self._strongest(stage), keep=self.config.stage_weights == "kept")
        if self.config.stage_weights == "new":
            self.method.schedule.T_max = self.length

    def _strongest(self, stage: int) -> list[list[int]]:
        """Return the numbers of the candidates of each searched edge that are kept in a stage."""
        kept = []
        for edge in self._edges if self.config.stage_candidates else []:
            alphas = self.method.scores(edge).tolist()
            ranked = sorted(self.kept(edge), key=lambda k: -alphas[k])
            kept.append(sorted(ranked[: self.config.stage_candidates[stage]]))
        return kept

    def _rebuild(self, stage: int, kept: list[list[int]], keep: bool) -> None:
        """Build the supernet of a stage, with the candidates `kept` at each edge, and `keep` the weights."""
        method, old = self.method, self.method.supernet
        if method.build_space is None:
            raise GraphError("stages rebuild the supernet; set the method's build_space to a function")
        self._next = stage
        try:
            space = method.build_space()
            _prune(space, old.scope, kept)
            method.adapt_search_space(space, old.scope, next(old.graph.parameters()).device)
        finally:
            self._next = 0
        self._rebuilt, self._stage = method.supernet, stage
        if keep:
            _transfer(old, method.supernet)
        if method.group.size > 1:
            method.distribute(method.group)

    # Building the supernet

    def cells(self, cells: int) -> int:
        return self.config.stage_cells[self._next] if self.config.stage_cells else cells

    def candidates(self, primitives: list[nn.Module]) -> list[nn.Module]:
        if self.config.stage_skip_dropout:
            primitives = [DroppedIdentity() if isinstance(op, Identity) else op for op in primitives]
        partial = self._partial
        return primitives if partial is None else partial.candidates(primitives)

    def change_mixture(self, mixture: "Mixture") -> None:
        if self._partial is not None:
            self._partial.change_mixture(mixture)

    @property
    def _partial(self) -> PartialChannels | None:
        """The partial channels of the supernet that is being built; None if operations have all channels."""
        ks = self.config.stage_partial_channels
        return PartialChannels(PartialChannelsSettings(ks[self._next])) if ks and ks[self._next] > 1 else None

    # An epoch

    def new_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        for edge in self.method.supernet.mixed_edges() if self.config.stage_skip_dropout else []:
            for op in edge.op.primitives:
                if isinstance(op, DroppedIdentity):
                    op.rate = self.skip_dropout(epoch)

    def skip_dropout(self, epoch: int) -> float:
        """Return the rate of the dropout after skip connections in an epoch, counted from 0."""
        rate, warm_up, length = (
            self.config.stage_skip_dropout[self.stage],
            self.config.stage_warm_up,
            self.length,
        )
        t = epoch - self.stage * length
        return rate * (length - 1 - t) / length if t < warm_up else rate * math.exp(-_FALL * (t - warm_up))

    def updates_alphas(self) -> bool:
        return self._epoch - self.stage * self.length >= self.config.stage_warm_up

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:  # plain values
        kept = super().state_dict()["kept"] if self.config.stage_candidates else []
        return {"kept": kept, "stage": self.stage, "epoch": self._epoch}

    def prepare_state(self, state: Mapping[str, Any]) -> None:
        now = self.state_dict()
        if (state["stage"], state["kept"]) != (now["stage"], now["kept"]):
            self._rebuild(state["stage"], state["kept"], keep=False)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.new_epoch(state["epoch"])


def _prune(space: "Graph", scope: "Scope", kept: list[list[int]]) -> None:
    """Leave only the candidates `kept` at each edge of a space; an empty list leaves all."""
    copies: dict[int, list[EdgeData]] = {}  # of each edge
    for edge in space.all_edges(scope) if kept else []:
        if isinstance(edge.op, (list, tuple)):
            copies.setdefault(id(edge.shared_store), []).append(edge)
    for edges, numbers in zip(copies.values(), kept, strict=True):
        if len(numbers) < len(edges[0].op):
            edges[0].set("kept", numbers, shared=True)
            for edge in edges:
                edge.set("op", [op if k in numbers else Pruned() for k, op in enumerate(edge.op)])


@torch.no_grad()
def _transfer(old: "Supernet", new: "Supernet") -> None:
    """Copy weights, alphas and the state of both optimizers and the schedule to a supernet of equal cells."""
    before = dict(old.graph.named_parameters()) | dict(old.graph.named_buffers())
    indexes: dict[tuple[str, int, int], Tensor] = {}
    for name, tensor in [*new.graph.named_parameters(), *new.graph.named_buffers()]:
        operation = _operation(name)
        tensor.copy_(_widened(before[name], tensor.shape, operation, indexes))
        momentum = old.op_optimizer.state.get(before[name], {}).get("momentum_buffer")
        if momentum is not None:
            wider = torch.empty_like(tensor).copy_(_widened(momentum, tensor.shape, operation, indexes))
            new.op_optimizer.state[tensor]["momentum_buffer"] = wider
    for alpha, value in zip(new.alphas, old.alphas, strict=True):
        alpha.copy_(value)
    for group, values in zip(new.op_optimizer.param_groups, old.op_optimizer.param_groups, strict=True):
        group.update({name: value for name, value in values.items() if name != "params"})
    new.schedule.load_state_dict(old.schedule.state_dict())
    if new.arch_optimizer is not None and old.arch_optimizer is not None:
        new.arch_optimizer.load_state_dict(old.arch_optimizer.state_dict())


def _operation(name: str) -> str:
    """Return the part of a tensor's name that is the name of its candidate operation."""
    head, primitives, tail = name.rpartition("primitives.")
    return head + primitives + tail.partition(".")[0]


def _widened(
    tensor: Tensor, shape: torch.Size, operation: str, indexes: dict[tuple[str, int, int], Tensor]
) -> Tensor:
    """Return a tensor with copies of random channels in its first two dimensions, up to `shape`."""
    for dim, (before, after) in enumerate(zip(tensor.shape, shape, strict=True)):
        if before != after:
            key = operation, before, after
            if key not in indexes:
                copied = torch.randint(before, (after - before,))
                indexes[key] = torch.cat([torch.arange(before), copied])
            tensor = tensor.index_select(dim, indexes[key].to(tensor.device))
    return tensor
