"""Run the code blocks of the README and the documentation, and build the documentation."""

import doctest
import importlib
import importlib.util
import os
import pickle
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import nasbench
from nasbench.spaces import SIZE, TOPOLOGY
from tests import published, stores
from tests.running import runner

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()


class Block(NamedTuple):
    """A code block of a page."""

    page: str
    language: str
    text: str


def pages(path=DOCS / "index.md"):
    """The pages, in the order of the tables of contents."""
    yield path
    for entries in re.findall(r"^```\{toctree\}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL):
        for entry in entries.splitlines():
            if entry and not entry.startswith(":"):
                yield from pages((path.parent / f"{entry}.md").resolve())


PAGES = [ROOT / "README.md", *pages()]
FENCED = re.compile(r"^```(\S+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    Block(str(page.relative_to(ROOT)), *block) for page in PAGES for block in FENCED.findall(page.read_text())
]
RUN_BY_THE_BUILD = re.compile(r"\{[\w-]+\}")
RUN_HERE = {"python", "pycon", "console", "sh", "bash"}


def lines(language):
    """Return the commands in blocks of a language; a command on several pages is run once."""
    return list(
        dict.fromkeys(
            line for block in BLOCKS if block.language == language for line in block.text.splitlines()
        )
    )


def files_of_the_tutorials():
    """The files that tutorials write, by name."""
    cell = r"(?::tags:.*\n\n)?%%writefile (\S+\.py)\n((?:.*\n)*)"
    found = [re.fullmatch(cell, block.text) for block in BLOCKS if block.language == "{code-cell}"]
    return {match[1]: match[2] for match in found if match}


FILES = files_of_the_tutorials()
PROGRAMS = [block.text for block in BLOCKS if block.language == "python"]
PROGRAMS += [text for name, text in FILES.items() if "__main__" in text]
COMMANDS = lines("console")
ON_FILES = lines("sh")
ON_IMAGES = lines("bash")
EXPERIMENTS = re.findall(
    r"^\|[^|]*\| `(python -m [^`]*)` \|", (DOCS / "howto" / "naslib.md").read_text(), re.MULTILINE
)
_SAID = r"(warning|note|search|score|short|final): "  # prefixes of a found cell, of sizes, of a stage


@pytest.fixture(scope="module")
def folder(home, tmp_path_factory):
    """Where the commands run, one after the other."""
    return tmp_path_factory.mktemp("docs")


def run(command, folder):
    """Run a command of a page as a process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)


def run_file(argv):
    """Run a program; return its exit code."""
    runpy.run_path(*argv, run_name="__main__")
    return 0


@pytest.fixture
def run_command(folder, capfd, monkeypatch):
    """Run a command; those that need torch in this process, which has loaded it already."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)

    def execute(command):
        if not re.match(r"python (-m oneshot\.[^&]*$|\w+\.py$)", command):
            return run(command.replace("python", sys.executable, 1), folder)
        _, *argv = shlex.split(command.partition(" | ")[0])
        if argv[0] == "-m":
            _, module, *argv = argv
            package = importlib.import_module(module)
            main = getattr(package, "main", None) or importlib.import_module(f"{module}.__main__").main
        else:
            main = run_file
        code, out, err = runner(main, capfd)(*argv)
        return subprocess.CompletedProcess(command, code, out, err)

    return execute


def test_there_is_something_to_run():
    assert len(PROGRAMS) == 17
    assert len(COMMANDS) == 34
    assert len(ON_FILES) == 5
    assert len(ON_IMAGES) == 4
    assert len(EXPERIMENTS) == 12
    assert sum(len(re.findall(r"^>>> ", block.text, re.MULTILINE)) for block in BLOCKS) > 20
    assert sum(block.language == "{code-cell}" for block in BLOCKS) > 50


def test_every_block_is_run_or_shows_what_no_test_can_run():
    languages = {block.language for block in BLOCKS}
    assert all(
        name in RUN_HERE | {"text", "mermaid"} or RUN_BY_THE_BUILD.fullmatch(name) for name in languages
    )


def test_every_page_is_in_a_table_of_contents():
    assert sorted(PAGES[1:]) == sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS if block.language == "pycon"}))
def test_the_python_prompts(page):
    results = doctest.testfile(str(ROOT / page), module_relative=False)
    assert results.failed == 0
    assert results.attempted > 3


