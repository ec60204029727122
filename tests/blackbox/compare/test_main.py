"""The command: what it reports against logs read by hand, what it keeps, what it refuses."""

import csv
import io
import itertools
import json
import re
import shutil
import statistics
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from blackbox import cli
from blackbox.algorithms import algorithm
from blackbox.compare.__main__ import main
from blackbox.compare.record import open_comparison, write_findings
from nasbench import NB201
from nasbench.benchmark import open_benchmark

ODD = "tests.blackbox.compare.searches:Odd"
SPECS = ["re:population=20,sample=5", "rs", "ls"]
LABELS = SPECS
COMMON = ["--trials", "19", "--evals", "60", "--noise", "seed", "--seed", "4"]


@pytest.fixture(scope="module")
def made(home, tmp_path_factory):
    """The folder of a comparison of three algorithms, in two processes."""
    path = tmp_path_factory.mktemp("comparison") / "out"
    assert main([*SPECS, *COMMON, "--out", str(path), "--workers", "2"]) == 0
    return path


@pytest.fixture(scope="module")
def found(made):
    return json.loads((made / "comparison.json").read_text())["findings"]


def files(path, created=True):
    """What is in a folder, {name: bytes}; without when it was made."""
    return {
        str(file.relative_to(path)): re.sub(rb'"created": ".*"', b"", file.read_bytes())
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.suffix != ".png"
    }


def own_command(text, *options):
    """Run one algorithm's own command."""
    name, _, settings = text.partition(":")
    flags = [part for setting in settings.split(",") if setting for part in f"--{setting}".split("=")]
    search = algorithm(name)
    with redirect_stdout(io.StringIO()):
        assert cli.main(search, [*flags, *map(str, options)]) == 0


def trials_of(path):
    """The incumbents of each trial, by hand: [[(evaluation, seconds, index), ...], ...]."""
    trials = {}
    with open(path / "log.csv") as file:
        for row in csv.DictReader(file):
            best, seconds, steps = trials.setdefault(int(row["trial"]), [-np.inf, 0.0, []])
            seconds += float(row["cost"])
            if float(row["score"]) > best:
                best = float(row["score"])
                steps.append((int(row["evaluation"]), seconds, int(row["index"])))
            trials[int(row["trial"])] = [best, seconds, steps]
    return [steps for _, _, steps in trials.values()]


def regret_of(bench, index):
    return bench.regret(index, "cifar10", "val_accuracy")


# What is reported


def test_the_ends_of_trials_are_those_of_the_logs(made, found, bench):
    assert [row["label"] for row in found["algorithms"]] == LABELS
    for row, folder in zip(found["algorithms"], ("re_population=20,sample=5", "rs", "ls"), strict=True):
        assert row["folder"] == folder
        regrets = [regret_of(bench, steps[-1][2]) for steps in trials_of(made / folder)]
        assert len(regrets) == 19
        assert row["regret"]["mean"] == pytest.approx(statistics.mean(regrets))
        assert row["regret"]["std"] == pytest.approx(statistics.stdev(regrets))
        assert row["regret"]["median"] == pytest.approx(statistics.median(regrets))
        low, high = row["regret"]["mean_interval"]
        assert min(regrets) <= low < row["regret"]["mean"] < high <= max(regrets)
        ordered = sorted(regrets)
        assert row["regret"]["median_interval"] == pytest.approx([ordered[4], ordered[14]])
        assert row["at_optimum"]["trials"] == sum(regret == 0 for regret in regrets)
        values = [bench.query(steps[-1][2], "cifar10", "val_accuracy") for steps in trials_of(made / folder)]
        assert row["report"]["val_accuracy"]["mean"] == pytest.approx(statistics.mean(values))
        assert (row["evaluations"], row["jobs"], row["trials_without_evaluation"]) == (60, None, 0)


