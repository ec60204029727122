"""Graphs whose edges hold operations, candidates or further graphs; search spaces are made of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import torch
from torch import Tensor, nn

from oneshot.compile.expr import AnyExpr
from oneshot.compile.lower import lower_combination, rule
from oneshot.compile.lowering import Lowering
from oneshot.compile.plan import Plan
from oneshot.errors import GraphError
from oneshot.graph.copying import copied
from oneshot.graph.dag import Dag
from oneshot.graph.edge import EdgeData
from oneshot.graph.execution import Execution
from oneshot.graph.parsing import check
from oneshot.mixed import nonzero_mask

if TYPE_CHECKING:
    from networkx.classes.reportviews import NodeView, OutEdgeView

    Nodes: TypeAlias = NodeView[int, dict[str, Any], EdgeData]  # nodes hold data of any type
    Edges: TypeAlias = OutEdgeView[int, dict[str, Any], EdgeData]  # edges as well

Scope: TypeAlias = str | Iterable[str] | None  # one name, several, or all (None or "all")
Strength: TypeAlias = Callable[[EdgeData], float]  # score of an edge; weak edges have low ones
Neighbours: TypeAlias = list[tuple[int, EdgeData]]  # pairs of the other node and the edge


def by_alpha(edge: EdgeData) -> float:
    """Return the highest probability in softmax(alpha) of a candidate other than Zero."""
    probabilities = torch.softmax(edge.alpha.detach(), dim=-1)
    return float(probabilities[nonzero_mask(edge.op)].max())


class Graph(nn.Module):
    """A directed acyclic graph of tensors (nodes, with integer numbers) and operations (edges).

    >>> from oneshot import ops
    >>> cell = Graph("cell")
    >>> cell.add_nodes_from([1, 2, 3])
    >>> cell.add_edges_densely()
    >>> cell.edges[1, 2].set("op", ops.ReLUConvBN(8, 8, kernel_size=3))
    >>> cell.edges[1, 3].set("op", ops.Zero())
    >>> sum(parameter.numel() for parameter in cell.parameters())
    592
    >>> cell.parse()(torch.zeros(2, 8, 4, 4)).shape  # the edge from 2 to 3 passes its tensor on
    torch.Size([2, 8, 4, 4])

    Nodes without incoming edges are the inputs, in ascending order; the node with the highest number is the
    output. An edge's `op` is a module or a Graph; while a space is being defined, it may be a list of
    candidates. A node sums its inputs in the order of their source nodes. With `nodes[n]["comb_op"] = f`, its
    value is `f(list of tensors)` instead; f may be a Graph with as many inputs.

    A graph is first defined, then parsed: `parse()` fixes and compiles the operations, `unparse()` allows
    changes again. `interpret` is the reference implementation; `forward` runs an equivalent compiled plan.

    The operations on edges and nodes are submodules of the graph: `edge_1_2`, `node_3`, and the candidates of
    a list as `edge_1_2_0`, `edge_1_2_1`. Before parsing, `parameters()`, `to()`, `train()` and `state_dict()`
    apply to the operations present at the time of the call. Tensors on edges, such as alphas, move with the
    graph but are not among its parameters.

    Parameters
    ----------
    name
        Name of the graph in messages.
    scope
        Name by which `update_edges` and similar methods select graphs.

    References
    ----------
    Graphs are defined as in NASLib (Ruchte et al. 2020, appendix A.2); its snippets are among the tests.
    """

    #: scopes whose edges a method searches, of this graph and the graphs in it
    OPTIMIZER_SCOPE: str | tuple[str, ...] = "all"
    #: whether Zero can be selected for an edge
    CHOOSES_NONE = True

    def __init__(self, name: str = "graph", scope: str | None = None) -> None:
        super().__init__()
        self.dag = Dag()
        self.name = name
        self.scope = scope
        self._placed: dict[str, nn.Module] = {}  # submodules that are operations on edges and nodes
        self._execution: Execution | None = None  # None unless the graph is parsed

    # Building

    @property
    def nodes(self) -> "Nodes":
        """The nodes as a view of networkx: `nodes[n]` is a dictionary."""
        return self.dag.nodes

    @property
    def edges(self) -> "Edges":
        """The edges as a view of networkx: `edges[source, target]` is an EdgeData."""
        return self.dag.edges

    def add_node(self, node: int, **data: Any) -> None:  # values of any type
        """Add a node.

        Parameters
        ----------
        node
            Number of the node.
        **data
            Items of `nodes[node]`, such as `comb_op`.

        Raises
        ------
        GraphError
            If the number is not an integer, or if the graph is parsed.
        """
        self._need_defined("add_node")
        if isinstance(node, bool) or not isinstance(node, int):
            raise GraphError(f"node numbers must be integers, got {node!r}")
        self.dag.add_node(node, **data)

    def add_nodes_from(self, nodes: Iterable[int]) -> None:
        """Add `nodes`, an iterable of numbers."""
        for node in nodes:
            self.add_node(node)

    add_node_from = add_nodes_from

    def add_edge(self, source: int, target: int, **data: Any) -> None:  # values of any type
        """Add an edge, and its nodes if they do not exist.

        Parameters
        ----------
        source, target
            Numbers of its nodes.
        **data
            Private values of the edge, such as `op`.

        Raises
        ------
        GraphError
            If a number is not an integer, or if the graph is parsed.
        """
        self.add_nodes_from((source, target))
        self.dag.add_edge(source, target, **data)

    def add_edges_from(self, edges: Iterable[Sequence[Any]]) -> None:  # as for networkx
        """Add `edges`, pairs of source and target."""
        for edge in edges:
            self.add_edge(*edge)

    def add_edges_densely(self) -> None:
        """Add an edge from each node to every node with a higher number."""
        nodes = sorted(self.nodes)
        self.add_edges_from((source, target) for source in nodes for target in nodes if source < target)

    def set_scope(self, scope: str | None, recursively: bool = True) -> Self:
        """Set the scope of this graph and, if `recursively`, of all graphs in it; return the graph."""
        for graph in self.graphs() if recursively else [self]:
            graph.scope = scope
        return self

    def copy(self) -> Self:
        """Return a copy with its own operations and private data, which shares the shared data of edges.

        Deleting an edge deletes it in all copies; `finalize` affects only the edge itself.
        """
        stores = [edge.shared_store for graph in self.graphs() for *_, edge in graph.edges(data=True)]
        return copied(self, {id(store): store for store in stores})

    def clone(self) -> Self:
        """Return an independent copy; edges within it share data as they do in this graph."""
        return copied(self, {})

    # Changing

    def update_edges(
        self,
        update_func: Callable[[EdgeData], object],
        scope: Scope = "all",
        private_edge_data: bool = True,
    ) -> None:
        """Call a function for the edges of the graphs in scope, nested ones included.

        Parameters
        ----------
        update_func
            Function of an edge's data; edges that are final or deleted are skipped.
        scope
            One name, several, or "all".
        private_edge_data
            Whether to call the function for every edge, or once for all edges that share their data.

        Raises
        ------
        GraphError
            If no graph has such a scope, or if the graph is parsed.
        """
        self._need_defined("update_edges")
        edges: dict[int, EdgeData] = {}  # by the id of their data
        for graph in self._in_scope(scope):
            for *_, edge in graph.edges(data=True):
                if edge.is_changeable:
                    edges.setdefault(id(edge if private_edge_data else edge.shared_store), edge)
        for edge in edges.values():
            update_func(edge)

    def update_nodes(
        self,
        update_func: Callable[[tuple[int, dict[str, Any]], Neighbours, Neighbours], object],
        scope: Scope = "all",
        single_instances: bool = True,
    ) -> None:
        """Call a function for each node of the graphs in scope, nested ones included.

        Parameters
        ----------
        update_func
            Function of a node, its incoming edges and its outgoing edges. The node is a pair of number and
            dictionary; the edges are lists of pairs of the other node's number and the edge's data, without
            edges that are final or deleted.
        scope
            One name, several, or "all".
        single_instances
            True: call the function once for all copies of a graph, which suits changes to shared data and
            deletions. False: call it for each copy, which suits changes to nodes and operations.

        Raises
        ------
        GraphError
            If no graph has such a scope, or if the graph is parsed.
        """
        self._need_defined("update_nodes")
        graphs: dict[object, Graph] = {}
        for graph in self._in_scope(scope):
            graphs.setdefault(graph._sharing() if single_instances else id(graph), graph)
        for dag in (graph.dag for graph in graphs.values()):
            for node in sorted(dag.nodes):
                into = [(s, edge) for s, edge in dag.arriving(node) if edge.is_changeable]
                out = [(t, dag.edges[node, t]) for t in sorted(dag.succ[node])]
                out = [(t, edge) for t, edge in out if edge.is_changeable]
                update_func((node, dag.nodes[node]), into, out)

    def all_edges(self, scope: Scope = "all") -> list[EdgeData]:
        """Return the data of all edges that are not deleted, of the graphs in `scope` and nested graphs."""
        return [edge for graph in self._in_scope(scope) for *_, edge in graph.dag.live_edges()]

    def get_all_edge_data(self, key: str, scope: Scope = "all", private_edge_data: bool = False) -> list[Any]:
        """Return the values of a key, of all edges that have one.

        Parameters
        ----------
        key
            Name of the value.
        scope
            One name, several, or "all".
        private_edge_data
            Whether to list a shared value once per edge, or only once.

        Returns
        -------
        list
            Values in the order of the edges.

        Raises
        ------
        GraphError
            If no graph has such a scope.
        """
        values: dict[int, Any] = {}  # values of any type
        for edge in self.all_edges(scope):
            if edge.has(key):
                values.setdefault(id(edge) if private_edge_data else edge.owner(key), edge[key])
        return list(values.values())

    def weak_edges(self, strength: Strength) -> list[EdgeData]:
        """Return the edges that an architecture of this space does not have; by default none.

        Parameters
        ----------
        strength
            Function that scores an edge; the space leaves out the edges with the lowest scores.

        Returns
        -------
        list of EdgeData
            Data of the edges.
        """
        return []

    def prepare_discretization(self, strength: Strength = by_alpha) -> None:
        """Delete the weak edges; call this before one candidate of each mixed edge is selected.

        Parameters
        ----------
        strength
            As for `weak_edges`; by default the highest probability in softmax(alpha) of a candidate other
            than Zero.

        References
        ----------
        Liu et al. 2019, arXiv:1806.09055, section 2.4.
        """
        for edge in self.weak_edges(strength):
            edge.delete()

    def prepare_evaluation(self) -> None:
        """Change a discretized graph before it is trained, for example enlarge it; by default do nothing."""

    # Parsing and running

    @property
    def is_parsed(self) -> bool:
        """Whether the operations are fixed, so that the graph can run."""
        return self._execution is not None

    @property
    def execution(self) -> Execution:
        """Execution of the parsed graph; GraphError if it is not parsed."""
        if self._execution is None:
            raise GraphError(f"{self.name} is not parsed; call parse() before running it")
        return self._execution

    def parse(self) -> Self:
        """Fix the operations and check that the graph can run.

        Returns
        -------
        Graph
            The graph itself.

        Raises
        ------
        GraphError
            If an edge has a list of candidates, a node has no input or the graph has a cycle; the message
            names the edge or node.
        """
        if not self.is_parsed:
            graphs = list(self.graphs())
            self.unparse()  # also the graphs in it that were parsed separately
            for graph in graphs:
                graph._place()
                check(graph)
            for graph in graphs:
                graph._set_execution(Execution(graph))
        return self

    def unparse(self) -> Self:
        """Allow changes to nodes and edges again; return the graph itself."""
        for graph in list(self.graphs()):
            graph._set_execution(None)
        return self

    def _set_execution(self, execution: Execution | None) -> None:
        self._execution = execution
        for *_, edge in self.edges(data=True):
            edge.parse(self.is_parsed)

    def forward(self, *inputs: Tensor) -> Any:  # a tensor unless the output's comb_op returns another type
        """Run the compiled plan.

        Parameters
        ----------
        *inputs
            One tensor per input node, in ascending order of the nodes, or one list of these tensors.

        Returns
        -------
        Tensor
            Value of the output node.

        Raises
        ------
        GraphError
            If the graph is not parsed, if the number of inputs is wrong, or if shapes do not match at an edge
            or node, which the message names.
        """
        return self.execution.run(inputs)

    def interpret(self, *inputs: Tensor) -> Any:  # as for forward
        """Evaluate the graph edge by edge, as the reference implementation; `inputs` as for `forward`."""
        return self.execution.run(inputs, interpreting=True)

    def compile(self, **options: Any) -> None:  # torch's
        """Run plans through `torch.compile` from now on; compiling takes minutes, so it suits long searches.

        Plans with a sampled candidate are excluded, because each sample would need its own compilation.

        Parameters
        ----------
        **options
            Arguments of `torch.compile`.

        Raises
        ------
        GraphError
            If the graph is not parsed.
        """
        self.execution.compile(options)

    @property
    def plan(self) -> Plan:
        """The compiled plan of the next forward pass; print it to see its steps."""
        return self.execution.plan()

    # Parts

    def graphs(self) -> "Iterator[Graph]":
        """Yield this graph and all graphs in it, each once, outer graphs first."""
        seen, waiting = set(), [self]
        while waiting:
            graph = waiting.pop(0)
            if id(graph) not in seen:
                seen.add(id(graph))
                yield graph
                waiting.extend(graph.inner_graphs())

    def inner_graphs(self) -> "Iterator[Graph]":
        """Yield the outermost graphs among the operations of this graph."""
        for *_, edge in self.edges(data=True):
            yield from _graphs_in(edge.get("op"))
        for _, data in self.nodes(data=True):
            yield from _graphs_in(data.get("comb_op"))

    def where(self, source: int, target: int) -> str:
        """Return the place of the edge from `source` to `target`, for messages."""
        scope = f" ({self.scope})" if self.scope else ""
        return f"edge {source}-{target} of {self.name}{scope}"

    def _in_scope(self, scope: Scope) -> "list[Graph]":
        graphs = list(self.graphs())
        if scope is None or scope == "all":
            return graphs
        wanted = {scope} if isinstance(scope, str) else set(scope)
        known = {graph.scope for graph in graphs if graph.scope is not None}
        if wanted - known:
            raise GraphError(
                f"no graph in {self.name} has the scope {', '.join(map(repr, sorted(wanted - known)))};"
                f" its scopes are: {', '.join(sorted(known)) or 'none'}"
            )
        return [graph for graph in graphs if graph.scope in wanted]

    def _sharing(self) -> object:
        """Return a key that is equal for all copies of a graph, from the ids of their edges' shared data."""
        stores = frozenset((*nodes, id(edge.shared_store)) for *nodes, edge in self.edges(data=True))
        return stores or id(self)

    def _need_defined(self, step: str) -> None:
        if self.is_parsed:
            raise GraphError(f"{self.name} is parsed; call unparse() before {step} and parse() after it")

    # As a module

    def placed_modules(self) -> dict[str, nn.Module]:
        """Return the operations on edges and nodes by submodule name, with lists of candidates expanded."""
        places = {f"edge_{source}_{target}": edge.get("op") for source, target, edge in self.dag.live_edges()}
        places |= {f"node_{node}": data.get("comb_op") for node, data in self.nodes(data=True)}
        lists = {name: op for name, op in places.items() if isinstance(op, (list, tuple))}
        places |= {f"{name}_{k}": op for name, several in lists.items() for k, op in enumerate(several)}
        return {name: op for name, op in places.items() if isinstance(op, nn.Module)}

    def _place(self) -> None:
        """Register the current operations as submodules; submodules set by the user take precedence."""
        if not self.is_parsed:
            before = self._placed.items()
            others = {name: module for name, module in self._modules.items() if (name, module) not in before}
            self._placed = self.placed_modules()
            self._modules = others | self._placed | others

    def named_children(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield name and module of each submodule."""
        self._place()
        return super().named_children()

    def named_modules(self, *args: Any, **options: Any) -> Iterator[tuple[str, nn.Module]]:  # torch's
        """Yield names and modules of this graph and all modules in it; `args` and `options` as in torch."""
        self._place()
        modules: Iterator[tuple[str, nn.Module]] = super().named_modules(*args, **options)
        return modules

    def _save_to_state_dict(self, *args: Any) -> None:  # torch's
        self._place()
        super()._save_to_state_dict(*args)

    def _load_from_state_dict(self, *args: Any) -> None:  # torch's
        self._place()
        super()._load_from_state_dict(*args)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Apply a function to all tensors, including those on edges, as `to`, `double` and the like do."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's
        for *_, edge in self.edges(data=True):
            edge.map_tensors(fn)
        return self

    def extra_repr(self) -> str:
        """Return name, size and state of the graph, for its repr."""
        self._place()
        state = "parsed" if self.is_parsed else "defined"
        return f"{self.name!r}, {len(self.nodes)} nodes, {len(self.edges)} edges, {state}"


def _graphs_in(value: object) -> Iterator[Graph]:
    """Yield the outermost graphs in a module or a list of candidates."""
    if isinstance(value, Graph):
        yield value
    elif isinstance(value, (list, tuple, nn.Module)):
        for each in value.children() if isinstance(value, nn.Module) else value:
            yield from _graphs_in(each)


@rule(Graph)
def lower_graph(graph: Graph, inputs: Sequence[AnyExpr], lowering: Lowering) -> AnyExpr:
    """Return the expression of a graph's output node."""
    return graph.execution.lower(inputs, lowering)


rule(Graph, lower_combination)(lower_graph)
