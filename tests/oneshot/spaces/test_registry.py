"""What commands ask of a space: the same of each, and architectures in every form that they are given in."""

import json
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.cell import CELLS, EDGES, OPERATIONS, Cell
from oneshot.errors import ConfigError, GenotypeError
from oneshot.graph.graph import Graph
from oneshot.methods.gdas import GDAS
from oneshot.mixed import ABSENT
from oneshot.spaces import genotype
from oneshot.spaces.base import Diagram, Space
from oneshot.spaces.genotype import PRIMITIVES, Genotype, Hierarchy
from oneshot.spaces.published import DARTS_V2, LIU2018, PUBLISHED
from oneshot.spaces.registry import SPACES, SpaceName, get_space, parse_architecture
from tests.oneshot.spaces.written import LITERAL, SEARCHED, call, genotypes, hierarchies, notations

ARCH = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"
EXAMPLES = {
    "nb201": Cell.from_string(ARCH),
    "darts": Genotype(
        (("max_pool_3x3", 0), ("sep_conv_3x3", 1)) * 4,
        range(2, 6),
        (("skip_connect", 0), ("dil_conv_5x5", 1)) * 4,
        range(2, 6),
    ),
    "hierarchical": Hierarchy([[op] * 6 for op in PRIMITIVES[1:]], [0, 1, 2, 3, 4, 5, 0, 1, 2, 3]),
}
_REST = (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)) * 3
EXAMPLES["s1"] = Genotype(
    (("dil_conv_3x3", 0), ("dil_conv_5x5", 1), ("sep_conv_3x3", 1), ("dil_conv_3x3", 2))
    + (("max_pool_3x3", 0), ("sep_conv_3x3", 1), ("dil_conv_3x3", 3), ("dil_conv_5x5", 4)),
    range(2, 6),
    (("avg_pool_3x3", 0), ("dil_conv_3x3", 1), ("max_pool_3x3", 0), ("skip_connect", 2))
    + (("sep_conv_3x3", 1), ("dil_conv_5x5", 3), ("avg_pool_3x3", 1), ("skip_connect", 4)),
    range(2, 6),
)
for _name, _operation in (("s2", "skip_connect"), ("s3", "skip_connect"), ("s4", "noise")):
    _cell = ((_operation, 0), ("sep_conv_3x3", 1), *_REST)
    EXAMPLES[_name] = Genotype(_cell, range(2, 6), _cell, range(2, 6))
DARTS_LIKE = ("darts", "s1", "s2", "s3", "s4")


@pytest.fixture(scope="module", params=SPACES)
def searched(request):
    """A Space, and GDAS on its least supernet."""
    space = get_space(request.param)
    torch.manual_seed(0)
    optimizer = GDAS()
    optimizer.adapt_search_space(space.build(3, 2, space.minimum.cells))
    return space, optimizer


# Each space


def test_spaces_have_names():
    assert (
        list(SPACES)
        == list(get_args(SpaceName))
        == ["nb201", *DARTS_LIKE[:1], "hierarchical", *DARTS_LIKE[1:]]
    )
    for name, space in SPACES.items():
        assert (space.name, get_space(name)) == (name, space)
        assert isinstance(EXAMPLES[name], space.architecture_class)
    for name in ("x", None, 3, ["nb201"]):
        with pytest.raises(ConfigError, match=r"unknown space .*; the spaces are nb201, darts, hierarchical"):
            get_space(name)
    with pytest.raises(TypeError, match="abstract"):
        Space()


def test_published_sizes():
    sizes = {name: (*space.searched, *space.trained) for name, space in SPACES.items()}
    assert sizes == {
        "nb201": (16, 5, 16, 5),
        "hierarchical": (16, 1, 64, 2),
        **dict.fromkeys(DARTS_LIKE, (16, 8, 36, 20)),
    }
    assert get_space("hierarchical").defaults == {"epochs": 10, "batch": 10}
    assert [space.name for space in SPACES.values() if space.in_benchmark] == ["nb201"]
    for space in SPACES.values():
        for found in (space.searched, space.trained, space.smaller):
            assert all(one >= least for one, least in zip(found, space.minimum, strict=True))


