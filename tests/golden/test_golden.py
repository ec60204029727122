"""Run folders on record: this version reads them, resumes them, and writes the same."""

import csv
import importlib
import importlib.util
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from blackbox.kinds.reader import read_run
from nasbench import NB201, Cell
from nasbench.runs.files import to_json
from oneshot.retrain.weights import load_network

HERE = Path(__file__).parent
RUNS = HERE / "runs"
COMMANDS = {  # by kind: the module and its options
    kind: shlex.split(words)
    for words, kind in re.findall(
        r"^python -m (.*) --out runs/(\w+)/finished$", (HERE / "README.md").read_text(), re.M
    )
}
RESUMES = {kind: words[:1] for kind, words in COMMANDS.items()} | {"workers": ["blackbox.workers", "re"]}
TABLE_RUNS = ("search", "budget", "fronts", "jobs")
TIMES = ("cost", "seconds", "images_per_second")  # columns of logs, measured where a cell is trained
ACCURACIES = ("accuracy", "top1", "top5")
DATES = ("created", "versions")
NEW = ("kind",)  # names in config.json that the folders on record do not have yet
#: identity of the default table that the folders on record were made with
EARLIER = {
    "source_version": "0.2.0 + d1093eee",
    "checksum": "75ba559232cba79e7f6693cdaf9fde431c9a5f537f4cf60aae8d37d95c32540b",
}
ADDED = ("synflow", "l2_norm", "zen")  # metrics that the default table has had since
SLOW_COMPARE = pytest.param("compare", marks=pytest.mark.slow)


def run(kind, *options):
    """Run the command that wrote the folders of a kind, with other options after its name: its stdout."""
    module, *words = [*RESUMES[kind], *map(str, options)]
    if module.startswith("blackbox."):
        done = subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run_here(module, *words)


def run_here(module, *words):
    """Run `python -m module` in this process, which has loaded torch already: its stdout."""
    if importlib.util.find_spec(module).submodule_search_locations:
        module += ".__main__"
    with redirect_stdout(io.StringIO()) as out:
        assert importlib.import_module(module).main(list(map(str, words))) == 0
    return out.getvalue()


def again(kind, path):
    """Make the folder of a kind anew, by its command."""
    words = COMMANDS[kind][len(RESUMES[kind]) :]
    run(kind, *words, "--out", path)


def copy_of(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / folder.parent.name / folder.name))


def json_of(path):
    return json.loads(path.read_text())


def without_dates(config):
    return {name: value for name, value in config.items() if name not in DATES}


def recorded(path):
    """JSON of a folder on record, with the identity of the present default table."""
    text = path.read_text()
    for name, value in EARLIER.items():
        text = text.replace(json.dumps(value), json.dumps(NB201().store.attributes[name]))
    return json.loads(text)


def without_added(value):
    """JSON without the metrics that the default table has had since, nested."""
    if isinstance(value, dict):
        return {name: without_added(inner) for name, inner in value.items() if name not in ADDED}
    return [without_added(inner) for inner in value] if isinstance(value, list) else value


def names_in(value):
    """The names in JSON, nested, in their order."""
    if isinstance(value, dict):
        return [(name, names_in(inner)) for name, inner in value.items()]
    return [names_in(inner) for inner in value] if isinstance(value, list) else None


