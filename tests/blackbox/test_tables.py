"""Commands on tables that hold little, or other things than the table that a run was made on."""

import json
import shutil

import numpy as np
import pytest

from blackbox import cli
from blackbox.algorithms import algorithm
from blackbox.compare.__main__ import main as compare
from blackbox.compare.spec import Spec
from blackbox.errors import RunFolderError
from blackbox.kinds.reader import read_run
from blackbox.predictors.__main__ import main as predictors
from blackbox.report.__main__ import main as report
from blackbox.table.curves import Curves
from blackbox.table.objective import TableObjective
from blackbox.table.settings import RunConfig
from nasbench import NB201
from nasbench.runs.log import AppendLog
from tests import stores
from tests.blackbox.report.test_main import data_of

CELL = ("index", "isomorphism_class")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The paths of stores that hold little, by name."""
    folder, arrays = tmp_path_factory.mktemp("tables"), stores.arrays_as_released()
    some = {}
    for name, array in arrays.items():
        some[name] = array.copy() if "/" in name and not name.endswith("seeds") else array
        if some[name] is not array:
            some[name][20:] = np.nan
    chosen = {
        "params": {name: arrays[name] for name in (*CELL, "cifar10/params")},
        "twelve": {n: a for n, a in arrays.items() if n in CELL or n.startswith("cifar10/12/")},
        "few": {n: a for n, a in some.items() if n in CELL or n.startswith("cifar10/")},
        "one": {n: a for n, a in arrays.items() if n in CELL or n.startswith("cifar100/")},
    }
    return {name: str(stores.write(folder / f"{name}.h5", of)) for name, of in chosen.items()}


@pytest.fixture
def run(capsys):
    """Runs a command by its name, of an algorithm or another: (exit code, stdout, stderr)."""
    others = {"compare": compare, "report": report, "predictors": predictors}

    def run(name, *argv):
        argv = list(map(str, argv))
        try:
            code = others[name](argv) if name in others else cli.main(algorithm(name), argv)
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


TWELVE = ("--metric", "val_accuracy@12")
SOME = ("--at-least", "val_accuracy=0")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "options", "heading", "value"),
    [
        ("params", ("--metric", "params"), "cifar10 params [M]\n", "params"),
        ("twelve", TWELVE, "cifar10 val_accuracy [%], 12 epochs, mean over seeds", "val_accuracy@12"),
        ("few", SOME, "20 of 15,625 cells: val_accuracy >= 0 %", "val_accuracy"),
        ("one", ("--dataset", "cifar100"), "cifar100 val_accuracy [%], 200 epochs", "val_accuracy"),
    ],
)
def test_all_commands_on_a_table_that_holds_little(run, tables, tmp_path, table, options, heading, value):
    argv = ("--store", tables[table], *options)
    code, out, err = run("rs", "--evals", 400, "--trials", 5, *argv, "--out", tmp_path / "runs" / "rs")
    assert (code, err, heading in out) == (0, "", True)
    assert f"\n{value:<15} " in out
    assert ("Final incumbents, trained for 12 epochs" in out) is (table == "twelve")
    assert ("test_accuracy [%]" in out) is (table != "params")
    code, out, _ = run(
        "re", "--evals", 100, *argv, "--plot", tmp_path / "a.png", "--out", tmp_path / "runs" / "re"
    )
    assert (code, heading in out) == (0, True)
    code, out, err = run("compare", "rs", "re", "--evals", 400, "--trials", 5, *argv)
    assert (code, err) == (0, "")
    assert ("trained for 12 epochs" in out) is (table == "twelve")
    code, out, err = run("report", tmp_path / "runs", "--out", tmp_path / "a.html")
    assert (code, err) == (0, "")
    comparison = data_of(tmp_path / "a.html")["comparisons"][0]
    assert comparison["metric"] == value
    assert ("test_accuracy@12" in comparison["columns"]) is (table == "twelve")
    code, out, err = run("predictors", *argv, "--cells", 5, "--tested", 10, "--trials", 2)
    assert (code, err, "extra trees" in out) == (0, "", True)
    assert ("not recorded for every cell: params, flops" in out) is (table in ("twelve", "few"))


@pytest.mark.parametrize("name", ["rs", "nsga2", "compare", "predictors"])
@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("params", "recorded: without a protocol params; try --metric params"),
        ("twelve", "val_time; try --metric val_accuracy@12"),
        (
            "few",
            "lacks cifar10 val_accuracy@200 for 15,605 cells; try --at-least val_accuracy@200=0,"
            " which excludes them",
        ),
        ("one", "recorded: nothing; try --dataset cifar100"),
    ],
)
def test_a_table_without_the_metric_is_refused_and_says_what_it_has(
    run, tables, tmp_path, name, table, message
):
    argv = {
        "compare": ("rs", "re", "--out", tmp_path / "run"),
        "predictors": (),
        "nsga2": ("--against", "train_time@12", "--out", tmp_path / "run"),
    }.get(name, ("--out", tmp_path / "run"))
    if name == "nsga2" and table in ("params", "one"):
        message = "no protocol of 12 epochs in this store; recorded: "
    if name == "nsga2" and table == "few":
        argv = ("--against", "train_time", "--dataset", "cifar100", "--out", tmp_path / "run")
        message = "cifar100 has no protocol of 200 epochs in this store; recorded: nothing"
    code, out, err = run(name, *argv, "--store", tables[table])
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (tmp_path / "run").exists()


def test_a_budget_on_a_table_without_times_is_refused(run, tables, tmp_path):
    for name in ("rs", "compare"):
        argv = ("rs", "re") if name == "compare" else ()
        code, _, err = run(
            name,
            *argv,
            "--store",
            tables["params"],
            "--metric",
            "params",
            "--budget",
            "1d",
            "--out",
            tmp_path / "a",
        )
        assert (code, "cifar10 has no protocol of 200 epochs" in err) == (2, True)
        code, _, err = run(
            name, *argv, "--store", tables["few"], *SOME, "--budget", "1d", "--out", tmp_path / "a"
        )
        assert (code, "lacks cifar10 evaluation time for 15,605 cells" in err) == (2, True)
        assert not (tmp_path / "a").exists()


# The metric after another protocol


def test_value_rank_regret_and_optimum_are_those_after_the_protocol_of_the_metric(run, released):
    table = NB201(released)
    column = table.by_code("cifar10", "val_accuracy", protocol=12)
    summary = json.loads(run("re", "--store", released, *TWELVE, "--trials", 4, "--json")[1])
    best = summary["best"]
    assert summary["settings"]["metric"] == "val_accuracy@12"
    assert summary["settings"]["signal"] == "val_accuracy@12"
    assert (
        best["value"] == best["score"] == table.query(best["index"], "cifar10", "val_accuracy", protocol=12)
    )
    assert best["rank"] == 1 + (column > best["value"]).sum()
    assert best["regret"] == column.max() - best["value"]
    assert summary["optimum"]["value"] == column.max()
    assert best["entry"] == table.entry(best["index"], protocol=12)
    assert list(summary["report"]) == ["val_accuracy", "test_accuracy"]
    seconds = table.query(best["index"], "cifar10", "train_time", protocol=12)
    assert best["simulated_seconds"] >= seconds
    code, out, _ = run("re", "--store", released, *TWELVE, "--signal", "val_accuracy", "--evals", 20)
    assert (code, "12 epochs; signal val_accuracy@200, mean over seeds" in out) == (0, True)


def test_the_longest_protocol_may_be_named(run, released):
    plain = run("re", "--store", released, "--evals", 30, "--json")[1]
    assert run("re", "--store", released, "--evals", 30, "--metric", "val_accuracy@200", "--json")[1] == plain


def test_a_run_of_another_protocol_goes_on(run, released, tmp_path):
    argv = ("--store", released, *TWELVE, "--trials", 2)
    run("re", "--evals", 30, *argv, "--out", tmp_path / "a")
    run("re", "--evals", 60, *argv, "--out", tmp_path / "b")
    assert run("re", "--resume", tmp_path / "a", "--evals", 60, "--metric", "val_accuracy@012")[0] == 0
    for name in ("log.csv", "summary.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    code, _, err = run("re", "--resume", tmp_path / "a", "--metric", "val_accuracy")
    assert (code, "--metric val_accuracy differs from the run's --metric val_accuracy@12" in err) == (2, True)


# Means and runs


def test_the_reports_have_validation_and_test_accuracy_of_all_data_sets(run, released):
    for name in ("rs", "nsga2"):
        code, out, _ = run(name, "--store", released, "--evals", 40)
        assert code == 0
        entry = out.split("Recorded for this cell")[1].splitlines()
        assert entry[1].split() == ["cifar10", "cifar100", "imagenet16-120"]
        for line, metric in zip(entry[2:4], ("val_accuracy", "test_accuracy"), strict=True):
            assert line.startswith(f"{metric} [%]")
            assert len(line.split()) == 2 + 3
        assert "hardware metrics not shown; use --all to show them\n" in out
        assert "pixel3" not in out
        out = run(name, "--store", released, "--evals", 40, "--all")[1]
        assert "not shown" not in out
        assert "pixel3_latency [ms]" in out
    assert "pixel3_latency" in run("rs", "--store", released, "--evals", 5, "--json")[1]


@pytest.mark.parametrize(
    ("name", "options", "signal"),
    [
        ("rs", TWELVE, "val_accuracy@12"),
        ("rs", ("--signal", "val_accuracy@12"), "val_accuracy@12"),
        ("rs", ("--metric", "test_accuracy"), "test_accuracy@200"),
        ("nsga2", ("--signal", "test_accuracy"), "test_accuracy@200"),
        ("asha", (), "val_accuracy@12"),
        ("compare", ("rs", "re", *TWELVE), "val_accuracy@12"),
        ("compare", ("rs", "sh", "--budget", "1d"), "val_accuracy@12"),
    ],
)
def test_noise_of_means_alone_is_refused(run, released, tmp_path, name, options, signal):
    code, out, err = run(name, "--store", released, "--noise", "seed", *options, "--out", tmp_path / "run")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert (
        f"noise seed needs values per seed; the table has only the mean over seeds of cifar10 {signal};"
        " try --noise mean" in err
    )
    assert not (tmp_path / "run").exists()


def test_noise_is_of_the_runs_beside_a_mean(released):
    table = NB201(released)
    objective = TableObjective(table, "cifar10", "val_accuracy", noise=True, trials=range(40))
    seen = {score for _ in range(20) for score in objective(np.full(40, 7)).tolist()}
    cell = table.cell(table.space.official_index()[7])
    assert seen == {table.query(cell, "cifar10", "val_accuracy", seed=seed) for seed in (777, 888, 999)}


@pytest.mark.parametrize("name", ["sh", "asha", "hyperband", "bohb"])
def test_multi_fidelity_searches_on_protocols_of_means_and_runs(run, released, name):
    summary = json.loads(run(name, "--store", released, "--jobs", 80, "--trials", 2, "--json")[1])
    assert [row["epochs"] for row in summary["rungs"]] == [12, 200]
    assert all(row["jobs"] > 0 for row in summary["rungs"])
    assert list(summary["report"]) == ["val_accuracy", "test_accuracy"]
    table = NB201(released)
    curves = Curves(table, "cifar10", "val_accuracy")
    assert curves.scores(0, (12,))[12][5] == table.by_code("cifar10", "val_accuracy", protocol=12)[5]
    train, val = (table.by_code("cifar10", f"{of}_time", protocol=12)[5] for of in ("train", "val"))
    assert curves.seconds(0, 12)[5] == train + val
    assert curves.seconds(12, 200)[5] == curves.seconds(0, 200)[5]  # a training run of its own


# Runs made on another table


@pytest.fixture(scope="module")
def richer(bench, tmp_path_factory):
    """The path of a store that has all of the default one, and more."""
    arrays = {name: np.array(bench.store[name]) for name in bench.store.names}
    arrays["cifar10/pixel3_latency"] = np.arange(15625.0)
    return stores.write(tmp_path_factory.mktemp("richer") / "richer.h5", arrays)


MADE = {
    "rs": ("--evals", 30, "--noise", "seed"),
    "nsga2": ("--evals", 30),
    "sh": ("--jobs", 20, "--fidelities", 200),
}


def of_an_earlier_release(path):
    """Take from a run's config.json what earlier releases did not write."""
    config = json.loads((path / "config.json").read_text())
    del config["run"]["at_most"], config["run"]["at_least"]
    (path / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("name", MADE)
def test_a_run_of_an_earlier_release_goes_on_on_a_table_with_the_same_scores_and_costs(
    run, richer, tables, tmp_path, name
):
    flag, number, *options = MADE[name]
    run(name, flag, number, "--trials", 2, *options, "--out", tmp_path / "a")
    of_an_earlier_release(tmp_path / "a")
    assert read_run(tmp_path / "a").settings.at_most == ()
    run(name, flag, 2 * number, "--trials", 2, *options, "--out", tmp_path / "b")
    code, out, err = run(
        "report", tmp_path / "a", tmp_path / "b", "--store", richer, "--out", tmp_path / "a.html"
    )
    assert (code, err) == (0, "")
    assert len(data_of(tmp_path / "a.html")["comparisons"]) == 1
    before = (tmp_path / "a" / "config.json").read_text()
    code, _, err = run(name, "--resume", tmp_path / "a", "--store", tables["few"])
    assert (code, f"is a run on a different table than {tables['few']}; try --store FILE" in err) == (2, True)
    code, _, err = run("report", tmp_path / "a", "--store", tables["one"], "--out", tmp_path / "b.html")
    assert code == 0  # on its own table, which is still there
    assert (tmp_path / "a" / "config.json").read_text() == before
    code, _, err = run(name, "--resume", tmp_path / "a", "--store", richer, flag, 2 * number)
    assert (code, err) == (0, "")
    assert (tmp_path / "a" / "log.csv").read_bytes() == (tmp_path / "b" / "log.csv").read_bytes()
    table = json.loads((tmp_path / "a" / "config.json").read_text())["table"]
    assert table["store"] == str(richer)
    assert table["checksum"] == NB201(richer).store.attributes["checksum"]
    assert table["source"] == "a test"
    assert run(name, "--resume", tmp_path / "a")[0] == 0


def test_a_run_without_an_evaluation_goes_on_on_any_table(run, richer, tmp_path):
    run("rs", "--evals", 30, "--out", tmp_path / "a")
    log = tmp_path / "a" / "log.csv"
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
    assert run("rs", "--resume", tmp_path / "a", "--store", richer)[0] == 0


@pytest.mark.slow
def test_a_comparison_of_an_earlier_release_goes_on_on_a_table_with_the_same_scores(
    run, richer, released, tmp_path
):
    argv = ("--budget", "1d", "--trials", 4)
    path = tmp_path / "compared"
    assert run("compare", "rs", "sh:fidelities=200", *argv, "--out", path)[0] == 0
    out = run("compare", "--resume", path)[1]
    record = json.loads((path / "comparison.json").read_text())
    del record["run"]["at_most"], record["run"]["at_least"], record["findings"]
    (path / "comparison.json").write_text(json.dumps(record))
    for folder in path.glob("*/config.json"):
        of_an_earlier_release(folder.parent)
    code, _, err = run("compare", "--resume", path, "--store", released)
    assert (code, "is another comparison: its checksum of the table is" in err) == (2, True)
    shutil.rmtree(path / "rs")  # made again, on the table now in use
    code, found, err = run("compare", "--resume", path, "--store", richer)
    assert (code, found, err) == (0, out, "")
    assert run("compare", path / "rs", path / "sh_fidelities=200", "--store", richer)[0] == 0
    assert json.loads((path / "comparison.json").read_text())["table"]["store"] == str(richer)


def test_the_finished_trials_of_a_part_are_held_against_the_table(bench, tmp_path):
    experiment = Spec.parse("sh:fidelities=200").experiment(RunConfig(budget=86_400.0, trials=2), bench)

    def evaluate():
        driver = experiment.kind.driver(experiment, range(2))
        header = driver.log_format.header
        with AppendLog.create_or_resume(tmp_path / "part" / "log.csv", header, root=tmp_path) as log:
            driver.resume(log)
            driver.advance(lambda: False)
            driver.save()
        return driver.history

    rows = evaluate().rows
    np.testing.assert_array_equal(evaluate().rows, rows)
    log = tmp_path / "part" / "log.csv"
    text = log.read_text()
    for name in ("score", "end"):
        log.write_text(text.replace(repr(float(rows[name][0])), "1e6", 1))
        with pytest.raises(RunFolderError, match="its scores or times differ from the table"):
            evaluate()
