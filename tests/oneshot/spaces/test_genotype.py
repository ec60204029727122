import json
import math
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneshot.errors import GenotypeError, OneShotError
from oneshot.spaces import genotype
from oneshot.spaces.genotype import (
    DARTS_V1,
    DARTS_V2,
    GDAS_V1,
    LIU2018,
    OPERATIONS,
    PRIMITIVES,
    PUBLISHED,
    Genotype,
    Hierarchy,
    dense_edges,
    published_names,
)

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


def genotypes():
    """A strategy of random Genotypes of one to five nodes a cell."""

    @st.composite
    def cells(draw):
        count = draw(st.integers(1, 5))
        edges = []
        for node in range(2, 2 + count):
            sources = draw(st.lists(st.integers(0, node - 1), min_size=2, max_size=2, unique=True))
            edges += [(draw(st.sampled_from(OPERATIONS)), source) for source in sources]
        concat = draw(st.lists(st.integers(2, 1 + count), min_size=1, unique=True))
        return edges, concat

    return st.tuples(cells(), cells()).map(lambda both: Genotype(*both[0], *both[1]))


@st.composite
def hierarchies(draw):
    """A strategy of random Hierarchies of one to six motifs."""
    motif = st.lists(
        st.sampled_from(PRIMITIVES),
        min_size=(size := len(dense_edges(draw(st.integers(2, 4))))),
        max_size=size,
    )
    motifs = draw(st.lists(motif, min_size=1, max_size=6))
    size = len(dense_edges(draw(st.integers(2, 5))))
    return Hierarchy(motifs, draw(st.lists(st.integers(0, len(motifs) - 1), min_size=size, max_size=size)))


# Text


def test_the_published_text_is_read_and_written():
    assert Genotype.from_text(V1) == DARTS_V1
    assert Genotype.from_text(V2) == DARTS_V2
    assert str(DARTS_V2) == V2
    assert DARTS_V2.normal == tuple(NORMAL)
    assert DARTS_V2.reduce_concat == (2, 3, 4, 5)


@pytest.mark.parametrize(
    "text",
    [
        V2.replace("[2, 3, 4, 5]", "range(2, 6)"),
        V2.replace("[2, 3, 4, 5]", "(2, 3, 4, 5)"),
        f"  \n{V2}\n",
        V2.replace(", ", ",\n    "),
        V2.replace("(normal", "( normal ").replace("'", '"'),
        f"Genotype({NORMAL}, range(2, 6), {REDUCE}, range(2, 6))",
        f"Genotype({NORMAL}, reduce={REDUCE}, reduce_concat=range(2, 6), normal_concat=range(2, 6))",
        f"Genotype({json.dumps(NORMAL)}, [2, 3, 4, 5], {json.dumps(REDUCE)}, [2, 3, 4, 5],)",
    ],
)
def test_forms_that_mean_the_same(text):
    assert Genotype.from_text(text) == DARTS_V2


def test_a_range_may_begin_at_0():
    """Where it is not the nodes, they say so."""
    with pytest.raises(
        GenotypeError, match=r"normal_concat has different nodes in \[2, 5\], got \[0, 1, 2\]"
    ):
        Genotype.from_text(V2.replace("[2, 3, 4, 5]", "range(3)"))


@settings(deadline=None)
@given(genotypes())
def test_genotypes_go_to_text_and_json_and_back(found):
    assert Genotype.from_text(str(found)) == found
    assert Genotype.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert hash(Genotype.from_text(str(found))) == hash(found)
    assert len(found.operations) == len(found.normal) + len(found.reduce)