def files_in(folder):
    """The files of a run's folder by their paths in it, without pictures and locks."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): path
        for path in files
        if path.suffix != ".png" and path.name != ".lock"
    }


def rows_of(log):
    """The rows of a log, {column: text}, without what was measured."""
    with open(log, newline="") as file:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]


def assert_same_bytes(folder, golden, finished=()):
    """Two folders of a command on a table hold the same, but for dates and versions.

    The records of the folders `finished` within them name the table that they were made with.
    """
    ours, theirs = files_in(folder), files_in(golden)
    assert list(ours) == list(theirs)
    for name, path in ours.items():
        if path.name in ("config.json", "comparison.json"):
            found = {key: value for key, value in without_dates(json_of(path)).items() if key not in NEW}
            read = json_of if Path(name).parent in finished else recorded
            expected = without_dates(read(theirs[name]))
            assert json.dumps(without_added(found)) == json.dumps(expected)
        elif path.suffix == ".json":
            assert path.read_text() == to_json(json_of(path)) + "\n", name
            assert to_json(without_added(json_of(path))) + "\n" == theirs[name].read_text(), name
        else:
            assert path.read_bytes() == theirs[name].read_bytes(), name


def assert_near(name, found, expected, points):
    """Two numbers of a training are the same, but for what another CPU's rounding may change.

    Accuracies may differ by so many percentage points, losses by a hundredth as much, relatively.
    """
    if points and name.endswith(ACCURACIES):
        assert found == pytest.approx(expected, abs=points), name
    elif points and name.endswith("loss"):
        assert found == pytest.approx(expected, rel=points / 100), name
    else:
        assert found == pytest.approx(expected, rel=1e-9), name


def assert_same_json(found, expected, points=0, name=""):
    """Two values of JSON are the same, but for floats that are near each other."""
    assert names_in(found) == names_in(expected)
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_same_json(found[key], value, points, key)
    elif isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            assert_same_json(one, other, points, name)
    elif isinstance(expected, float):
        assert_near(name, found, expected, points)
    else:
        assert found == expected, name


def assert_same_log(log, golden, points=0):
    """Two logs have the same rows, but for what was measured, and floats that are near each other."""
    found, expected = rows_of(log), rows_of(golden)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert list(one) == list(other)
        for name, text in other.items():
            if points and text and name.endswith(("loss", *ACCURACIES)):
                assert_near(name, float(one[name]), float(text), points)
            else:
                assert one[name] == text, name


# What is finished, is read


def test_the_readme_has_the_command_of_each_kind():
    assert sorted(COMMANDS) == sorted(path.name for path in RUNS.iterdir())


@pytest.mark.parametrize(
    "folder",
    [
        *(f"{kind}/finished" for kind in TABLE_RUNS),
        *("compare/finished/rs", "compare/finished/re_population=4,sample=2"),
    ],
)
def test_a_finished_run_is_read(folder, home):
    path = RUNS / folder
    found, summary = read_run(path), json_of(path / "summary.json")
    assert found.complete
    assert found.record == json_of(path / "config.json")
    assert found.algorithm == summary["algorithm"]
    counts = list(map(len, found.codes))
    of = summary.get("jobs") or summary["evaluations"]
    assert (min(counts), max(counts)) == (of["least"], of["most"])
    if found.objectives == 1:
        last = {found.space.cell(int(codes[-1])).index for _, _, codes in found.anytime()}
        assert summary["best"]["index"] in last


@pytest.mark.parametrize("kind", TABLE_RUNS)
def test_an_interrupted_run_is_read(kind, home):
    found = read_run(RUNS / kind / "interrupted")
    assert not found.complete
    assert sum(map(len, found.codes)) == len(rows_of(RUNS / kind / "interrupted" / "log.csv"))


def test_the_runs_are_reported_on_one_page(home, tmp_path):
    page = tmp_path / "page.html"
    folders = [RUNS / kind / "finished" for kind in (*TABLE_RUNS, "compare")]
    words = [sys.executable, "-m", "blackbox.report", *folders, "--out", page]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("6 runs in ")


@pytest.mark.parametrize("kind", [*sorted({*COMMANDS} - {"compare"}), SLOW_COMPARE])
def test_a_finished_folder_gives_its_summary_and_stays_as_it_is(kind, home, tmp_path):
    golden = RUNS / kind / "finished"
    copy = copy_of(golden, tmp_path)
    found = without_added(json.loads(run(kind, "--resume", copy, "--json")))
    if kind == "compare":
        assert_same_json(found, json_of(golden / "comparison.json")["findings"])
    else:
        assert_same_json(found, json_of(golden / "summary.json"), points=1 if kind == "oneshot" else 0)
    for name, path in files_in(golden).items():
        if path.suffix == ".csv":
            assert files_in(copy)[name].read_bytes() == path.read_bytes(), name
        if path.name == "config.json":
            # the record of a search on a table names the table that it was resumed with
            expected = recorded(path) if kind in TABLE_RUNS else json_of(path)
            assert json_of(files_in(copy)[name]) == expected, name


@pytest.mark.parametrize("folder", ["oneshot/finished", "retraining/finished", "pipeline/finished"])
def test_the_cell_that_a_folder_found_is_drawn(folder, tmp_path):
    out = tmp_path / "cell.svg"
    said = run_here("oneshot.draw", RUNS / folder, "--out", out)
    index = re.fullmatch(rf"{out}: cell (\d+); .* inches\n", said)[1]
    text = json_of(RUNS / folder / "summary.json")["architecture"]["text"]
    assert str(Cell.from_index(int(index))) == text
    assert out.read_text().startswith("<?xml")


def test_a_retraining_starts_from_the_folder_of_a_search(home):
    path = RUNS / "oneshot" / "finished"
    found = json.loads(run_here("oneshot.retrain", path, "--smoke", "--device", "cpu", "--json"))
    assert found["architecture"]["text"] == json_of(path / "summary.json")["architecture"]["text"]


@pytest.mark.parametrize("folder", ["retraining/finished", "pipeline/finished/final"])
@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
def test_weights_are_loaded(folder, name):
    network = load_network(RUNS / folder / name)
    cost = json_of(RUNS / folder / "summary.json")["cost"]
    assert sum(weights.numel() for weights in network.parameters()) == cost["params"]


# What was interrupted, is resumed


@pytest.mark.parametrize("kind", [*TABLE_RUNS, "compare"])
def test_an_interrupted_run_on_a_table_is_resumed_to_the_same_bytes(kind, home, tmp_path):
    golden, copy = RUNS / kind / "finished", copy_of(RUNS / kind / "interrupted", tmp_path)
    if kind != "compare":
        part, whole = ((path / "log.csv").read_text() for path in (copy, golden))
        assert len(part) < len(whole)
        assert whole.startswith(part)
    summaries = [path for path in copy.rglob("summary.json") if json_of(path)["complete"]]
    finished = [path.parent.relative_to(copy) for path in summaries]
    run(kind, "--resume", copy)
    assert_same_bytes(copy, golden, finished)


def test_interrupted_workers_are_resumed_to_the_same_end(home, tmp_path):
    golden, copy = RUNS / "workers" / "finished", copy_of(RUNS / "workers" / "interrupted", tmp_path)
    assert len(rows_of(copy / "log.csv")) < len(rows_of(golden / "log.csv"))
    run("workers", "--resume", copy, "--workers", 1)
    assert_same_workers(copy, golden)


def assert_same_workers(folder, golden):
    assert_same_log(folder / "log.csv", golden / "log.csv")
    assert (folder / "asked.csv").read_bytes() == (golden / "asked.csv").read_bytes()
    summaries = [json_of(path / "summary.json") for path in (folder, golden)]
    for summary in summaries:
        assert summary.pop("seconds") > 0
    assert json.dumps(summaries[0]) == json.dumps(summaries[1])
    configs = [without_dates(json_of(path / "config.json")) for path in (folder, golden)]
    assert json.dumps(configs[0]) == json.dumps(configs[1])


@pytest.mark.parametrize(
    ("kind", "points"),
    [("oneshot", 1), ("retraining", 1), pytest.param("pipeline", 5, marks=pytest.mark.slow)],
)
def test_an_interrupted_training_is_resumed_to_the_same_end(kind, points, home, tmp_path):
    golden, copy = RUNS / kind / "finished", copy_of(RUNS / kind / "interrupted", tmp_path)
    log = "final/log.csv" if kind == "pipeline" else "log.csv"
    part = (copy / log).read_bytes()
    assert 1 <= len(rows_of(copy / log)) < len(rows_of(golden / log))
    run(kind, "--resume", copy)
    assert (copy / log).read_bytes().startswith(part)
    for name, path in files_in(golden).items():
        if path.suffix == ".csv":
            assert_same_log(copy / name, path, points)
        elif path.name == "config.json":
            assert json.dumps(without_dates(json_of(copy / name))) == json.dumps(without_dates(json_of(path)))
        elif path.name == "summary.json":
            assert_same_json(without_added(json_of(copy / name)), json_of(path), points)


# What is written anew, is written the same


@pytest.mark.parametrize("kind", [*TABLE_RUNS, SLOW_COMPARE])
def test_a_new_run_on_a_table_has_the_same_bytes(kind, home, tmp_path):
    again(kind, tmp_path / "new")
    assert_same_bytes(tmp_path / "new", RUNS / kind / "finished")
    name = kind if kind in ("fronts", "jobs") else "evaluations"
    assert {json_of(path)["kind"] for path in (tmp_path / "new").rglob("config.json")} == {name}


@pytest.mark.slow
def test_new_workers_write_the_same(home, tmp_path):
    again("workers", tmp_path / "new")
    assert_same_workers(tmp_path / "new", RUNS / "workers" / "finished")


@pytest.mark.parametrize("kind", ["oneshot", "retraining", pytest.param("pipeline", marks=pytest.mark.slow)])
def test_a_new_training_writes_the_same_files_and_names(kind, home, tmp_path):
    again(kind, tmp_path / "new")
    ours, theirs = files_in(tmp_path / "new"), files_in(RUNS / kind / "finished")
    assert list(ours) == list(theirs)
    for name, path in theirs.items():
        if path.suffix == ".json":
            assert names_in(without_added(json_of(ours[name]))) == names_in(json_of(path)), name
        if path.name == "config.json":
            assert without_dates(json_of(ours[name])) == without_dates(recorded(path)), name
        if path.suffix == ".csv":
            assert [list(row) for row in rows_of(ours[name])] == [list(row) for row in rows_of(path)], name
