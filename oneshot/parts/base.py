"""The base of all parts: what a part can change in a search, and when."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from torch import Tensor, nn

from nasbench.runs.settings import Settings
from oneshot.errors import GraphError

if TYPE_CHECKING:
    from data.loader import Batch
    from oneshot.graph.edge import EdgeData
    from oneshot.methods.base import MetaOptimizer
    from oneshot.mixed import Mixture
    from oneshot.search.scorer import Scorer
    from oneshot.search.settings import SearchSettings
    from oneshot.training.distributed import ProcessGroup


@dataclass(frozen=True)
class PartSettings(Settings, ABC):
    """Options of a part, each of which is a flag of its own; by default the part is neutral."""

    @classmethod
    def own(cls, options: Mapping[str, Any]) -> dict[str, Any]:  # values of fields, also of other parts
        """Return the options of this part among options, {field: value}."""
        return {f.name: options[f.name] for f in fields(cls) if f.name in options}

    @property
    @abstractmethod
    def is_neutral(self) -> bool:
        """Whether a search with these settings is the search without the part, bit for bit."""


P = TypeVar("P", bound=PartSettings)


class Part(ABC, Generic[P]):
    """A component that is added to a method; a subclass overrides what it changes, in the order of a search.

    >>> from oneshot.methods.darts import DARTS
    >>> from oneshot.parts.warmup import WarmUp, WarmUpSettings
    >>> DARTS(parts=[WarmUp(WarmUpSettings(warm_up=15))]).parts[0].name
    'warm-up'
    """

    #: The name for people.
    name: ClassVar[str]
    #: The class of the settings.
    config_class: type[P]
    #: Names of data on edges that are learned with the alphas.
    parameter_keys: ClassVar[tuple[str, ...]] = ()
    #: Whether it adds a term to the loss of the alphas.
    has_alpha_penalty: ClassVar[bool] = False
    #: Whether it may stop a search before its last epoch.
    can_stop: ClassVar[bool] = False

    def __init__(self, config: P | None = None) -> None:
        self.config: P = self.config_class() if config is None else config
        self._method: MetaOptimizer[Any] | None = None

    @property
    def method(self) -> "MetaOptimizer[Any]":  # whatever its settings
        """The method that the part is added to; GraphError before that."""
        if self._method is None:
            raise GraphError(f"{self.name} belongs to no method yet; give it to one as one of its `parts`")
        return self._method

    def join(self, method: "MetaOptimizer[Any]") -> None:
        """Become a part of a method; ConfigError with the reason if both together have no meaning."""
        self._method = method

    def check(self, settings: "SearchSettings") -> None:  # noqa: B027
        """Raise a ConfigError if the part has no meaning with a search's space, sizes or data set."""

    def load(self, settings: "SearchSettings", scorer: "Scorer | None") -> None:  # noqa: B027
        """Load what the part needs of a search's settings and table; ConfigError if it is not there.

        `scorer`: None in a space without a benchmark.
        """

    # The supernet is built

    def candidates(self, primitives: list[nn.Module]) -> list[nn.Module]:
        """Return an edge's candidates, given those of the space; called for each copy of the edge."""
        return primitives

    def add_data(self, edge: "EdgeData") -> None:  # noqa: B027
        """Set data that an edge and its copies share; called once for all copies, before they are mixed."""

    def add_node_data(self, edges: "list[EdgeData]") -> None:  # noqa: B027
        """Set data of the searched edges into a node; called once for all copies, after `add_data`."""

    def change_mixture(self, mixture: "Mixture") -> None:  # noqa: B027
        """Change how an edge's candidates are mixed; called for each copy of the edge."""

    def distribute(self, group: "ProcessGroup") -> None:  # noqa: B027
        """Prepare for a search by several processes; ConfigError if the part cannot take part in one."""

    # An epoch

    def extra_epochs(self) -> int:
        """Return how many epochs the part adds after those of the config, once the supernet is built."""
        return 0

    def new_epoch(self, epoch: int) -> None:  # noqa: B027
        """Change what depends on the epoch, from 0; called before each, and again if one is resumed."""

    def updates_alphas(self) -> bool:
        """Return whether alphas are updated in this epoch."""
        return True

    def alpha_penalty(self) -> Tensor | float:
        """Return a term that is added to the loss of the alphas, a scalar."""
        return 0.0

    def during_weights(self, data_train: "Batch") -> AbstractContextManager[object]:
        """Change the supernet while its weights are updated by a batch."""
        return nullcontext()

    def watched_weights(self) -> list[nn.Parameter]:
        """Return weights whose gradients of the validation loss the part needs when alphas are updated."""
        return []

    def see_validation(self, gradients: list[Tensor]) -> None:  # noqa: B027
        """Take the gradients of the validation loss in `watched_weights`, after an update of the alphas."""

    def before_weights(self) -> None:  # noqa: B027
        """Change the weights' `grad`, clipped, before their optimizer's step; a weight without one stays."""

    def end_epoch(self, epoch: int, data_train: "Batch", data_val: "Batch") -> str | None:
        """Return why the search stops after this epoch, from 0; None to continue.

        `data_train`, `data_val`: the last batches of the epoch.
        """
        return None

    # The architecture

    def scores(self, edge: "EdgeData", scores: Tensor) -> Tensor:
        """Return the scores of an edge's K candidates, shape (K,), given the method's."""
        return scores

    def edge_score(self, edge: "EdgeData", score: float) -> float:
        """Return the score by which an edge is compared with others, given the method's."""
        return score

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        """Return what the part needs to continue."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Restore a state."""
