"""Searches on feasible cells alone, by limits on metrics and by metrics that some cells lack."""

import json

import numpy as np
import pytest

from blackbox import cli
from blackbox.algorithms import ALGORITHMS, algorithm
from blackbox.bridges.table import NamedTable
from blackbox.compare.__main__ import main as compare
from blackbox.errors import ConfigError
from blackbox.kinds.reader import read_run
from blackbox.report.__main__ import main as report
from blackbox.search.fidelity import MultiFidelitySearch
from blackbox.search.jobs import JobHistory
from blackbox.search.pareto import nondominated
from blackbox.table.objective import TableObjective
from blackbox.table.settings import PairConfig, RunConfig
from nasbench import NB201
from nasbench.errors import InvalidArgumentError, UnknownMetricError
from nasbench.runs.text import counted
from tests.blackbox.report.test_main import data_of

LIMITS = ("--at-most", "raspi4_latency=30.0", "--at-least", "val_accuracy@12=40", "--at-most", "params=50")
WHERE = {"raspi4_latency": (None, 30), "val_accuracy@12": (40, None), "params": (None, 50)}
NONE = ("--at-most", "params=1.01")  # one cell, which no short search meets


@pytest.fixture
def run(capsys, released):
    """Runs the command of an algorithm on the store: (exit code, stdout, stderr)."""

    def run(name, *argv):
        search = algorithm(name)
        try:
            code = cli.main(search, ["--store", str(released), *map(str, argv)])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="module")
def table(released):
    return NB201(released)


@pytest.fixture(scope="module")
def feasible(table):
    return table.feasible("cifar10", WHERE)


def length(name):
    return ("--jobs", 60) if issubclass(algorithm(name), MultiFidelitySearch) else ("--evals", 60)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_search_has_the_score_minus_inf_for_infeasible_cells(run, table, feasible, tmp_path, name):
    code, out, err = run(name, *length(name), "--trials", 2, *LIMITS, "--out", tmp_path / "run")
    assert (code, err) == (0, "")
    assert (
        f"feasible        {feasible.sum():,} of 15,625 cells: params <= 50 M, raspi4_latency <= 30 ms, val"
        in out
    )
    history = read_run(tmp_path / "run").history
    if isinstance(history, JobHistory):
        codes, failed = history.code, np.isinf(history.score)
    else:
        codes, failed = history.codes, np.isinf(history.scores.reshape(*history.codes.shape, -1)).all(axis=-1)
    np.testing.assert_array_equal(failed, ~feasible[codes])
    assert failed.any()
    assert not failed.all()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["settings"]["at_most"] == ["params=50", "raspi4_latency=30"]
    assert summary["settings"]["at_least"] == ["val_accuracy@12=40"]
    assert summary["feasible"]["cells"] == feasible.sum()
    assert json.loads((tmp_path / "run" / "config.json").read_text())["run"]["at_most"] == [
        "params=50",
        "raspi4_latency=30",
    ]


def test_regret_rank_and_optimum_are_of_feasible_cells(run, table, feasible):
    summary = json.loads(run("re", "--evals", 300, "--trials", 5, *LIMITS, "--json")[1])
    column = np.where(feasible, table.by_code("cifar10", "val_accuracy"), -np.inf)
    assert summary["optimum"]["value"] == column.max()
    assert summary["best"]["rank"] == 1 + (column > summary["best"]["value"]).sum()
    assert summary["best"]["regret"] == column.max() - summary["best"]["value"]
    assert summary["regret"][-1]["mean"] < 5


def test_evaluating_an_infeasible_cell_takes_its_usual_time(table):
    limited = TableObjective(table, "cifar10", "val_accuracy", where=WHERE)
    np.testing.assert_array_equal(limited.seconds, TableObjective(table, "cifar10", "val_accuracy").seconds)


def test_noise_of_infeasible_cells(table, feasible):
    objective = TableObjective(table, "cifar10", "val_accuracy", where=WHERE, noise=True, trials=range(50))
    codes = np.arange(50)
    np.testing.assert_array_equal(np.isinf(objective(codes)), ~feasible[codes])


