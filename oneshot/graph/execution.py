"""How a parsed graph runs: which edges mix alike, what one forward pass has in common, and compiled plans."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from oneshot.compile.expr import AnyExpr
from oneshot.compile.lowering import Lowering
from oneshot.compile.plan import Plan
from oneshot.errors import GraphError
from oneshot.mixed import MixedEdge, Mixing, Mixture, mixings
from oneshot.ops import Combination

if TYPE_CHECKING:
    from oneshot.graph.graph import Graph

_PLANS = 64  # kept per graph; methods that sample need one for each sample

V = TypeVar("V")  # what stands at a node: a tensor, or an expression
A = TypeVar("A")  # what an edge brings to a node


class Meaning(Protocol[V, A]):
    """How edges and nodes are understood while a graph is walked: by running them or by lowering them."""

    def at(self, where: str) -> AbstractContextManager[None]:
        """Name the place of what happens within the block."""

    def edge(self, op: nn.Module, key: int, x: V) -> A:
        """Apply an edge's operation; `key`: the edge's identity."""

    def combine(self, function: Combination, arriving: list[A]) -> V:
        """Apply a node's function."""


class _Interpreter:
    """Edges and nodes are called, one after the other."""

    def __init__(self, mixings: Mapping[int, Mixing]) -> None:
        self._mixings = mixings

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Turn torch's errors about shapes into a GraphError that says where."""
        try:
            yield
        except (GraphError, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError) as error:
            raise GraphError(f"{where}: {error}") from error

    def edge(self, op: nn.Module, key: int, x: Tensor) -> Any:  # modules return anything
        return op.mix(x, self._mixings[key]) if isinstance(op, Mixture) else op(x)

    def combine(self, function: Combination, arriving: list[Tensor]) -> Any:  # so do functions
        return function(arriving)


class _Groups(NamedTuple):
    """Which mixed edges mix alike."""

    keys: list[Hashable]  # of each mixed edge; equal for those that mix alike
    first: dict[Hashable, MixedEdge]  # of each group, by its key
    shape: tuple[int, ...]  # the number of each mixed edge's group


class _Pass(NamedTuple):
    """The forward pass under way: how every mixed edge mixes, and whether the pass is interpreted."""

    mixings: Mapping[int, Mixing]  # by the edge's identity
    interpreting: bool


_NO_PASS = _Pass({}, False)
_PASS: ContextVar[_Pass] = ContextVar("pass", default=_NO_PASS)  # for graphs inside modules