@settings(deadline=None)
@given(hierarchies())
def test_hierarchies_go_to_text_and_json_and_back(found):
    assert Hierarchy.from_text(str(found)) == found
    assert Hierarchy.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert len(found.cell) == len(dense_edges(found.cell_nodes))
    assert {len(motif) for motif in found.motifs} == {len(dense_edges(found.motif_nodes))}
    assert len(found.operations) == len(found.cell) * len(found.motifs[0])


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_is_one_line_that_is_read_again(name):
    found = PUBLISHED[name]
    assert "\n" not in str(found)
    assert type(found).from_text(str(found)) == found
    assert type(found).from_json(found.to_json()) == found
    assert getattr(genotype, name) is found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "invalid syntax"),
        ("Genotype", "it is no Genotype"),
        ("Hierarchy()", "it is no Genotype"),
        ("genotypes.Genotype()", "it is no Genotype"),
        (f"{V2}.normal", "it is no Genotype"),
        (f"{V2}; 1", "invalid syntax"),
        (f"x = {V2}", "invalid syntax"),
        (V2[:-1], "was never closed"),
        (V2[:-2], "was never closed|does not match"),
        ("Genotype(\0)", "null bytes"),
        ("Genotype(*[1])", r"it can have lists, .*; got '\*\[1\]'"),
        ("Genotype(**{})", "each field must be given once, by position or name"),
        ("Genotype([], [], [], [], None, None, [])", "each field must be given once, by position or name"),
        ("Genotype(normal=[], normal=[])", "each field must be given once, by position or name"),
        (f"{V2[:-1]}, normal={NORMAL})", "each field must be given once, by position or name"),
        (f"Genotype({NORMAL}, normal={NORMAL})", "each field must be given once, by position or name"),
        ("Genotype(normal=__import__('os').system('true'))", "it can have lists, .*; got "),
        ("Genotype(normal=[__import__('os')])", r"it can have lists, .*; got \"__import__\('os'\)\""),
        ("Genotype(normal=open)", "it can have lists, .*; got 'open'"),
        ("Genotype(normal=lambda: 1)", "it can have lists, .*; got 'lambda: 1'"),
        (
            "Genotype(normal=[1 + 1])",
            "it can have lists, strings, None and numbers, integers up to 20,000; got ",
        ),
        (
            "Genotype(normal=[x for x in (1,)])",
            "it can have lists, strings, None and numbers, integers up to 20,000; got ",
        ),
        (
            "Genotype(normal={[1]: 2})",
            "it can have lists, strings, None and numbers, integers up to 20,000; got ",
        ),
        (
            "Genotype(normal={[]})",
            "it can have lists, strings, None and numbers, integers up to 20,000; got ",
        ),
        (
            "Genotype(normal=f'{print()}')",
            "it can have lists, strings, None and numbers, integers up to 20,000; got ",
        ),
        ("Genotype(normal=[('none', 0j)])", "it can have lists, .*; got '0j'"),
        ("Genotype(normal=[('none', NaN)])", "it can have lists, .*; got 'NaN'"),
        ("Genotype(normal=[('none', np.float32('0'))])", r"got \"np\.float32\('0'\)\""),
        ("Genotype(normal=[('none', np.load(0))])", r"it can have lists, .*; got 'np\.load\(0\)'"),
        ("Genotype(normal=[('none', os.float32(0))])", r"it can have lists, .*; got 'os\.float32\(0\)'"),
        (
            "Genotype(normal=[('none', np.float32(0, 1))])",
            r"it can have lists, .*; got 'np\.float32\(0, 1\)'",
        ),
        ("Genotype(normal={'a': 1})", r"it can have lists, .*; got \"\{'a': 1\}\""),
        ("{'normal': [], **{}}", "each field must be given once, by position or name"),
        ("{'normal': [], 'reduce': [], 'normal': []}", "each field must be given once, by position or name"),
        ("{f'normal': []}", "each field must be given once, by position or name"),
        ("{'normal': [x]}", "it can have lists, .*; got 'x'"),
        ("{'normal'}", "it is no Genotype"),
        ("{'normal': " + "[" * 9000 + "]" * 9000 + "}", "cannot read the text of a Genotype: "),
        ("Genotype(normal=[('none', 123456)])", "it can have lists, .*; got '123456'"),
        ("Genotype(normal=[('none', -123456)])", "it can have lists, .*; got '-123456'"),
        (f"Genotype(normal=[('none', 0x{'f' * 9000})])", "cannot read the text of a Genotype"),
        (f"Genotype(normal=[('none', {'9' * 9000})])", "cannot read the text of a Genotype"),
        ("Genotype(normal=range(101))", "a range has small whole numbers, got .101."),
        ("Genotype(normal=range(1, -1))", "a range has small whole numbers"),
        ("Genotype(normal=range([1]))", "a range has small whole numbers"),
        ("Genotype(normal=range(1, 2, 3))", r"got 'range\(1, 2, 3\)'"),
        ("Genotype(normal=range())", r"got 'range\(\)'"),
        (
            "Genotype(normal=range(1, stop=2))",
            "it can have lists, strings, None and numbers, integers up to 20,000; got ",
        ),
        (f"Genotype({'[' * 150}{']' * 150})", "a Genotype has normal, .*; got 'normal'"),
        (f"Genotype({'[' * 9000}{']' * 9000})", "cannot read the text of a Genotype: "),
        (f"Genotype({'(' * 9000}", "cannot read the text of a Genotype: "),
        (f"Genotype({'-' * 15000}1)", "cannot read the text of a Genotype: "),
        (f"Genotype({'1+' * 9000}1)", "cannot read the text of a Genotype: "),
        ("Genotype(" + " " * 20_000 + ")", "it has 20,010 characters"),
    ],
)
def test_malformed_texts_are_an_error_of_one_line(text, said, capfd):
    with pytest.raises(GenotypeError, match=said) as caught:
        Genotype.from_text(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert capfd.readouterr() == ("", "")
    with pytest.raises(GenotypeError, match="Hierarchy"):
        Hierarchy.from_text(text.replace("Genotype", "Hierarchy"))


def test_code_in_a_text_is_not_run(tmp_path):
    path = tmp_path / "ran"
    for inner in (f"open({str(path)!r}, 'w')", f"__import__('pathlib').Path({str(path)!r}).touch()"):
        with pytest.raises(GenotypeError, match="cannot read the text"):
            Genotype.from_text(f"Genotype(normal={inner}, normal_concat=[], reduce=[], reduce_concat=[])")
    assert not path.exists()


def test_escapes_that_mean_nothing_are_not_warned_of():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(GenotypeError, match="unknown operation"):
            Genotype.from_text("Genotype([('\\d', 0), ('none', 1)], [2], [('none', 0), ('none', 1)], [2])")
    assert not seen


@pytest.mark.parametrize("value", [None, 3, b"Genotype()", ["Genotype()"], DARTS_V2])
def test_a_text_is_a_string(value):
    for kind in (Genotype, Hierarchy):
        with pytest.raises(GenotypeError, match=f"a {kind.__name__} is read from a text, got "):
            kind.from_text(value)


def test_an_error_of_architectures_is_a_value_error():
    assert issubclass(GenotypeError, OneShotError)
    assert issubclass(GenotypeError, ValueError)


# Notations of other tools

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
    """A strategy of functions that make of a Genotype its fields in a notation, the same for both cells."""
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


@settings(deadline=None)
@given(genotypes(), notations())
def test_a_genotype_is_the_same_in_any_notation(found, fields):
    parts = fields(found)
    assert Genotype.from_text(call(parts)) == found
    assert Genotype.from_text(repr(parts)) == found
    assert Genotype.from_json(parts) == found
    assert Genotype.from_json(json.loads(json.dumps(parts))) == found
    assert Genotype.from_text(json.dumps(parts)) == found
    assert str(Genotype.from_text(call(parts))) == str(found)


@given(genotypes())
def test_no_cell_can_be_read_in_two_notations(found):
    with pytest.raises(GenotypeError, match="two edges a node|unknown operation"):
        Genotype(nested(found.normal), found.normal_concat, nested(found.reduce), found.reduce_concat)


def test_literals_of_other_tools_are_read():
    assert Genotype.from_text(LITERAL) == GDAS_V1
    pt_darts = PARTS | {name: nested(PARTS[name]) for name in ("normal", "reduce")}
    assert Genotype.from_text(call(pt_darts).replace("[2, 3, 4, 5]", "range(2, 6)")) == DARTS_V2
    assert "np.float32(1.2e-05)" in SEARCHED_NUMPY_2
    for text in (SEARCHED, SEARCHED_NUMPY_2, f"\n {SEARCHED}\n", SEARCHED.replace("0.14", "-3")):
        assert Genotype.from_text(text) == FOUND
    assert Genotype.from_text(LITERAL.replace("connects=None,", "")) == GDAS_V1
    positional = f"Genotype({nested(NORMAL)}, range(2, 6), {nested(REDUCE)}, range(2, 6), None, None)"
    assert Genotype.from_text(positional) == DARTS_V2


def test_weights_of_numpy_are_read():
    edges = [tuple((op, source, np.float32(0.25)) for op, source in node) for node in nested(NORMAL)]
    assert Genotype.from_json(PARTS | {"normal": edges, "reduce": edges}).normal == DARTS_V2.normal


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"normal": nested(NORMAL)}, rf"normal\[0\] has {NESTED_PAIRS}, reduce\[0\] has {PAIRS}"),
        ({"reduce": nested(REDUCE)}, rf"normal\[0\] has {PAIRS}, reduce\[0\] has {NESTED_PAIRS}"),
        ({"reduce": weighted(REDUCE)}, rf"normal\[0\] has {PAIRS}, reduce\[0\] has {TRIPLES}"),
        (
            {"normal": [("none", 0, 0.5), *NORMAL[1:]]},
            rf"normal\[0\] has {TRIPLES}, normal\[1\] has {PAIRS}; write all edges like normal\[0\] or all"
            r" like normal\[1\]",
        ),
        (
            {"reduce": [*REDUCE[:6], REDUCE[6:]]},
            rf"normal\[0\] has {PAIRS}, reduce\[6\] has {NESTED_PAIRS}; write",
        ),
        (
            {"normal": nested(NORMAL), "reduce": nested(weighted(REDUCE))},
            rf"normal\[0\] has {NESTED_PAIRS}, reduce\[0\] has {NESTED_TRIPLES}; write",
        ),
        (
            {"normal": [weighted(NORMAL[:2]), *weighted(NORMAL[2:])], "reduce": nested(REDUCE)},
            rf"{NESTED_TRIPLES}, normal\[1\] has {TRIPLES}, reduce\[0\] has {NESTED_PAIRS}; write all edges"
            r" like normal\[0\] or all like normal\[1\] or all like reduce\[0\]",
        ),
    ],
)
def test_notations_are_not_mixed(change, said):
    for make in (Genotype.from_json, lambda parts: Genotype.from_text(call(parts))):
        with pytest.raises(GenotypeError, match=f"a genotype cannot mix notations: .*{said}") as caught:
            make(PARTS | change)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("cell", "notation", "said"),
    [
        ([], PAIRS, "normal has two edges a node, got 0 edges"),
        ([("none", 2), *NORMAL[1:]], PAIRS, r"normal, node 2, edge 1: a source is a node in \[0, 1\], got 2"),
        ([("none",), *NORMAL[1:]], PAIRS, r"normal, node 2, edge 1: an edge is \(operation, source\), got"),
        (weighted(NORMAL)[1:], TRIPLES, "normal has two edges a node, got 7 edges"),
        (
            [("none",), *weighted(NORMAL[1:])],
            TRIPLES,
            r"normal, node 2, edge 1: an edge is \(operation, source, weight\), got .'none'",
        ),
        (nested(NORMAL)[1:], NESTED_PAIRS, r"normal_concat has different nodes in \[2, 4\]"),
        (
            [*nested(NORMAL[:2]), NORMAL[2:5], NORMAL[5:6], *nested(NORMAL[6:])],
            NESTED_PAIRS,
            "normal, node 3: a node has a list of two edges, got .*'sep_conv_3x3', 1",
        ),
        ([*nested(NORMAL[:6]), NORMAL[6:7]], NESTED_PAIRS, "normal, node 5: a node has a list of two edges"),
        (
            [[], *nested(NORMAL[2:])],
            NESTED_PAIRS,
            r"normal, node 2: a node has a list of two edges, got \[\]",
        ),
        (["none", *nested(NORMAL[2:])], NESTED_PAIRS, "normal, node 2: a node has a list .*, got 'none'"),
        (
            [[NORMAL[0], 5], *nested(NORMAL[2:])],
            NESTED_PAIRS,
            r"normal, node 2, edge 2: an edge is \(operation, source\), got 5",
        ),
        (
            [[("sep_conv_7x7", 0), NORMAL[1]], *nested(NORMAL[2:])],
            NESTED_PAIRS,
            "normal, node 2, edge 1: unknown operation 'sep_conv_7x7'; there are none, ",
        ),
        (
            [[NORMAL[0], NORMAL[0]], *nested(NORMAL[2:])],
            NESTED_PAIRS,
            "normal, node 2, edge 2: both edges of the node come from node 0",
        ),
        (
            nested([("none", 0, "0.5"), *weighted(NORMAL[1:])]),
            NESTED_TRIPLES,
            "normal, node 2, edge 1: a weight must be a finite number, got '0.5'",
        ),
        (
            nested(weighted(NORMAL, None)),
            NESTED_TRIPLES,
            "normal, .*: a weight must be a finite number, got None",
        ),
        (
            nested(weighted(NORMAL, True)),
            NESTED_TRIPLES,
            "normal, .*: a weight must be a finite number, got True",
        ),
        (
            nested(weighted(NORMAL, math.nan)),
            NESTED_TRIPLES,
            "normal, .*: a weight must be a finite number, got nan",
        ),
        (
            nested(weighted(NORMAL, -math.inf)),
            NESTED_TRIPLES,
            "normal, .*: a weight must be a finite number, got -inf",
        ),
        (weighted(NORMAL, [1]), TRIPLES, r"normal, node 2, edge 1: a weight must be .*, got \[1\]"),
    ],
)
def test_errors_name_the_notation(cell, notation, said):
    reduce = {PAIRS: REDUCE, NESTED_PAIRS: nested(REDUCE), TRIPLES: weighted(REDUCE)}
    parts = PARTS | {"normal": cell, "reduce": reduce.get(notation, nested(weighted(REDUCE)))}
    if not cell:
        parts["reduce"] = []
    for make in (Genotype.from_json, lambda parts: Genotype.from_text(call(parts))):
        with pytest.raises(GenotypeError, match=f"read as {notation}: {said}") as caught:
            make(parts)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("weight", "shown"),
    [
        ("nan", "nan"),
        ("-inf", "-inf"),
        ("1e999", "inf"),
        (f"{'9' * 4000}.0", "inf"),
        ("np.float32(nan)", "nan"),
        ("np.float64(-inf)", "-inf"),
        ("True", "True"),
        ("[0.5]", r"\[0\.5\]"),
    ],
)
def test_weights_in_a_text_are_finite(weight, shown):
    with pytest.raises(GenotypeError, match=rf"edge 1: a weight must be a finite number, got {shown}$"):
        Genotype.from_text(SEARCHED.replace("0.13147543", weight))