def test_the_way_to_a_regret_is_that_of_the_logs(made, found, bench):
    beyond = 0
    for row in found["algorithms"]:
        for way in row["reached"]:
            times = [
                next((n for n, _, index in steps if regret_of(bench, index) <= way["regret"]), np.inf)
                for steps in trials_of(made / row["folder"])
            ]
            median = sorted(times)[9]
            assert way["evaluations"]["median"] == (None if median == np.inf else median)
            assert way["evaluations"]["share"] == pytest.approx(np.isfinite(times).mean())
            assert way["seconds"] is None
            beyond += median == np.inf
    assert beyond, "some of it was not reached: that is to be seen"


def test_pairs_and_ranks_are_those_of_scipy(made, found, bench):
    ends = np.array(
        [
            [regret_of(bench, steps[-1][2]) for steps in trials_of(made / row["folder"])]
            for row in found["algorithms"]
        ]
    )
    raw = []
    for pair, (a, b) in zip(found["pairs"], itertools.combinations(range(3), 2), strict=True):
        assert (pair["first"], pair["second"]) == (LABELS[a], LABELS[b])
        difference = ends[a] - ends[b]
        raw.append(stats.wilcoxon(difference[difference != 0]).pvalue)
        assert pair["p"] == pytest.approx(raw[-1])
        assert pair["better"] == (ends[a] < ends[b]).sum()
        assert pair["worse"] == (ends[a] > ends[b]).sum()
    smallest = found["pairs"][int(np.argmin(raw))]
    assert smallest["p_holm"] == pytest.approx(min(1.0, 3 * min(raw)))
    ranks = stats.rankdata(ends, axis=0).mean(axis=1)
    assert list(found["ranks"]["average"].values()) == pytest.approx(ranks)
    assert found["ranks"]["friedman"]["p"] == pytest.approx(stats.friedmanchisquare(*ends).pvalue)


def test_the_report(made, compare, found):
    code, out, err = compare("--resume", made)
    assert (code, err) == (0, "")
    assert out.startswith(
        "3 algorithms on cifar10 val_accuracy [%], 200 epochs, one recorded seed per evaluation\n"
        "60 evaluations in each of 19 trials; seed 4\n\nRegret of the final incumbents [%]\n"
    )
    best = found["algorithms"][0]
    assert f"{LABELS[0]}  {best['regret']['mean']:.4f}  ± {best['regret']['std']:.4f}  " in out
    for text in (
        "95 % of mean",
        "at the optimum",
        "optimum: 91.6067, index 6111",
        "Final incumbents, trained for 200 epochs, mean and standard deviation over trials\n",
        "Evaluations to reach a regret of at most: median over 19 trials (share of trials that reached it)\n",
        f"{LABELS[0]} / rs",
        "p: Wilcoxon signed-rank test, with Holm's correction for all pairs",
        "Friedman test: chi-squared ",
        "critical difference (Nemenyi, 0.05): 0.760",
        f"saved in {made}\n",
        f"plots in {made}/regret.png, {made}/ranks.png\n",
    ):
        assert text in out, text
    assert "Simulated time to reach" not in out
    assert json.loads(compare("--resume", made, "--json")[1]) == found


