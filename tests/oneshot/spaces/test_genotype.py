import json
import subprocess
import sys

import pytest
from hypothesis import given, settings

from oneshot.errors import GenotypeError, OneShotError
from oneshot.spaces.genotype import Genotype, Hierarchy, dense_edges
from oneshot.spaces.published import DARTS_V2, LIU2018
from tests.oneshot.spaces.written import MOTIF, NORMAL, PARTS, REDUCE, genotypes, hierarchies


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


def test_an_error_of_architectures_is_a_value_error():
    assert issubclass(GenotypeError, OneShotError)
    assert issubclass(GenotypeError, ValueError)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"normal": []}, "normal must have two edges per node, got 0 edges"),
        ({"reduce": REDUCE[:-1]}, "reduce must have two edges per node, got 7 edges"),
        ({"normal": "none"}, "normal must be a list, got 'none'"),
        ({"normal": 5}, "normal must be a list, got 5"),
        ({"reduce_concat": None}, "reduce_concat must be a list, got None"),
        (
            {"normal": [("conv", 0), *NORMAL[1:]]},
            "normal, node 2, edge 1: unknown operation 'conv'; the operations are",
        ),
        (
            {"normal": [(["none"], 0), *NORMAL[1:]]},
            "normal, node 2, edge 1: unknown operation .'none'.; the oper",
        ),
        ({"reduce": [*REDUCE[:3], ("a\nb", 0), *REDUCE[4:]]}, r"reduce, node 3, edge 2: unknown .* 'a\\nb'"),
        (
            {"normal": [("none", 2), *NORMAL[1:]]},
            r"normal, node 2, edge 1: a source must be a node in \[0, 1\], got 2",
        ),
        (
            {"normal": [*NORMAL[:7], ("none", 5)]},
            r"normal, node 5, edge 2: a source must .* in \[0, 4\], got 5",
        ),
        ({"reduce": [("none", -1), *REDUCE[1:]]}, r"reduce, node 2, edge 1: a source must .*, got -1"),
        ({"reduce": [("none", True), *REDUCE[1:]]}, r"reduce, node 2, edge 1: a source must .*, got True"),
        ({"reduce": [("none", "0"), *REDUCE[1:]]}, r"reduce, node 2, edge 1: a source must .*, got '0'"),
        ({"reduce": [("none", 0.0), *REDUCE[1:]]}, r"reduce, node 2, edge 1: a source must .*, got 0.0"),
        (
            {"normal": [*NORMAL[:4], ("none", 3), ("skip_connect", 3), *NORMAL[6:]]},
            "normal, node 4, edge 2: both edges of the node come from node 3",
        ),
        (
            {"normal": [("none",), *NORMAL[1:]]},
            r"normal, node 2, edge 1: an edge must be \(operation, source\), got",
        ),
        (
            {"normal": ["no", *NORMAL[1:]]},
            "normal, node 2, edge 1: an edge must be .operation, source., got 'no'",
        ),
        ({"normal_concat": []}, r"normal_concat must have distinct nodes in \[2, 5\], got \[\]"),
        ({"normal_concat": [1, 2]}, r"normal_concat must have distinct nodes in \[2, 5\], got \[1, 2\]"),
        ({"reduce_concat": [5, 6]}, r"reduce_concat must have distinct nodes in \[2, 5\], got \[5, 6\]"),
        ({"reduce_concat": [2, 2]}, r"reduce_concat must have distinct nodes in \[2, 5\], got \[2, 2\]"),
        ({"reduce_concat": ["2"]}, r"reduce_concat must have distinct nodes in \[2, 5\], got \['2'\]"),
        (
            {"normal_concat": [2] * 500},
            r"normal_concat must have distinct nodes in \[2, 5\], got \[2, .*\.\.\.",
        ),
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
        ([], [0], "a hierarchy must have at least one motif, got none"),
        ("none", [0], "motifs must be a list, got 'none'"),
        ([MOTIF, "none"], [0], "motif 1 must be a list, got 'none'"),
        ([MOTIF], 0, "cell must be a list, got 0"),
        ([MOTIF[:2]], [0], "motif 0 must have 1, 3, 6, 10, 15, ... edges, one per pair of nodes; got 2"),
        ([[]], [0], "motif 0 must have 1, 3, .*, one per pair of nodes; got 0"),
        ([MOTIF], [0, 0], "cell must have 1, 3, .*, one per pair of nodes; got 2"),
        ([MOTIF], [], "cell must have 1, 3, .*, one per pair of nodes; got 0"),
        ([MOTIF, ["none"]], [0], "motifs must have the same number of nodes, got 2, 3"),
        (
            [MOTIF, ["none", "sep_conv_5x5", "none"]],
            [0],
            "motif 1, edge 0-2: unknown operation 'sep_conv_5x5'",
        ),
        ([MOTIF], [1], r"cell, edge 0-1: a motif must be an integer in \[0, 0\], got 1"),
        ([MOTIF], [0, 0, -1], r"cell, edge 1-2: a motif must be an integer in \[0, 0\], got -1"),
        ([MOTIF], [True], r"cell, edge 0-1: a motif must be an integer in \[0, 0\], got True"),
        ([MOTIF], ["none"], r"cell, edge 0-1: a motif must be an integer in \[0, 0\], got 'none'"),
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
    with pytest.raises(GenotypeError, match=f"a {kind.__name__} must have .*; got {got}") as caught:
        kind.from_json(value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_edges_of_dense_graphs_are_by_target_and_source():
    assert dense_edges(4) == [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    assert dense_edges(1) == []


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
