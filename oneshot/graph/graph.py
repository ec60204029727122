"""The language of search spaces: graphs whose edges hold operations, candidates, or further graphs."""

from collections import OrderedDict
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import networkx
import torch
from torch import nn

from oneshot.compile.lower import Lowering, lower
from oneshot.compile.plan import Plan
from oneshot.compile.structure import has_hooks
from oneshot.errors import GraphError
from oneshot.graph.copying import copied
from oneshot.graph.edge import EdgeData
from oneshot.mixed import Mixture, mixings, something

_PLANS = 64  # kept a graph; methods that draw need one for each draw


class _Dag(networkx.DiGraph):
    edge_attr_dict_factory = EdgeData


class _Mixed(NamedTuple):
    """A mixed edge: where it is, its operation and its data."""

    where: str
    op: Mixture
    edge: EdgeData

    @property
    def key(self):
        """Equal for edges that mix alike."""
        edge, key = self.edge, "choice" if self.edge.has("choice") else self.op.key
        return type(self.op), edge.owner(key)


class _Groups(NamedTuple):
    """Which mixed edges of a graph mix alike."""

    generation: int  # of edges' data, for which this is so
    first: dict  # {key: (its first edge's Mixture, that edge, where it is)}
    keys: list  # (id of the edge, key) of each mixed edge
    shape: tuple  # the number of each mixed edge's group


class _Pass(NamedTuple):
    """The forward pass that is under way: the mixing of every mixed edge, and whether it is interpreted."""

    mixings: dict  # {id of the edge: Mixing}
    interpreting: bool


_PASS = ContextVar("pass", default=None)


def add_up(tensors):
    """The sum of a list of tensors: what a node makes of what arrives unless it has a `comb_op`."""
    return sum(tensors[1:], tensors[0])


def by_alpha(edge):
    """The greatest share that the softmax of an edge's `alpha` gives to a candidate other than Zero."""
    shares = torch.softmax(edge.alpha.detach(), dim=-1)
    return float(shares[something(edge.op)].max())