def test_sources_and_nodes_are_integers_in_any_notation():
    with pytest.raises(
        GenotypeError, match=rf"read as {NESTED_TRIPLES}: normal, .*: a source is .* got 1\.0"
    ):
        Genotype.from_text(SEARCHED.replace("'dua_sepc_3x3', 1", "'dua_sepc_3x3', 1.0"))
    with pytest.raises(GenotypeError, match=rf"read as {NESTED_TRIPLES}: normal_concat has different nodes"):
        Genotype.from_text(SEARCHED.replace("'normal_concat': [2, 3]", "'normal_concat': [2, nan]"))


@pytest.mark.parametrize("name", ["connectN", "connects"])
@pytest.mark.parametrize("value", [2, 0, [], "None"])
def test_connections_are_not_of_the_space(name, value):
    said = f"{name} must be None or left out, got {re.escape(repr(value))}; .* not of the space of DARTS"
    with pytest.raises(GenotypeError, match=said):
        Genotype.from_json(PARTS | {name: value})
    with pytest.raises(GenotypeError, match=said):
        Genotype.from_text(LITERAL.replace(f"{name}=None", f"{name}={value!r}"))
    with pytest.raises(TypeError, match=name):
        Genotype(**PARTS, **{name: None})


def test_a_dictionary_without_a_reduction_cell_is_an_error():
    """The search of AutoDL-Projects whose reduction cells are fixed prints one."""
    with pytest.raises(GenotypeError, match="a Genotype has .*; got 'normal', 'normal_concat'$"):
        Genotype.from_text(SEARCHED[: SEARCHED.index(", 'reduce'")] + "}")


