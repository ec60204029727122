"""The structure of a graph that a plan depends on."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from torch import nn

from oneshot import ops

_Names = dict[type[nn.Module], tuple[str, ...]]  # names of attributes by class of modules
_POOL = ("kernel_size", "stride", "padding", "ceil_mode")
_SETTINGS: _Names = {  # attributes that plans are compiled for; they read others in each pass
    nn.Conv2d: ("stride", "padding", "dilation", "groups"),
    nn.BatchNorm2d: ("eps", "track_running_stats"),
    nn.AvgPool2d: (*_POOL, "count_include_pad", "divisor_override"),
    nn.MaxPool2d: (*_POOL, "dilation", "return_indices"),
    ops.Zero: ("stride",),
}
# only whether they are None matters
_TENSORS: _Names = {nn.Conv2d: ("bias",), nn.BatchNorm2d: ("weight", "bias", "running_mean")}


class Structure:
    """Modules with their children, hooks and settings, and the functions of nodes."""

    def __init__(self) -> None:
        self._modules: list[nn.Module] = []
        self._children: list[dict[str, nn.Module | None]] = []
        self._hooks: list[dict[int, Any]] = []  # functions of several types
        self._nodes: list[Mapping[str, Any]] = []  # data of nodes
        self._attributes: list[dict[str, Any]] = []  # of modules
        self._names: list[str] = []  # name of one attribute in each
        self._tensors: list[dict[str, Any]] = []  # of modules
        self._slots: list[str] = []  # name of one tensor in each, which may be None

    def add(self, module: nn.Module) -> None:
        """Add a module without its children."""
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
        """Add the nodes of a graph, as a view of networkx."""
        self._nodes += nodes.values()

    def state(self) -> tuple[object, ...]:
        """Return the state of all that a plan depends on; fast, because each forward pass calls it."""
        return (
            list(chain.from_iterable(map(dict.values, self._children))),
            [id(module) for module in self._modules if has_hooks(module)] if any(self._hooks) else [],
            [data.get("comb_op") for data in self._nodes],
            list(map(dict.get, self._attributes, self._names)),
            [each is None for each in map(dict.get, self._tensors, self._slots)],
        )


def _by_kind(module: nn.Module, names: _Names) -> tuple[str, ...]:
    """Return the names for the first class that a module is an instance of."""
    return next((each for kind, each in names.items() if isinstance(module, kind)), ())


def has_hooks(module: nn.Module) -> bool:
    """Return whether a module has hooks for forward or backward passes."""
    return any(find_hooks(module))


def find_hooks(module: nn.Module) -> Sequence[dict[int, Any]]:
    """Return the dictionaries of a module's hooks; torch changes them in place."""
    forward = module._forward_hooks, module._forward_pre_hooks
    return *forward, module._backward_hooks, module._backward_pre_hooks