@pytest.mark.parametrize("name", SPACES)
def test_the_least_sizes_are_those_that_can_be_built(name):
    space = get_space(name)
    assert isinstance(space.build(3, *space.minimum), Graph)
    for sizes in (space.minimum._replace(cells=space.minimum.cells - 1), space.minimum._replace(channels=0)):
        with pytest.raises(ConfigError, match="must be an integer >="):
            space.build(3, *sizes)


def test_the_edges_are_all_that_is_searched_each_once(searched):
    space, optimizer = searched
    edges = space.edges(optimizer.graph)
    counts = {"nb201": 6, "hierarchical": 46, **dict.fromkeys(DARTS_LIKE, 28)}
    assert len(edges) == len(optimizer.alphas) == counts[space.name]
    assert {id(edge.alpha) for edge in edges.values()} == set(map(id, optimizer.alphas))
    for name, edge in edges.items():
        candidates = space.candidates(name)
        assert len(candidates) == len(edge.op.primitives) == len(set(candidates))
        names = [getattr(op, "name", None) for op in edge.op.primitives]
        assert names == [None] * len(names) or names == list(candidates)  # a motif has its name
    first = list(edges)
    if space.name in DARTS_LIKE:
        assert first[:3] == ["normal 0→2", "normal 1→2", "normal 0→3"]
        assert first[14:16] == ["reduction 0→2", "reduction 1→2"]
    elif space.name == "hierarchical":
        assert first[:4] == ["motif 0, 0→1", "motif 0, 0→2", "motif 0, 1→2", "motif 0, 0→3"]
        assert first[36:38] == ["cell 0→1", "cell 0→2"]
    else:
        assert first == [f"{source}→{target}" for source, target in EDGES]


def test_an_architecture_is_a_path_and_back(searched):
    space, optimizer = searched
    with space.fixed_path(optimizer.graph, EXAMPLES[space.name]) as graph:
        assert space.architecture(graph) == EXAMPLES[space.name]
        assert graph(torch.randn(2, 3, 8, 8)).shape == (2, 3)


def test_what_is_chosen_at_each_edge_is_in_the_architecture(searched):
    """By the names of candidates alone, as pictures show them."""
    space, optimizer = searched
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.normal_()
    edges = space.edges(optimizer.graph)
    chosen = {
        name: "none" if number == ABSENT else space.candidates(name)[number]
        for name, number in zip(edges, optimizer.choices(edges.values()), strict=True)
    }
    with optimizer.as_chosen() as graph:
        found = space.architecture(graph)
    if space.name == "nb201":
        assert found.ops == tuple(chosen.values())
    elif space.name in DARTS_LIKE:
        for kind, both in (("normal", found.normal), ("reduction", found.reduce)):
            there = {f"{kind} {source}→{2 + k // 2}": op for k, (op, source) in enumerate(both)}
            assert there == {
                name: op for name, op in chosen.items() if name.startswith(kind) and op != "none"
            }
    else:
        numbers = [op for name, op in chosen.items() if name.startswith("cell")]
        assert [f"motif {number}" for number in found.cell] == numbers
        for number in set(found.cell):
            there = [op for name, op in chosen.items() if name.startswith(f"motif {number},")]
            assert list(found.motifs[number]) == there


def test_a_network_is_of_its_sizes(searched):
    space, _ = searched
    network = space.network(EXAMPLES[space.name], classes=5, channels=2, cells=3)
    assert network.is_parsed
    assert space.architecture(network) == EXAMPLES[space.name]
    assert network.eval()(torch.randn(2, 3, 8, 8)).shape == (2, 5)


def test_networks_are_of_the_published_sizes_by_default():
    for name, count in (("nb201", 1_073_466), ("darts", 3_349_342), ("hierarchical", 10_693_962)):
        found = {"nb201": Cell.from_index(6111), "darts": DARTS_V2, "hierarchical": LIU2018}[name]
        network = get_space(name).network(found)
        assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_a_second_classifier_is_darts_alone():
    network = get_space("darts").network(DARTS_V2, classes=4, channels=2, cells=4, auxiliary=True)
    assert [logits.shape for logits in network(torch.randn(2, 3, 32, 32))] == [(2, 4), (2, 4)]
    assert network.eval()(torch.randn(2, 3, 32, 32)).shape == (2, 4)
    for name in ("nb201", "hierarchical"):
        with pytest.raises(
            ConfigError, match=f"networks of {name} cannot have an auxiliary classifier; networks of d"
        ):
            get_space(name).network(EXAMPLES[name], auxiliary=True)