def test_names_of_operations_are_those_of_the_space_alone_in_a_genotype():
    with pytest.raises(GenotypeError, match="unknown operation 'dua_sepc_3x3'"):
        Genotype(**PARTS | {"normal": [("dua_sepc_3x3", 0), *NORMAL[1:]]})


def test_published_names_are_listed_once_for_each_architecture():
    assert PUBLISHED["DARTS"] is DARTS_V2
    names = published_names()
    assert "DARTS_V1, DARTS_V2 (or DARTS), GDAS_V1" in names
    assert len(names.split(", ")) == len(set(PUBLISHED.values())) == len(PUBLISHED) - 1
    assert set(re.findall(r"\w+", names)) - {"or"} == set(PUBLISHED)


# Values


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"normal": []}, "normal has two edges a node, got 0 edges"),
        ({"reduce": REDUCE[:-1]}, "reduce has two edges a node, got 7 edges"),
        ({"normal": "none"}, "normal is a list, got 'none'"),
        ({"normal": 5}, "normal is a list, got 5"),
        ({"reduce_concat": None}, "reduce_concat is a list, got None"),
        (
            {"normal": [("conv", 0), *NORMAL[1:]]},
            "normal, node 2, edge 1: unknown operation 'conv'; there are",
        ),
        (
            {"normal": [(["none"], 0), *NORMAL[1:]]},
            "normal, node 2, edge 1: unknown operation .'none'.; there",
        ),
        ({"reduce": [*REDUCE[:3], ("a\nb", 0), *REDUCE[4:]]}, r"reduce, node 3, edge 2: unknown .* 'a\\nb'"),
        (
            {"normal": [("none", 2), *NORMAL[1:]]},
            r"normal, node 2, edge 1: a source is a node in \[0, 1\], got 2",
        ),
        (
            {"normal": [*NORMAL[:7], ("none", 5)]},
            r"normal, node 5, edge 2: a source is .* in \[0, 4\], got 5",
        ),
        ({"reduce": [("none", -1), *REDUCE[1:]]}, r"reduce, node 2, edge 1: a source is .*, got -1"),
        ({"reduce": [("none", True), *REDUCE[1:]]}, r"reduce, node 2, edge 1: a source is .*, got True"),
        ({"reduce": [("none", "0"), *REDUCE[1:]]}, r"reduce, node 2, edge 1: a source is .*, got '0'"),
        ({"reduce": [("none", 0.0), *REDUCE[1:]]}, r"reduce, node 2, edge 1: a source is .*, got 0.0"),
        (
            {"normal": [*NORMAL[:4], ("none", 3), ("skip_connect", 3), *NORMAL[6:]]},
            "normal, node 4, edge 2: both edges of the node come from node 3",
        ),
        (
            {"normal": [("none",), *NORMAL[1:]]},
            r"normal, node 2, edge 1: an edge is \(operation, source\), got",
        ),
        ({"normal": ["no", *NORMAL[1:]]}, "normal, node 2, edge 1: an edge is .operation, source., got 'no'"),
        ({"normal_concat": []}, r"normal_concat has different nodes in \[2, 5\], got \[\]"),
        ({"normal_concat": [1, 2]}, r"normal_concat has different nodes in \[2, 5\], got \[1, 2\]"),
        ({"reduce_concat": [5, 6]}, r"reduce_concat has different nodes in \[2, 5\], got \[5, 6\]"),
        ({"reduce_concat": [2, 2]}, r"reduce_concat has different nodes in \[2, 5\], got \[2, 2\]"),
        ({"reduce_concat": ["2"]}, r"reduce_concat has different nodes in \[2, 5\], got \['2'\]"),
        ({"normal_concat": [2] * 500}, r"normal_concat has different nodes in \[2, 5\], got \[2, .*\.\.\."),
    ],
)
def test_malformed_genotypes(change, said):
    with pytest.raises(GenotypeError, match=said) as caught:
        Genotype(**PARTS | change)
    assert "\n" not in str(caught.value)
    with pytest.raises(GenotypeError, match=said):
        Genotype.from_json(PARTS | change)


