"""The language of search spaces: graphs whose edges hold operations, candidates, or further graphs."""

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

    Nodes: TypeAlias = NodeView[int, dict[str, Any], EdgeData]  # a space keeps anything at its nodes
    Edges: TypeAlias = OutEdgeView[int, dict[str, Any], EdgeData]  # the same

Scope: TypeAlias = str | Iterable[str] | None  # a name, several, or all, for which "all" stands too
Strength: TypeAlias = Callable[[EdgeData], float]  # how much a method would keep an edge
Neighbours: TypeAlias = list[tuple[int, EdgeData]]  # of a node: the other node's number, the edge


def by_alpha(edge: EdgeData) -> float:
    """Return the highest probability that softmax(alpha) gives to a candidate other than Zero."""
    probabilities = torch.softmax(edge.alpha.detach(), dim=-1)
    return float(probabilities[nonzero_mask(edge.op)].max())


class Graph(nn.Module):
    """A directed acyclic graph of tensors (nodes, numbered by integers) and operations (edges).

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

    Nodes without incoming edges are the inputs, in the order of their numbers; the node with the highest
    number is the output. An edge's `op` is a module or a Graph; while a space is being defined it may be a
    list of candidates. A node sums its inputs in the order of their source nodes; `nodes[n]["comb_op"] = f`
    makes it `f(list of tensors)`, and f may be a Graph with as many inputs.

    A graph is first defined, then parsed: `parse()` fixes the operations and compiles them, `unparse()` goes
    back. `interpret` is the reference implementation; `forward` runs the compiled plan, which agrees with it.

    As a module, a graph has the operations on its edges and nodes as submodules: `edge_1_2`, `node_3`, and
    the candidates of a list as `edge_1_2_0`, `edge_1_2_1`. Until it is parsed these are the operations that
    there are at the time of a call, so `parameters()`, `to()`, `train()` and `state_dict()` mean those.
    Tensors on edges, such as alphas, move with the graph but are none of its parameters.

    The language is that of NASLib (Ruchte et al. 2020, appendix A.2), by whose snippets it is tested.

    Parameters
    ----------
    name
        For messages.
    scope
        A name that `update_edges` and the like select graphs by.
    """

    #: The scopes of this graph and the graphs in it whose edges a method searches.
    OPTIMIZER_SCOPE: str | tuple[str, ...] = "all"
    #: Whether an edge may become Zero.
    CHOOSES_NONE = True

    def __init__(self, name: str = "graph", scope: str | None = None) -> None:
        super().__init__()
        self.dag = Dag()
        self.name = name
        self.scope = scope
        self._placed: dict[str, nn.Module] = {}  # the submodules that are operations on edges and nodes
        self._execution: Execution | None = None  # exists while the graph is parsed

    # Building

    @property
    def nodes(self) -> "Nodes":
        """The nodes, as networkx has them: `nodes[n]` is a dictionary."""
        return self.dag.nodes

    @property
    def edges(self) -> "Edges":
        """The edges, as networkx has them: `edges[source, target]` is an EdgeData."""
        return self.dag.edges

    def add_node(self, node: int, **data: Any) -> None:  # a space keeps anything at its nodes
        """Add a node.

        Parameters
        ----------
        node
            Its number.
        **data
            What `nodes[node]` holds, such as `comb_op`.

        Raises
        ------
        GraphError
            If the number is not an integer, or if the graph is parsed.
        """
        self._need_defined("add_node")
        if isinstance(node, bool) or not isinstance(node, int):
            raise GraphError(f"nodes are numbered by integers, got {node!r}")
        self.dag.add_node(node, **data)

    def add_nodes_from(self, nodes: Iterable[int]) -> None:
        """Add several nodes."""
        for node in nodes:
            self.add_node(node)

    add_node_from = add_nodes_from

    def add_edge(self, source: int, target: int, **data: Any) -> None:  # an edge holds anything
        """Add an edge, and its nodes if they are missing.

        Parameters
        ----------
        source, target
            The numbers of its nodes.
        **data
            Values of the edge, such as `op`.

        Raises
        ------
        GraphError
            If a number is not an integer, or if the graph is parsed.
        """
        self.add_nodes_from((source, target))
        self.dag.add_edge(source, target, **data)

    def add_edges_from(self, edges: Iterable[Sequence[Any]]) -> None:  # as networkx takes them
        """Add several edges, pairs of source and target."""
        for edge in edges:
            self.add_edge(*edge)

    def add_edges_densely(self) -> None:
        """Add an edge from every node to each node with a higher number."""
        nodes = sorted(self.nodes)
        self.add_edges_from((source, target) for source in nodes for target in nodes if source < target)

    def set_scope(self, scope: str | None, recursively: bool = True) -> Self:
        """Name the scope of this graph and, recursively, of all graphs in it; return the graph."""
        for graph in self.graphs() if recursively else [self]:
            graph.scope = scope
        return self

    def copy(self) -> Self:
        """Return another instance with its own operations and data; shared data stay shared from now on.

        Deleting an edge also deletes it in copies; `finalize` does not.
        """
        stores = [edge.shared_store for graph in self.graphs() for *_, edge in graph.edges(data=True)]
        return copied(self, {id(store): store for store in stores})

    def clone(self) -> Self:
        """Return an independent graph, within which the same data are shared."""
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
            Is called with an edge's data. Edges that are final or deleted are skipped.
        scope
            A name, several, or "all".
        private_edge_data
            Call the function for every edge; False: once for all edges that share their data.

        Raises
        ------
        GraphError
            If no graph has such a scope, or if the graph is parsed.
        """
        self._need_defined("update_edges")
        edges: dict[int, EdgeData] = {}  # by what is updated once
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
            Is called with the node, a pair of its number and its dictionary, with the edges into it and with
            the edges out of it, lists of pairs of the other node's number and the edge's data. Edges that are
            final or deleted are left out.
        scope
            A name, several, or "all".
        single_instances
            Call the function just once for all copies of a graph, for changes to shared data and deletions;
            False: for each copy, for changes to nodes and operations.

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
        """Return the data of all edges that are not deleted, of the graphs in scope, nested ones included."""
        return [edge for graph in self._in_scope(scope) for *_, edge in graph.dag.live_edges()]

    def get_all_edge_data(self, key: str, scope: Scope = "all", private_edge_data: bool = False) -> list[Any]:
        """Return the values that edges have under a key.

        Parameters
        ----------
        key
            The name of the value.
        scope
            A name, several, or "all".
        private_edge_data
            List a shared value once per edge; False: once.

        Returns
        -------
        list
            The values of the edges that have one, in the order of the edges.

        Raises
        ------
        GraphError
            If no graph has such a scope.
        """
        values: dict[int, Any] = {}  # as edges hold them
        for edge in self.all_edges(scope):
            if edge.has(key):
                values.setdefault(id(edge) if private_edge_data else edge.owner(key), edge[key])
        return list(values.values())

    def weak_edges(self, strength: Strength) -> list[EdgeData]:
        """Return the edges that a space leaves out of an architecture; here none.

        Parameters
        ----------
        strength
            Returns how much a method would keep an edge.
        """
        return []

    def prepare_discretization(self, strength: Strength = by_alpha) -> None:
        """Drop the weak edges, before each mixed edge becomes one operation.

        Parameters
        ----------
        strength
            As for `weak_edges`; by default the highest probability that the softmax of the edge's `alpha`
            gives to a candidate other than Zero (Liu et al. 2019, arXiv:1806.09055, section 2.4).
        """
        for edge in self.weak_edges(strength):
            edge.delete()

    def prepare_evaluation(self) -> None:
        """Change a discretized graph before it is trained, for example by growing it; here nothing."""

    # Parsing and running

    @property
    def is_parsed(self) -> bool:
        """Whether the operations are fixed and the graph can run."""
        return self._execution is not None

    @property
    def execution(self) -> Execution:
        """How the graph runs; GraphError unless it is parsed."""
        if self._execution is None:
            raise GraphError(f"{self.name} is not parsed: call parse() before running it")
        return self._execution

    def parse(self) -> Self:
        """Fix the operations and check that the graph can run; return it.

        Raises
        ------
        GraphError
            Names the edge or node if candidates are left, an input is missing or a cycle closes.
        """
        if not self.is_parsed:
            graphs = list(self.graphs())
            self.unparse()  # graphs in it that were parsed alone
            for graph in graphs:
                graph._place()
                check(graph)
            for graph in graphs:
                graph._set_execution(Execution(graph))
        return self

    def unparse(self) -> Self:
        """Go back to the state in which edges may be changed; return the graph."""
        for graph in list(self.graphs()):
            graph._set_execution(None)
        return self

    def _set_execution(self, execution: Execution | None) -> None:
        self._execution = execution
        for *_, edge in self.edges(data=True):
            edge.parse(self.is_parsed)

    def forward(self, *inputs: Tensor) -> Any:  # a tensor unless the output's comb_op returns something else
        """Run the compiled plan.

        Parameters
        ----------
        *inputs
            One tensor for each input node, in the order of their numbers, or one list of them.

        Returns
        -------
        Tensor
            The output node's value.

        Raises
        ------
        GraphError
            If the graph is not parsed, if the number of inputs is another, or if shapes do not meet at an
            edge or node, which it names.
        """
        return self.execution.run(inputs)

    def interpret(self, *inputs: Tensor) -> Any:  # as of forward
        """Evaluate the graph edge by edge: the reference implementation, with the arguments of `forward`."""
        return self.execution.run(inputs, interpreting=True)

    def compile(self, **options: Any) -> None:  # torch's
        """Run plans through `torch.compile(**options)` from now on; worth its minutes for a long search.

        Plans in which a candidate is sampled stay as they are: each sample would be compiled anew.
        """
        self.execution.compile(options)

    @property
    def plan(self) -> Plan:
        """The compiled plan of the next forward pass; print it to see each step."""
        return self.execution.plan()

    # Parts

    def graphs(self) -> "Iterator[Graph]":
        """Yield this graph and all graphs in it, each once, outer ones first."""
        seen, waiting = set(), [self]
        while waiting:
            graph = waiting.pop(0)
            if id(graph) not in seen:
                seen.add(id(graph))
                yield graph
                waiting.extend(graph.inner_graphs())

    def inner_graphs(self) -> "Iterator[Graph]":
        """Yield the outermost graphs in the operations of this one."""
        for *_, edge in self.edges(data=True):
            yield from _graphs_in(edge.get("op"))
        for _, data in self.nodes(data=True):
            yield from _graphs_in(data.get("comb_op"))

    def where(self, source: int, target: int) -> str:
        """Return the place of an edge, for messages."""
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
                f" there are: {', '.join(sorted(known)) or 'none'}"
            )
        return [graph for graph in graphs if graph.scope in wanted]

    def _sharing(self) -> object:
        """Return a key that copies of a graph have in common: the identities of their edges' shared data."""
        stores = frozenset((*nodes, id(edge.shared_store)) for *nodes, edge in self.edges(data=True))
        return stores or id(self)

    def _need_defined(self, step: str) -> None:
        if self.is_parsed:
            raise GraphError(f"{self.name} is parsed: call unparse() before {step}, and parse() after it")

    # As a module

    def placed_modules(self) -> dict[str, nn.Module]:
        """Return the operations on edges and nodes by their names as submodules, candidates one by one."""
        places = {f"edge_{source}_{target}": edge.get("op") for source, target, edge in self.dag.live_edges()}
        places |= {f"node_{node}": data.get("comb_op") for node, data in self.nodes(data=True)}
        lists = {name: op for name, op in places.items() if isinstance(op, (list, tuple))}
        places |= {f"{name}_{k}": op for name, several in lists.items() for k, op in enumerate(several)}
        return {name: op for name, op in places.items() if isinstance(op, nn.Module)}

    def _place(self) -> None:
        """Make the operations submodules as they are now; the graph's own submodules keep their names."""
        if not self.is_parsed:
            before = self._placed.items()
            own = {name: module for name, module in self._modules.items() if (name, module) not in before}
            self._placed = self.placed_modules()
            self._modules = own | self._placed | own

    def named_children(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield names and modules of the submodules."""
        self._place()
        return super().named_children()

    def named_modules(self, *args: Any, **options: Any) -> Iterator[tuple[str, nn.Module]]:  # torch's
        """Yield names and modules of this graph and all modules in it."""
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
        """Apply a function to all tensors, as `to`, `double` and such do; those on edges go along."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's
        for *_, edge in self.edges(data=True):
            edge.map_tensors(fn)
        return self

    def extra_repr(self) -> str:
        """Return the graph's name, size and state."""
        self._place()
        state = "parsed" if self.is_parsed else "defined"
        return f"{self.name!r}, {len(self.nodes)} nodes, {len(self.edges)} edges, {state}"


def _graphs_in(value: object) -> Iterator[Graph]:
    """Yield the outermost graphs in a module, or in a list of candidates."""
    if isinstance(value, Graph):
        yield value
    elif isinstance(value, (list, tuple, nn.Module)):
        for each in value.children() if isinstance(value, nn.Module) else value:
            yield from _graphs_in(each)


@rule(Graph)
def lower_graph(graph: Graph, inputs: Sequence[AnyExpr], lowering: Lowering) -> AnyExpr:
    """Return what a graph's output node is, by the expressions of its edges and nodes."""
    return graph.execution.lower(inputs, lowering)


rule(Graph, lower_combination)(lower_graph)
