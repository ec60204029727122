import numpy as np
import pytest

from blackbox.errors import ConfigError, ObjectiveError
from blackbox.search.scores import FAILED
from blackbox.workers.evaluation import checked, evaluate, load

MODULE = """
import sys
import numpy as np

def length(cell):
    print("said by the objective")
    return np.float32(len(cell))

def with_epochs(cell, epochs):
    return len(cell) + epochs

def fails(cell):
    raise ValueError("no such\\ncell")

def leaves(cell):
    sys.exit("enough")

def nan(cell):
    return float("nan")

def text(cell):
    return "0.5"

number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module with objectives."""
    (tmp_path / "own_objectives.py").write_text(MODULE)
    (tmp_path / "broken_objectives.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "own_objectives"


def test_an_evaluation_gives_its_score_and_leaves_stdout_alone(module, capsys):
    outcome = evaluate(f"{module}:length", "one", "abc")
    assert outcome[:1] + outcome[2:] == (3.0, "one", None, "")
    assert 0 < outcome.seconds < 5
    assert type(outcome.score) is float
    assert capsys.readouterr() == ("", "said by the objective\n")
    assert evaluate(f"{module}:with_epochs", "one", "abc", 9).score == 12


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("fails", "ValueError: no such"),
        ("leaves", "SystemExit: enough"),
        ("nan", "ObjectiveError: the objective must return a number, or -inf for a failure, got nan"),
        ("text", "ObjectiveError: the objective must return a number, got '0.5'"),
        ("with_epochs", "TypeError: with_epochs() missing 1 required positional argument: 'epochs'"),
        (
            "other",
            "ConfigError: the objective own_objectives:other does not exist: own_objectives has no other",
        ),
    ],
)
def test_whatever_goes_wrong_is_an_outcome(module, function, error):
    outcome = evaluate(f"{module}:{function}", "one", "abc")
    assert (outcome.score, outcome.error) == (FAILED, error)
    assert outcome.traceback.startswith("Traceback")
    assert error.split(": ", 1)[1] in outcome.traceback


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nomodule:f", "nomodule:f cannot be imported: No module named 'nomodule'; it must be in the folder"),
        (
            "broken_objectives:f",
            "broken_objectives:f cannot be imported: ZeroDivisionError: division by zero",
        ),
        ("own_objectives:notthere", "does not exist: own_objectives has no notthere"),
        ("own_objectives:number", "own_objectives:number must be callable, got 3"),
        ("own_objectives", "objective must be MODULE:FUNCTION, got 'own_objectives'"),
        ("own_objectives:", "objective must be MODULE:FUNCTION"),
        (None, "objective must be MODULE:FUNCTION, got None"),
    ],
)
def test_what_is_no_objective_is_an_error(module, name, message):
    with pytest.raises(ConfigError, match=message):
        load(name)


def test_scores_are_numbers():
    assert [checked(score) for score in (1, np.float32(0.5), np.array(2.0), FAILED)] == [1, 0.5, 2, FAILED]
    for score in (None, "1", b"1", [1], {}, np.zeros(2)):
        with pytest.raises(ObjectiveError, match="the objective must return a number, got"):
            checked(score)
    for score in (float("nan"), float("inf")):
        with pytest.raises(ObjectiveError, match="a number, or -inf for a failure, got (nan|inf)"):
            checked(score)
