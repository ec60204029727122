"""Whether a parsed graph is still made of what its plans were compiled from."""

from itertools import chain

from oneshot.compile.lower import has_hooks, hooks_of


class Structure:
    """The modules in a graph, which of them have hooks, and what its nodes combine by, as they were once."""

    def __init__(self, graph):
        modules = list(graph.modules())
        self._children = [module._modules for module in modules]
        self._before = self._in_order()
        self._hooks = [hooks for module in modules for hooks in hooks_of(module)]
        self._hooked = _hooked(modules)
        self._modules = modules
        self._nodes = [data for each in graph.graphs() for _, data in each.nodes(data=True)]
        self._combinations = [data.get("comb_op") for data in self._nodes]

    def holds(self):
        """Whether all is as it was. Called in each forward pass, so it looks at no more than it must."""
        return (
            self._in_order() == self._before
            and (_hooked(self._modules) if any(self._hooks) else set()) == self._hooked
            and [data.get("comb_op") for data in self._nodes] == self._combinations
        )

    def _in_order(self):
        """The children of all modules; one list, as there may be tens of thousands."""
        return list(chain.from_iterable(map(dict.values, self._children)))


def _hooked(modules):
    return {id(module) for module in modules if has_hooks(module)}