def test_diagrams_show_every_operation(searched):
    space, _ = searched
    architecture = EXAMPLES[space.name]
    diagrams = space.diagrams(architecture)
    assert all(isinstance(diagram, Diagram) for diagram in diagrams)
    for diagram in diagrams:
        kinds = [kind for *_, kind in diagram.nodes]
        assert kinds.count("output") == 1
        assert kinds.count("input") == (2 if space.name in DARTS_LIKE else 1)
        known = {node for node, *_ in diagram.nodes}
        assert {end for source, target, _ in diagram.edges for end in (source, target)} <= known
    labels = {label for diagram in diagrams for *_, label in diagram.edges}
    assert set(space.operations(architecture)) <= labels


# Architectures in any form


def forms(space, architecture):
    """The texts that an architecture may be given in."""
    value = space.to_json(architecture)
    assert value["space"] == space.name
    found = [str(architecture), f"  {architecture}\n", json.dumps(value), json.dumps(value, indent=2)]
    return found + ([str(architecture.index)] if space.name == "nb201" else [])


@pytest.mark.parametrize("name", SPACES)
def test_an_architecture_is_read_from_any_form(name):
    space, architecture = get_space(name), EXAMPLES[name]
    for text in forms(space, architecture):
        assert parse_architecture(text, name) == (name, architecture)
        if name == "s1" or (name in ("s2", "s3") and '"space"' not in text):
            found = parse_architecture(text)[0]
            assert found == (name if '"space"' in text else "darts")  # the first space that has it
        else:
            assert parse_architecture(text) == (name, architecture)
    assert space.read(str(architecture)) == architecture
    assert "\n" not in str(architecture)


@settings(deadline=None, max_examples=60)
@given(st.one_of(genotypes(), hierarchies(), st.integers(0, CELLS - 1).map(Cell.from_index)))
def test_any_architecture_goes_to_text_and_json_and_back(architecture):
    space = next(space for space in SPACES.values() if space.contains(architecture))
    for text in forms(space, architecture):
        assert parse_architecture(text) == (space.name, architecture)


@settings(deadline=None, max_examples=60)
@given(genotypes(), notations())
def test_a_genotype_is_read_in_any_notation(found, fields):
    parts = fields(found)
    ordered = dict(sorted(parts.items(), reverse=True))
    for value in (parts, ordered):
        assert parse_architecture(json.dumps({"space": "darts"} | value)) == ("darts", found)
        assert parse_architecture(json.dumps(value | {"space": "darts"}, indent=1)) == ("darts", found)
        assert parse_architecture(call(value)) == parse_architecture(f" {call(value)}\n") == ("darts", found)
    assert parse_architecture(repr(parts)) == parse_architecture(json.dumps(parts)) == ("darts", found)