class Graph(nn.Module):
    """A directed acyclic graph of tensors (nodes, numbered by integers) and operations (edges).

    >>> from oneshot import ops
    >>> cell = Graph("cell")
    >>> cell.add_nodes_from([1, 2, 3])
    >>> cell.add_edges_densely()
    >>> cell.edges[1, 2].set("op", ops.ReLUConvBN(8, 8, kernel_size=3))
    >>> cell.edges[1, 3].set("op", ops.Zero())
    >>> cell.parse()(torch.zeros(2, 8, 4, 4)).shape  # the edge from 2 to 3 passes its tensor on
    torch.Size([2, 8, 4, 4])

    Nodes that no edge leads to are the inputs, in the order of their numbers; the node of the highest number
    is the output. An edge's `op` is a module or a Graph; while a space is being defined it may be a list of
    candidates. A node adds up what arrives, in the order of its sources; `nodes[n]["comb_op"] = f` makes it
    `f(list of tensors)`, and f may be a Graph with as many inputs.

    A graph is first defined, then parsed: `parse()` makes the operations its submodules and compiles it,
    `unparse()` goes back. `interpret` is the meaning; `forward` runs the compiled plan, which agrees with it.

    The language is that of NASLib (Ruchte et al. 2020, appendix A.2), by whose snippets it is tested.
    """

    OPTIMIZER_SCOPE = "all"  # the scopes, of this graph and those in it, whose edges a method searches
    CHOOSES_NONE = True  # whether Zero may be what an edge becomes

    def __init__(self, name="graph", scope=None):
        super().__init__()
        self.dag = _Dag()
        self.name = name
        self.scope = scope
        self._parsed = False
        self._registered = []  # names of the submodules that parsing made
        self._route = []  # (node, its sources and edges) in the order of computation, once parsed
        self._mixed = []  # the mixed edges of this graph and those in it, once parsed
        self._plans = OrderedDict()
        self._groups = None  # of its mixed edges, as they last were
        self._options = None  # of torch.compile; None: plans run as they are

    # Building

    @property
    def nodes(self):
        """The nodes, as networkx has them: `nodes[n]` is a dictionary."""
        return self.dag.nodes

    @property
    def edges(self):
        """The edges, as networkx has them: `edges[source, target]` is an EdgeData."""
        return self.dag.edges

    def add_node(self, node, **data):
        self._defining("add_node")
        if isinstance(node, bool) or not isinstance(node, int):
            raise GraphError(f"nodes are numbered by integers, got {node!r}")
        self.dag.add_node(node, **data)

    def add_nodes_from(self, nodes):
        for node in nodes:
            self.add_node(node)

    add_node_from = add_nodes_from

    def add_edge(self, source, target, **data):
        for node in (source, target):
            self.add_node(node)
        self.dag.add_edge(source, target, **data)

    def add_edges_from(self, edges):
        for edge in edges:
            self.add_edge(*edge)

    def add_edges_densely(self):
        """An edge from every node to each of a higher number."""
        nodes = sorted(self.nodes)
        self.add_edges_from((source, target) for source in nodes for target in nodes if source < target)

    def set_scope(self, scope, recursively=True):
        """Name the scope of this graph and, recursively, of all graphs in it; returns the graph."""
        for graph in self.graphs() if recursively else [self]:
            graph.scope = scope
        return self

    def copy(self):
        """A further instance: operations and data of its own, shared data in common, now and from now on.

        Deletion of edges is shared, finality is not.
        """
        stores = [data.shared_store for graph in self.graphs() for *_, data in graph.edges(data=True)]
        return copied(self, self._all_modules(), {id(store): store for store in stores})

    def clone(self):
        """An independent graph, in which the same things are shared."""
        return copied(self, self._all_modules(), {})

    # Changing

    def update_edges(self, update_func, scope="all", private_edge_data=True):
        """Call `update_func(edge_data)` for the edges of the graphs in scope, nested ones included.

        With `private_edge_data` for every edge; without, once for all edges that share their data. `scope`: a
        name, several, or "all". Edges that are final or deleted are passed by.
        """
        self._defining("update_edges")
        edges = [
            edge
            for graph in self._in_scope(scope)
            for *_, edge in graph.edges(data=True)
            if edge.is_changeable
        ]
        if not private_edge_data:
            edges = {id(edge.shared_store): edge for edge in reversed(edges)}.values()
            edges = list(edges)[::-1]  # the first of each, in the order of the graph
        for edge in edges:
            update_func(edge)

    def update_nodes(self, update_func, scope="all", single_instances=True):
        """Call `update_func(node, in_edges, out_edges)` for each node of the graphs in scope, nested too.

        `node`: (its number, its dictionary); `in_edges` and `out_edges`: lists of (the other node's number,
        edge data), without edges that are final or deleted.

        With `single_instances` just once for all copies of a graph, as it should be when shared data change
        or edges are deleted; without, for each copy, as it should be when nodes or operations change.
        """
        self._defining("update_nodes")
        graphs = {}
        for graph in self._in_scope(scope):
            graphs.setdefault(graph._sharing() if single_instances else id(graph), graph)
        for graph in graphs.values():
            for node in sorted(graph.nodes):
                in_edges, out_edges = (
                    [(other, edge) for other, edge in sorted(edges.items()) if edge.is_changeable]
                    for edges in (graph.dag.pred[node], graph.dag.succ[node])
                )
                update_func((node, graph.nodes[node]), in_edges, out_edges)

    def all_edges(self, scope="all"):
        """The data of all edges that are not deleted, of the graphs in scope, nested too; a list."""
        return [edge for graph in self._in_scope(scope) for *_, edge in graph._live_edges()]

    def get_all_edge_data(self, key, scope="all", private_edge_data=False):
        """The values that edges in scope have under a key, a list; a value in common counts once."""
        found = {}
        for edge in self.all_edges(scope):
            if edge.has(key):
                found.setdefault(id(edge) if private_edge_data else edge.owner(key), edge[key])
        return list(found.values())

    def weak_edges(self, strength):
        """The edges that a space leaves out of an architecture, a list of EdgeData; here none.

        `strength(edge)`: how much a method would have an edge, of those that it weighs.
        """
        return []

    def prepare_discretization(self, strength=None):
        """What a space does before each mixed edge becomes one operation: it drops the weak edges.

        `strength`: as of `weak_edges`; by default the greatest share that the softmax of an edge's `alpha`
        gives to a candidate other than Zero (Liu et al. 2019, arXiv:1806.09055, section 2.4).
        """
        for edge in self.weak_edges(by_alpha if strength is None else strength):
            edge.delete()

    def prepare_evaluation(self):
        """What a space does to a discretized graph before it is trained, such as growing it."""

    # Parsing

    @property
    def is_parsed(self):
        return self._parsed

    def parse(self):
        """Make the operations submodules, check that the graph means something, and compile it; returns it.

        GraphError names the edge or node where candidates are left, the input is missing or a cycle closes.
        """
        if not self._parsed:
            graphs = list(self.graphs())
            for graph in graphs:
                graph._check()
            self.unparse()  # graphs in it that were parsed alone
            try:
                for graph in graphs:
                    graph._register()
            except GraphError:
                self.unparse()
                raise
        return self

    def unparse(self):
        """Back to the state in which edges may be changed; returns the graph."""
        for graph in list(self.graphs()):
            for name in graph._registered:
                del graph._modules[name]
            graph._registered, graph._route, graph._mixed = [], [], []
            graph._mark(False)
            graph._plans.clear()
            graph._groups = graph._options = None
        return self

    def _check(self):
        if not networkx.is_directed_acyclic_graph(self.dag):
            cycle = " -> ".join(str(source) for source, _ in networkx.find_cycle(self.dag))
            raise GraphError(f"{self.name} is cyclic: {cycle} -> ...; a graph's edges close no cycle")
        if not self.nodes:
            raise GraphError(f"{self.name} has no nodes; add_nodes_from([1, 2]) adds some")
        output = self._output_node()
        if len(self.nodes) > 1 and not self.dag.in_degree(output):
            raise GraphError(
                f"node {output} of {self.name} is the output, as the highest; no edge leads to it"
            )
        if any(self in graph.graphs() for graph in self._inner()):
            raise GraphError(f"{self.name} is within itself; a graph's edges and nodes hold other graphs")
        for source, target, edge in self._live_edges():
            if isinstance(edge.op, (list, tuple)):
                raise GraphError(
                    f"{self._where(source, target)} has a list of {len(edge.op)} candidates; mix them, as a"
                    " method's adapt_search_space does, or choose one before parse()"
                )
            if not isinstance(edge.op, nn.Module):
                raise GraphError(
                    f"{self._where(source, target)} has {edge.op!r} as op, not a module; for a function"
                    " write an nn.Module that calls it"
                )
        for node in self.nodes:
            if not callable(self._combination(node)):
                raise GraphError(
                    f"node {node} of {self.name} has {self._combination(node)!r} as comb_op, not a function"
                    " of a list of tensors"
                )
        for node in self._needed():
            if self.dag.in_degree(node) and not self._arriving(node):
                raise GraphError(
                    f"node {node} of {self.name} has no input: all edges to it are deleted, but its"
                    " output is used"
                )

    def _register(self):
        for source, target, edge in self._live_edges():
            self._add(f"edge_{source}_{target}", edge.op)
        for node, data in self.nodes(data=True):
            if isinstance(data.get("comb_op"), nn.Module):
                self._add(f"node_{node}", data["comb_op"])
        self._route = [(node, self._arriving(node)) for node in self._needed() if self.dag.in_degree(node)]
        self._mixed = list(self._mixed_edges())
        self._mark(True)

    def _mark(self, parsed):
        self._parsed = parsed
        for *_, edge in self.edges(data=True):
            edge.parse(parsed)

    def _add(self, name, module):
        if name in self._modules:
            raise GraphError(
                f"{self.name} has a submodule {name!r} of its own; that name is an edge's or a node's"
            )
        self._modules[name] = module
        self._registered.append(name)

    # Running

    def forward(self, *inputs):
        """The output node's tensor, by the compiled plan; of one tensor for each input node, in order."""
        inputs = self._inputs(inputs)
        under_way = _PASS.get()
        with self._begin(under_way is not None and under_way.interpreting) as now:
            if now.interpreting:
                return self._walk(inputs, now.mixings)
            plan, weights = self._planned(now.mixings)
            return plan(*inputs, *weights)

    def compile(self, **options):
        """Run plans through `torch.compile(**options)` from now on; worth its minutes for a long search.

        Only plans in which no candidate is drawn: each draw would be compiled anew.
        """
        self._need_parsed("plans to compile")
        self._options = options
        self._plans.clear()

    def interpret(self, *inputs):
        """The output node's tensor, edge by edge: the meaning of the graph."""
        inputs = self._inputs(inputs)
        with self._begin(interpreting=True) as now:
            return self._walk(inputs, now.mixings)

    @property
    def plan(self):
        """The compiled plan of the next forward pass; print it to see each step."""
        self._inputs([None] * len(self._input_nodes()))
        return self._planned(self._mixings())[0]

    def _walk(self, inputs, mixings_of):
        values = dict(zip(self._input_nodes(), inputs, strict=True))
        for node, edges in self._route:
            arriving = []
            for source, edge in edges:
                x, op = values[source], edge.op
                with _naming(self._where(source, node)):
                    arriving.append(op.mix(x, mixings_of[id(edge)]) if isinstance(op, Mixture) else op(x))
            with _naming(f"node {node} of {self.name}"):
                values[node] = self._combination(node)(arriving)
        return values[self._output_node()]

    def _planned(self, mixings_of):
        """The plan for such mixings, and the tensors of weights that it takes."""
        groups = self._grouped()
        found = [mixings_of[id(edge)] for _, edge, _ in groups.first.values()]
        weights = [each for mixing in found for each in (mixing.weights, mixing.others) if each is not None]
        signature = groups.shape, tuple((m.drawn, m.weights is None, m.others is None) for m in found)
        plan = self._plans.get(signature)
        if plan is None or not plan.holds():  # a module was replaced, or has hooks now
            plan = self._plans[signature] = self._compile(mixings_of)
            if len(self._plans) > _PLANS:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(signature)
        return plan, weights

    def _compile(self, mixings_of):
        lowering = Lowering()
        inputs = [lowering.input() for _ in self._input_nodes()]
        for mixed in self._mixed:
            lowering.mix(id(mixed.edge), mixings_of[id(mixed.edge)])
        plan = Plan(lowering, _lower_graph(self, inputs, lowering))
        if self._options is not None and all(mixing.drawn is None for mixing in mixings_of.values()):
            plan.compile(**self._options)
        return plan

    @contextmanager
    def _begin(self, interpreting):
        """The pass under way or, where there is none of this graph, a new one, in which mixed edges draw."""
        under_way = _PASS.get()
        if under_way is None or any(id(mixed.edge) not in under_way.mixings for mixed in self._mixed):
            under_way = _Pass(self._mixings(), interpreting)
        now = under_way._replace(interpreting=interpreting)
        token = _PASS.set(now)
        try:
            yield now
        finally:
            _PASS.reset(token)

    def _mixings(self):
        """{id of the edge: Mixing} of all mixed edges."""
        groups = self._grouped()
        found = mixings(groups.first)
        return {edge: found[key] for edge, key in groups.keys}

    def _grouped(self):
        if self._groups is None or self._groups.generation != EdgeData.generation():
            first, keys = {}, []
            for mixed in self._mixed:
                key = mixed.key
                keys.append((id(mixed.edge), key))
                op, _, where = first.setdefault(key, (mixed.op, mixed.edge, mixed.where))
                if len(mixed.op.primitives) != len(op.primitives):
                    raise GraphError(
                        f"{mixed.where} has {len(mixed.op.primitives)} candidates, but is mixed alike with"
                        f" {where}, which has {len(op.primitives)}"
                    )
            number = {key: number for number, key in enumerate(first)}
            shape = tuple(number[key] for _, key in keys)
            self._groups = _Groups(EdgeData.generation(), first, keys, shape)
        return self._groups

    # What the graph consists of

    def graphs(self):
        """This graph and all graphs in it, each once, outer ones first."""
        seen, waiting = set(), [self]
        while waiting:
            graph = waiting.pop(0)
            if id(graph) not in seen:
                seen.add(id(graph))
                yield graph
                waiting.extend(graph._inner())

    def _inner(self):
        """The graphs that stand right in this one."""
        for *_, edge in self.edges(data=True):
            yield from _graphs_in(edge.op)
        for _, data in self.nodes(data=True):
            yield from _graphs_in(data.get("comb_op"))

    def _all_modules(self):
        """This graph and all modules in it, those of candidates too, each once."""
        found, waiting = {}, [self]
        while waiting:
            value = waiting.pop()
            if isinstance(value, (list, tuple)):
                waiting.extend(value)
            elif isinstance(value, nn.Module) and id(value) not in found:
                found[id(value)] = value
                waiting.extend(value._modules.values())
                if isinstance(value, Graph):
                    waiting.extend(edge.op for *_, edge in value.edges(data=True) if edge.has("op"))
                    waiting.extend(data.get("comb_op") for _, data in value.nodes(data=True))
        return list(found.values())

    def _in_scope(self, scope):
        graphs = list(self.graphs())
        if scope is None or scope == "all":
            return graphs
        wanted = {scope} if isinstance(scope, str) else set(scope)
        unknown = wanted - {graph.scope for graph in graphs}
        if unknown:
            known = sorted({graph.scope for graph in graphs if graph.scope is not None})
            raise GraphError(
                f"no graph in {self.name} has the scope {', '.join(map(repr, sorted(unknown)))};"
                f" there are: {', '.join(known) or 'none'}"
            )
        return [graph for graph in graphs if graph.scope in wanted]

    def _sharing(self):
        """Return a key that copies of a graph have in common: the identities of their edges' shared data."""
        stores = frozenset((*nodes, id(edge.shared_store)) for *nodes, edge in self.edges(data=True))
        return stores or id(self)

    def _live_edges(self):
        for source, target, edge in sorted(self.edges(data=True), key=lambda each: each[:2]):
            if not edge.is_deleted:
                yield source, target, edge

    def _arriving(self, node):
        return [(source, edge) for source, edge in sorted(self.dag.pred[node].items()) if not edge.is_deleted]

    def _input_nodes(self):
        return sorted(node for node, degree in self.dag.in_degree() if degree == 0)

    def _output_node(self):
        return max(self.nodes)

    def _needed(self):
        """The nodes that the output depends on, in an order in which they can be computed."""
        live = networkx.DiGraph([(source, target) for source, target, _ in self._live_edges()])
        output = self._output_node()
        live.add_node(output)
        needed = networkx.ancestors(live, output) | {output}
        return list(networkx.lexicographical_topological_sort(live.subgraph(needed)))

    def _mixed_edges(self):
        for graph in self.graphs():
            for source, target, edge in graph._live_edges():
                if isinstance(edge.op, Mixture):
                    yield _Mixed(graph._where(source, target), edge.op, edge)

    def _combination(self, node):
        return self.nodes[node].get("comb_op", add_up)

    def _where(self, source, target):
        scope = f" ({self.scope})" if self.scope else ""
        return f"edge {source}-{target} of {self.name}{scope}"

    def _inputs(self, inputs):
        if not self._parsed:
            raise GraphError(f"{self.name} is not parsed: call parse() before running it")
        if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
            inputs = inputs[0]
        nodes = self._input_nodes()
        if len(inputs) != len(nodes):
            names, s = ", ".join(map(str, nodes)), "" if len(nodes) == 1 else "s"
            raise GraphError(
                f"{self.name} takes {len(nodes)} tensor{s} (for node{s} {names}, which no edge leads to),"
                f" got {len(inputs)}"
            )
        return inputs

    def _defining(self, what):
        if self._parsed:
            raise GraphError(f"{self.name} is parsed: call unparse() before {what}, and parse() after it")

    # As a module

    def _named_members(self, *args, **options):
        self._need_parsed("parameters and buffers")
        return super()._named_members(*args, **options)

    def state_dict(self, *args, **options):
        self._need_parsed("a state_dict")
        return super().state_dict(*args, **options)

    def load_state_dict(self, *args, **options):
        self._need_parsed("a state_dict")
        return super().load_state_dict(*args, **options)

    def _need_parsed(self, what):
        if not self._parsed:
            raise GraphError(f"{self.name} has {what} once it is parsed: call parse() first")

    def train(self, mode=True):
        self._need_parsed("operations to train or to evaluate")
        return super().train(mode)

    def _apply(self, fn, recurse=True):
        """As every module does for `to`, `double` and such; tensors on edges, as alphas, go along."""
        self._need_parsed("tensors to move")
        super()._apply(fn, recurse)
        for *_, edge in self.edges(data=True):
            for key, value in edge.items():
                if isinstance(value, nn.Parameter):
                    value.data = fn(value.data)
                    if value.grad is not None:
                        value.grad.data = fn(value.grad.data)
                elif isinstance(value, torch.Tensor):
                    edge.set(key, fn(value), shared=key in edge.shared_store)
        return self

    def __getstate__(self):
        return self.__dict__ | {"_plans": OrderedDict(), "_groups": None}

    def extra_repr(self):
        state = "parsed" if self._parsed else "defined"
        return f"{self.name!r}, {len(self.nodes)} nodes, {len(self.edges)} edges, {state}"