def test_with_a_budget_time_is_reported_too(compare, bench):
    code, out, _ = compare("re", "rs", "--budget", "60000s", "--trials", 17, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["settings"]["evals"] is None
    for row in found["algorithms"]:
        assert row["simulated_seconds"] <= 60_000
        assert row["evaluations"] != round(row["evaluations"])
        for way in row["reached"]:
            assert way["seconds"]["median"] is None or way["seconds"]["median"] <= 60_000
            assert way["seconds"]["share"] == way["evaluations"]["share"]
    out = compare("re", "rs", "--budget", "60000s", "--trials", 17)[1]
    assert "\n16.7 hours of simulated time in each of 17 trials; seed 0\n" in out
    assert "Simulated time to reach a regret of at most" in out
    assert "Evaluations to reach a regret of at most" in out
    assert "\nThe median is the Kaplan-Meier estimate, because trials have different numbers" in out


def test_a_trial_without_any_evaluation_counts_as_the_worst(compare, bench):
    found = json.loads(compare("re:population=1,sample=1", "rs:", "--budget", "1600s", "--json")[1])
    seconds = bench.by_code("cifar10", "train_time")
    for row in found["algorithms"]:
        assert 0 < row["trials_without_evaluation"] < 100
    pair = found["pairs"][0]
    assert pair["better"] + pair["worse"] + pair["equal"] == 100
    assert seconds.min() < 1600
    out = compare("rs", "--budget", "1600s")[1]
    assert "no incumbent" in out
    assert f"{found['algorithms'][1]['trials_without_evaluation']} trials" in out


def test_one_algorithm_or_one_trial(compare):
    code, out, _ = compare("rs", "--evals", 20, "--trials", 4)
    assert code == 0
    assert out.startswith("1 algorithm on cifar10")
    assert "Tests and ranks are not shown, because they need two algorithms or more.\n" in out
    code, out, err = compare("rs", "re", "--evals", 20, "--trials", 1)
    assert (code, err) == (0, "")
    assert "20 evaluations in one trial; seed 0\n" in out
    assert "Tests and ranks are not shown, because they need two trials per algorithm or more.\n" in out
    assert "±" not in out
    assert "not reached" in out


def test_a_metric_that_is_not_in_percent(compare):
    code, out, _ = compare("rs", "re", "--evals", 20, "--trials", 5, "--metric", "params")
    assert code == 0
    assert "2 algorithms on cifar10 params [M]\n" in out
    assert "The time to a regret is not shown, because params is not in percent.\n" in out


def test_searches_of_ones_own(compare):
    code, out, _ = compare(ODD, f"{ODD}:wait=0.001", "--evals", 20, "--trials", 5)
    assert code == 0
    assert f"{ODD}:wait=0.001" in out
    assert re.search(rf"{ODD} / {ODD}:wait=0.001 +0 +0 +5 +1 ", out)


# What is kept


def test_all_is_the_same_whatever_the_number_of_processes(made, tmp_path, plain):
    assert main([*SPECS, *COMMON, "--out", str(tmp_path / "one"), "--workers", "1"]) == 0
    assert files(tmp_path / "one") == files(made)
    assert {".lock", "comparison.json", "regret.png", "ranks.png"} < {p.name for p in made.iterdir()}
    assert not list(made.glob("**/.parts"))


def test_without_a_folder_it_finds_the_same(compare, found):
    assert json.loads(compare(*SPECS, *COMMON, "--json")[1])["pairs"] == found["pairs"]


@pytest.mark.parametrize("text", SPECS)
def test_a_run_is_that_of_the_searchs_own_command(made, tmp_path, text):
    own_command(text, *COMMON, "--out", tmp_path / "own")
    folder = made / re.sub("[:]", "_", text)
    assert files(tmp_path / "own") == files(folder)


@pytest.mark.parametrize("limits", [["--budget", "50000s"], ["--budget", "90000s", "--evals", "50"]])
def test_within_a_budget_too(compare, tmp_path, limits, plain):
    """Where parts of the trials end after different numbers of steps."""
    options = ["--trials", 40, *limits, "--dataset", "cifar100"]
    assert compare("rs", "ls", *options, "--out", tmp_path / "all")[0] == 0
    for name in ("rs", "ls"):
        own_command(name, *options, "--out", tmp_path / name)
        assert files(tmp_path / name) == files(tmp_path / "all" / name)


def test_multi_fidelity_searches_too(compare, tmp_path, curves):
    options = ["--trials", 20, "--budget", "20000s", "--store", curves, "--noise", "seed"]
    texts = ["re", "asha:workers=3,fidelities=10,50,200", "sh:eta=4"]
    code, out, err = compare(*texts, *options, "--out", tmp_path / "all")
    assert (code, err) == (0, "")
    reached, times = out.split("Evaluations to reach")[1].split("Simulated time to reach")
    assert "asha" not in reached
    assert "asha" in times
    own_command("sh:eta=4", *options, "--out", tmp_path / "sh")
    assert files(tmp_path / "sh") == files(tmp_path / "all" / "sh_eta=4")
    flags = ["--workers", "3", "--fidelities", "10,50,200"]
    own_command("asha", *options, *flags, "--out", tmp_path / "asha")
    assert files(tmp_path / "asha") == files(tmp_path / "all" / "asha_workers=3,fidelities=10,50,200")
    again = compare("--resume", tmp_path / "all")
    assert again[0] == 0
    assert again[1] == out
    runs = [tmp_path / "all" / "sh_eta=4", tmp_path / "all" / "re"]
    code, out, _ = compare(*runs, "--store", curves)
    assert code == 0
    assert "\nsh:eta=4 " in out
    code, _, err = compare(runs[0], "re", "--evals", 20)
    assert code == 2
    assert "--evals 20 differs from " in err


def test_pictures_are_drawn(made, compare, tmp_path):
    for name in ("regret.png", "ranks.png"):
        data = (made / name).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) > 10_000
    pictures = "--plot", tmp_path / "a.svg", "--plot-ranks", tmp_path / "b.svg"
    code, out, _ = compare(made / "rs", made / "ls", *pictures)
    assert code == 0
    assert out.endswith(f"plots in {tmp_path}/a.svg, {tmp_path}/b.svg\n")
    assert "<svg" in (tmp_path / "a.svg").read_text()
    assert "<svg" in (tmp_path / "b.svg").read_text()
    code, _, err = compare(made / "rs", "--plot-ranks", tmp_path / "c.pdf")
    assert code == 0
    assert err == "note: no plot of ranks, because they need two algorithms and two trials or more\n"
    assert not (tmp_path / "c.pdf").exists()
    assert compare("rs", "--trials", 3, "--budget", "20000s", "--plot", tmp_path / "c.pdf")[0] == 0
    assert (tmp_path / "c.pdf").read_bytes().startswith(b"%PDF")


