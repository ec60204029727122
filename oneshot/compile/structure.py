"""Whether a graph is still made of what a plan was compiled from."""

from itertools import chain

from torch import nn

from oneshot import ops

_POOL = ("kernel_size", "stride", "padding", "ceil_mode")
_SETTINGS = {  # what plans are made by, of kinds of modules; what else there is they read in each pass
    nn.Conv2d: ("stride", "padding", "dilation", "groups"),
    nn.BatchNorm2d: ("eps", "track_running_stats"),
    nn.AvgPool2d: (*_POOL, "count_include_pad", "divisor_override"),
    nn.MaxPool2d: (*_POOL, "dilation", "return_indices"),
    ops.Zero: ("stride",),
}
_TENSORS = {nn.Conv2d: ("bias",), nn.BatchNorm2d: ("weight", "bias", "running_mean")}  # None or not


class Structure:
    """Modules with children, hooks and settings, and what nodes combine by, as they were when added."""

    def __init__(self):
        self._children, self._before = [], []  # dictionaries, and all their values one after the other
        self._hooks, self._modules, self._hooked = [], [], set()
        self._nodes, self._combinations = [], []
        self._attributes, self._names, self._settings = [], [], []  # dictionaries, a name in each, values
        self._tensors, self._slots, self._missing = [], [], []  # the same, but whether the value is None

    def add(self, module):
        self._children.append(module._modules)
        self._before.extend(module._modules.values())
        hooks = hooks_of(module)
        self._hooks += hooks
        self._modules.append(module)
        if any(hooks):
            self._hooked.add(id(module))
        for name in _of_kind(module, _SETTINGS):
            self._attributes.append(vars(module))
            self._names.append(name)
            self._settings.append(vars(module).get(name))
        for name in _of_kind(module, _TENSORS):
            tensors = module._buffers if name in module._buffers else module._parameters
            self._tensors.append(tensors)
            self._slots.append(name)
            self._missing.append(tensors.get(name) is None)

    def add_nodes(self, nodes):
        """Add the nodes of a graph, as networkx has them."""
        for _, data in nodes(data=True):
            self._nodes.append(data)
            self._combinations.append(data.get("comb_op"))

    def holds(self):
        """Whether all is as it was. Called in each forward pass, so it looks at no more than it must."""
        return (
            list(chain.from_iterable(map(dict.values, self._children))) == self._before
            and (self._now_hooked() if any(self._hooks) else set()) == self._hooked
            and [data.get("comb_op") for data in self._nodes] == self._combinations
            and list(map(dict.get, self._attributes, self._names)) == self._settings
            and [each is None for each in map(dict.get, self._tensors, self._slots)] == self._missing
        )

    def _now_hooked(self):
        return {id(module) for module in self._modules if has_hooks(module)}


def _of_kind(module, names):
    return next((found for kind, found in names.items() if isinstance(module, kind)), ())


def has_hooks(module):
    """Whether a module has hooks of forward or backward passes."""
    return any(hooks_of(module))


def hooks_of(module):
    """The dictionaries of a module's hooks, which change in place."""
    return (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
