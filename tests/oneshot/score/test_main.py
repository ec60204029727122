import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from blackbox import cli
from blackbox.re import RegularizedEvolution
from blackbox.rs import RandomSearch
from nasbench import CELLS, NB201, Cell
from nasbench.runs.log import read_log
from oneshot.errors import ConfigError, GraphError, MissingDependencyError, RunFolderError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.rsws import RSWS
from oneshot.score import Correlation, ScoreConfig, correlation, rank_correlations, sample_cells, score
from oneshot.score import equal_cost as module
from oneshot.score.__main__ import main
from oneshot.score.equal_cost import SearchComparison, Trials, evaluation_seconds, read_trials
from oneshot.score.result import format_result
from oneshot.search import Environment, SearchSettings, reopen, search
from oneshot.search.record import SEARCH_LOG
from oneshot.spaces.nb201 import NasBench201SearchSpace, fixed_path
from oneshot.testing import batches, other
from tests import stores

COST = 30_000.0  # about 16 evaluations


def searched(out, stop=None, store=None):
    config = DARTSConfig(epochs=2, batch=256)
    environment = Environment(device="cpu", store=store)
    return search(SearchSettings(channels=2), config, out, environment=environment, stop=stop)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished search on digits."""
    path = tmp_path_factory.mktemp("runs") / "darts"
    searched(path)
    return path


@pytest.fixture(scope="module")
def rival(tmp_path_factory, home):
    """The folder of a random search of 20 trials within a budget."""
    path = tmp_path_factory.mktemp("runs") / "rs"
    argv = ["--budget", f"{COST}s", "--trials", "20", "--seed", "3", "--out", str(path)]
    assert cli.main(RandomSearch, argv) == 0
    return path


@pytest.fixture
def command(capsys):
    """Runs the command in this process: (exit code, stdout, stderr)."""

    def command(*argv):
        capsys.readouterr()
        try:
            code = main([*map(str, argv), "--device", "cpu"])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return command


# Rank correlations


def tau_b(x, y):
    """Kendall's tau-b by its definition, over all pairs."""
    pairs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i in range(len(x)) for j in range(i)]
    both = sum(a * b for a, b in pairs)
    return both / math.sqrt(sum(a != 0 for a, _ in pairs) * sum(b != 0 for _, b in pairs))


def test_rank_correlations_are_those_of_their_definitions():
    rng = np.random.default_rng(0)
    x = rng.integers(12, size=40).astype(float)  # with ties
    y = x + rng.integers(12, size=40)
    kendall, spearman = rank_correlations(x, y)
    assert kendall.value == pytest.approx(tau_b(x, y))
    ranks = [[np.mean(np.flatnonzero(np.sort(v) == each)) for each in v] for v in (x, y)]
    assert spearman.value == pytest.approx(np.corrcoef(*ranks)[0, 1])
    for found, variance in ((kendall, 0.437 / 36), (spearman, (1 + spearman.value**2 / 2) / 37)):
        reach = 1.959964 * math.sqrt(variance)
        assert found.low == pytest.approx(math.tanh(math.atanh(found.value) - reach))
        assert found.high == pytest.approx(math.tanh(math.atanh(found.value) + reach))
        assert -1 < found.low < found.value < found.high < 1


def test_perfect_and_constant_columns():
    x = np.arange(12.0)
    assert rank_correlations(x, x**3) == (Correlation(1, 1, 1), Correlation(1, 1, 1))
    assert [each.value for each in rank_correlations(x, -x)] == [-1, -1]
    assert rank_correlations(x, np.ones(12)) == (Correlation(None, None, None),) * 2


def test_without_scipy_an_error_says_what_would_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingDependencyError, match="pip install scipy"):
        rank_correlations(np.arange(12.0), np.arange(12.0))


def test_intervals_cover_what_they_should():
    rng = np.random.default_rng(1)
    slope = 0.6
    true = 2 / math.pi * math.asin(slope), 6 / math.pi * math.asin(slope / 2)  # of a normal distribution
    covered = np.zeros(2)
    for _ in range(400):
        x = rng.normal(size=60)
        y = slope * x + math.sqrt(1 - slope**2) * rng.normal(size=60)
        found = rank_correlations(x, y)
        covered += [each.low <= value <= each.high for each, value in zip(found, true, strict=True)]
    assert (covered > 0.92 * 400).all()
    assert (covered < 0.98 * 400).all()