@contextmanager
def _naming(where):
    """Turn what torch says against shapes that do not meet into a GraphError that says where."""
    try:
        yield
    except (GraphError, torch.OutOfMemoryError):
        raise
    except (RuntimeError, ValueError) as error:
        raise GraphError(f"{where}: {error}") from error


def _graphs_in(value):
    """The outermost graphs in a module, or in a list of candidates."""
    if isinstance(value, Graph):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _graphs_in(each)
    elif isinstance(value, nn.Module):
        for each in value.children():
            yield from _graphs_in(each)


@lower.register
def _lower_nested(graph: Graph, inputs, lowering):
    if type(graph).forward is not Graph.forward:
        return lowering.call(graph, inputs)
    return _lower_graph(graph, graph._inputs(inputs), lowering)


def _is_plain(graph):
    """Whether a graph computes what its nodes and edges say, with nobody looking on."""
    return type(graph).forward is Graph.forward and not has_hooks(graph)


def _lower_graph(graph, inputs, lowering):
    lowering.graph(graph)
    values = dict(zip(graph._input_nodes(), inputs, strict=True))
    for node, edges in graph._route:
        arriving = []
        for source, edge in edges:
            with lowering.at(graph._where(source, node)):
                if isinstance(edge.op, Mixture):
                    arriving.append(lowering.mixture(edge.op, id(edge), values[source]))
                else:
                    arriving.append(lowering.module(edge.op, values[source]))
        combination = graph._combination(node)
        with lowering.at(f"node {node} of {graph.name}"):
            if isinstance(combination, Graph) and _is_plain(combination):
                values[node] = lowering.module(combination, *lowering.whole(arriving))
            elif combination is add_up:
                values[node] = lowering.sum(arriving)
            else:
                values[node] = lowering.combine(combination, arriving)
    return values[graph._output_node()]