SLOW = ("oneshot.export", "runs/digits", "3ffb9-simple default", "with_devices.h5")
PROCESSES = ("oneshot.pipeline", "oneshot.compare", "darts_darts")  # many load torch; what needs their result


def marks(command):
    """The mark of a command that takes long."""
    if any(text in command for text in PROCESSES):
        return pytest.mark.contract
    return pytest.mark.slow if any(text in command for text in SLOW) else ()


def parameters(commands):
    """Commands as parameters, with their marks."""
    return [pytest.param(line, marks=marks(line)) for line in commands]


@pytest.mark.parametrize("command", parameters([c for c in COMMANDS if c.startswith("python -m")]))
def test_the_commands(run_command, command):
    """Commands run in the order of the pages, because a command can continue the run of an earlier one."""
    result = run_command(command)
    assert result.returncode == 0
    assert all(re.match(_SAID, line) for line in result.stderr.splitlines())
    assert len(result.stdout.splitlines()) > (
        0 if re.search(r"oneshot\.draw|blackbox\.report|nasbench explore", command) else 3
    )


@pytest.mark.parametrize(
    "command", [pytest.param(line, marks=marks(line) or pytest.mark.slow) for line in EXPERIMENTS]
)
def test_the_experiments_of_the_paper(run_command, command):
    """Commands run in the order of the table, because the last one draws an earlier result."""
    smoke = " --smoke" if re.search(r"oneshot\.(search|retrain|pipeline)", command) else ""
    result = run_command(command + smoke)
    assert result.returncode == 0, result.stderr
    assert all(re.match(_SAID, line) for line in result.stderr.splitlines())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the files that the pages name, with a few cells, and a store of all cells."""
    folder = tmp_path_factory.mktemp("files")
    published.write_folder(folder / "NATS-tss-v1_0-3ffb9-simple", TOPOLOGY, (0, 11))
    published.write_folder(folder / "NATS-sss-v1_0-50262-simple", SIZE, (0, 11))
    devices = {"nasbench201": {"cifar10": {"edgegpu_latency": [5.5] * TOPOLOGY.cells}}}
    (folder / "HW-NAS-Bench-v1_0.pickle").write_bytes(pickle.dumps(devices))
    (folder / "own.csv").write_text("id,acc\n0,69.5\n")
    stores.write(folder / "full.h5", stores.arrays_of_all_protocols(TOPOLOGY))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("command", parameters(ON_FILES))
def test_the_commands_on_files_that_one_has(files, command, monkeypatch):
    monkeypatch.setenv("NASBENCH_HOME", str(files / "home"))
    store = "" if "build" in command else f" --store {files / 'full.h5'}"
    result = run(command.replace("python", sys.executable, 1) + store, files)
    assert (result.returncode, result.stderr) == (0, "")
    assert ("checksum" if "build" in command else "test_accuracy [%]") in result.stdout
    for made in [*files.glob("home/*"), *files.glob("*_devices.h5")]:
        made.unlink()  # each uses 1 GB of memory


@pytest.mark.parametrize("command", ON_IMAGES)
def test_the_commands_on_what_one_has_say_what_is_not_there(run_command, command):
    result = run_command(command)
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    missing = ("cifar-10-python.tar.gz", "runs/darts is not the folder of a run", "No module named 'mine'")
    assert any(text in result.stderr for text in missing)


@pytest.mark.parametrize("program", parameters(PROGRAMS), ids=lambda text: f"{len(text)} characters")
def test_the_programs(folder, run_command, program):
    name = next((name for name, text in FILES.items() if text == program), "program.py")
    (folder / name).write_text(program)
    here = "import oneshot" in program or "from oneshot" in program
    result = run_command(f"python {name}") if here else run(f"{sys.executable} {name}", folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert "conv" in result.stdout or "|+|" in result.stdout or "print(" not in program


def test_the_ten_lines_of_a_search_give_a_whole_command(folder):
    (folder / "climb.py").write_text(FILES["climb.py"])
    assert run(f"{sys.executable} climb.py --evals 300 --trials 3 --out climbed", folder).returncode == 0
    assert run(f"{sys.executable} climb.py --evals 100 --trials 3 --out part", folder).returncode == 0
    result = run(f"{sys.executable} climb.py --resume part --evals 300", folder)
    assert result.stdout.startswith("hill climbing on cifar10 val_accuracy")
    for name in ("log.csv", "summary.json"):
        assert (folder / "part" / name).read_bytes() == (folder / "climbed" / name).read_bytes()
    result = run(f"{sys.executable} climb.py --evals 0", folder)
    assert (result.returncode, result.stderr) == (
        2,
        "python climb.py: error: evals must be an integer >= 1, got 0\n",
    )


def test_the_few_lines_of_a_method_give_a_whole_command(folder, run_command):
    (folder / "fair.py").write_text(FILES["fair.py"])
    options = "--channels 2 --epochs 1 --batch 256 --device cpu"
    result = run_command(f"python -m oneshot.search --method fair:FairDARTS {options}")
    assert result.returncode == 0
    assert result.stdout.startswith("FairDARTS")


def test_every_file_that_the_pages_name_is_there():
    listing = next(block.text for block in BLOCKS if "nasbench/     what does" in block.text)
    for name in re.findall(r"\b(\w+\.py)\b", listing):
        assert list(ROOT.glob(f"*/{name}")) or list(ROOT.glob(f"*/*/{name}")), name
    for page in PAGES:
        for path in re.findall(
            r"`((?:nasbench|blackbox|data|oneshot|tests|benchmarks|docs)/[^`\s]*)`", page.read_text()
        ):
            if "NAME" not in path and "_build" not in path:
                assert list(ROOT.glob(path)), f"{page}: {path}"


def test_every_link_of_the_readme_to_a_file_leads_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        assert len(links) > 3
        for link in links:
            assert (ROOT / link).exists(), link


def test_the_continuous_integration_runs_the_command_of_the_readme():
    first, second = re.findall(r"^pip install .*$", README, re.MULTILINE)[:2]
    assert first == "pip install . && python -m blackbox.re --evals 1000"
    assert second.startswith("pip install '.[test]' && ")
    assert 'eval "$command"' in (ROOT / ".ci" / "run").read_text()


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 160


def test_the_citation_has_the_version():
    assert f"\nversion: {nasbench.__version__}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize(
    "package",
    ["nasbench", "nasbench.build", "blackbox", "blackbox.testing", "data", "oneshot", "oneshot.graph"]
    + ["oneshot.search", "oneshot.retrain", "oneshot.score", "oneshot.draw"],
)
def test_every_public_name_is_documented(package):
    reference = (DOCS / "reference" / "api" / f"{package.split('.')[0]}.md").read_text()
    documented = set(re.findall(r"^\.\. auto\w+:: (\S+)$", reference, re.MULTILINE))
    modules = {name.rpartition(".")[2] for name in documented}  # a constant is documented by its own module
    assert f".. automodule:: {package.split('.')[0]}.errors" in reference
    face = importlib.import_module(package)
    missing = [name for name in face.__all__ if f"{package}.{name}" not in documented and name not in modules]
    assert [name for name in missing if not getattr(face, name).__module__.endswith(".errors")] == []
    assert len(missing) < len(face.__all__)


def test_every_command_is_documented():
    pages = "".join(path.read_text() for path in (DOCS / "reference" / "commands").iterdir())
    shown = set(re.findall(r"^```\{command\} (\S+)", pages, re.MULTILINE))
    commands = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
        for package in ("nasbench", "blackbox", "data", "oneshot")
        for path in (ROOT / package).rglob("*.py")
        if '__name__ == "__main__"' in path.read_text()
    }
    assert len(commands) > 20
    assert commands - shown == {"nasbench.tables"}  # for developers: builds the figures of the package
    assert shown <= commands


needs_sphinx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("sphinx", "furo", "myst_nb", "sphinx_design")),
    reason="needs what builds the documentation: pip install '.[docs]'",
)


@needs_sphinx
@pytest.mark.parametrize("module", ["furo", "torch"])
def test_a_build_without_a_package_says_what_to_install(monkeypatch, module):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == module else find_spec(name, *rest)
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(Exception, match=rf"the documentation needs {module}; try: pip install '\.\[docs\]'"):
        runpy.run_path(str(DOCS / "conf.py"))


@needs_sphinx
@pytest.mark.slow
def test_the_documentation_is_built_without_a_warning_and_works_without_a_network(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "-b", "html", DOCS, tmp_path / "html"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    assert (tmp_path / "html" / "searchindex.js").stat().st_size > 100_000
    for page in (tmp_path / "html").rglob("*.html"):
        text = page.read_text()
        assert not re.findall(
            r"<(?:script|img|link rel=\"stylesheet\")[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*\"", text
        )
