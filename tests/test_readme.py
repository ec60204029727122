"""What the README shows is run."""

import doctest
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nasbench.spaces import SIZE, TOPOLOGY
from tests import published, stores

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PROGRAMS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [line for language, text in BLOCKS if language == "console" for line in text.splitlines()]
ON_FILES = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
EXPERIMENTS = re.findall(r"^\|[^|]*\| `(python -m [^`]*)` \|", README, re.MULTILINE)
_SAID = r"(warning|note|search|short|final): "  # of a cell that is found, of sizes, of a stage of a pipeline
ON_IMAGES = [line for language, text in BLOCKS if language == "bash" for line in text.splitlines()]


@pytest.fixture(scope="module")
def folder(home, tmp_path_factory):
    """Where the commands run, one after the other."""
    return tmp_path_factory.mktemp("readme")


def run(command, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)


def test_there_is_something_to_run():
    assert len(PROGRAMS) == 8
    assert len(COMMANDS) == 33
    assert len(ON_FILES) == 5
    assert len(ON_IMAGES) == 4
    assert len(EXPERIMENTS) == 12
    assert len(re.findall(r"^>>> ", README, re.MULTILINE)) > 10


def test_the_python_prompts():
    assert doctest.testfile(str(ROOT / "README.md"), module_relative=False).failed == 0


SLOW = ("oneshot.pipeline", "runs/digits", "3ffb9-simple default", "with_devices.h5")


def parameters(commands):
    """Commands as parameters, of which some are slow."""
    return [
        pytest.param(line, marks=pytest.mark.slow) if any(text in line for text in SLOW) else line
        for line in commands
    ]


@pytest.mark.parametrize("command", parameters([c for c in COMMANDS if c.startswith("python -m")]))
def test_the_commands(folder, command):
    """In the order of the README: a later one may go on with the run of an earlier one."""
    result = run(command.replace("python", sys.executable, 1), folder)
    assert result.returncode == 0
    assert all(re.match(_SAID, line) for line in result.stderr.splitlines())
    assert len(result.stdout.splitlines()) > (
        0 if re.search(r"oneshot\.draw|blackbox\.report|nasbench explore", command) else 3
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", EXPERIMENTS)
def test_the_experiments_of_the_paper(folder, command):
    """In the order of the table: the last one draws what an earlier one found."""
    smoke = " --smoke" if re.search(r"oneshot\.(search|retrain|pipeline)", command) else ""
    result = run(command.replace("python", sys.executable, 1) + smoke, folder)
    assert result.returncode == 0, result.stderr
    assert all(re.match(_SAID, line) for line in result.stderr.splitlines())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with files under the names that the README has, of a few cells; and a store of all cells."""
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
        made.unlink()  # each has a gigabyte


@pytest.mark.parametrize("command", ON_IMAGES)
def test_the_commands_on_what_one_has_say_what_is_not_there(folder, command):
    result = run(command.replace("python", sys.executable, 1), folder)
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    missing = ("cifar-10-python.tar.gz", "runs/darts is not the folder of a run", "No module named 'mine'")
    assert any(text in result.stderr for text in missing)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_programs(folder, number):
    name = "fair.py" if "FairDARTS" in PROGRAMS[number] else f"program_{number}.py"
    (folder / name).write_text(PROGRAMS[number])
    result = run(f"{sys.executable} {name}", folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert "conv" in result.stdout or "|+|" in result.stdout


def test_the_ten_lines_of_a_search_give_a_whole_command(folder):
    (folder / "climb.py").write_text(PROGRAMS[2])
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


def test_the_few_lines_of_a_method_give_a_whole_command(folder):
    (folder / "fair.py").write_text(next(program for program in PROGRAMS if "FairDARTS" in program))
    options = "--channels 2 --epochs 1 --batch 256 --device cpu"
    result = run(f"{sys.executable} -m oneshot.search --method fair:FairDARTS {options}", folder)
    assert result.returncode == 0
    assert result.stdout.startswith("FairDARTS")


def test_every_file_that_the_readme_names_is_there():
    layout = next(
        text for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S) if not language
    )
    for name in re.findall(r"\b(\w+\.py)\b", layout):
        assert list(ROOT.glob(f"*/{name}")) or list(ROOT.glob(f"*/*/{name}")), name


def test_the_continuous_integration_runs_the_command_of_the_readme():
    assert COMMANDS[1].startswith("pip install '.[test]' && ")
    assert 'eval "$command"' in (ROOT / ".ci" / "run").read_text()
