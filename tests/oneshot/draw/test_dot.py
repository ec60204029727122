import numpy as np
import pytest

from oneshot.draw import dot as module
from oneshot.draw.dot import dot, has_dot
from oneshot.draw.render import figure
from oneshot.errors import GraphError, MissingDependencyError
from oneshot.layout.layered import own
from tests.oneshot.draw.drawings import ENDS, PARALLEL, Seen, drawn_at_random, points_on, published
from tests.oneshot.layout.test_layered import NODE, at_random, sketch

needs_dot = pytest.mark.skipif(not has_dot(), reason="Graphviz is not installed")


@pytest.fixture
def instead(tmp_path, monkeypatch):
    """Puts a script in the place of `dot`."""

    def instead(text):
        path = tmp_path / "dot"
        path.write_text(text)
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return instead


@needs_dot
@pytest.mark.parametrize("seed", range(6))
def test_edges_go_from_node_to_node_through_their_names(seed):
    given = at_random(seed)
    placed = dot(given)
    for n, ((source, target), path) in enumerate(zip(given.edges, placed.paths, strict=True)):
        assert len(path) % 3 == 1
        assert path[0, 0] == pytest.approx(placed.nodes[source][0] + NODE.width / 2)
        assert path[-1, 0] == pytest.approx(placed.nodes[target][0] - NODE.width / 2)
        if given.names[n] is not None:
            assert np.abs(points_on(path) - placed.names[n]).sum(axis=1).min() < 10
    assert np.vstack(placed.paths).min() >= -1e-6


@needs_dot
@pytest.mark.parametrize("diagrams", [*published().values(), *drawn_at_random(9, seed=1), [PARALLEL]])
def test_nothing_overlaps(diagrams):
    seen = Seen(figure(diagrams, "title", layout="dot"))
    assert seen.overlaps() == []
    assert seen.outside() == []


@needs_dot
def test_where_has_dot_it_is_the_automatic_one():
    by_dot, automatic, by_own = (Seen(figure([PARALLEL], layout=name)) for name in ("dot", "auto", "own"))
    assert [text for text, _ in by_dot.texts] == [text for text, _ in by_own.texts]
    assert places(by_dot) == places(automatic) != places(by_own)


def places(seen):
    return {name: box.bounds for name, box in seen.boxes.items()}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "#!/bin/sh\necho 'Error: no plugin' >&2\necho more >&2\nexit 3\n",
            "dot failed: Error: no plugin; try --l",
        ),
        ("#!/bin/sh\nexit 3\n", "dot failed: exit code 3; try --layout own, which does not need it"),
        ("#!/bin/sh\necho graph 1 1 1\necho stop\n", "dot failed: it printed no layout"),
        ("#!/bin/sh\necho node n0 a b\n", "dot failed: it printed no layout"),
        ("#!/bin/sh\nexec /bin/sleep 30\n", "dot failed: it took more than 0 s"),
        ("#!/there/is/none\n", "dot failed: No such file or directory"),
    ],
)
def test_a_dot_that_fails(instead, monkeypatch, script, message):
    instead(script)
    monkeypatch.setattr(module, "_SECONDS", 0.3)
    with pytest.raises(GraphError, match=message):
        figure([PARALLEL], layout="dot")
    assert places(Seen(figure([PARALLEL]))) == places(Seen(figure([PARALLEL], layout="own")))


def test_no_dot(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="apt install graphviz; or use --layout own"):
        dot(sketch(2, [(0, 1)]))
    assert len(own(sketch(2, [(0, 1)])).nodes) == len(ENDS)
    assert places(Seen(figure([PARALLEL]))) == places(Seen(figure([PARALLEL], layout="own")))