def test_cells_are_drawn_distinct_and_by_the_seed():
    cells = sample_cells(200, 5)
    assert len(set(cells)) == 200
    assert cells == sample_cells(200, 5) != sample_cells(200, 6)
    assert len(set(sample_cells(CELLS, 0))) == CELLS


# A supernet beside the benchmark


def supernet(space=None, method=DARTS):
    torch.manual_seed(0)
    optimizer = method()
    optimizer.adapt_search_space(NasBench201SearchSpace(4, 2, 1) if space is None else space)
    return optimizer


@pytest.mark.parametrize("method", [DARTS, RSWS])
def test_a_supernet_is_asked_along_each_path(bench, method):
    optimizer, data, cells = supernet(method=method), batches(2), sample_cells(12, 1)
    before = {key: value.clone() for key, value in optimizer.graph.state_dict().items()}
    held = [dict(edge) for edge in optimizer.graph.all_edges()]
    ranking = correlation(optimizer, data, cells, bench, "cifar100")
    for number, cell in enumerate(cells):
        with fixed_path(optimizer.graph, cell):
            right = sum(int((optimizer.graph(x).argmax(1) == y).sum()) for x, y in data)
        assert ranking.supernet[number] == pytest.approx(100 * right / 16)
        assert ranking.benchmark[number] == bench.query(cell, "cifar100", "val_accuracy")
    assert (ranking.kendall, ranking.spearman) == rank_correlations(ranking.supernet, ranking.benchmark)
    assert [dict(edge) for edge in optimizer.graph.all_edges()] == held
    assert all(torch.equal(before[key], value) for key, value in optimizer.graph.state_dict().items())


def test_cells_may_have_any_name(bench):
    optimizer, data, cells = supernet(), batches(1), sample_cells(10, 1)
    by_index = correlation(optimizer, data, [cell.index for cell in cells], bench, "cifar10")
    by_string = correlation(optimizer, data, [str(cell) for cell in cells], bench, "cifar10")
    np.testing.assert_array_equal(by_index.supernet, by_string.supernet)
    np.testing.assert_array_equal(by_index.benchmark, by_string.benchmark)


def test_too_few_cells_and_other_spaces_are_errors(bench):
    with pytest.raises(ConfigError, match="needs at least 10 cells, got 9"):
        correlation(supernet(), batches(1), sample_cells(9, 0), bench, "cifar10")
    with pytest.raises(GraphError, match="NAS-Bench-201; got 'space'"):
        correlation(supernet(other()), batches(1), sample_cells(10, 0), bench, "cifar10")


# A run


def test_a_run_is_scored_and_the_score_saved(run, bench):
    kept = {path.name: path.read_bytes() for path in run.iterdir() if not path.name.startswith("score")}
    scored = score(run, ScoreConfig(cells=20, images=300, seed=4), device="cpu")
    summary, ranking = scored.to_json(), scored.ranking
    found, result = summary["found"], reopen(run)
    cell, data = result.architecture, list(result.val_loader())[:2]  # 300 images are two batches of 256
    assert summary["ranking"]["images"] == sum(len(labels) for _, labels in data) == 512
    assert (found["arch"], found["index"]) == (str(cell), cell.index)
    assert found["benchmark_accuracy"] == bench.query(cell, "cifar10", "val_accuracy")
    assert found["rank"] == bench.rank(cell, "cifar10", "val_accuracy")
    assert found["regret"] == bench.regret(cell, "cifar10", "val_accuracy")
    column = bench.columns("cifar10", "val_accuracy")
    assert found["share_of_cells_below"] == np.mean(column < found["benchmark_accuracy"])
    with fixed_path(result.optimizer.graph, cell):
        assert found["supernet_accuracy"] == result.optimizer.evaluate(data).accuracy
    expected = correlation(result.optimizer, data, sample_cells(20, 4), bench, "cifar10")
    np.testing.assert_array_equal(ranking.supernet, expected.supernet)
    assert summary["ranking"]["kendall"] == expected.kendall._asdict()
    cost = summary["equal_cost"]
    epochs = sum(row["seconds"] for row in read_log(run, SEARCH_LOG))
    assert cost["seconds"] == epochs + reopen(run).concluding > epochs
    assert cost["measured"]
    assert "not even one evaluation" in cost["note"]
    saved = json.loads((run / "score.json").read_text())
    points = saved.pop("points")
    assert saved == summary
    assert points["index"] == [cell.index for cell in sample_cells(20, 4)]
    assert points["supernet_accuracy"] == ranking.supernet.tolist()
    assert (run / "score.png").read_bytes().startswith(b"\x89PNG")
    assert {name: (run / name).read_bytes() for name in kept} == kept
    again = score(run, ScoreConfig(cells=20, images=300, seed=4), device="cpu")
    assert again.to_json() == summary


