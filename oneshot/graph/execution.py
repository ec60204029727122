"""Execution of parsed graphs: groups of edges with the same mixing, forward passes, compiled plans."""

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

_PLANS = 64  # kept per graph; sampling methods need one per sample

V = TypeVar("V")  # value of a node: a tensor or an expression
A = TypeVar("A")  # output of an edge


class Meaning(Protocol[V, A]):
    """Interpretation of edges and nodes while a graph is walked: they are run or lowered."""

    def at(self, where: str) -> AbstractContextManager[None]:
        """Name the place in the graph, for errors and expressions within the block."""

    def edge(self, op: nn.Module, key: int, x: V) -> A:
        """Apply an edge's operation to x; `key` is the id of its EdgeData."""

    def combine(self, function: Combination, arriving: list[A]) -> V:
        """Combine the outputs of a node's incoming edges by its function."""


class _Interpreter:
    """Interpretation that runs edges and nodes one after the other."""

    def __init__(self, mixings: Mapping[int, Mixing]) -> None:
        self._mixings = mixings

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Convert torch's errors about shapes to GraphErrors that name the place."""
        try:
            yield
        except (GraphError, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError) as error:
            raise GraphError(f"{where}: {error}") from error

    def edge(self, op: nn.Module, key: int, x: Tensor) -> Any:  # modules may return any type
        return op.mix(x, self._mixings[key]) if isinstance(op, Mixture) else op(x)

    def combine(self, function: Combination, arriving: list[Tensor]) -> Any:  # and so may functions
        return function(arriving)


class _Groups(NamedTuple):
    """Groups of mixed edges with the same mixing."""

    keys: list[Hashable]  # key of each mixed edge's group
    first: dict[Hashable, MixedEdge]  # first edge of each group, by key
    shape: tuple[int, ...]  # number of each mixed edge's group


class _Pass(NamedTuple):
    """The current forward pass."""

    mixings: Mapping[int, Mixing]  # of each mixed edge, by the id of its EdgeData
    interpreting: bool


_NO_PASS = _Pass({}, False)
_PASS: ContextVar[_Pass] = ContextVar("pass", default=_NO_PASS)  # read by graphs inside modules


class Execution:
    """Execution of a parsed graph: the order of its nodes, its mixed edges and its compiled plans."""

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
        self._options: dict[str, Any] | None = None  # of torch.compile; None: it is not used

    def run(self, inputs: Sequence[Tensor], interpreting: bool = False) -> Any:  # as nodes' functions
        """Return the value of the output node, given one tensor per input node."""
        inputs = self._arguments(inputs)
        current = _PASS.get()
        interpreting = interpreting or current.interpreting
        groups, mixings = self._grouped(), current.mixings
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
        """Return the expression of the output node."""
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
        """Return the plan for mixings of these kinds, and the tensors of weights that it takes."""
        each = [mixings[id(mixed.edge)] for mixed in groups.first.values()]
        weights = [tensor for mixing in each for tensor in mixing.inputs]
        kinds = tuple((m.drawn, m.weights is None, m.others is None, m.scale is None, m.kept) for m in each)
        signature = groups.shape, kinds
        plan = self._plans.get(signature)
        if plan is None or not plan.holds():  # a module was replaced or got hooks
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
        """Return the mixings of all mixed edges by the id of their EdgeData; sampling happens here."""
        by_key = mixings(groups.first)
        return {id(mixed.edge): by_key[key] for mixed, key in zip(self._mixed, groups.keys, strict=True)}

    def _grouped(self) -> _Groups:
        """Return the groups of mixed edges, updated if edges gained or lost values."""
        keys = [mixed.key for mixed in self._mixed]
        if keys != self._groups.keys:
            first: dict[Hashable, MixedEdge] = {}
            for key, mixed in zip(keys, self._mixed, strict=True):
                other = first.setdefault(key, mixed)
                if len(mixed.op.primitives) != len(other.op.primitives):
                    raise GraphError(
                        f"{mixed.where} has {len(mixed.op.primitives)} candidates, but shares its mixing"
                        f" with {other.where}, which has {len(other.op.primitives)}"
                    )
            number = {key: number for number, key in enumerate(first)}
            self._groups = _Groups(keys, first, tuple(number[key] for key in keys))
        return self._groups

    def _arguments(self, inputs: Sequence[V]) -> Sequence[V]:
        """Return the inputs, which may be one list; raise GraphError unless there is one per input node."""
        if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
            inputs = inputs[0]
        if len(inputs) != len(self._inputs):
            names, s = ", ".join(map(str, self._inputs)), "" if len(self._inputs) == 1 else "s"
            raise GraphError(
                f"{self._graph.name} takes {len(self._inputs)} tensor{s} (for input node{s} {names}),"
                f" got {len(inputs)}"
            )
        return inputs

    def __getstate__(self) -> dict[str, Any]:  # attributes of any type
        return self.__dict__ | {"_plans": OrderedDict(), "_groups": _Groups([], {}, ())}
