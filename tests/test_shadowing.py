"""A user's module with the name of one of the packages, in the folder where a command runs."""

import subprocess
import sys

import pytest


def run(folder, *arguments):
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize("name", ["{}/__init__.py", "{}.py"])
@pytest.mark.parametrize(
    ("command", "hidden"),
    [("blackbox.re", "nasbench"), ("blackbox.compare", "nasbench"), ("oneshot.draw", "nasbench")]
    + [("oneshot.draw", "data"), ("oneshot.search", "data")],
)
def test_a_command_whose_package_is_hidden_says_so_in_one_line(tmp_path, command, hidden, name):
    path = tmp_path / name.format(hidden)
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    done = run(tmp_path, command, "--help")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert f"{path} is imported as the package {hidden}, instead of nas-toolkit's own" in done.stderr


def test_a_folder_that_is_no_package_and_one_that_a_command_does_not_need_hide_nothing(tmp_path):
    for folder in ("nasbench", "data"):
        (tmp_path / folder).mkdir()
    assert run(tmp_path, "oneshot.draw", "--help").returncode == 0
    (tmp_path / "data" / "__init__.py").write_text("raise ZeroDivisionError")
    for command in ("nasbench", "blackbox.re"):
        assert run(tmp_path, command, "--help").returncode == 0


def test_a_library_user_gets_an_import_error(tmp_path):
    (tmp_path / "nasbench.py").write_text("")
    code = "try:\n    import blackbox\nexcept ImportError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.startswith(f"{tmp_path / 'nasbench.py'} is imported as the package nasbench"), done