def test_the_report(run, command):
    code, out, err = command(run, "--cells", 20)
    assert (code, err) == (0, "")
    assert out.startswith("DARTS on digits, scored by cifar10 val_accuracy [%], 200 epochs\n")
    assert "How the supernet ranks cells: 20 sampled with seed 0, 721 validation images" in out
    assert "Kendall tau-b   " in out
    assert "95 % interval" in out
    assert f"of the {CELLS:,} cells" in out
    assert "not even one evaluation, so there is nothing to compare with" in out
    assert out.endswith(f"saved in {run}: score.json, score.png\n")


def test_json_is_what_is_saved_without_the_points(run, command):
    code, out, _ = command(run, "--cells", 20, "--json")
    saved = json.loads((run / "score.json").read_text())
    del saved["points"]
    assert code == 0
    assert json.loads(out) == saved


def test_without_matplotlib_there_is_no_picture(run, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, out, err = command(run, "--cells", 10)
    assert code == 0
    assert out.endswith(f"saved in {run}: score.json\n")
    assert err == "no picture: it needs matplotlib: pip install matplotlib\n"
    assert json.loads((run / "score.json").read_text())["picture"] is None


# Tables that have more, or less


def test_rank_correlations_with_test_accuracies_if_the_table_has_them(tmp_path):
    columns = ["cifar10:200:val_accuracy", "cifar10:200:test_accuracy"]
    table = NB201(stores.from_csv(tmp_path / "a.h5", columns))
    searched(tmp_path / "run", store=table.store.path)
    result = score(tmp_path / "run", ScoreConfig(cells=12), device="cpu")
    summary = result.to_json()
    points = json.loads((tmp_path / "run" / "score.json").read_text())["points"]
    test = np.array([table.query(cell, "cifar10", "test_accuracy") for cell in points["index"]])
    kendall, spearman = rank_correlations(np.array(points["supernet_accuracy"]), test)
    assert summary["ranking"]["test"] == {"kendall": kendall._asdict(), "spearman": spearman._asdict()}
    found = summary["found"]
    assert found["test_accuracy"] == table.query(found["index"], "cifar10", "test_accuracy")
    assert found["test_rank"] == table.rank(found["index"], "cifar10", "test_accuracy")
    out = format_result(result)
    assert out.count("Kendall tau-b   ") == 2
    assert "\nby cifar10 test_accuracy [%], 200 epochs\nKendall tau-b   " in out
    assert (
        f"\n                test_accuracy {found['test_accuracy']:.4f} %, rank {found['test_rank']:,}\n"
        in out
    )


def test_test_accuracies_of_some_cells_give_no_correlation(tmp_path, run, bench):
    arrays = {"index": bench.store["index"], "isomorphism_class": bench.store["isomorphism_class"]}
    for name in ("seeds", "final/val_accuracy"):
        arrays[f"cifar10/200/{name}"] = bench.store[f"cifar10/200/{name}"]
    test = bench.store["cifar10/200/final/test_accuracy"].copy()
    test[sample_cells(20, 0)[3].code] = np.nan
    some = stores.write(tmp_path / "some.h5", arrays | {"cifar10/200/final/test_accuracy": test})
    summary = score(run, ScoreConfig(cells=20), device="cpu", store=some).to_json()
    assert summary["ranking"]["test"] is None
    index = summary["found"]["index"]
    assert summary["found"]["test_accuracy"] == bench.query(index, "cifar10", "test_accuracy")


@pytest.mark.parametrize(
    ("columns", "count", "message"),
    [
        (
            "cifar10:params",
            CELLS,
            "no protocol of 200 epochs in this store; recorded: without a protocol params",
        ),
        ("cifar10:12:val_accuracy", CELLS, "recorded: after 12 epochs val_accuracy; try another --store"),
        ("cifar100:200:val_accuracy", CELLS, "recorded: nothing; try another --store"),
        (
            "cifar10:200:val_accuracy",
            3,
            "no cifar10 val_accuracy for 11 of the 11 cells needed, only for 3 of all 15,625",
        ),
    ],
)
def test_a_table_without_the_accuracies_is_refused_before_cells_are_ranked(
    tmp_path, command, monkeypatch, columns, count, message
):
    store = stores.from_csv(tmp_path / "a.h5", [columns], count)
    searched(tmp_path / "run", store=store)
    monkeypatch.delattr("oneshot.score.scoring.correlation")
    err = fails(command(tmp_path / "run", "--cells", 10))
    assert f"{store} cannot score a search: " in err
    assert message in err


def test_a_table_of_other_scores_or_another_space_is_refused(tmp_path, run, command):
    other = stores.from_csv(tmp_path / "a.h5", ["cifar10:200:val_accuracy"])
    err = fails(command(run, "--cells", 10, "--store", other))
    assert f"{run} was scored by the default table (checksum " in err
    assert f"but {other} (checksum " in err
    size = stores.from_csv(tmp_path / "size.h5", ["cifar10:90:val_accuracy"], 32, space="sss")
    assert "--store must be a table of NAS-Bench-201" in fails(command(run, "--store", size))


# Black-box search at equal cost


def test_searches_are_run_for_the_cost(run, bench, command):
    argv = ["--cells", 10, "--cost", COST, "--trials", 20, "--seed", 3]
    code, out, err = command(run, *argv)
    assert (code, err) == (0, "")
    summary = json.loads((run / "score.json").read_text())
    cost = summary["equal_cost"]
    assert not cost["measured"]
    seconds = bench.columns("cifar10", ["train_time", "val_time"]).sum(axis=0)
    assert cost["evaluations"] == pytest.approx(COST / seconds.mean())
    assert [each["algorithm"] for each in cost["searches"]] == ["random search", "regularized evolution"]
    assert f"{cost['searches'][0]['mean']:.3f} ± {cost['searches'][0]['std']:.3f}" in out
    for each in cost["searches"]:
        assert (each["trials"], each["trials_without_evaluation"]) == (20, 0)
        assert 10 < each["evaluations"] < 25


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        (RandomSearch, []),
        (RegularizedEvolution, ["--population", "10", "--sample", "3"]),
    ],
)
def test_trials_are_read_as_their_search_reports_them(tmp_path, bench, capsys, algorithm, options):
    argv = ["--budget", f"{COST}s", "--trials", "20", "--out", str(tmp_path / "run"), "--json", *options]
    assert cli.main(algorithm, argv) == 0
    summary = json.loads(capsys.readouterr().out)
    trials = read_trials(tmp_path / "run", bench, "cifar10", COST)
    assert (trials.algorithm, trials.signal) == (algorithm.name, "val_accuracy@200")
    assert trials.values.mean() == pytest.approx(summary["report"]["val_accuracy"]["mean"])
    assert trials.values.std(ddof=1) == pytest.approx(summary["report"]["val_accuracy"]["std"])
    assert trials.evaluations.max() == summary["evaluations"]["most"]
    assert trials.evaluations.min() == summary["evaluations"]["least"]


