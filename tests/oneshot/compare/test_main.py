import io
import json
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout

import numpy as np
import pytest
from scipy.stats import wilcoxon

from nasbench.runs.folder import RunFolder
from nasbench.runs.log import read_log
from oneshot.compare import pictures
from oneshot.compare.__main__ import main
from oneshot.compare.result import MethodResult, Spread, collect_result, compare_pairs
from oneshot.compare.settings import CompareSettings
from oneshot.compare.spec import MethodSpec
from oneshot.compare.study import COMPARE, COMPARE_LOG, Study
from oneshot.errors import RunFolderError
from oneshot.pipeline.settings import PipelineEnvironment
from oneshot.search.record import SEARCH_LOG
from oneshot.search.scorer import Scorer
from tests.running import runner

CELLS = {  # official indices, of seeds 3 and 4
    "darts": (6136, 0),
    "gdas:epochs=3": (6111, 9930),
}
SECONDS = {"darts": 1.0, "gdas:epochs=3": 9000.0}  # of an epoch


@pytest.fixture
def run(capfd, home):
    return runner(main, capfd)


@pytest.fixture(scope="module")
def study(home, tmp_path_factory):
    """A comparison whose searches are finished and scored."""
    path = tmp_path_factory.mktemp("compare") / "run"
    settings = CompareSettings(seeds=2, seed=3, trials=20)
    study = Study(path, settings, tuple(map(MethodSpec.parse, CELLS)), {}, PipelineEnvironment())
    record = {"compare": settings.to_json(), "methods": list(CELLS), "common": {}, "store": None}
    RunFolder.create(path, COMPARE, record).close()
    scorer = Scorer("digits")
    for number, seed, folder in study.folders():
        label = study.specs[number].label
        cell = scorer.bench.cell(CELLS[label][seed - 3])
        scores = scorer.scores(cell)
        rows = [
            {name: 0 for name, kind in SEARCH_LOG.types.items() if kind is not str}
            | {"epoch": epoch, **scorer.row(cell), "seconds": SECONDS[label]}
            for epoch in (1, 2)
        ]
        folder.mkdir()
        (folder / "log.csv").write_bytes(SEARCH_LOG.header + SEARCH_LOG.encode(rows))
        summary = {
            "complete": True,
            "architecture": {"text": str(cell)},
            "supernet": {"path": {"accuracy": 50.0}},
            "benchmark": vars(scores) | {"optimum": None},
            "epochs": 2,
            "warning": "collapsed" if label == "darts" else None,
        }
        (folder / "summary.json").write_text(json.dumps(summary))
        score = {"settings": {"cells": 100, "images": 1000}, "ranking": {"kendall": {"value": seed / 10}}}
        (folder / "score.json").write_text(json.dumps(score))
    return study


@pytest.fixture(scope="module")
def report(study):
    """What the command prints for it, as text and as JSON."""
    outs = []
    for words in ([], ["--json"]):
        with redirect_stdout(io.StringIO()) as out:
            assert main(["--resume", str(study.path), "--devices", "cpu", *words]) == 0
        outs.append(out.getvalue())
    return outs[0], json.loads(outs[1])


def test_means_over_seeds_are_of_the_table(report, bench):
    _, summary = report
    for method in summary["methods"]:
        indices = CELLS[method["label"]]
        for name, spread in method["accuracies"].items():
            values = [bench.query(index, *name.split()) for index in indices]
            assert spread["mean"] == pytest.approx(np.mean(values))
            assert spread["std"] == pytest.approx(np.std(values, ddof=1))
        ranks = [bench.rank(index, "cifar10", "val_accuracy") for index in indices]
        assert method["rank"]["mean"] == np.mean(ranks)
        assert method["kendall"] == pytest.approx({"mean": 0.35, "std": 0.1 / np.sqrt(2)})
        assert method["collapsed"] == (2 if method["label"] == "darts" else 0)
        assert method["seconds"]["mean"] == 2 * SECONDS[method["label"]]
    best = bench.best("imagenet16-120", "test_accuracy").value
    assert summary["optimum"]["imagenet16-120 test_accuracy"]["mean"] == best
    assert len(summary["optimum"]) == 6


def test_black_box_search_gets_the_mean_cost_of_the_method(report, bench):
    darts, gdas = report[1]["methods"]
    assert (darts["cost"], darts["blackbox"]) == (2, [])
    assert darts["note"].startswith("the cost buys not even one evaluation")
    assert [search["algorithm"] for search in gdas["blackbox"]] == ["random search", "regularized evolution"]
    assert gdas["cost"] == 18_000
    for search in gdas["blackbox"]:
        assert 8 < search["evaluations"] < 11
        assert 85 < search["accuracies"]["cifar10 val_accuracy"]["mean"] < 91.6
        assert 0.5 <= search["beaten"] <= 1  # by the optimum and another cell


def test_pairs_are_tested(report, bench):
    (pair,) = report[1]["pairs"]
    values = [[bench.query(i, "cifar10", "val_accuracy") for i in indices] for indices in CELLS.values()]
    difference = np.subtract(*values)
    assert (pair["better"], pair["worse"], pair["equal"]) == (0, 2, 0)
    assert pair["p"] == wilcoxon(difference).pvalue == 0.5
    assert pair["difference"] == pytest.approx(difference.mean())
    assert pair["interval"] == pytest.approx([difference.min(), difference.max()])  # of two values


