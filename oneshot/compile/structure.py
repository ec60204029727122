"""Whether a graph is still made of what a plan was compiled from."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from torch import nn

from oneshot import ops

_POOL = ("kernel_size", "stride", "padding", "ceil_mode")
_SETTINGS: dict[
    type[nn.Module], tuple[str, ...]
] = {  # what plans are made by, of kinds of modules; what else there is they read in each pass
    nn.Conv2d: ("stride", "padding", "dilation", "groups"),
    nn.BatchNorm2d: ("eps", "track_running_stats"),
    nn.AvgPool2d: (*_POOL, "count_include_pad", "divisor_override"),
    nn.MaxPool2d: (*_POOL, "dilation", "return_indices"),
    ops.Zero: ("stride",),
}
_TENSORS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Conv2d: ("bias",),
    nn.BatchNorm2d: ("weight", "bias", "running_mean"),
}  # None or not


class Structure:
    """Modules with children, hooks and settings, and what nodes combine by, as they were when added."""

    def __init__(self) -> None:
        self._children: list[dict[str, nn.Module | None]] = []
        self._before: list[nn.Module | None] = []  # the children one after the other
        self._hooks: list[dict[int, Any]] = []  # torch keeps functions of several kinds
        self._modules: list[nn.Module] = []
        self._hooked: set[int] = set()  # ids of modules
        self._nodes: list[Mapping[str, Any]] = []  # what spaces keep at nodes
        self._combinations: list[Any] = []
        self._attributes: list[dict[str, Any]] = []  # of modules; of each a name and the value
        self._names: list[str] = []
        self._settings: list[Any] = []
        self._tensors: list[dict[str, Any]] = []  # the same, but whether the value is None
        self._slots: list[str] = []
        self._missing: list[bool] = []

    def add(self, module: nn.Module) -> None:
        """Add a module, but not those in it."""
        self._children.append(module._modules)
        self._before.extend(module._modules.values())
        hooks = hooks_of(module)
        self._hooks += hooks
        self._modules.append(module)
        if any(hooks):
            self._hooked.add(id(module))
        for name in _by_kind(module, _SETTINGS):
            self._attributes.append(vars(module))
            self._names.append(name)
            self._settings.append(vars(module).get(name))
        for name in _by_kind(module, _TENSORS):
            tensors = module._buffers if name in module._buffers else module._parameters
            self._tensors.append(tensors)
            self._slots.append(name)
            self._missing.append(tensors.get(name) is None)

    def add_nodes(self, nodes: Mapping[int, Mapping[str, Any]]) -> None:
        """Add the nodes of a graph, as networkx has them."""
        for data in nodes.values():
            self._nodes.append(data)
            self._combinations.append(data.get("comb_op"))

    def holds(self) -> bool:
        """Return whether all is as it was, looking at no more than needed: it runs in each forward pass."""
        return (
            list(chain.from_iterable(map(dict.values, self._children))) == self._before
            and (self._now_hooked() if any(self._hooks) else set()) == self._hooked
            and [data.get("comb_op") for data in self._nodes] == self._combinations
            and list(map(dict.get, self._attributes, self._names)) == self._settings
            and [each is None for each in map(dict.get, self._tensors, self._slots)] == self._missing
        )

    def _now_hooked(self) -> set[int]:
        return {id(module) for module in self._modules if has_hooks(module)}


def _by_kind(module: nn.Module, names: Mapping[type[nn.Module], tuple[str, ...]]) -> tuple[str, ...]:
    """Return the names for the first kind that a module is of."""
    return next((each for kind, each in names.items() if isinstance(module, kind)), ())


def has_hooks(module: nn.Module) -> bool:
    """Return whether a module has hooks of forward or backward passes."""
    return any(hooks_of(module))


def hooks_of(module: nn.Module) -> Sequence[dict[int, Any]]:
    """Return the dictionaries of a module's hooks, which change in place."""
    return (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
