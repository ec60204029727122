import json
import math
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings

from oneshot.errors import GenotypeError
from oneshot.spaces.genotype import Genotype, Hierarchy
from oneshot.spaces.published import DARTS_V2, GDAS_V1
from tests.oneshot.spaces.written import (
    FOUND,
    LITERAL,
    NESTED_PAIRS,
    NESTED_TRIPLES,
    NORMAL,
    PAIRS,
    PARTS,
    REDUCE,
    SEARCHED,
    SEARCHED_NUMPY_2,
    TRIPLES,
    V2,
    call,
    genotypes,
    nested,
    notations,
    weighted,
)

# Text


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
        GenotypeError, match=r"normal_concat must have distinct nodes in \[2, 5\], got \[0, 1, 2\]"
    ):
        Genotype.from_text(V2.replace("[2, 3, 4, 5]", "range(3)"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "invalid syntax"),
        ("Genotype", "it is not a Genotype"),
        ("Hierarchy()", "it is not a Genotype"),
        ("genotypes.Genotype()", "it is not a Genotype"),
        (f"{V2}.normal", "it is not a Genotype"),
        (f"{V2}; 1", "invalid syntax"),
        (f"x = {V2}", "invalid syntax"),
        (V2[:-1], "was never closed"),
        (V2[:-2], "was never closed|does not match"),
        ("Genotype(\0)", "null bytes"),
        ("Genotype(*[1])", r"it can contain lists, .*; got '\*\[1\]'"),
        ("Genotype(**{})", "each field must be given once, by position or name"),
        ("Genotype([], [], [], [], None, None, [])", "each field must be given once, by position or name"),
        ("Genotype(normal=[], normal=[])", "each field must be given once, by position or name"),
        (f"{V2[:-1]}, normal={NORMAL})", "each field must be given once, by position or name"),
        (f"Genotype({NORMAL}, normal={NORMAL})", "each field must be given once, by position or name"),
        ("Genotype(normal=__import__('os').system('true'))", "it can contain lists, .*; got "),
        ("Genotype(normal=[__import__('os')])", r"it can contain lists, .*; got \"__import__\('os'\)\""),
        ("Genotype(normal=open)", "it can contain lists, .*; got 'open'"),
        ("Genotype(normal=lambda: 1)", "it can contain lists, .*; got 'lambda: 1'"),
        (
            "Genotype(normal=[1 + 1])",
            "it can contain lists, strings, None and numbers .integers up to 20,000.; got ",
        ),
        (
            "Genotype(normal=[x for x in (1,)])",
            "it can contain lists, strings, None and numbers .integers up to 20,000.; got ",
        ),
        (
            "Genotype(normal={[1]: 2})",
            "it can contain lists, strings, None and numbers .integers up to 20,000.; got ",
        ),
        (
            "Genotype(normal={[]})",
            "it can contain lists, strings, None and numbers .integers up to 20,000.; got ",
        ),
        (
            "Genotype(normal=f'{print()}')",
            "it can contain lists, strings, None and numbers .integers up to 20,000.; got ",
        ),
        ("Genotype(normal=[('none', 0j)])", "it can contain lists, .*; got '0j'"),
        ("Genotype(normal=[('none', NaN)])", "it can contain lists, .*; got 'NaN'"),
        ("Genotype(normal=[('none', np.float32('0'))])", r"got \"np\.float32\('0'\)\""),
        ("Genotype(normal=[('none', np.load(0))])", r"it can contain lists, .*; got 'np\.load\(0\)'"),
        ("Genotype(normal=[('none', os.float32(0))])", r"it can contain lists, .*; got 'os\.float32\(0\)'"),
        (
            "Genotype(normal=[('none', np.float32(0, 1))])",
            r"it can contain lists, .*; got 'np\.float32\(0, 1\)'",
        ),
        ("Genotype(normal={'a': 1})", r"it can contain lists, .*; got \"\{'a': 1\}\""),
        ("{'normal': [], **{}}", "each field must be given once, by position or name"),
        ("{'normal': [], 'reduce': [], 'normal': []}", "each field must be given once, by position or name"),
        ("{f'normal': []}", "each field must be given once, by position or name"),
        ("{'normal': [x]}", "it can contain lists, .*; got 'x'"),
        ("{'normal'}", "it is not a Genotype"),
        ("{'normal': " + "[" * 9000 + "]" * 9000 + "}", "cannot read the text of a Genotype: "),
        ("Genotype(normal=[('none', 123456)])", "it can contain lists, .*; got '123456'"),
        ("Genotype(normal=[('none', -123456)])", "it can contain lists, .*; got '-123456'"),
        (f"Genotype(normal=[('none', 0x{'f' * 9000})])", "cannot read the text of a Genotype"),
        (f"Genotype(normal=[('none', {'9' * 9000})])", "cannot read the text of a Genotype"),
        ("Genotype(normal=range(101))", "the bounds of a range must be integers in .0, 100., got .101."),
        ("Genotype(normal=range(1, -1))", "the bounds of a range must be integers"),
        ("Genotype(normal=range([1]))", "the bounds of a range must be integers"),
        ("Genotype(normal=range(1, 2, 3))", r"got 'range\(1, 2, 3\)'"),
        ("Genotype(normal=range())", r"got 'range\(\)'"),
        (
            "Genotype(normal=range(1, stop=2))",
            "it can contain lists, strings, None and numbers .integers up to 20,000.; got ",
        ),
        (f"Genotype({'[' * 150}{']' * 150})", "a Genotype must have the fields normal, .*; got 'normal'"),
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
        with pytest.raises(GenotypeError, match=f"a {kind.__name__} must be given as text, got "):
            kind.from_text(value)


# Notations of other tools


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
    with pytest.raises(GenotypeError, match="two edges per node|unknown operation"):
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
        ([], PAIRS, "normal must have two edges per node, got 0 edges"),
        (
            [("none", 2), *NORMAL[1:]],
            PAIRS,
            r"normal, node 2, edge 1: a source must be a node in \[0, 1\], got 2",
        ),
        (
            [("none",), *NORMAL[1:]],
            PAIRS,
            r"normal, node 2, edge 1: an edge must be \(operation, source\), got",
        ),
        (weighted(NORMAL)[1:], TRIPLES, "normal must have two edges per node, got 7 edges"),
        (
            [("none",), *weighted(NORMAL[1:])],
            TRIPLES,
            r"normal, node 2, edge 1: an edge must be \(operation, source, weight\), got .'none'",
        ),
        (nested(NORMAL)[1:], NESTED_PAIRS, r"normal_concat must have distinct nodes in \[2, 4\]"),
        (
            [*nested(NORMAL[:2]), NORMAL[2:5], NORMAL[5:6], *nested(NORMAL[6:])],
            NESTED_PAIRS,
            "normal, node 3: a node must have a list of two edges, got .*'sep_conv_3x3', 1",
        ),
        (
            [*nested(NORMAL[:6]), NORMAL[6:7]],
            NESTED_PAIRS,
            "normal, node 5: a node must have a list of two edges",
        ),
        (
            [[], *nested(NORMAL[2:])],
            NESTED_PAIRS,
            r"normal, node 2: a node must have a list of two edges, got \[\]",
        ),
        (["none", *nested(NORMAL[2:])], NESTED_PAIRS, "normal, node 2: a node must have .*, got 'none'"),
        (
            [[NORMAL[0], 5], *nested(NORMAL[2:])],
            NESTED_PAIRS,
            r"normal, node 2, edge 2: an edge must be \(operation, source\), got 5",
        ),
        (
            [[("sep_conv_7x7", 0), NORMAL[1]], *nested(NORMAL[2:])],
            NESTED_PAIRS,
            "normal, node 2, edge 1: unknown operation 'sep_conv_7x7'; the operations are none, ",
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
        GenotypeError, match=rf"read as {NESTED_TRIPLES}: normal, .*: a source must .* got 1\.0"
    ):
        Genotype.from_text(SEARCHED.replace("'dua_sepc_3x3', 1", "'dua_sepc_3x3', 1.0"))
    with pytest.raises(
        GenotypeError, match=rf"read as {NESTED_TRIPLES}: normal_concat must have distinct nodes"
    ):
        Genotype.from_text(SEARCHED.replace("'normal_concat': [2, 3]", "'normal_concat': [2, nan]"))


@pytest.mark.parametrize("name", ["connectN", "connects"])
@pytest.mark.parametrize("value", [2, 0, [], "None"])
def test_connections_are_not_of_the_space(name, value):
    said = (
        f"{name} must be None or left out, got {re.escape(repr(value))}; .* not belong to the space of DARTS"
    )
    with pytest.raises(GenotypeError, match=said):
        Genotype.from_json(PARTS | {name: value})
    with pytest.raises(GenotypeError, match=said):
        Genotype.from_text(LITERAL.replace(f"{name}=None", f"{name}={value!r}"))
    with pytest.raises(TypeError, match=name):
        Genotype(**PARTS, **{name: None})


def test_a_dictionary_without_a_reduction_cell_is_an_error():
    """The search of AutoDL-Projects whose reduction cells are fixed prints one."""
    with pytest.raises(GenotypeError, match="a Genotype must have .*; got 'normal', 'normal_concat'$"):
        Genotype.from_text(SEARCHED[: SEARCHED.index(", 'reduce'")] + "}")


def test_names_of_operations_are_those_of_the_space_alone_in_a_genotype():
    with pytest.raises(GenotypeError, match="unknown operation 'dua_sepc_3x3'"):
        Genotype(**PARTS | {"normal": [("dua_sepc_3x3", 0), *NORMAL[1:]]})
