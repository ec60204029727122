import json
from pathlib import Path

import pytest

from nasbench.cell import Cell
from oneshot.errors import GenotypeError, RunFolderError
from oneshot.retrain.architecture import Architecture
from oneshot.search.record import SEARCH
from oneshot.spaces.genotype import DARTS_V2, LIU2018
from oneshot.training.folder import RunFolder, Stage

CELL = Cell.from_index(6111)


def folder(path, summary, stage=SEARCH):
    """The folder of a run with a summary, or without one."""
    with RunFolder.create(path, {}, stage) as made:
        if summary is not None:
            made.write_summary(summary)
    return path


def found(space, text, complete=True):
    return {"complete": complete, "architecture": {"space": space, "text": text}}


@pytest.mark.parametrize(
    ("text", "space", "value"),
    [
        ("6111", "nb201", CELL),
        (str(CELL), "nb201", CELL),
        ("DARTS_V2", "darts", DARTS_V2),
        (str(DARTS_V2), "darts", DARTS_V2),
        ("LIU2018", "hierarchical", LIU2018),
    ],
)
def test_texts(text, space, value):
    architecture = Architecture.of(text)
    assert architecture == (space, value)
    assert Architecture.of(text, space) == architecture
    assert Architecture.of(architecture) == Architecture.of(value) == architecture
    assert architecture.record == {"space": space, "text": str(value)}
    assert Architecture.recorded(architecture.record, "x") == architecture


def test_what_a_search_found(tmp_path):
    path = folder(tmp_path / "a", found("darts", str(DARTS_V2)))
    assert Architecture.of(str(path)) == Architecture.of(path) == ("darts", DARTS_V2)
    assert Architecture.of(path, "darts").value == DARTS_V2
    with pytest.raises(
        GenotypeError, match="the architecture is of darts, not of nb201, which --space names"
    ):
        Architecture.of(path, "nb201")


@pytest.mark.parametrize("summary", [None, found("nb201", "6111", complete=False)])
def test_a_search_that_is_not_finished(tmp_path, summary):
    path = folder(tmp_path / "a b", summary)
    with pytest.raises(
        RunFolderError, match=r"not finished; go on with: python -m oneshot.search --resume '.*/a b'$"
    ):
        Architecture.of(path)


def test_what_is_no_search(tmp_path):
    folder(tmp_path / "a", None, Stage("retraining", {"epoch": int}))
    with pytest.raises(RunFolderError, match="a is the folder of a retraining, not of a search"):
        Architecture.of(str(tmp_path / "a"))
    with pytest.raises(RunFolderError, match="is not the folder of a run: it has no config.json"):
        Architecture.of("runs/nowhere")
    with pytest.raises(GenotypeError, match="'nowhere' is no architecture"):
        Architecture.of("nowhere")
    with pytest.raises(GenotypeError, match="not of darts"):
        Architecture.of("6111", "darts")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "summary.json is damaged: "),
        ("[" * 100_000, "summary.json is damaged: "),
        ("[]", "summary.json is damaged: it should hold an object"),
        ('{"complete": true}', "summary.json is damaged, or of another version: it has no 'architecture'"),
        ('{"complete": true, "architecture": 3}', "no architecture: "),
        (json.dumps(found("nb201", "magic")), "no architecture: 'magic' is no architecture"),
        ('{"complete": true, "architecture": {"space": "nb201"}}', "no architecture: it has no 'text'"),
    ],
)
def test_a_damaged_summary(tmp_path, text, message):
    path = folder(tmp_path / "a", {})
    (path / "summary.json").write_text(text)
    with pytest.raises(RunFolderError, match=message):
        Architecture.of(path)


def test_a_summary_that_may_not_be_read(unprivileged):
    def check(home):
        path = folder(home / "a", {})
        (path / "summary.json").chmod(0)
        with pytest.raises(RunFolderError, match="cannot read .*summary.json: Permission denied"):
            Architecture.of(Path(path))

    unprivileged(check)