def test_a_genotype_in_any_notation_is_of_its_space():
    for text in (LITERAL, SEARCHED, f"\n{SEARCHED}"):
        with pytest.raises(GenotypeError, match="the architecture belongs to the space darts, not nb201"):
            parse_architecture(text, "nb201")
    assert parse_architecture(LITERAL, "darts") == ("darts", PUBLISHED["GDAS_V1"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_names(name):
    space = "hierarchical" if name == "LIU2018" else "darts"
    assert parse_architecture(name) == parse_architecture(f" {name} ") == (space, PUBLISHED[name])
    assert parse_architecture(name, space)[1] is PUBLISHED[name]


@pytest.mark.parametrize(
    ("text", "space", "message"),
    [
        ("DARTS_V2", "nb201", "the architecture belongs to the space darts, not nb201"),
        ("DARTS_V2", "s1", "the architecture belongs to the space darts, not s1"),
        (str(EXAMPLES["s1"]), "s2", "the architecture belongs to the space darts, not s2"),
        (str(EXAMPLES["s4"]), "darts", "the architecture belongs to the space s4, not darts"),
        ("LIU2018", "darts", "the architecture belongs to the space hierarchical, not darts"),
        ("6111", "hierarchical", "the architecture belongs to the space nb201, not hierarchical"),
        (ARCH, "darts", "the architecture belongs to the space nb201, not darts"),
        (str(DARTS_V2), "hierarchical", "the architecture belongs to the space darts, not hierarchical"),
        (json.dumps(get_space("darts").to_json(DARTS_V2)), "nb201", "the space darts, not nb201"),
    ],
)
def test_an_architecture_of_another_space_is_an_error(text, space, message):
    with pytest.raises(GenotypeError, match=message):
        parse_architecture(text, space)


def test_a_space_that_is_named_is_known():
    with pytest.raises(ConfigError, match="unknown space 'x'"):
        parse_architecture("DARTS_V2", "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not an architecture; give a Genotype"),
        (
            "darts_v2",
            r"'darts_v2' is not an architecture; .* or one of DARTS_V1, DARTS_V2 .or DARTS., .*, LIU2018",
        ),
        ("x" * 5000, r"'x+\.\.\.x+' is not an architecture"),
        ("-1", "'-1' is not an architecture"),
        ("1.5", "'1.5' is not an architecture"),
        ("15625", "cannot read a cell of NAS-Bench-201: .*15625"),
        ("9" * 5000, "cannot read a cell of NAS-Bench-201: "),
        ("|none~0|", "cannot read a cell of NAS-Bench-201: an arch string must have the form"),
        ("Genotype", "cannot read the text of a Genotype"),
        ("Hierarchy(", "cannot read the text of a Hierarchy"),
        ("{", "cannot read the JSON of an architecture: "),
        ('{"space": "darts"', "cannot read the JSON of an architecture: "),
        ('{"a": ' * 20_000, "cannot read the JSON of an architecture: "),
        ('{"a": ' + "9" * 5000 + "}", "cannot read the JSON of an architecture: "),
        (
            "{}",
            f"JSON of an architecture must have a space, one of {', '.join(SPACES)}; got None",
        ),
        ('{"space": ["darts"]}', r"must have a space, one of .*; got \['darts'\]"),
        ('{"space": "x\\ny"}', r"must have a space, one of .*; got 'x\\ny'"),
        ('{"space": "darts", "space": "nb201"}', r"an object has a key twice: \['space', 'space'\]"),
        ('{"normal": [], "space": "darts", "normal": []}', "JSON .*: an object has a key twice: "),
        ('{"normal": [], "normal": []}', "cannot read the text of a Genotype: each field must be given once"),
        ("{'normal': ", "cannot read the text of a Genotype: "),
        ('{"reduce": []}', "a Genotype must have the fields normal, .*; got 'reduce'"),
        ('{"space": "nb201"}', "a cell of NAS-Bench-201 must have only arch, a string; got nothing"),
        (
            '{"space": "nb201", "arch": 5}',
            "a cell of NAS-Bench-201 must have only arch, a string; got 'arch'",
        ),
        (
            '{"space": "nb201", "a\\nb": 5}',
            r"a cell of NAS-Bench-201 must have only arch, a string; got 'a\\nb'",
        ),
        ('{"space": "nb201", "arch": "|x|"}', "cannot read a cell of NAS-Bench-201"),
        (
            '{"space": "darts", "motifs": [], "cell": []}',
            "a Genotype must have the fields normal, .*; got 'motifs', 'cell'",
        ),
        ('{"space": "hierarchical"}', "a Hierarchy must have the fields cell, motifs; got nothing"),
        (
            '{"space": "hierarchical", "motifs": [], "cell": [NaN]}',
            "a hierarchy must have at least one motif",
        ),
    ],
)
def test_what_is_no_architecture_is_an_error_of_one_line(text, message):
    with pytest.raises(GenotypeError, match=message) as caught:
        parse_architecture(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("value", [None, 6111, b"6111", DARTS_V2])
def test_an_architecture_is_a_text(value):
    with pytest.raises(GenotypeError, match="an architecture must be given as text, got "):
        parse_architecture(value)


def test_operations_are_named_alike_everywhere():
    shared = {"none", "skip_connect", "max_pool_3x3", "avg_pool_3x3", "sep_conv_3x3"}
    assert set(genotype.OPERATIONS) & set(PRIMITIVES) == shared
    edges = [f"{cell} {s}→{t}" for cell in ("normal", "reduction") for t in range(2, 6) for s in range(t)]
    for name in DARTS_LIKE[1:]:
        used = {op for edge in edges for op in get_space(name).candidates(edge)}
        assert used <= {*genotype.OPERATIONS, genotype.NOISE}
    assert set(OPERATIONS) & set(genotype.OPERATIONS) == {"none", "skip_connect", "avg_pool_3x3"}
