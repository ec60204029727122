import json
from pathlib import Path

import pytest

from nasbench.cell import Cell
from oneshot.errors import ConfigError, GenotypeError, RunFolderError
from oneshot.spaces.architectures import Architecture
from oneshot.spaces.published import DARTS_V1, DARTS_V2, LIU2018
from oneshot.spaces.registry import get_space

CELL = Cell.from_index(6111)
DARTS = {"space": "darts", "text": str(DARTS_V1)}


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


def found(space, text, complete=True):
    return {"complete": complete, "architecture": {"space": space, "text": text}}


def of_any_run(source, space=None):
    return Architecture.parse(source, space, stage=None)


@pytest.mark.parametrize(
    ("text", "space", "value"),
    [
        ("6111", "nb201", CELL),
        (str(CELL), "nb201", CELL),
        ("DARTS_V2", "darts", DARTS_V2),
        (str(DARTS_V2), "darts", DARTS_V2),
        (json.dumps(get_space("darts").to_json(DARTS_V2)), "darts", DARTS_V2),
        ("LIU2018", "hierarchical", LIU2018),
        (str(LIU2018), "hierarchical", LIU2018),
    ],
)
def test_texts(text, space, value):
    architecture = Architecture.parse(text)
    assert architecture == (space, value)
    assert Architecture.parse(text, space) == of_any_run(text) == architecture
    assert Architecture.parse(architecture) == Architecture.parse(value) == architecture
    assert architecture.record == {"space": space, "text": str(value)}
    assert Architecture.from_record(architecture.record, "x") == architecture
    assert architecture.diagrams() == get_space(space).diagrams(value)


def test_one_of_the_diagrams():
    architecture = Architecture.parse("DARTS_V1")
    assert [diagram.title for diagram in architecture.diagrams("reduction")] == ["reduction"]
    with pytest.raises(
        ConfigError, match="the architecture has no diagram 'stem'; its diagrams are normal, reduction"
    ):
        architecture.diagrams("stem")


def test_what_a_search_found(folder):
    path = folder(config={"stage": "search"}, summary=found("darts", str(DARTS_V2)))
    assert (
        Architecture.parse(path) == Architecture.parse(Path(path)) == of_any_run(path) == ("darts", DARTS_V2)
    )
    assert Architecture.parse(path, "darts").value == DARTS_V2


def test_what_any_run_found(folder):
    path = folder(summary={"complete": True, "architecture": DARTS, "benchmark": None})
    assert of_any_run(path) == ("darts", DARTS_V1)
    path = folder(summary={"complete": True, "benchmark": {"arch": str(Cell(7))}})
    assert of_any_run(path) == ("nb201", Cell(7))


@pytest.mark.parametrize("parse", [Architecture.parse, of_any_run])
def test_an_architecture_of_another_space(folder, parse):
    path = folder(config={}, summary={"architecture": DARTS})
    for source in ("DARTS_V1", path, Path(path), Architecture.parse("DARTS_V1")):
        with pytest.raises(GenotypeError, match="the architecture belongs to the space darts, not nb201"):
            parse(source, "nb201")
    with pytest.raises(ConfigError, match="unknown space 'x'"):
        parse("DARTS_V1", "x")


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"config": {}}, "oneshot.search"),
        ({"config": {}, "summary": found("nb201", "6111", complete=False)}, "oneshot.search"),
        ({"config": {"stage": "search"}, "summary": {"complete": False}}, "oneshot.search"),
        ({"config": {"stage": "retraining"}}, "oneshot.retrain"),
        ({"config": {"stage": "pipeline"}}, "oneshot.pipeline"),
        ({"config": {"stage": [1]}}, "oneshot.search"),
        ({"summary": {"complete": False}}, "oneshot.search"),
    ],
)
def test_a_run_that_is_not_finished(folder, files, command):
    path = folder(**files)
    stage = files.get("config", {}).get("stage", "search")
    for parse in (
        (of_any_run, Architecture.parse) if stage == "search" and "config" in files else (of_any_run,)
    ):
        with pytest.raises(RunFolderError) as error:
            parse(path)
        message = f"{path} is not finished; continue with: python -m {command} --resume '{path}'"
        assert str(error.value) == message


def test_a_run_of_another_stage(folder):
    path = folder(config={"stage": "retraining"}, summary={"complete": True, "architecture": DARTS})
    with pytest.raises(RunFolderError, match="a run is the folder of a retraining, not of a search"):
        Architecture.parse(path)
    assert Architecture.parse(path, stage="retraining") == of_any_run(path) == ("darts", DARTS_V1)


@pytest.mark.parametrize("parse", [Architecture.parse, of_any_run])
@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ("{", r"summary.json is damaged: Expecting property name"),
        ("[" * 100_000, r"summary.json is damaged: "),
        ([], "summary.json is damaged: it must hold a JSON object"),
        ({"complete": True}, "summary.json is damaged, or of another version: it has no 'architecture'"),
        ({"complete": True, "architecture": 3}, "no architecture: "),
        ({"architecture": {"space": "darts"}}, "no architecture: it has no 'text'"),
        ({"architecture": {"text": "6111"}}, "no architecture: it has no 'space'"),
        ({"architecture": {"space": "darts", "text": "6111"}}, "no architecture: the architecture belongs"),
        ({"architecture": {"space": "none", "text": "6111"}}, "no architecture: unknown space 'none'"),
        (found("nb201", "magic"), "no architecture: 'magic' is not an architecture"),
        ({"benchmark": {"arch": "|x~0|"}}, "summary.json is damaged, or of another version: "),
        ({"benchmark": {"arch": 3}}, "no architecture: an architecture must be given as text, got 3"),
    ],
)
def test_a_damaged_summary(folder, summary, message, parse):
    with pytest.raises(RunFolderError, match=message):
        parse(folder(config={}, summary=summary))


def test_no_folder_of_a_run(folder, tmp_path):
    with pytest.raises(RunFolderError, match=r"a run is not the folder of a run: it has no summary\.json"):
        of_any_run(folder())
    with pytest.raises(RunFolderError, match=r"a run is not the folder of a run: it has no config\.json"):
        Architecture.parse(folder(summary={"architecture": DARTS}))
    for parse in (Architecture.parse, of_any_run):
        with pytest.raises(RunFolderError, match="there is no folder runs/nothing"):
            parse("runs/nothing")
        with pytest.raises(GenotypeError, match="'nothing' is not an architecture"):
            parse("nothing")
    (tmp_path / "a run" / "summary.json").unlink()
    (tmp_path / "a run" / "summary.json").mkdir()
    with pytest.raises(RunFolderError, match=r"cannot read .*summary\.json: Is a directory"):
        of_any_run(folder())


def test_a_summary_that_may_not_be_read(unprivileged):
    def check(home):
        (home / "config.json").write_text("{}")
        (home / "summary.json").write_text("{}")
        (home / "summary.json").chmod(0)
        with pytest.raises(RunFolderError, match="cannot read .*summary.json: Permission denied"):
            Architecture.parse(home)

    unprivileged(check)
