"""Random graphs, and the comparison of the compiled plan with its slow oracle, `interpret`."""

import torch
from hypothesis import strategies as st
from torch import nn

from oneshot import ops
from oneshot.graph import Graph
from oneshot.methods.gdas import ESTIMATORS
from oneshot.mixed import MixedOp
from tests.oneshot.graph.examples import Outer

CHANNELS = 3
SIZE = 6
BATCH = 3


def candidates(zeros=True, statistics=True, stride=1):
    """Return a strategy of functions that create an operation that keeps the number of channels."""
    c = CHANNELS
    norm = st.fixed_dictionaries(
        {"affine": st.booleans(), "statistics": st.booleans() if statistics else st.just(False)}
    )
    kinds = [
        st.tuples(st.sampled_from([1, 3]), norm).map(
            lambda drawn: lambda: ops.ReLUConvBN(c, c, drawn[0], stride, **drawn[1])
        ),
        norm.map(lambda drawn: lambda: ops.AvgPool1x1(3, stride, c, c, **drawn)),
        st.just(lambda: nn.MaxPool2d(3, stride, padding=1)),
        st.just(lambda: nn.LPPool2d(2, 1, stride)),  # unknown to the compiler
        st.tuples(st.sampled_from([3, 5]), st.sampled_from([1, 2]), norm).map(
            lambda drawn: lambda: ops.DilConv(c, c, drawn[0], stride, drawn[1], **drawn[2])
        ),
        norm.map(lambda drawn: lambda: ops.SepConv(c, c, 3, stride, **drawn)),
        norm.map(lambda drawn: lambda: ops.Normalized(ops.MaxPool(stride), c, **drawn)),
        norm.map(
            lambda drawn: lambda: nn.Sequential(ops.ReLUConvBN(c, c, 1, stride, **drawn), nn.Dropout(0.0))
        ),
    ]
    if stride == 2:
        kinds.append(norm.map(lambda drawn: lambda: ops.FactorizedReduce(c, c, **drawn)))
    if stride == 1:
        kinds += [
            st.just(ops.Identity),
            st.just(lambda: nn.Dropout(0.0)),
            st.just(lambda: ops.ResNetBasicblock(c, c, 1, affine=False, statistics=False)),
            st.just(lambda: nn.Sequential(nn.Conv2d(c, c, 1, bias=False), ops.batch_norm(c, False, False))),
            st.just(lambda: nn.Sequential(nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False))),
        ]
    if zeros:
        kinds.append(st.just(lambda: ops.Zero(stride)))
    return st.one_of(kinds)


def mix(draw, edge, operations):
    """Set a mixed operation on an edge: a softmax, a sample, or a fixed choice of the candidates."""
    kind = draw(st.sampled_from([MixedOp, *ESTIMATORS.values()]))
    if not edge.has("alpha"):
        edge.set("alpha", nn.Parameter(torch.randn(len(operations))), shared=True)
        edge.set("tau", 2.0, shared=True)
    if not edge.has("choice") and draw(st.integers(0, 4)) == 0:
        edge.set("choice", draw(st.integers(0, len(operations) - 1)), shared=True)
    edge.set("op", kind(operations))


def connected(draw, name, most):
    """Return a graph of 2 to `most` nodes; every node except the first has an edge from a lower one."""
    graph = Graph(name)
    count = draw(st.integers(2, most))
    for target in range(2, count + 1):
        sources = draw(st.sets(st.integers(1, target - 1), min_size=1))
        graph.add_edges_from((source, target) for source in sorted(sources))
    return graph


def fill(draw, graph, made, depth, **kinds):
    """Set operations on edges: plain, shared with another edge, mixed, or a graph; some edges get none.

    `made` has the operations that can be shared; None disables sharing.
    """
    for _, _, edge in graph.edges(data=True):
        what = draw(st.sampled_from(["plain", "plain", "mixed", "mixed", "shared", "graph", "nothing"]))
        if what == "mixed":
            makers = draw(st.lists(candidates(**kinds), min_size=1, max_size=4))
            operations = [maker() for maker in makers]
            if depth and draw(st.integers(0, 3)) == 0:
                operations.append(inner(draw, made, depth - 1, **kinds))
            mix(draw, edge, operations)
        elif what == "graph" and depth:
            place = draw(st.sampled_from([lambda graph: graph, nn.Sequential, Outer]))
            edge.set("op", place(inner(draw, made, depth - 1, **kinds)))
        elif what == "shared" and made:
            edge.set("op", draw(st.sampled_from(made)))
        elif what != "nothing":
            edge.set("op", draw(candidates(**kinds))())
            if made is not None:
                made.append(edge.op)


def inner(draw, made, depth, **kinds):
    """Return an inner graph, sometimes of several copies that share their alphas."""
    graph = connected(draw, "inner", 3)
    fill(draw, graph, made, depth, **kinds)
    if draw(st.booleans()):
        outer = Graph("copies")
        outer.add_edge(1, 2, op=graph)
        outer.add_edge(1, 3, op=graph.copy())
        outer.add_edge(2, 3, op=graph.copy() if draw(st.booleans()) else ops.Identity())
        return outer
    return graph