@pytest.mark.parametrize("against", ["pixel3_latency", "eyeriss_energy", "edgetpu_latency"])
def test_fronts_against_a_device_are_of_cells_that_have_the_metric(run, table, against):
    code, out, _ = run("nsga2", "--evals", 150, "--trials", 2, "--against", against)
    assert code == 0
    gaps = against == "edgetpu_latency"
    assert (f"10,926 of 15,625 cells: {against} is recorded" in out) is gaps
    summary = json.loads(run("nsga2", "--evals", 150, "--trials", 2, "--against", against, "--json")[1])
    assert ("feasible" in summary) is gaps
    column = table.by_code("cifar10", against)
    known = ~np.isnan(column)
    points = np.stack([table.by_code("cifar10", "val_accuracy"), -column], axis=-1)[known]
    order = np.flatnonzero(known)[nondominated(points)]
    expected = table.space.official_index()[order].tolist()
    assert summary["true_front"]["indices"] == expected
    assert summary["reference"][against] == column[known].max()
    assert all(np.isfinite(cell[against]) for cell in summary["front"]["cells"])
    assert "test_accuracy" in summary["front"]["cells"][0]["entry"]["cifar100"]


def test_a_front_with_limits(run, table, feasible):
    summary = json.loads(run("nsga2", "--evals", 300, "--against", "flops", *LIMITS, "--json")[1])
    index = np.array([cell["index"] for cell in summary["front"]["cells"]])
    assert feasible[table.space.official_order()[index]].all()
    assert feasible[table.space.official_order()[summary["true_front"]["indices"]]].all()


# Without a feasible cell