def test_the_text(report, study):
    text, _ = report
    assert text.startswith("2 methods on digits, nb201: 2 seeds from 3 on; 10.0 hours of search in all\n")
    for part in (
        "optimum",
        "gdas:epochs=3",
        "2 of 2",
        "cannot be below 0.5",
        "No black-box search at the cost of darts (2 s): the cost buys",
    ):
        assert part in text
    assert text.endswith(
        f"saved in {study.path}, with anytime.png, cells-1-darts.png, cells-2-gdas-epochs-3.png\n"
    )
    rows = read_log(study.path, COMPARE_LOG)
    assert [row["job"] for row in rows] == [folder.name for *_, folder in study.folders()]


def test_curves_end_at_the_mean_of_the_cells_found(study, report, bench):
    result = collect_result(study)
    logs = [[read_log(study.folder(n, seed), SEARCH_LOG) for seed in study.seeds] for n in (0, 1)]
    logs[0][1] = logs[0][1][:1]  # a search that was stopped keeps its value
    axes = pictures.draw_anytime(result, logs).axes
    for each in axes:
        lines = {line.get_label(): line for line in each.lines}
        for label, indices in CELLS.items():
            mean = np.mean([bench.query(index, "cifar10", "val_accuracy") for index in indices])
            assert lines[label].get_ydata()[-1] == pytest.approx(mean)
    assert axes[0].lines[0].get_xdata()[-1] == 2


def test_methods_that_find_the_same_cells_do_not_differ(study, report):
    first, _ = collect_result(study).methods
    second = MethodResult(**vars(first) | {"label": "other"})
    (pair,) = compare_pairs((first, second))
    assert (pair.equal, pair.p, pair.interval) == (2, 1.0, (0.0, 0.0))


def test_a_spread_leaves_out_what_is_not_recorded():
    assert Spread.estimate([1.0, 3.0, np.nan]) == Spread(2.0, np.sqrt(2))
    assert Spread.estimate([1.0]) == Spread(1.0, None)
    assert Spread.estimate([np.nan]) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "a comparison needs at least one method; try python -m oneshot.compare darts gdas"),
        (("darts", "darts"), "darts is listed twice"),
        (("dart",), "did you mean darts"),
        (("darts", "--epochs", 0), "darts: epochs must be an integer >= 1, got 0"),
        (("darts", "--seeds", 0), "seeds must be an integer in [1, 1,000], got 0"),
        (("darts", "--devices", "cuda:99"), "cuda:99"),
        (("darts", "--store", "/nowhere.h5"), "no store at /nowhere.h5"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_folder(run, tmp_path, arguments, message):
    code, out, err = run(*arguments, "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("darts",), "the methods differ from the comparison's"),
        (("--epochs", 3), "epochs=3 differs from the comparison's"),
        (
            ("--seeds", 1),
            "--seeds 1 differs from the run's --seeds 2; on resume you can only increase --seeds",
        ),
        (("--seed", 0), "--seed 0 differs from the run's --seed 3"),
    ],
)
def test_what_must_stay_when_it_is_resumed(run, study, arguments, message):
    code, _, err = run(*arguments, "--resume", study.path, "--devices", "cpu")
    assert code == 2
    assert message in err


def test_damaged_summaries_and_scores_of_other_settings_do_not_count(study):
    path = study.folder(0, 3)
    text = (path / "summary.json").read_text()
    (path / "summary.json").write_text("{")
    with pytest.raises(RunFolderError, match="has no summary.json of a finished search"):
        study.finished(path)
    (path / "summary.json").write_text(text)
    score = (path / "score.json").read_text()
    (path / "score.json").write_text(score.replace("1000", "500"))  # of other settings
    assert study.score(path) is None
    (path / "score.json").write_text(score)
    assert study.score(path) is not None


@pytest.mark.slow
def test_a_comparison_that_is_stopped_is_resumed_and_extended(run, tmp_path):
    path = tmp_path / "run"
    words = ["darts", "rsws:paths=10", "--smoke", "--devices", "cpu,cpu", "--out", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "oneshot.compare", *words, "--seeds", "1"], stderr=subprocess.PIPE, text=True
    )
    while not (path / "1-darts-seed-0" / "log.csv").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    err = process.communicate()[1]
    assert process.returncode == 130
    assert err.splitlines()[-1] == f"interrupted; continue with: python -m oneshot.compare --resume {path}"
    code, out, _ = run("--resume", path, "--devices", "cpu,cpu", "--json")
    assert code == 0
    first = json.loads(out)
    assert first["pairs"] == []
    assert len(first["pictures"]) == 3
    code, out, _ = run("--resume", path, "--seeds", 2, "--devices", "cpu", "--json")
    assert code == 0
    second = json.loads(out)
    assert [len(method["searches"]) for method in second["methods"]] == [2, 2]
    for before, after in zip(first["methods"], second["methods"], strict=True):
        assert before["searches"][0] == after["searches"][0]
    assert len(second["pairs"]) == 1


@pytest.mark.slow
def test_a_space_without_a_benchmark(run, tmp_path):
    words = (
        "darts",
        "--space",
        "darts",
        "--seeds",
        1,
        "--smoke",
        "--devices",
        "cpu",
        "--out",
        tmp_path / "run",
    )
    code, out, _ = run(*words)
    assert code == 0
    assert "optimum" not in out
    assert "Genotype(" in out