def test_many_algorithms_all_at_the_optimum_are_drawn(compare, tmp_path):
    """No regret is above 0, there are more than ten colours, and all are alike."""
    specs = [f"re:population={n},sample=1" for n in range(1, 13)]
    options = ["--evals", 5, "--trials", 4, "--metric", "params", "--signal", "val_accuracy"]
    pictures = [tmp_path / "regret.svg", tmp_path / "ranks.svg"]
    code, out, err = compare(*specs, *options, "--plot", pictures[0], "--plot-ranks", pictures[1])
    assert (code, err) == (0, "")
    assert "no significant difference: " in out
    assert all(picture.stat().st_size > 10_000 for picture in pictures)


def test_labels_that_matplotlib_would_not_take(made, compare, tmp_path):
    labels = ["_rs $a", "a$b$ " + "long " * 30]
    for label, name in zip(labels, ("rs", "ls"), strict=True):
        run = shutil.copytree(made / name, tmp_path / name)
        config = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps(config | {"algorithm": label}))
    pictures = "--plot", tmp_path / "a.svg", "--plot-ranks", tmp_path / "b.png"
    code, out, err = compare(tmp_path / "rs", tmp_path / "ls", *pictures)
    assert (code, err) == (0, "")
    assert all(label in out for label in labels)
    assert '<g id="legend_1">' in (tmp_path / "a.svg").read_text()


def test_without_matplotlib_a_folder_has_no_pictures(compare, plain, tmp_path):
    code, out, err = compare("rs", "--evals", 5, "--trials", 3, "--out", tmp_path / "out")
    assert code == 0
    assert err == "note: no plots in the folder: a plot in --out needs matplotlib: pip install matplotlib\n"
    assert not list(tmp_path.glob("out/*.png"))
    code, _, err = compare("rs", "--plot", tmp_path / "a.png")
    assert code == 2
    assert "--plot needs matplotlib" in err


