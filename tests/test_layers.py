"""Allowed imports between packages and rooms, and modules that a lookup or a search must not load."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("nasbench", "blackbox", "data", "oneshot")
# The arrows between packages and rooms in the diagram of docs/architecture.md.
DRAWN = networkx.DiGraph(
    re.findall(
        r"^ +([\w.]+)(?:\[\w+\])? --> ([\w.]+)(?:\[\w+\])?$",
        (ROOT / "docs" / "architecture.md").read_text(),
        re.MULTILINE,
    )
)
HEAVY = {"torch", "torchvision", "pandas", "matplotlib", "networkx", "scipy", "sklearn", "tqdm"}


def imports(path):
    """Yield the modules that a file imports, and whether each import is at the top of the file."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [node.module]
        for name in names:
            yield name.split(".")[0], node in tree.body


def files():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_there_are_files_to_look_at():
    assert len(files()) > 80


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    for module, _ in imports(path):
        if module in PACKAGES and module != package:
            assert DRAWN.has_edge(package, module), f"{package} must not import {module}"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_heavy_import_at_the_top_of_nasbench_and_blackbox(path):
    if path.relative_to(ROOT).parts[0] in ("nasbench", "blackbox"):
        assert not [module for module, at_top in imports(path) if at_top and module in HEAVY]


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_when_run(path, modules):
    """Yield the project's modules that a file imports, at the top or in a function, except for types."""
    tree = ast.parse(path.read_text())
    left_out = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If)
        and ast.unparse(block.test) in ("TYPE_CHECKING", "__name__ == '__main__'")
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in modules else node.module


def room_of(path):
    """Return the room of a module: its folder in the package, or the module itself if it is in none."""
    parts = path.relative_to(ROOT).parts
    return ".".join(parts[:2]) if len(parts) > 2 else module_of(path)


def import_graph(name_of):
    modules = {module_of(path): path for path in files()}
    graph = networkx.DiGraph(
        (name_of(path), name_of(modules[other]))
        for path in modules.values()
        for other in imported_when_run(path, modules)
        if other in modules
    )
    graph.remove_edges_from(list(networkx.selfloop_edges(graph)))
    return graph


@pytest.mark.parametrize(("name_of", "edges"), [(module_of, 500), (room_of, 200)])
def test_there_are_no_import_cycles(name_of, edges):
    graph = import_graph(name_of)
    assert graph.number_of_edges() > edges
    assert [sorted(names) for names in networkx.strongly_connected_components(graph) if len(names) > 1] == []


def test_rooms_import_along_the_arrows_of_the_picture():
    rooms = {room_of(path) for path in files() if len(path.relative_to(ROOT).parts) > 2}
    assert rooms == {name for name in DRAWN if "." in name} | {"data.sources"}
    used = {
        (room, other)
        for room, other in import_graph(room_of).subgraph(rooms).edges
        if room.split(".")[0] == other.split(".")[0]
    }
    assert {pair for pair in used if not networkx.has_path(DRAWN, *pair)} == set()
    assert {pair for pair in DRAWN.edges if "." in pair[0]} <= used, "arrows that no import uses"


def test_only_batches_need_torch():
    with_torch = {
        path.name
        for path in files()
        if path.is_relative_to(ROOT / "data")
        for module, _ in imports(path)
        if module == "torch"
    }
    assert with_torch == {"augment.py", "loader.py"}


def test_a_one_shot_search_loads_what_few_need_when_they_need_it():
    lazy = {"pandas", "matplotlib", "scipy", "sklearn", "torchvision", "tensorboard"}
    code = f"import oneshot.search, oneshot.score.__main__, sys; lazy = {lazy!r}"
    code += "; print('loaded', sorted(set(sys.modules) & lazy))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize(
    "code",
    [
        "import nasbench, blackbox.re, blackbox.rs",
        "from nasbench.__main__ import main; main(['query', '0'])",
        "from blackbox import cli, re; cli.main(re.RegularizedEvolution, [])",
    ],
)
def test_a_lookup_and_a_search_load_nothing_heavy(code):
    missing = {module for module in HEAVY - {"sklearn"} if importlib.util.find_spec(module) is None}
    assert not missing, "without them this test would show nothing"
    code = f"{code}\nimport sys; print('loaded', sorted(set(sys.modules) & {HEAVY!r}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded []"


def test_settings_of_runs_load_no_table():
    code = "import nasbench.runs.settings, sys; print('loaded', sorted(set(sys.modules) & {'h5py', 'numpy'}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded []"
