import re

import pytest

from benchmarks.supernet import main


def run(monkeypatch, *options):
    monkeypatch.setattr("sys.argv", ["benchmarks.supernet", *options])
    main()


def test_operations_of_a_step(monkeypatch, capsys):
    run(monkeypatch, "--operations", "--space", "nb201", "--method", "gdas")
    head, (name, *numbers) = (re.split(r" {2,}", line) for line in capsys.readouterr().out.splitlines())
    assert head == ["nb201, operations per step", "plain modules", "oneshot", "ratio"]
    plain, ours, ratio = map(float, numbers)
    assert name == "gdas"
    assert 1000 < ours < plain / 2
    assert ratio == round(ours / plain, 3)


def test_a_method_without_plain_modules_in_a_space_is_an_error(monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, "--space", "nb201", "--method", "pc-darts")
    assert "pc-darts has plain modules only in --space darts" in capsys.readouterr().err
