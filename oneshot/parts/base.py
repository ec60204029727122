"""Base class of all parts: what a part can change in a search, and when."""

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
    """Options of a part, each a command-line flag; by default the part is neutral."""

    @classmethod
    def own(cls, options: Mapping[str, Any]) -> dict[str, Any]:  # values of fields, also of other parts
        """Select this part's options from `options`, {field: value}."""
        return {f.name: options[f.name] for f in fields(cls) if f.name in options}

    @property
    @abstractmethod
    def is_neutral(self) -> bool:
        """Whether a search with these settings equals the search without the part, bit for bit."""


P = TypeVar("P", bound=PartSettings)


class Part(ABC, Generic[P]):
    """A component that can be added to a method; subclasses override the hooks they need.

    The hooks are listed in the order in which a search calls them.

    >>> from oneshot.methods.darts import DARTS
    >>> from oneshot.parts.warmup import WarmUp, WarmUpSettings
    >>> DARTS(parts=[WarmUp(WarmUpSettings(warm_up=15))]).parts[0].name
    'warm-up'
    """

    #: Name in reports and config.json.
    name: ClassVar[str]
    #: The class of the settings.
    config_class: type[P]
    #: Names of edge data that is learned together with the alphas.
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
        """The method that the part was added to; raises GraphError if there is none."""
        if self._method is None:
            raise GraphError(f"{self.name} has not been added to a method; pass it in the method's `parts`")
        return self._method

    @property
    def _edges(self) -> "list[EdgeData]":
        """The searched edges of the current supernet, one copy of each."""
        return self.method.supernet.searched_edges

    def join(self, method: "MetaOptimizer[Any]") -> None:
        """Add the part to a method; raise a ConfigError with the reason if they cannot be combined."""
        self._method = method

    def check(self, settings: "SearchSettings") -> None:  # noqa: B027
        """Raise a ConfigError if the part does not support the space, sizes or data set of a search."""

    def load(self, settings: "SearchSettings", scorer: "Scorer | None") -> None:  # noqa: B027
        """Load the data that the part needs from a search's settings and table.

        Raise a ConfigError if the data is missing. `scorer` is None in a space without a benchmark.
        """

    # Building the supernet

    def cells(self, cells: int) -> int:
        """Return the number of cells of the next supernet; `cells` is the number in the search's settings."""
        return cells

    def candidates(self, primitives: list[nn.Module]) -> list[nn.Module]:
        """Return an edge's candidates, given the space's candidates; called for each copy of the edge."""
        return primitives

    def add_data(self, edge: "EdgeData") -> None:  # noqa: B027
        """Set data shared by an edge and its copies; called once for all copies, before mixing."""

    def add_node_data(self, edges: "list[EdgeData]") -> None:  # noqa: B027
        """Set data on the searched edges into a node; called once for all copies, after `add_data`."""

    def change_mixture(self, mixture: "Mixture") -> None:  # noqa: B027
        """Change how an edge's candidates are mixed; called for each copy of the edge."""

    def distribute(self, group: "ProcessGroup") -> None:  # noqa: B027
        """Prepare for several processes; raise a ConfigError if the part does not support them."""

    # An epoch

    def extra_epochs(self) -> int:
        """Return the number of epochs added after the config's epochs; called with a built supernet."""
        return 0

    def prepare_epoch(self, epoch: int) -> None:  # noqa: B027
        """Rebuild the supernet if `epoch` needs another one; called before `new_epoch` of the method."""

    def new_epoch(self, epoch: int) -> None:  # noqa: B027
        """Update what depends on `epoch`, counted from 0; called at its start and when it is resumed."""

    def updates_alphas(self) -> bool:
        """Return whether alphas are updated in this epoch."""
        return True

    def alpha_penalty(self) -> Tensor | float:
        """Return a term to add to the loss of the alphas, a scalar."""
        return 0.0

    def during_weights(self, data_train: "Batch") -> AbstractContextManager[object]:
        """Return a context that changes the supernet while its weights are updated by a batch."""
        return nullcontext()

    def watched_weights(self) -> list[nn.Parameter]:
        """Return weights whose gradients of the validation loss the part needs when alphas are updated."""
        return []

    def see_validation(self, gradients: list[Tensor]) -> None:  # noqa: B027
        """Receive the validation loss's gradients by `watched_weights`, after an update of the alphas."""

    def before_clipping(self) -> None:  # noqa: B027
        """Change the weights' `grad` before it is clipped; a weight whose `grad` is None is not updated."""

    def before_weights(self) -> None:  # noqa: B027
        """Read or change the clipped `grad` of the weights before the optimizer's step."""

    def end_epoch(self, epoch: int, data_train: "Batch", data_val: "Batch") -> str | None:
        """Return why the search must stop after this epoch, counted from 0; None to continue.

        `data_train` and `data_val` are the last batches of the epoch.
        """
        return None

    # The architecture

    def scores(self, edge: "EdgeData", scores: Tensor) -> Tensor:
        """Return the scores of an edge's K candidates, shape (K,), given the method's scores."""
        return scores

    def edge_score(self, edge: "EdgeData", score: float) -> float:
        """Return the score by which edges are compared, given the method's score of an edge."""
        return score

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        """Return the part's state for resuming a search."""
        return {}

    def prepare_state(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Rebuild the supernet if `state` belongs to another one; called before its state is loaded."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Restore a state that `state_dict` returned."""