class Execution:
    """The order of computation of a parsed graph, its mixed edges and its plans."""

    def __init__(self, graph: "Graph") -> None:
        dag = graph.dag
        self._graph = graph
        self._inputs, self._output = dag.inputs(), dag.output()
        self._route = [(node, dag.arriving(node)) for node in dag.needed() if dag.pred[node]]
        self._mixed = [
            MixedEdge(edge.op, edge, inner.where(source, target))
            for inner in graph.graphs()
            for source, target, edge in inner.dag.live_edges()
            if isinstance(edge.op, Mixture)
        ]
        self._groups = _Groups([], {}, ())
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self._options: dict[str, Any] | None = None  # torch.compile's; None: plans run as they are

    def run(self, inputs: Sequence[Tensor], interpreting: bool = False) -> Any:  # as nodes combine
        """Return what the output node makes of one tensor for each input node, in order."""
        inputs = self._arguments(inputs)
        under_way = _PASS.get()
        interpreting = interpreting or under_way.interpreting
        groups, mixings = self._grouped(), under_way.mixings
        if not all(id(mixed.edge) in mixings for mixed in self._mixed):
            mixings = self._mixings(groups)
        token = _PASS.set(_Pass(mixings, interpreting))
        try:
            if interpreting:
                return self._walk(inputs, _Interpreter(mixings))
            plan, weights = self._planned(groups, mixings)
            return plan(*inputs, *weights)
        finally:
            _PASS.reset(token)

    def lower(self, inputs: Sequence[AnyExpr], lowering: Lowering) -> AnyExpr:
        """Return the expression of the output node's value."""
        lowering.structure.add(self._graph)
        lowering.structure.add_nodes(self._graph.nodes)
        return self._walk(self._arguments(inputs), lowering)

    def plan(self) -> Plan:
        """Return the compiled plan of the next forward pass."""
        groups = self._grouped()
        return self._planned(groups, self._mixings(groups))[0]

    def compile(self, options: dict[str, Any]) -> None:  # torch's
        """Run plans through `torch.compile(**options)` from now on."""
        self._options = options
        self._plans.clear()

    def _walk(self, inputs: Sequence[V], meaning: Meaning[V, A]) -> V:
        graph, values = self._graph, dict(zip(self._inputs, inputs, strict=True))
        for node, edges in self._route:
            arriving = []
            for source, edge in edges:
                with meaning.at(graph.where(source, node)):
                    arriving.append(meaning.edge(edge.op, id(edge), values[source]))
            with meaning.at(f"node {node} of {graph.name}"):
                values[node] = meaning.combine(graph.dag.combination(node), arriving)
        return values[self._output]

    def _planned(self, groups: _Groups, mixings: Mapping[int, Mixing]) -> tuple[Plan, list[Tensor]]:
        """Return the plan for such mixings, and the tensors of weights that it takes."""
        each = [mixings[id(mixed.edge)] for mixed in groups.first.values()]
        weights = [tensor for mixing in each for tensor in mixing.inputs]
        kinds = tuple((m.drawn, m.weights is None, m.others is None, m.scale is None, m.kept) for m in each)
        signature = groups.shape, kinds
        plan = self._plans.get(signature)
        if plan is None or not plan.holds():  # a module was replaced, or has hooks now
            plan = self._plans[signature] = self._compiled(mixings)
            if len(self._plans) > _PLANS:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(signature)
        return plan, weights

    def _compiled(self, mixings: Mapping[int, Mixing]) -> Plan:
        lowering = Lowering()
        inputs = [lowering.input() for _ in self._inputs]
        for mixed in self._mixed:
            lowering.mix(id(mixed.edge), mixings[id(mixed.edge)])
        plan = Plan(lowering, self.lower(inputs, lowering))
        if self._options is not None and all(mixing.drawn is None for mixing in mixings.values()):
            plan.compile(**self._options)
        return plan

    def _mixings(self, groups: _Groups) -> dict[int, Mixing]:
        """Return the mixings of all mixed edges, by the edge's identity; edges that sample do so now."""
        by_key = mixings(groups.first)
        return {id(mixed.edge): by_key[key] for mixed, key in zip(self._mixed, groups.keys, strict=True)}

    def _grouped(self) -> _Groups:
        """Return the groups, which are others once edges gain or lose values."""
        keys = [mixed.key for mixed in self._mixed]
        if keys != self._groups.keys:
            first: dict[Hashable, MixedEdge] = {}
            for key, mixed in zip(keys, self._mixed, strict=True):
                one = first.setdefault(key, mixed)
                if len(mixed.op.primitives) != len(one.op.primitives):
                    raise GraphError(
                        f"{mixed.where} has {len(mixed.op.primitives)} candidates, but is mixed alike with"
                        f" {one.where}, which has {len(one.op.primitives)}"
                    )
            number = {key: number for number, key in enumerate(first)}
            self._groups = _Groups(keys, first, tuple(number[key] for key in keys))
        return self._groups

    def _arguments(self, inputs: Sequence[V]) -> Sequence[V]:
        """Return the inputs, also if they came as one list; GraphError unless there is one for each node."""
        if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
            inputs = inputs[0]
        if len(inputs) != len(self._inputs):
            names, s = ", ".join(map(str, self._inputs)), "" if len(self._inputs) == 1 else "s"
            raise GraphError(
                f"{self._graph.name} takes {len(self._inputs)} tensor{s} (for node{s} {names}, which no edge"
                f" leads to), got {len(inputs)}"
            )
        return inputs

    def __getstate__(self) -> dict[str, Any]:  # an object's attributes
        return self.__dict__ | {"_plans": OrderedDict(), "_groups": _Groups([], {}, ())}
