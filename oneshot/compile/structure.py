"""Whether a graph is still made of what a plan was compiled from."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from torch import nn

from oneshot import ops

_Names = dict[type[nn.Module], tuple[str, ...]]  # of attributes, by the kind of module
_POOL = ("kernel_size", "stride", "padding", "ceil_mode")
_SETTINGS: _Names = {  # what plans are made by; what else there is they read in each pass
    nn.Conv2d: ("stride", "padding", "dilation", "groups"),
    nn.BatchNorm2d: ("eps", "track_running_stats"),
    nn.AvgPool2d: (*_POOL, "count_include_pad", "divisor_override"),
    nn.MaxPool2d: (*_POOL, "dilation", "return_indices"),
    ops.Zero: ("stride",),
}
_TENSORS: _Names = {nn.Conv2d: ("bias",), nn.BatchNorm2d: ("weight", "bias", "running_mean")}  # None or not


class Structure:
    """Modules with children, hooks and settings, and what nodes combine by."""

    def __init__(self) -> None:
        self._modules: list[nn.Module] = []
        self._children: list[dict[str, nn.Module | None]] = []
        self._hooks: list[dict[int, Any]] = []  # torch keeps functions of several kinds
        self._nodes: list[Mapping[str, Any]] = []  # what spaces keep at nodes
        self._attributes: list[dict[str, Any]] = []  # of modules, and of each a name
        self._names: list[str] = []
        self._tensors: list[dict[str, Any]] = []  # the same, of tensors that may be None
        self._slots: list[str] = []

    def add(self, module: nn.Module) -> None:
        """Add a module, but not those in it."""
        self._modules.append(module)
        self._children.append(module._modules)
        self._hooks += find_hooks(module)
        for name in _by_kind(module, _SETTINGS):
            self._attributes.append(vars(module))
            self._names.append(name)
        for name in _by_kind(module, _TENSORS):
            self._tensors.append(module._buffers if name in module._buffers else module._parameters)
            self._slots.append(name)

    def add_nodes(self, nodes: Mapping[int, Mapping[str, Any]]) -> None:
        """Add the nodes of a graph, as networkx has them."""
        self._nodes += nodes.values()

    def state(self) -> tuple[object, ...]:
        """Return all that a plan depends on, as it is now; quickly, because it runs in each forward pass."""
        return (
            list(chain.from_iterable(map(dict.values, self._children))),
            [id(module) for module in self._modules if has_hooks(module)] if any(self._hooks) else [],
            [data.get("comb_op") for data in self._nodes],
            list(map(dict.get, self._attributes, self._names)),
            [each is None for each in map(dict.get, self._tensors, self._slots)],
        )


def _by_kind(module: nn.Module, names: _Names) -> tuple[str, ...]:
    """Return the names for the first kind that a module is of."""
    return next((each for kind, each in names.items() if isinstance(module, kind)), ())


def has_hooks(module: nn.Module) -> bool:
    """Return whether a module has hooks of forward or backward passes."""
    return any(find_hooks(module))


def find_hooks(module: nn.Module) -> Sequence[dict[int, Any]]:
    """Return the dictionaries of a module's hooks, which change in place."""
    forward = module._forward_hooks, module._forward_pre_hooks
    return *forward, module._backward_hooks, module._backward_pre_hooks