# Runs from folders


def test_folders_of_runs_are_compared(made, compare, found):
    runs = [made / row["folder"] for row in found["algorithms"]]
    code, out, err = compare(*runs, "--json")
    assert (code, err) == (0, "")
    read = json.loads(out)
    assert read["pairs"] == found["pairs"]
    assert read["ranks"] == found["ranks"]
    for row, expected in zip(read["algorithms"], found["algorithms"], strict=True):
        assert row | {"folder": None} == expected | {"folder": None}
    assert "re:population=20,sample=5 / ls" in compare(runs[0], runs[2])[1]


def test_runs_and_algorithms_together_in_the_order_given(made, compare, found, tmp_path, plain):
    arguments = [made / "ls", SPECS[0], made / "rs"]
    code, out, _ = compare(*arguments, "--out", tmp_path / "out", "--json")
    read = json.loads(out)
    assert code == 0
    assert [row["label"] for row in read["algorithms"]] == ["ls", SPECS[0], "rs"]
    by_label = {row["label"]: row for row in found["algorithms"]}
    for row in read["algorithms"]:
        assert row["regret"] == by_label[row["label"]]["regret"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.is_dir()) == ["re_population=20,sample=5"]
    assert json.loads(compare("--resume", tmp_path / "out", "--json")[1]) == read


def test_runs_of_other_seeds_are_paired_by_number(made, compare, tmp_path):
    own_command("rs", *COMMON, "--seed", 9, "--out", tmp_path / "rs")
    code, out, _ = compare(made / "rs", tmp_path / "rs")
    assert code == 0
    assert "seed 4, 9\nnote: trials with different seeds are paired by their number only\n" in out
    assert f"rs ({made / 'rs'}) / rs ({tmp_path / 'rs'})" in out
    assert compare("re", tmp_path / "rs", "--seed", 1)[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trials", 18], "its trials is 18, not 19"),
        (["--evals", 61], "its evals is 61, not 60"),
        (["--evals", 60, "--budget", "9d"], "its budget is 777600.0, not None"),
        (["--dataset", "cifar100"], "its dataset is cifar100, not cifar10"),
        (["--noise", "mean"], "its noise is mean, not seed"),
        (["--metric", "train_time"], "its metric is train_time, not val_accuracy"),
        (["--signal", "train_time"], "its signal is train_time@200, not val_accuracy@200"),
    ],
)
def test_runs_of_other_settings_are_refused(made, compare, tmp_path, options, message):
    own_command("rs", *COMMON, *options, "--out", tmp_path / "other")
    code, out, err = compare(made / "rs", tmp_path / "other")
    assert (code, out) == (2, "")
    assert err == (
        "python -m blackbox.compare: error:"
        f" {tmp_path / 'other'} cannot be compared with {made / 'rs'}: {message}\n"
    )


