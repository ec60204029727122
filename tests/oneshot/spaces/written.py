"""Genotypes and hierarchies as tools write them, and strategies of random ones."""

import re

from hypothesis import strategies as st

from oneshot.spaces.genotype import OPERATIONS, PRIMITIVES, Genotype, Hierarchy, dense_edges

# As users paste them from the code of Liu et al. 2019 (cnn/genotypes.py, and what its searches print)
V1 = """Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1),
('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)],
normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2),
('max_pool_3x3', 0), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)],
reduce_concat=[2, 3, 4, 5])"""
NORMAL = [
    *(("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
    *(("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)),
]
REDUCE = [
    *(("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1)),
    *(("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1)),
]
V2 = f"Genotype(normal={NORMAL}, normal_concat=[2, 3, 4, 5], reduce={REDUCE}, reduce_concat=[2, 3, 4, 5])"
PARTS = {"normal": NORMAL, "normal_concat": [2, 3, 4, 5], "reduce": REDUCE, "reduce_concat": [2, 3, 4, 5]}
MOTIF = ["none", "skip_connect", "max_pool_3x3"]  # three nodes


def genotypes(nodes=st.integers(1, 5)):  # noqa: B008, a strategy is a value
    """Return a strategy of random Genotypes, by default with one to five nodes per cell."""

    @st.composite
    def cells(draw):
        count = draw(nodes)
        edges = []
        for node in range(2, 2 + count):
            sources = draw(st.lists(st.integers(0, node - 1), min_size=2, max_size=2, unique=True))
            edges += [(draw(st.sampled_from(OPERATIONS)), source) for source in sources]
        concat = draw(st.lists(st.integers(2, 1 + count), min_size=1, unique=True))
        return edges, concat

    return st.tuples(cells(), cells()).map(lambda both: Genotype(*both[0], *both[1]))


@st.composite
def hierarchies(draw):
    """Return a strategy of random Hierarchies of one to six motifs."""
    motif = st.lists(
        st.sampled_from(PRIMITIVES),
        min_size=(size := len(dense_edges(draw(st.integers(2, 4))))),
        max_size=size,
    )
    motifs = draw(st.lists(motif, min_size=1, max_size=6))
    size = len(dense_edges(draw(st.integers(2, 5))))
    return Hierarchy(motifs, draw(st.lists(st.integers(0, len(motifs) - 1), min_size=size, max_size=size)))


# The cells of Dong & Yang 2019, arXiv:1910.04465, as AutoDL-Projects writes them
LITERAL = """
Genotype(
    normal=[(('skip_connect', 0), ('skip_connect', 1)), (('skip_connect', 0), ('sep_conv_5x5', 2)),
            (('sep_conv_3x3', 3), ('skip_connect', 0)),  # step 3
            (('sep_conv_5x5', 4), ('sep_conv_3x3', 3))],
    normal_concat=[2, 3, 4, 5],
    reduce=[(('sep_conv_5x5', 0), ('sep_conv_3x3', 1)), (('sep_conv_5x5', 2), ('sep_conv_5x5', 1)),
            (('dil_conv_5x5', 2), ('sep_conv_3x3', 1)), (('sep_conv_5x5', 0), ('sep_conv_5x5', 1))],
    reduce_concat=[2, 3, 4, 5],
    connectN=None, connects=None,
)
"""
# What its searches print with NumPy 1, and with NumPy 2
SEARCHED = (
    "{'normal': [(('dua_sepc_3x3', 1, 0.13147543), ('skip_connect', 0, 0.1259)),"
    " (('dil_sepc_5x5', 2, 0.12713), ('dua_sepc_5x5', 0, 1.2e-05))], 'normal_concat': [2, 3],"
    " 'reduce': [(('max_pool_3x3', 0, 0.14), ('avg_pool_3x3', 1, 0.13)),"
    " (('dil_sepc_3x3', 1, 0.15), ('max_pool_3x3', 2, 0.125))], 'reduce_concat': [2, 3]}"
)
SEARCHED_NUMPY_2 = re.sub(r"(\d\.\d+(e-05)?)", r"np.float32(\1)", SEARCHED)
FOUND = Genotype(
    [("sep_conv_3x3", 1), ("skip_connect", 0), ("dil_conv_5x5", 2), ("sep_conv_5x5", 0)],
    [2, 3],
    [("max_pool_3x3", 0), ("avg_pool_3x3", 1), ("dil_conv_3x3", 1), ("max_pool_3x3", 2)],
    [2, 3],
)
PAIRS = r"pairs in one list \(Liu et al\. 2019\)"
NESTED_PAIRS = r"pairs nested by node \(pt\.darts, AutoDL-Projects\)"
TRIPLES = "triples in one list"
NESTED_TRIPLES = r"triples nested by node \(AutoDL-Projects\)"
AUTODL = {"sep_conv": "dua_sepc", "dil_conv": "dil_sepc"}  # names of operations


def nested(edges):
    return [list(edges[start : start + 2]) for start in range(0, len(edges), 2)]


def weighted(edges, weight=0.5):
    return [(*edge, weight) for edge in edges]


def call(parts):
    return f"Genotype({', '.join(f'{name}={value!r}' for name, value in parts.items())})"


@st.composite
def notations(draw):
    """Return a strategy of functions from a Genotype to its fields in a notation, the same for both cells."""
    by_node, renamed, connections = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    weights = draw(st.none() | st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))

    def name(op):
        kind, size = op[:8], op[8:]
        return AUTODL.get(kind, kind) + size if renamed else op

    def cell(edges):
        edges = [(name(op), source) for op, source in edges]
        if weights is not None:
            edges = [(*edge, weights[k % len(weights)]) for k, edge in enumerate(edges)]
        return nested(edges) if by_node else edges

    def fields(found):
        parts = vars(found) | {"normal": cell(found.normal), "reduce": cell(found.reduce)}
        return parts | ({"connectN": None, "connects": None} if connections else {})

    return fields