def test_a_longer_search_counts_up_to_the_cost(rival, bench):
    rows = np.loadtxt(rival / "log.csv", delimiter=",", skiprows=1)
    for cost in (1.0, 2_000.0, 9_000.0):
        trials = read_trials(rival, bench, "cifar10", cost)
        for number in range(20):
            mine = rows[rows[:, 1] == number]
            mine = mine[mine[:, 4].cumsum() <= cost]
            assert trials.evaluations[number] == len(mine)
            if len(mine):
                assert trials.values[number] == mine[:, 3].max()
            else:
                assert np.isnan(trials.values[number])
    assert np.isnan(read_trials(rival, bench, "cifar10", 1.0).values).all()


def test_a_given_search_is_compared_with(run, rival, command):
    code, out, _ = command(run, "--cells", 10, "--cost", 2_000, "--against", rival)
    assert code == 0
    (search,) = json.loads((run / "score.json").read_text())["equal_cost"]["searches"]
    assert search["algorithm"] == "random search"
    assert search["trials_without_evaluation"] > 0
    assert "trials without an evaluation are excluded" in out


def test_shares_of_trials_that_are_beaten():
    trials = Trials(
        "a",
        "s",
        np.array([1.0, 2.0, 2.0, 3.0, np.nan]),
        np.array([1, 1, 1, 1, 0]),
        np.array([4, 5, 6, 7, -1]),
    )
    found = SearchComparison.compare(2.0, trials)
    assert (found.beaten, found.equal) == (0.25, 0.5)
    assert (found.trials, found.trials_without_evaluation) == (5, 1)
    assert (found.mean, found.evaluations) == (2.0, 0.8)
    assert SearchComparison.compare(2.0, trials._replace(values=np.array([np.nan]))).beaten is None