def test_runs_that_cannot_be_compared(made, compare, topology, curves, tmp_path):
    own_command("rs", *COMMON, "--store", topology, "--out", tmp_path / "table")
    own_command("nsga2", "--evals", 10, "--trials", 19, "--out", tmp_path / "pair")
    own_command("asha", "--jobs", 10, "--store", curves, "--out", tmp_path / "asha")
    own_command("asha", "--jobs", 10, "--budget", "9000s", "--store", curves, "--out", tmp_path / "both")
    shutil.copytree(made / "rs", tmp_path / "half")
    log = tmp_path / "half" / "log.csv"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:200]))
    (tmp_path / "empty").mkdir()
    for other, message in (
        ("table", "table cannot be compared with {rs}: it has a different table"),
        ("pair", "pair has two objectives, so it has no incumbent to compare"),
        ("half", "half is not complete; continue it with its own command and --resume"),
        ("empty", "empty is not the folder of a run: it has no config.json"),
        ("nowhere", "nowhere is not the folder of a run: it has no config.json"),
    ):
        code, _, err = compare(made / "rs", tmp_path / other)
        assert code == 2
        assert err.endswith(message.format(rs=made / "rs") + "\n")
    for name in ("asha", "both"):
        code, _, err = compare(tmp_path / name, "re", "--store", curves)
        assert code == 2
        assert f"{name} is a multi-fidelity search that is limited by --jobs; only runs limited by" in err
    own_command("rs", "--evals", 10, "--store", curves, "--out", tmp_path / "rs")
    code, _, err = compare(tmp_path / "rs", tmp_path / "asha", "--store", curves)
    assert code == 2
    assert "asha cannot be compared with" in err
    assert "its evals is None, not 10" in err
    assert "is listed twice" in compare(made / "rs", made / "rs")[2]
    code, _, err = compare(made / "rs", "re", "--trials", 20)
    assert code == 2
    assert f"--trials 20 differs from 19 in {made / 'rs'}" in err


# What is refused


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "algorithms are missing; try python -m blackbox.compare re rs --trials 500"),
        (["foo"], "unknown algorithm 'foo'; choose from rs, re, ls"),
        (["a" * 300], "unknown algorithm 'aaa"),
        (["a" * 300 + "/b"], "/b/config.json: File name too long"),
        (["re:pop=3"], "re has no setting 'pop'"),
        (["re", "rs", "re:population=100"], "re is listed twice; give one of them different settings"),
        (["nsga2", "re"], "nsga2 has 2 objectives, so it has no incumbent to compare"),
        (["re", "asha"], "asha trains cells for different numbers of epochs"),
        (
            ["re", "--budget", "10s"],
            "--budget 10s is too short for any evaluation; the cheapest cell needs",
        ),
        (["re", "--workers", 0], "workers must be an integer >= 1, got 0"),
        (["re", "--trials", 0], "trials must be an integer in [1, 100,000], got 0"),
        (["re", "--evals", "many"], "invalid int value: 'many'"),
        (["re", "--metric", "acc"], "unknown metric 'acc'"),
        (["re", "--signal", "flops@12"], "flops belongs to the network"),
        (["re", "--store", "nowhere.h5"], "nowhere.h5"),
        (["re", "--out", "a", "--resume", "b"], "not allowed with argument"),
        (["re", "--plot", "a.txt"], "--plot cannot write 'a.txt': the name must end in"),
        (["re", "--plot-ranks", "no/a.png"], "--plot-ranks cannot write 'no/a.png': the folder"),
        (["--resume", "nowhere"], "nowhere is not the folder of a comparison: it has no comparison.json"),
        (
            ["asha", "--budget", "9000s", "--signal", "val_loss"],
            "a multi-fidelity search needs a learning curve",
        ),
    ],
)
def test_errors_are_one_line_before_the_work(compare, tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = compare(*argv)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_budget_that_no_trial_of_an_algorithm_can_use(compare, tmp_path, plain):
    argv = ["rs", "--budget", "600s", "--trials", 2]
    message = "--budget 600s is too short for the first evaluation of any trial"
    for more in ([], ["--out", tmp_path / "out"]):
        code, _, err = compare(*argv, *more)
        assert code == 2
        assert message in err


def test_a_folder_of_another_comparison(made, compare, tmp_path):
    for change, message in (
        (["rs", *COMMON], "its algorithms is re:population=20,sample=5 rs ls, not rs"),
        ([*SPECS, *COMMON, "--trials", 20], "its trials is 19, not 20"),
        ([*SPECS, *COMMON, "--seed", 5], "its seed is 4, not 5"),
    ):
        code, _, err = compare(*change, "--out", made)
        assert code == 2
        assert f"{made} is another comparison: {message}; try a new folder with --out" in err
    code, _, err = compare("--resume", made, "--evals", 61)
    assert code == 2
    assert f"--evals 61 differs from 60 in {made}" in err
    code, _, err = compare("re", "--resume", made)
    assert code == 2
    assert f"algorithms cannot be given with --resume; {made} has re:population=20,sample=5 rs ls" in err
    (tmp_path / "mine").write_text("")
    code, _, err = compare("rs", "--out", tmp_path)
    assert code == 2
    assert f"{tmp_path} exists and is not the folder of a comparison; --out must name a new folder" in err
    code, _, err = compare("rs", "--evals", 5, "--out", tmp_path / "mine")
    assert code == 2
    assert f"{tmp_path / 'mine'} exists and is not the folder of a comparison" in err


def test_a_folder_of_another_table(made, compare, topology):
    code, _, err = compare("--resume", made, "--store", topology)
    assert code == 2
    assert "is another comparison: its checksum of the table is" in err


def test_a_run_in_the_folder_that_is_another(made, compare, tmp_path, plain):
    path = shutil.copytree(made, tmp_path / "out")
    shutil.rmtree(path / "rs")
    shutil.copytree(path / "ls", path / "rs")
    code, _, err = compare("--resume", path)
    assert code == 2
    assert (
        f"{path / 'rs'} is not a run of this comparison, or is not complete; move it to another folder" in err
    )
    shutil.rmtree(path / "rs")
    assert compare("--resume", path)[0] == 0
    assert files(path) == files(made)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"algorithms": 3}', "null"])
