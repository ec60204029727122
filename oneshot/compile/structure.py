"""Whether a graph is still made of what a plan was compiled from."""

from itertools import chain


class Structure:
    """Modules with their children and hooks, and what nodes combine by, as they were when they were added."""

    def __init__(self):
        self._children, self._before = [], []  # dictionaries, and all their values one after the other
        self._hooks, self._modules, self._hooked = [], [], set()
        self._nodes, self._combinations = [], []

    def add(self, module):
        self._children.append(module._modules)
        self._before.extend(module._modules.values())
        hooks = hooks_of(module)
        self._hooks += hooks
        self._modules.append(module)
        if any(hooks):
            self._hooked.add(id(module))

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
        )

    def _now_hooked(self):
        return {id(module) for module in self._modules if has_hooks(module)}


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