def test_a_genotype_is_a_value_whatever_it_is_made_of():
    lists = Genotype(**PARTS)
    assert lists == DARTS_V2
    assert hash(lists) == hash(DARTS_V2)
    assert Genotype(tuple(NORMAL), range(2, 6), tuple(map(list, REDUCE)), (2, 3, 4, 5)) == DARTS_V2
    with pytest.raises(AttributeError):
        lists.normal = ()


@pytest.mark.parametrize(
    ("motifs", "cell", "said"),
    [
        ([], [0], "a hierarchy has one motif or more, got none"),
        ("none", [0], "motifs is a list, got 'none'"),
        ([MOTIF, "none"], [0], "motif 1 is a list, got 'none'"),
        ([MOTIF], 0, "cell is a list, got 0"),
        ([MOTIF[:2]], [0], "motif 0 has an edge between any two nodes, so 1, 3, 6, 10, 15, ... edges; got 2"),
        ([[]], [0], "motif 0 has an edge between any two nodes, .*; got 0"),
        ([MOTIF], [0, 0], "cell has an edge between any two nodes, .*; got 2"),
        ([MOTIF], [], "cell has an edge between any two nodes, .*; got 0"),
        ([MOTIF, ["none"]], [0], "motifs have equally many nodes, got 2, 3"),
        (
            [MOTIF, ["none", "sep_conv_5x5", "none"]],
            [0],
            "motif 1, edge 0-2: unknown operation 'sep_conv_5x5'",
        ),
        ([MOTIF], [1], r"cell, edge 0-1: a motif is a number in \[0, 0\], got 1"),
        ([MOTIF], [0, 0, -1], r"cell, edge 1-2: a motif is a number in \[0, 0\], got -1"),
        ([MOTIF], [True], r"cell, edge 0-1: a motif is a number in \[0, 0\], got True"),
        ([MOTIF], ["none"], r"cell, edge 0-1: a motif is a number in \[0, 0\], got 'none'"),
    ],
)
def test_malformed_hierarchies(motifs, cell, said):
    for make in (Hierarchy, lambda motifs, cell: Hierarchy.from_json({"motifs": motifs, "cell": cell})):
        with pytest.raises(GenotypeError, match=said):
            make(motifs, cell)
    with pytest.raises(GenotypeError, match=said):
        Hierarchy.from_text(f"Hierarchy({motifs!r}, {cell!r})")