@st.composite
def graphs(draw, most=6, depth=1, shared=True, **kinds):
    """Return a parsed graph in float64.

    With `shared`, some modules are on several edges; `kinds` are arguments of `candidates`.
    """
    torch.manual_seed(draw(st.integers(0, 99)))
    graph = connected(draw, "random", most)
    fill(draw, graph, [] if shared else None, depth, **kinds)
    if draw(st.integers(0, 3)) == 0:
        node = max(graph.nodes)
        sources = len(graph.dag.pred[node])
        combination = Graph("combination")
        for source in range(1, sources + 1):
            combination.add_edge(source, sources + 1)
        fill(draw, combination, None, 0, **kinds)
        graph.nodes[node]["comb_op"] = combination
    elif draw(st.integers(0, 3)) == 0:
        graph = concatenated(draw, graph, **kinds)
    if draw(st.integers(0, 3)) == 0:
        graph = reduced(draw, graph, **kinds)
    return randomized(graph.parse().double())


def concatenated(draw, graph, **kinds):
    """Return a graph that concatenates the graph's output with an operation on its input.

    The number of channels is then reduced in one of two ways.
    """
    outer = Graph("concatenation")
    outer.add_edge(1, 2, op=graph)
    norm = {
        "affine": draw(st.booleans()),
        "statistics": kinds.get("statistics", True) and draw(st.booleans()),
    }
    outer.add_edges_from([(1, 3), (2, 3)])
    outer.edges[1, 3].set("op", draw(candidates(**kinds))())
    if draw(st.booleans()):
        outer.nodes[3]["comb_op"] = ops.Concat1x1(2, CHANNELS, CHANNELS, **norm)
    else:
        outer.nodes[3]["comb_op"] = ops.Concat()
        outer.add_edge(3, 4, op=ops.ReLUConvBN(2 * CHANNELS, CHANNELS, 1, **norm))
        outer.add_edge(2, 4, op=nn.ReLU())
    return outer


def reduced(draw, graph, **kinds):
    """Return the graph followed by edges of stride 2, from its input and its output to a smaller image."""
    outer = Graph("reduction")
    outer.add_edge(1, 2, op=graph)
    for source in (1, 2):
        outer.add_edge(source, 3)
        makers = draw(st.lists(candidates(stride=2, **kinds), min_size=1, max_size=3))
        mix(draw, outer.edges[source, 3], [maker() for maker in makers])
    return outer


def randomized(graph):
    """Randomize scales and running variances, and return the graph; shifts and running means stay zero.

    Otherwise tensors of zeros would become constant; normalizing a constant gives noise, and a ReLU passes
    the sign of the noise on to the gradients.
    """
    with torch.no_grad():
        for module in graph.modules():
            if isinstance(module, nn.BatchNorm2d):
                if module.weight is not None:
                    module.weight.uniform_(0.5, 2)
                if module.running_mean is not None:
                    module.running_var.uniform_(0.5, 2)
    return graph


def images(dtype=torch.float64, batch=BATCH, channels=CHANNELS, size=SIZE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, channels, size, size, generator=generator, dtype=torch.float64).to(dtype)


def outcome(graph, run, x, seed=0):
    """Return the results of a pass, {name: tensor}: output, all gradients (zeros for None), all buffers."""
    torch.manual_seed(seed)  # samples come from the global generator
    x = x.clone().requires_grad_()
    out = run(graph)(x)
    probe = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    tensors = {"input": x} | dict(graph.named_parameters())
    tensors |= {f"alpha {i}": alpha for i, alpha in enumerate(graph.get_all_edge_data("alpha"))}
    gradients = torch.autograd.grad(
        (out * probe.to(out.dtype)).sum(), list(tensors.values()), allow_unused=True, materialize_grads=True
    )
    found = {"output": out.detach()}
    found |= {f"gradient of {name}": each for name, each in zip(tensors, gradients, strict=True)}
    return found | {f"buffer {name}": each for name, each in graph.named_buffers()}


def compiled(graph):
    return graph


def interpreted(graph):
    return graph.interpret


def assert_agrees(graph, x, seed=0, tolerance=1e-10, buffers=True):
    """Assert that plan and `interpret` agree: each tensor up to the tolerance times its largest number."""
    oracle = graph.clone()
    expected = outcome(oracle, interpreted, x, seed)
    found = outcome(graph, compiled, x, seed)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        if name.startswith("buffer") and not buffers:
            continue
        assert found[name].dtype == tensor.dtype, name
        assert found[name].shape == tensor.shape, name
        scale = max(1.0, tensor.abs().max().item())
        error = (found[name] - tensor).abs().max().item()
        assert error <= tolerance * scale, f"{name} differs by {error:.2g} of {scale:.2g}:\n{graph.plan}"
