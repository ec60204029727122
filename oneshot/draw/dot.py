"""Layout by Graphviz's program `dot`."""

import shutil
import subprocess
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from oneshot.errors import GraphError, MissingDependencyError
from oneshot.layout.placed import Placed, Points, Sketch, curve, settled, spread

Way = list[tuple[Points, bool]]  # curves of an edge, and whether each joins neighbouring ranks

_INCH = 72.0  # points
_SECONDS = 20.0
_REACH = 16.0  # length in points of the horizontal ends of a long edge
_GRAPH = "rankdir=LR; nodesep=0.12; ranksep=0.24; splines=true; outputorder=edgesfirst;"


def has_dot() -> bool:
    """Return whether Graphviz is installed."""
    return shutil.which("dot") is not None


def dot(sketch: Sketch) -> Placed:
    """Return the layout of a Sketch; `dot` treats names of edges as nodes, so nothing overlaps them.

    Raise MissingDependencyError if the program is not installed, GraphError if it fails.
    """
    if not has_dot():
        raise MissingDependencyError("--layout dot needs Graphviz: apt install graphviz; or use --layout own")
    try:
        source = _source(sketch)
        plain = subprocess.check_output(
            ["dot", "-Tplain"], input=source, stderr=subprocess.PIPE, text=True, timeout=_SECONDS
        )
        return _placed(sketch, plain)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[0]
    except subprocess.TimeoutExpired:
        reason = f"it took more than {_SECONDS:.0f} s"
    except OSError as error:
        reason = error.strerror
    except (ValueError, LookupError):
        reason = "it printed no layout"
    raise GraphError(f"dot failed: {reason}; try --layout own, which does not need it")


def _source(sketch: Sketch) -> str:
    """Return the graph in dot's language; nodes are n0, n1, ..., names of edges e0, e1, ..."""
    lines = [f'digraph {{ {_GRAPH} node [shape=box, fixedsize=true, label=""]; edge [arrowhead=none];']
    boxes = [(f"n{n}", box) for n, box in enumerate(sketch.nodes)]
    boxes += [(f"e{n}", box) for n, box in enumerate(sketch.names) if box is not None]
    lines += [f"{name} [width={w / _INCH:.4f}, height={h / _INCH:.4f}];" for name, (w, h) in boxes]
    for n, (source, target) in enumerate(sketch.edges):
        between = "" if sketch.names[n] is None else f"e{n}:w; e{n}:e -> "
        lines.append(f"n{source} -> {between}n{target};")
    return "\n".join([*lines, "}"])


def _placed(sketch: Sketch, plain: str) -> Placed:
    """Return the layout in the output of `dot -Tplain`, in points."""
    centres: dict[str, Points] = {}
    curves: dict[tuple[str, str], list[Points]] = {}
    for line in plain.splitlines():
        kind, *words = line.split()
        if kind == "node":
            centres[words[0]] = _points(words[1:3])[0]
        elif kind == "edge":
            count = int(words[2])
            curves.setdefault((words[0], words[1]), []).append(_points(words[3 : 3 + 2 * count]))
    nodes = [centres[f"n{n}"] for n in range(len(sketch.nodes))]
    nowhere = np.array([np.nan, np.nan])
    names = [nowhere if box is None else centres[f"e{n}"] for n, box in enumerate(sketch.names)]
    ranks = sorted({round(x) for x, _ in centres.values()})
    rank_of = {name: ranks.index(round(x)) for name, (x, _) in centres.items()}
    ways: list[Way] = []  # two curves per edge with a name, to and from the name, else one
    for n, (source, target) in enumerate(sketch.edges):
        between = [] if sketch.names[n] is None else [f"e{n}"]
        pairs = pairwise([f"n{source}", *between, f"n{target}"])
        ways.append([(curves[a, b].pop(0), rank_of[b] == rank_of[a] + 1) for a, b in pairs])
    ends = _ends(sketch, nodes, ways)
    paths = [_joined(way, *pair) for way, pair in zip(ways, ends, strict=True)]
    return settled(sketch, nodes, names, paths)


def _ends(sketch: Sketch, nodes: Sequence[Points], ways: Sequence[Way]) -> list[list[Points]]:
    """Return the ends of each edge, [source, target], ordered by direction at each node."""
    ends = [[np.zeros(2), np.zeros(2)] for _ in ways]
    for side, step in ((0, 1), (1, -1)):
        for node, (centre, box) in enumerate(zip(nodes, sketch.nodes, strict=True)):
            here = []
            for n, edge in enumerate(sketch.edges):
                if edge[side] == node:
                    x, y = ways[n][-side][0][-3 if side else 2] - centre  # next point of the curve
                    here.append((-y / max(abs(x), 1.0), n))
            for (_, n), port in zip(sorted(here), spread(box.height, len(here)), strict=True):
                ends[n][side] = centre + [step * box.width / 2, port]
    return ends


def _joined(way: Way, begin: Points, end: Points) -> Points:
    """Return the path of an edge from its curves; curves between neighbouring ranks are simplified."""
    path = [begin]
    for number, (piece, short) in enumerate(way):
        final = number == len(way) - 1
        goal = end if final else piece[-1]
        if number:
            path += list(np.linspace(path[-1], piece[0], 4)[1:])  # across the name
        if short:
            path += curve(path[-1], goal)
        else:
            piece = piece.copy()
            if number == 0:
                piece[1] = begin + [_REACH, 0]
            if final:
                piece[-2] = end - [_REACH, 0]
            path += [*piece[1:-1], goal]
    return np.array(path)


def _points(words: Sequence[str]) -> Points:
    points: Points = np.array(words, np.float64).reshape(-1, 2) * _INCH
    return points