@pytest.mark.parametrize("kind", [Genotype, Hierarchy])
@pytest.mark.parametrize(
    ("value", "got"),
    [
        (None, "None"),
        ([], r"\[\]"),
        ({}, "nothing"),
        ("text", "'text'"),
        ({"a\nb": 1}, r"'a\\nb'"),
        ({"normal": NORMAL, "cell": []}, "'normal', 'cell'"),
        ([0] * 1000, r"\[0, .*\.\.\."),
    ],
)
def test_malformed_json(kind, value, got):
    with pytest.raises(GenotypeError, match=f"a {kind.__name__} has .*; got {got}") as caught:
        kind.from_json(value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_edges_of_dense_graphs_are_by_target_and_source():
    assert dense_edges(4) == [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    assert dense_edges(1) == []


def test_the_hierarchy_that_was_published():
    """Of motifs 2 and 6 there is no instance in the cell."""
    assert (LIU2018.motif_nodes, LIU2018.cell_nodes, len(LIU2018.motifs)) == (4, 5, 6)
    assert sorted(set(LIU2018.cell)) == [0, 2, 3, 4]
    assert len(LIU2018.operations) == 60
    assert "none" not in LIU2018.operations


# Pictures


def test_the_diagrams_of_a_genotype():
    normal, reduction = DARTS_V2.diagrams()
    assert (normal.title, reduction.title) == ("normal", "reduction")
    assert normal.nodes == (
        *((0, "c_{k-2}", "input"), (1, "c_{k-1}", "input")),
        *((2, "0", "node"), (3, "1", "node"), (4, "2", "node"), (5, "3", "node")),
        (6, "c_{k}", "output"),
    )
    assert normal.edges[:4] == (
        *((0, 2, "sep_conv_3x3"), (1, 2, "sep_conv_3x3")),
        *((0, 3, "sep_conv_3x3"), (1, 3, "sep_conv_3x3")),
    )
    assert normal.edges[8:] == ((2, 6, ""), (3, 6, ""), (4, 6, ""), (5, 6, ""))
    assert [label for *_, label in reduction.edges[:8]] == [op for op, _ in REDUCE]


def test_the_diagrams_of_a_hierarchy():
    cell, *motifs = LIU2018.diagrams()
    assert (cell.title, len(cell.nodes), len(cell.edges)) == ("cell", 5, 10)
    assert cell.edges[4] == (1, 3, "motif 0")
    assert cell.nodes[0][2], cell.nodes[-1][2] == ("input", "output")
    assert [motif.title for motif in motifs] == ["motif 0", "motif 2", "motif 3", "motif 4"]
    assert motifs[0].edges[3] == (0, 3, "sep_conv_3x3")


def test_values_are_there_without_torch():
    code = "import sys, oneshot.spaces.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
