import os
import subprocess
import sys

import pytest

from oneshot.draw.__main__ import main
from oneshot.draw.dot import has_dot


@pytest.fixture
def command(capsys):
    """Runs the command in this process: (exit code, stdout, stderr)."""

    def command(*argv):
        capsys.readouterr()
        try:
            code = main(list(map(str, argv)))
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return command


def fails(result):
    """The one line on stderr of a command that failed."""
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_picture(tmp_path, command, suffix, start):
    out = tmp_path / "new" / f"cells.{suffix}"
    code, text, err = command("DARTS_V2", "--out", out, "--layout", "own")
    assert (code, err) == (0, "")
    assert text.startswith(f"{out}: normal, reduction; 4.4 x 3.9 inches")
    assert out.read_bytes().startswith(start)
    assert command("DARTS_V2", "--out", out, "--layout", "own")[0] == 0  # replaced
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_options(tmp_path, command):
    out = tmp_path / "a.svg"
    options = ["--layout", "own", "--title", "found by chance", "--cell", "reduction", "--space", "darts"]
    assert command("DARTS_V2", "--out", out, *options)[0] == 0
    assert ">found by chance<" in out.read_text()
    assert ">reduction<" in out.read_text()
    assert ">normal<" not in out.read_text()
    sizes = []
    for dpi in (50, 100):
        assert command("0", "--out", tmp_path / "a.png", "--dpi", dpi)[0] == 0
        sizes.append(int.from_bytes((tmp_path / "a.png").read_bytes()[16:20]))
    assert sizes[1] == pytest.approx(2 * sizes[0], abs=2)


def test_errors(tmp_path, command, monkeypatch):
    out = tmp_path / "a.svg"
    assert "end in .svg, .png, .pdf, got 'a.gif'" in fails(command("DARTS_V2", "--out", "a.gif"))
    assert "'XYZ' is not an architecture" in fails(command("XYZ", "--out", out))
    assert "belongs to the space darts, not nb201" in fails(
        command("DARTS_V2", "--out", out, "--space", "nb201")
    )
    assert "its diagrams are normal, reduction" in fails(
        command("DARTS_V2", "--out", out, "--cell", "reduce")
    )
    assert "dpi must be an integer in [20, 1,200], got 3" in fails(command("0", "--out", out, "--dpi", 3))
    assert "choose from" in fails(command("0", "--out", out, "--layout", "neato"))
    assert "required: --out" in fails(command("0"))
    assert "there is no folder runs/none" in fails(command("runs/none", "--out", out))
    assert "not the folder of a run" in fails(command(tmp_path, "--out", out))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt install graphviz" in fails(command("0", "--out", out, "--layout", "dot"))
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_takes_no_file(tmp_path, command):
    (tmp_path / "file").touch()
    (tmp_path / "folder.svg").mkdir()
    for out in (tmp_path / "file" / "a.svg", tmp_path / "folder.svg"):
        assert f"error: cannot write {out}: " in fails(command("0", "--out", out))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.svg"]


@pytest.mark.parametrize(
    "layout",
    [
        "own",
        pytest.param("dot", marks=pytest.mark.skipif(not has_dot(), reason="Graphviz is not installed")),
    ],
)
def test_another_process_draws_the_same_and_loads_no_torch(tmp_path, command, layout):
    here, there = tmp_path / "here.svg", tmp_path / "there.svg"
    assert command("GDAS_V1", "--out", here, "--layout", layout)[0] == 0
    code = (
        "import sys; from oneshot.draw.__main__ import main;"
        "heavy = {'matplotlib', 'networkx', 'scipy', 'torch'};"
        "print(sorted(heavy & set(sys.modules))); main(sys.argv[1:]); print('torch' in sys.modules)"
    )
    argv = [sys.executable, "-c", code, "GDAS_V1", "--out", str(there), "--layout", layout]
    environment = os.environ | {"PYTHONHASHSEED": "17", "LC_ALL": "C"}
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment)
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1], done.stderr) == ("[]", "False", "")
    assert here.read_bytes() == there.read_bytes()


def test_the_command_is_a_module(tmp_path):
    argv = [sys.executable, "-m", "oneshot.draw", "6111", "--out", str(tmp_path / "a.svg")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{tmp_path}/a.svg: ")
    assert done.stderr == ""