def test_a_table_without_times_has_no_costs(tmp_path, bench):
    short = NB201(stores.write(tmp_path / "store.h5", stores.arrays_with_curves()))
    assert evaluation_seconds(short, "cifar10") is None
    found = module.at_equal_cost(50.0, ScoreConfig(cost=1e9), 1.0, short, "cifar10", None)
    assert found.note.startswith("the table has no training times")
    whole = NB201(stores.write(tmp_path / "whole.h5", stores.arrays_of_all_protocols(short.space)))
    train, val = (np.nanmean(whole.by_code("cifar10", f"{split}_time")) for split in ("train", "val"))
    assert evaluation_seconds(whole, "cifar10") == pytest.approx(train + val)


def test_a_table_that_lacks_values_of_some_cells_has_nothing_to_compare_with(tmp_path, bench):
    arrays = stores.arrays_of_all_protocols(bench.space)
    for metric, lacks in (("val_accuracy", "val_accuracy for some cells"), ("train_time", "training times")):
        name = f"cifar10/200/final/{metric}"
        some = arrays | {name: np.where(np.arange(CELLS)[:, None] == 5, np.nan, arrays[name])}
        table = NB201(stores.write(tmp_path / f"{metric}.h5", some))
        found = module.at_equal_cost(50.0, ScoreConfig(cost=COST), 1.0, table, "cifar10", None)
        assert found.note == f"the table has no {lacks}, so there is nothing to compare with"
        assert found.searches == ()


def test_a_search_of_another_table_is_read_if_its_scores_are_those_of_this_one(tmp_path, rival, bench):
    names = [name for name in bench.store.names if "imagenet" not in name]
    other = NB201(stores.write(tmp_path / "a.h5", {name: bench.store[name] for name in names}))
    mine, theirs = (read_trials(rival, table, "cifar10", COST) for table in (bench, other))
    np.testing.assert_array_equal(mine.values, theirs.values)
    config = json.loads((rival / "config.json").read_text())
    (tmp_path / "log.csv").write_bytes((rival / "log.csv").read_bytes())
    for name, value in (("noise", "seed"), ("signal", "val_accuracy@12")):  # what it saw cannot be compared
        changed = config | {"run": config["run"] | {name: value}}
        (tmp_path / "config.json").write_text(json.dumps(changed))
        with pytest.raises(ConfigError, match="used a table other than"):
            read_trials(tmp_path, other, "cifar10", COST)


# Errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cells": 9}, r"cells must be an integer in \[10, 15,625\], got 9"),
        ({"images": 1}, "images must be an integer >= 2"),
        ({"trials": 0}, "trials must be an integer >= 1"),
        ({"seed": -1}, "seed must be an integer in"),
        ({"cost": 0.0}, r"cost must be > 0, got 0\.0"),
        ({"cost": math.nan}, "cost must be a finite number"),
    ],
)
def test_settings_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        ScoreConfig(**options)


def fails(result):
    """The one line on stderr of a command that failed."""
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def test_a_run_that_is_not_finished(tmp_path, command):
    searched(tmp_path / "run", stop=iter([False, False, True, True]).__next__)
    err = fails(command(tmp_path / "run"))
    assert "is not finished: 0 of 2 epochs; continue with: python -m oneshot.search --resume" in err
    assert not (tmp_path / "run" / "score.json").exists()


def test_other_folders(tmp_path, run, rival, command, monkeypatch):
    assert "is not the folder of a run" in fails(command(tmp_path / "none"))
    assert "is not the folder of a run" in fails(command(tmp_path))
    assert str(rival) in fails(command(rival))
    monkeypatch.delattr("oneshot.score.scoring.correlation")  # an error before cells are ranked
    for path in (tmp_path, run, tmp_path / "none"):
        err = fails(command(run, "--cells", 10, "--against", path))
        assert "is not the folder of a black-box search" in err


def test_searches_of_other_tables_and_damaged_ones(tmp_path, run, rival, bench):
    with pytest.raises(ConfigError, match="searched on cifar10, but the comparison is on cifar100"):
        read_trials(rival, bench, "cifar100", COST)
    whole = NB201(stores.write(tmp_path / "whole.h5", stores.arrays_of_all_protocols(bench.space)))
    with pytest.raises(ConfigError, match="used a table other than"):
        read_trials(rival, whole, "cifar10", COST)
    header, first, *_ = (rival / "log.csv").read_text().splitlines(keepends=True)
    nowhere = header + "".join(first.replace(first.split(",")[2], "15625", 1) for _ in range(20))
    logs = [("log.csv", text) for text in ("a,b\n1,2\n", nowhere)]
    for name, text in (*logs, ("config.json", "[]"), ("config.json", "{")):
        folder = tmp_path / "damaged"
        folder.mkdir(exist_ok=True)
        for each in ("log.csv", "config.json"):
            (folder / each).write_text(text if each == name else (rival / each).read_text())
        with pytest.raises(RunFolderError, match="or damaged"):
            read_trials(folder, bench, "cifar10", COST)


def test_a_search_without_costs(tmp_path, rival, bench):
    (tmp_path / "config.json").write_text((rival / "config.json").read_text())
    lines = (rival / "log.csv").read_text().splitlines()
    lines = [lines[0], *(line.rsplit(",", 1)[0] + ",0.0" for line in lines[1:])]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ConfigError, match="has no costs"):
        read_trials(tmp_path, bench, "cifar10", COST)


def test_a_search_that_fails(tmp_path, bench):
    with pytest.raises(ConfigError, match=r"python -m blackbox\.rs failed: .*too short for any evaluation"):
        module.search_blackbox("rs", 1.0, bench, "cifar10", 2, 0, tmp_path / "run")


def test_a_folder_that_cannot_be_written(tmp_path, run, command):
    copy = tmp_path / "run"
    copy.mkdir()
    for path in run.iterdir():
        if path.is_file() and not path.name.startswith("score"):
            (copy / path.name).write_bytes(path.read_bytes())
    (copy / "score.json").mkdir()
    assert f"cannot write {copy}/score.json" in fails(command(copy, "--cells", 10))


def test_settings_on_the_command_line(run, command):
    assert "cells must be an integer" in fails(command(run, "--cells", 3))
    assert "cost must be > 0" in fails(command(run, "--cost", -5))


def test_the_command_is_a_module(home):
    done = subprocess.run(
        [sys.executable, "-m", "oneshot.score", "--help"], capture_output=True, text=True, check=True
    )
    assert "--against" in done.stdout
    assert Cell(0).index >= 0
