import json

import pytest

from nasbench.cell import Cell
from oneshot.draw.source import diagrams_of
from oneshot.errors import ConfigError, GenotypeError, RunFolderError
from oneshot.spaces.genotype import DARTS_V1, DARTS_V2, LIU2018
from oneshot.spaces.registry import space_of


@pytest.fixture
def folder(tmp_path):
    """Makes the folder of a run with these files, each a value or text."""

    def folder(**files):
        path = tmp_path / "a run"
        path.mkdir(exist_ok=True)
        for name, value in files.items():
            text = value if isinstance(value, str) else json.dumps(value)
            (path / f"{name}.json").write_text(text)
        return str(path)

    return folder


def test_texts_of_all_spaces():
    cell = Cell.from_index(6111)
    for text in ("DARTS_V2", str(DARTS_V2), json.dumps(space_of("darts").to_json(DARTS_V2))):
        assert diagrams_of(text) == diagrams_of(text, "darts") == DARTS_V2.diagrams()
    for text in ("LIU2018", str(LIU2018)):
        assert diagrams_of(text) == LIU2018.diagrams()
    for text in ("6111", str(cell)):
        assert diagrams_of(text) == space_of("nb201").diagrams(cell)


def test_one_of_the_diagrams():
    assert [diagram.title for diagram in diagrams_of("DARTS_V1", cell="reduction")] == ["reduction"]
    with pytest.raises(
        ConfigError, match="there is no 'stem' in the architecture; there are normal, reduction"
    ):
        diagrams_of("DARTS_V1", cell="stem")


def test_a_finished_run(folder):
    found = {"space": "darts", "text": str(DARTS_V1)}
    path = folder(summary={"complete": True, "architecture": found, "benchmark": None})
    assert diagrams_of(path) == DARTS_V1.diagrams()
    path = folder(summary={"complete": True, "benchmark": {"arch": str(Cell(7))}})
    assert diagrams_of(path) == space_of("nb201").diagrams(Cell(7))


def test_other_spaces(folder):
    with pytest.raises(GenotypeError, match="is of the space darts, not of nb201"):
        diagrams_of("DARTS_V1", "nb201")
    path = folder(summary={"architecture": {"space": "darts", "text": str(DARTS_V1)}})
    with pytest.raises(GenotypeError, match="is of the space darts, not of nb201"):
        diagrams_of(path, "nb201")


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"config": {}}, "oneshot.search"),
        ({"config": {"stage": "search"}, "summary": {"complete": False}}, "oneshot.search"),
        ({"config": {"stage": "retraining"}}, "oneshot.retrain"),
        ({"summary": {"complete": False}}, "oneshot.search"),
    ],
)
def test_a_run_that_is_not_finished(folder, files, command):
    path = folder(**files)
    with pytest.raises(RunFolderError) as error:
        diagrams_of(path)
    assert str(error.value) == f"{path} is not finished; go on with: python -m {command} --resume '{path}'"


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ("{", r"summary.json is damaged: Expecting property name"),
        ("[" * 100_000, r"summary.json is damaged: "),
        ([], "has no architecture: it is damaged, or of another version"),
        ({"architecture": {"space": "darts"}}, "has no architecture"),
        ({"architecture": {"space": "darts", "text": "6111"}}, "another version: the architecture is of"),
        ({"architecture": {"space": "none", "text": "6111"}}, "another version: unknown space 'none'"),
        ({"benchmark": {"arch": "|x~0|"}}, "summary.json is damaged, or of another version: "),
    ],
)
def test_a_damaged_summary(folder, summary, message):
    with pytest.raises(RunFolderError, match=message):
        diagrams_of(folder(summary=summary))


def test_no_folder_of_a_run(folder, tmp_path):
    with pytest.raises(RunFolderError, match=r"a run is not the folder of a run: it has no summary\.json"):
        diagrams_of(folder())
    with pytest.raises(RunFolderError, match="there is no folder runs/nothing"):
        diagrams_of("runs/nothing")
    with pytest.raises(GenotypeError, match="'nothing' is no architecture"):
        diagrams_of("nothing")
    (tmp_path / "a run" / "summary.json").mkdir()
    with pytest.raises(RunFolderError, match=r"cannot read .*summary\.json: Is a directory"):
        diagrams_of(folder())