def test_a_damaged_record(compare, tmp_path, text):
    (tmp_path / "comparison.json").write_text(text)
    code, _, err = compare("--resume", tmp_path)
    assert code == 2
    assert f"{tmp_path / 'comparison.json'} is damaged or of another version" in err


def test_two_processes_do_not_share_a_folder(made, compare, plain):
    record = json.loads((made / "comparison.json").read_text())
    with open_comparison(made, record):
        code, _, err = compare("--resume", made)
    assert code == 2
    assert err == f"python -m blackbox.compare: error: another process is writing to {made}\n"
    assert compare("--resume", made)[0] == 0


def test_without_the_right_to_write(made, unprivileged):
    record = json.loads((made / "comparison.json").read_text())

    def refuses(folder):
        folder.chmod(0o500)
        with pytest.raises(OSError, match="cannot write to the folder .*: Permission denied"):
            open_comparison(folder / "out", record)
        with pytest.raises(OSError, match="cannot write to the folder .*: Permission denied"):
            open_comparison(folder, record)
        folder.chmod(0o700)
        with open_comparison(folder / "out", record) as out:
            (folder / "out").chmod(0o500)
            with pytest.raises(OSError, match=r"cannot write .*comparison\.json: Permission denied"):
                write_findings(out, {})
            (folder / "out" / "comparison.json").chmod(0)
        (folder / "out").chmod(0o700)
        with pytest.raises(OSError, match=r"cannot read .*comparison\.json: Permission denied"):
            open_comparison(folder / "out", record)

    unprivileged(refuses)


def test_the_table_of_a_store_is_remembered(compare, curves, tmp_path, plain):
    link = tmp_path / "table.h5"
    link.hardlink_to(curves)
    options = ["--evals", 5, "--trials", 3]
    assert compare("rs", *options, "--store", link, "--out", tmp_path / "out")[0] == 0
    assert compare("--resume", tmp_path / "out")[0] == 0
    moved = link.rename(tmp_path / "moved.h5")
    code, _, err = compare("--resume", tmp_path / "out")
    assert code == 2
    assert "table.h5" in err
    assert compare("--resume", tmp_path / "out", "--store", moved)[0] == 0
    assert compare("--resume", tmp_path / "out")[0] == 0
    assert open_benchmark(str(moved)).store.attributes["checksum"] != NB201().store.attributes["checksum"]
    assert Path(json.loads((tmp_path / "out" / "comparison.json").read_text())["table"]["store"]) == moved