@pytest.mark.parametrize("name", ["rs", "nsga2", "sh", "bohb", "re"])
@pytest.mark.parametrize("trials", [1, 3])
def test_a_search_that_meets_no_feasible_cell(run, tmp_path, name, trials):
    argv = (*length(name), "--trials", trials, *NONE, "--plot", tmp_path / "a.png")
    code, out, err = run(name, *argv, "--out", tmp_path / "run")
    assert code == 0
    assert f"none feasible   {trials} trial{'' if trials == 1 else 's'}: no feasible cell seen" in out
    if name != "nsga2":
        assert "best cell       none: no feasible cell was evaluated" in out
        assert "note: no plot, because no feasible cell was evaluated" in err
        assert not (tmp_path / "a.png").exists()
    else:
        assert "Front: none, because no feasible cell was evaluated" in out
    text = (tmp_path / "run" / "summary.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert run(name, "--resume", tmp_path / "run")[:2][0] == 0
    assert (tmp_path / "run" / "summary.json").read_text() == text


def test_trials_without_a_feasible_cell_are_counted(run, tmp_path):
    argv = ("--evals", 20, "--trials", 30, "--at-most", "params=4")
    summary = json.loads(run("rs", *argv, "--json")[1])
    without = summary["feasible"]["trials_without"]
    assert 0 < without < 30
    assert summary["regret"][-1]["trials_with_incumbent"] == 30 - without
    assert summary["trials_at_optimum"] == 0
    code, out, _ = run("rs", *argv, "--plot", tmp_path / "a.png")
    assert f"over {30 - without} trials" in out
    assert f"({counted(summary['regret'][0]['trials_with_incumbent'], 'trial')} had one)" in out
    assert (tmp_path / "a.png").exists()


def test_comparisons_and_reports_of_limited_searches(released, capsys, tmp_path):
    """One algorithm finds feasible cells in some trials, the other in none; a resumed one is the same."""
    argv = [
        "rs",
        "re:population=2,sample=1",
        "sh",
        "--budget",
        "1d",
        "--trials",
        "6",
        "--store",
        str(released),
    ]
    argv += ["--at-most", "params=3.0", "--out", str(tmp_path / "compared")]
    assert compare(argv) == 0
    out = capsys.readouterr().out
    assert "feasible: 308 of 15,625 cells: params <= 3 M" in out
    assert "no incumbent" in out
    assert "trials without a feasible cell have the worst feasible regret." in out
    record = json.loads((tmp_path / "compared" / "comparison.json").read_text())
    assert record["run"]["at_most"] == ["params=3"]
    assert record["findings"]["feasible"]["cells"] == 308
    assert compare(argv) == 0
    assert capsys.readouterr().out == out
    assert compare([*argv[:-4], "--at-most", "params=4", *argv[-2:]]) == 2
    assert "its at_most is params=3, not params=4" in capsys.readouterr().err
    runs = [str(tmp_path / "compared" / name) for name in ("rs", "sh")]
    assert compare(runs) == 0
    capsys.readouterr()
    assert compare([*runs, "--at-most", "params=4"]) == 2
    assert "--at-most params=4 differs from params=3 in " in capsys.readouterr().err
    assert report([str(tmp_path / "compared"), "--out", str(tmp_path / "a.html")]) == 0
    comparison = data_of(tmp_path / "a.html")["comparisons"][0]
    assert comparison["name"] == "cifar10 val_accuracy, params <= 3 M"
    assert ["feasible", "308 of 15,625 cells: params <= 3 M"] in comparison["facts"]
    assert comparison["optimum"]["value"] == record["findings"]["optimum"]["value"]


def test_a_comparison_without_any_feasible_cell(released, capsys, tmp_path):
    argv = ["rs", "re", "--evals", "8", "--trials", "4", "--store", str(released), *NONE]
    assert compare([*argv, "--out", str(tmp_path / "compared")]) == 0
    out = capsys.readouterr().out
    assert [row.split()[:2] for row in out.splitlines() if row.startswith(("rs ", "re "))][:2] == [
        ["rs", "-"],
        ["re", "-"],
    ]
    assert (tmp_path / "compared" / "regret.png").exists()
    assert "NaN" not in (tmp_path / "compared" / "comparison.json").read_text()
    assert report([str(tmp_path / "compared"), "--out", str(tmp_path / "a.html")]) == 0
    assert data_of(tmp_path / "a.html")["comparisons"][0]["runs"][0]["final"] is None


def test_runs_with_other_limits_are_reported_apart(run, capsys, tmp_path):
    for n, limits in enumerate(((), ("--at-most", "params=20"), LIMITS)):
        run("rs", "--evals", 50, *limits, "--out", tmp_path / "runs" / str(n))
        run(
            "nsga2",
            "--evals",
            50,
            "--against",
            "edgetpu_latency",
            *limits,
            "--out",
            tmp_path / "runs" / f"p{n}",
        )
    assert report([str(tmp_path / "runs"), "--out", str(tmp_path / "a.html")]) == 0
    comparisons = data_of(tmp_path / "a.html")["comparisons"]
    assert [comparison["name"] for comparison in comparisons] == [
        "cifar10 val_accuracy",
        "cifar10 val_accuracy, params <= 20 M",
        "cifar10 val_accuracy, params <= 50 M, raspi4_latency <= 30 ms, val_accuracy@12 >= 40 %",
    ]
    assert all(len(comparison["runs"]) == 2 for comparison in comparisons)


# Going on


@pytest.mark.parametrize("name", ["rs", "nsga2", "asha"])
def test_a_run_with_limits_goes_on_with_them_alone(run, tmp_path, name):
    more = ("--jobs", 90) if name == "asha" else ("--evals", 90)
    run(name, *length(name), "--trials", 2, *LIMITS, "--out", tmp_path / "a")
    run(name, *more, "--trials", 2, *LIMITS, "--out", tmp_path / "b")
    for limits, message in (
        (
            ("--at-most", "params=50"),
            "--at-most params=50 differs from the run's --at-most params=50,raspi4_latency=30; on",
        ),
        (
            ("--at-least", "flops=1"),
            "--at-least flops=1 differs from the run's --at-least val_accuracy@12=40",
        ),
    ):
        code, _, err = run(name, "--resume", tmp_path / "a", *limits)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
    assert run(name, "--resume", tmp_path / "a", *more, *LIMITS[2:], *LIMITS[:2])[0] == 0
    for file in ("log.csv", "summary.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    run(name, *length(name), "--trials", 2, "--out", tmp_path / "c")
    code, _, err = run(name, "--resume", tmp_path / "c", *LIMITS[:2])
    assert (
        code,
        "--at-most raspi4_latency=30 differs from the run, which was started without --at-most" in err,
    ) == (2, True)


# Bad input


@pytest.mark.parametrize(
    ("name", "argv", "message"),
    [
        ("rs", ("--at-most", "raspi4_latency<10"), "try --at-most raspi4_latency=10"),
        ("rs", ("--at-most", "raspi4_latency=low"), "--at-most raspi4_latency must be a finite number [ms]"),
        ("rs", ("--at-least", "raspi_latency=10"), "; try raspi4_latency"),
        ("rs", ("--at-most", "params=1", "--at-least", "params=2"), "--at-least params=2 cannot be above"),
        ("rs", ("--at-most", "val_loss@200=1", "--at-most", "val_loss=1"), "limits val_loss twice"),
        ("rs", ("--at-most", "params=0.5"), "no cell satisfies params <= 0.5 M (0 cells; recorded 1.00947"),
        ("sh", ("--at-most", "params=0.5"), "no cell satisfies params <= 0.5 M (0 cells; recorded 1.00947"),
        ("nsga2", ("--at-most", "flops=0"), "no cell satisfies flops <= 0 M (0 cells; recorded 1.00"),
        ("rs", ("--at-most", "val_loss=1"), "cifar10 has no val_loss after 200 epochs in this store"),
        ("rs", ("--dataset", "cifar100", "--at-most", "raspi4_latency=9"), "cifar100 has no raspi4_latency"),
        ("nsga2", ("--dataset", "cifar100", "--against", "raspi4_latency"), "cifar100 has no raspi4_latency"),
        ("nsga2", ("--against", "pixel_latency"), "; try pixel3_latency"),
        ("nsga2", ("--against", "val_accuracy@200"), "against must differ from the metric val_accuracy"),
        (
            "rs",
            ("--metric", "edgetpu_latency"),
            "for 4,699 cells; try --at-least edgetpu_latency=0, which excludes them",
        ),
        ("rs", ("--metric", "val_acuracy"), "; try val_accuracy"),
    ],
)
def test_bad_input_is_one_line_before_the_search(run, tmp_path, name, argv, message):
    code, out, err = run(name, *argv, "--out", tmp_path / "run")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (tmp_path / "run").exists()


def test_settings():
    settings = RunConfig(at_most=["params=1.0", "flops=2"], metric="val_accuracy@012", space="tss")
    assert (settings.at_most, settings.metric) == (("flops=2", "params=1"), "val_accuracy@12")
    assert RunConfig(metric="val_accuracy@200", space="tss") == RunConfig(space="tss")
    with pytest.raises(ConfigError, match="against must differ from the metric val_accuracy"):
        PairConfig(metric="val_accuracy@200", against="val_accuracy", space="tss")
    with pytest.raises(InvalidArgumentError, match="--at-most must be METRIC=VALUE, got 5"):
        RunConfig(at_most=(5,))
    with pytest.raises(UnknownMetricError):
        RunConfig(at_most=("parms=5",))


def test_the_bridge_to_other_tools_gives_infeasible_cells_the_worst_value(table, feasible):
    for metric, worst in (("val_accuracy", -np.inf), ("latency", np.inf)):
        named = NamedTable(table, "cifar10", metric, where=WHERE)
        for code in range(30):
            value = named.value(named.variables.decode(code))
            assert value == (table.by_code("cifar10", metric)[code] if feasible[code] else worst)
