import json
import signal

import numpy as np
import pytest
from scipy.stats import chisquare

from blackbox import cli
from blackbox.errors import ConfigError
from blackbox.kinds.base import Experiment
from blackbox.kinds.fronts import FRONTS
from blackbox.nsga2 import NSGA2, NSGA2Config
from blackbox.results.fronts import front_masks, volumes
from blackbox.rs import RandomSearch
from blackbox.search.history import History
from blackbox.search.loop import run
from blackbox.search.pareto import hypervolume, nondominated
from blackbox.search.space import NB201_SPACE, SSS_SPACE
from blackbox.table.objective import PairObjective, TableObjective
from blackbox.table.settings import PairConfig
from blackbox.testing import SearchContract
from blackbox.testing.searches import two_objectives
from tests.blackbox.search.test_pareto import crowding_of, layers


class RandomPairs(RandomSearch):
    """Random search for two objectives: what evolution must beat."""

    objectives = 2


def oracle(space, config, trial, seed, evals):
    """NSGA-II as in Deb et al. 2002, one cell after the other, from the same random streams."""
    digits = len(space.choices)
    founders, tournaments, chances = (
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(trial, purpose)))
        for purpose in range(3)
    )
    founders = founders.integers(space.size, size=evals).tolist()
    tournaments = tournaments.integers(config.population, size=(evals, 2, 2)).tolist()
    chances = chances.random((evals, 1 + 3 * digits)).tolist()
    parents, children, trace = [], [], []
    for step in range(evals):
        if step < config.population:
            child = founders[step]
        else:
            if step % config.population == 0:
                parents = survivors(parents + children, config.population)
                children = []
            first, second = (winner(parents[a], parents[b]) for a, b in tournaments[step])
            crossed, take = chances[step][0] < config.crossover, chances[step][1 : 1 + digits]
            mutate, value = chances[step][1 + digits : 1 + 2 * digits], chances[step][1 + 2 * digits :]
            child = 0
            for d, choices in enumerate(space.choices):
                from_second = crossed and take[d] < 0.5
                digit = int(space.digits([(second if from_second else first)["code"]])[0, d])
                if mutate[d] < (1 / digits if config.mutation is None else config.mutation):
                    others = [other % choices for other in range(digit + 1, digit + choices)]
                    digit = others[int(value[d] * len(others))]
                child = child * choices + digit
        children.append({"code": child, "scores": two_objectives([child])[0]})
        trace.append(child)
    return trace


def survivors(cells, count):
    """The cells of the best fronts, each front's least crowded ones first."""
    numbers = layers(np.array([cell["scores"] for cell in cells]))
    for number in set(numbers):
        front = [cell for cell, of in zip(cells, numbers, strict=True) if of == number]
        distances = crowding_of([cell["scores"] for cell in front])
        for cell, distance in zip(front, distances, strict=True):
            cell |= {"front": number, "distance": distance}
    return sorted(cells, key=lambda cell: (cell["front"], -cell["distance"]))[:count]


def winner(a, b):
    better = b["front"] < a["front"] or (b["front"] == a["front"] and b["distance"] > a["distance"])
    return b if better else a


class NSGA2Contract(SearchContract):
    search_class = NSGA2

    @pytest.mark.parametrize(
        "config", [{}, {"population": 7, "crossover": 0.5}, {"population": 30, "mutation": 0.4}]
    )
    def test_equals_one_by_the_definition(self, config):
        codes = self.trace(trials=2, seed=11, evals=250, **config).codes
        for trial in range(2):
            assert codes[trial].tolist() == oracle(self.space, NSGA2Config(**config), trial, 11, 250)


class TestNSGA2(NSGA2Contract):
    def test_without_mutation_children_have_digits_of_their_parents(self):
        codes = self.trace(population=2, mutation=0.0, evals=6).codes[0]
        founders, children = NB201_SPACE.digits(codes[:2]), NB201_SPACE.digits(codes[2:4])
        assert (children[:, None] == founders).any(axis=1).all()

    def test_without_crossover_a_certain_mutation_changes_every_digit(self):
        codes = self.trace(trials=50, population=2, crossover=0.0, mutation=1.0, evals=4).codes
        founders, children = NB201_SPACE.digits(codes[:, :2]), NB201_SPACE.digits(codes[:, 2:])
        same = (children[:, :, None] == founders[:, None]).any(axis=-1)
        assert not same.all(axis=-1).any()

    def test_every_other_value_is_as_likely(self):
        codes = self.trace(trials=400, population=2, crossover=0.0, mutation=1.0, evals=3).codes
        parents, children = NB201_SPACE.digits(codes[:, :2]), NB201_SPACE.digits(codes[:, 2])
        steps = (children[:, None] - parents) % 5
        of_parent = (steps > 0).all(axis=-1)
        only = of_parent.sum(axis=1) == 1
        assert only.sum() > 100
        assert chisquare(np.bincount(steps[only][of_parent[only]].ravel(), minlength=5)[1:]).pvalue > 1e-3

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"population": 1}, r"population must be an integer in \[2, 100,000\], got 1"),
            ({"population": 5.5}, r"population must be an integer in \[2, 100,000\], got 5.5"),
            ({"crossover": 1.1}, r"crossover must be a probability in \[0, 1\], got 1.1"),
            ({"mutation": -0.1}, r"mutation must be a probability in \[0, 1\], got -0.1"),
            ({"mutation": float("nan")}, r"mutation must be a probability in \[0, 1\], got nan"),
        ],
    )
    def test_settings_outside_their_range_are_errors(self, config, message):
        with pytest.raises(ValueError, match=message):
            NSGA2Config(**config)


class TestNSGA2InTheSizeSpace(NSGA2Contract):
    space = SSS_SPACE


def test_the_trace_of_seed_0_stays_what_it_is():
    """Pins the random streams: if this fails, results made before can no longer be reproduced."""
    codes = run(NSGA2(NB201_SPACE), two_objectives, 250).codes[0]
    assert codes[[0, 1, 99, 100, 200, 249]].tolist() == [269, 8830, 9309, 3664, 6276, 6090]


def pair_of(bench, against="params", **options):
    first = TableObjective(bench, "cifar10", "val_accuracy", **options)
    return PairObjective(first, TableObjective(bench, "cifar10", against))


@pytest.mark.parametrize(("against", "missing"), [("params", 0.6), ("latency", 0.35)])
def test_nsga2_beats_random_search_by_far(bench, against, missing):
    """200 trials of 1,000 evaluations: what misses of the hypervolume is a third, and a fifth.

    The gaps are about 30 standard errors each.
    """
    objective = pair_of(bench, against)
    reference = objective.targets.min(axis=0)
    true = nondominated(objective.targets)
    whole = hypervolume(objective.targets[true], reference)
    misses, found = {}, {}
    for algorithm in (NSGA2, RandomPairs):
        history = run(algorithm(NB201_SPACE, trials=200), objective, 1000)
        misses[algorithm] = 1 - hypervolume(history.scores, reference) / whole
        found[algorithm] = np.mean([true[np.unique(codes)].sum() for codes in history.codes])
    assert misses[NSGA2].mean() < missing * misses[RandomPairs].mean()
    assert (misses[NSGA2] < misses[RandomPairs]).mean() > 0.9
    assert found[NSGA2] > 3 * found[RandomPairs]


# The summary


def test_the_summary_agrees_with_a_count_by_hand(bench):
    objective = pair_of(bench, "flops")
    history = run(NSGA2(NB201_SPACE, trials=3, seed=2), objective, 150, cost=objective.cost)
    settings = PairConfig(trials=3, evals=150, against="flops").on(bench)
    experiment = Experiment(FRONTS, NSGA2, NSGA2Config(), settings, bench)
    summary = FRONTS.result(experiment, history, complete=True).to_json()
    targets = objective.targets
    true = set(np.flatnonzero(nondominated(targets)).tolist())
    assert summary["true_front"]["cells"] == len(true)
    index = bench.space.official_index()
    assert set(summary["true_front"]["indices"]) == {int(index[code]) for code in true}
    assert summary["reference"] == {"val_accuracy": targets[:, 0].min(), "flops": -targets[:, 1].min()}
    whole = summary["true_front"]["hypervolume"]
    assert whole == pytest.approx(hypervolume(targets, targets.min(axis=0)))
    assert [row["evaluations"] for row in summary["found"]["hypervolume"]] == [10, 100, 150]
    random = run(RandomPairs(NB201_SPACE, trials=3), objective, 150)
    for codes, part in ((history.codes, summary["found"]), (random.codes, summary["random_search"])):
        for row in part["hypervolume"]:
            volume = hypervolume(targets[codes[:, : row["evaluations"]]], targets.min(axis=0))
            assert row["mean"] == pytest.approx(volume.mean())
            assert row["std"] == pytest.approx(volume.std(ddof=1))
            assert row["share"]["mean"] == pytest.approx(volume.mean() / whole)
        met = [len(true & set(row)) for row in codes.tolist()]
        assert part["of_the_true_front"]["mean"] == np.mean(met)
    front = summary["front"]
    last = hypervolume(targets[history.codes], targets.min(axis=0))
    assert (front["trial"], front["hypervolume"]) == (last.argmax(), pytest.approx(last.max()))
    codes = history.codes[front["trial"]]
    on_front = set(codes[nondominated(targets[codes])].tolist())
    assert {cell["index"] for cell in front["cells"]} == {int(index[code]) for code in on_front}
    accuracies = [cell["val_accuracy"] for cell in front["cells"]]
    assert accuracies == sorted(accuracies, reverse=True)
    for cell in front["cells"]:
        code = bench.cell(cell["index"]).code
        assert cell["arch"] == str(bench.cell(cell["index"]))
        assert (cell["val_accuracy"], cell["flops"]) == (
            bench.query(cell["index"], "cifar10", "val_accuracy"),
            bench.query(cell["index"], "cifar10", "flops"),
        )
        assert cell["evaluation"] == codes.tolist().index(code) + 1
        assert cell["scores"] == targets[code].tolist()
        assert cell["on_true_front"] == (code in true)


def test_with_noise_the_front_is_what_the_search_saw_and_its_worth_what_is_true(bench):
    objective = pair_of(bench, noise=True, trials=range(2))
    history = run(NSGA2(NB201_SPACE, trials=2), objective, 120)
    masks = front_masks(history.scores, np.array([120, 50]))
    for trial, counted in ((0, 120), (1, 50)):
        seen = nondominated(history.scores[trial, :counted])
        np.testing.assert_array_equal(masks[trial, :counted], seen)
        assert not masks[trial, counted:].any()
        worth = objective.targets[history.codes[trial, :counted][seen]]
        found = volumes(history.codes, masks, objective)[trial]
        assert found == pytest.approx(hypervolume(worth, objective.targets.min(axis=0)))
        every = objective.targets[history.codes[trial, :counted]]
        assert found <= hypervolume(every, objective.targets.min(axis=0))
    assert (history.scores[..., 0] != objective.targets[history.codes, 0]).any()
    np.testing.assert_array_equal(history.scores[..., 1], objective.targets[history.codes, 1])


# The objective and the settings


def test_a_pair_of_objectives(bench):
    pair = pair_of(bench, "latency", noise=True, trials=range(4), seed=3)
    first = TableObjective(bench, "cifar10", "val_accuracy", noise=True, trials=range(4), seed=3)
    codes = np.array([5, 17, 300, 15624])
    pair.skip(2)
    first.skip(2)
    scores = pair(codes)
    np.testing.assert_array_equal(scores[:, 0], first(codes))
    np.testing.assert_array_equal(scores[:, 1], -bench.by_code("cifar10", "latency")[codes])
    assert pair.could_give(codes, scores).all()
    assert not pair.could_give(codes, scores + [0, 1e-9]).any()
    assert not pair.could_give(codes, scores + [1e-9, 0]).any()
    assert pair.could_give(codes[None], scores[None]).shape == (1, 4)
    np.testing.assert_array_equal(pair.cost(codes), first.cost(codes))
    np.testing.assert_array_equal(pair.seconds, first.seconds)
    np.testing.assert_array_equal(pair.scores, pair.targets)
    assert (pair.dataset, pair.metrics, pair.has_cost) == ("cifar10", ("val_accuracy", "latency"), True)


def test_settings_of_two_objectives():
    assert PairConfig().against == "params"
    with pytest.raises(LookupError, match="unknown metric 'size'"):
        PairConfig(against="size")
    with pytest.raises(ConfigError, match="against must differ from the metric val_accuracy; try params"):
        PairConfig(against="val_accuracy")


# The command


@pytest.fixture
def command(capsys):
    """Runs the command in this process: (exit code, stdout, stderr)."""

    def command(*argv):
        try:
            code = cli.main(NSGA2, [str(arg) for arg in argv])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return command


def files(path):
    return {name: (path / name).read_bytes() for name in ("log.csv", "summary.json")}


def test_the_report_of_one_trial(command, bench):
    code, out, err = command("--evals", 300)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "NSGA-II on cifar10 val_accuracy [%] against params [M], 200 epochs, mean over seeds"
    assert lines[1] == "300 evaluations; seed 0"
    assert lines[3].startswith("true front      13 cells, hypervolume 118.22")
    assert (
        lines[4] == "reference       val_accuracy 9.712 %, params 1.531546 M: the worst of the table in each"
    )
    assert lines[5].startswith("found on it     ")
    assert "Front: " in out
    assert "val_accuracy [%]  params [M]  index  evaluation  cell" in out
    assert "after    300 evaluations  99." in out
    assert out.count("random search") == 4


def test_the_report_of_many_trials_and_of_a_budget(command):
    code, out, _ = command("--trials", 30, "--budget", "30000s", "--against", "latency", "--noise", "seed")
    assert code == 0
    assert "against latency [s], 200 epochs, one recorded seed per evaluation" in out
    assert "cells per trial (random search: " in out
    assert ", the one with the largest hypervolume: " in out
    assert "mean and standard deviation over 30 trials" in out
    assert ", the others had ended)" in out
    summary = json.loads(command("--trials", 50, "--budget", "1500s", "--json")[1])
    assert 0 < summary["trials_without_evaluation"] < 50
    out = command("--trials", 50, "--budget", "1500s")[1]
    assert f"no evaluation   {summary['trials_without_evaluation']} trials, because of the budget" in out
    code, _, err = command("--budget", "600s")
    assert (code, "too short for the first evaluation of any trial; try --budget 1675s" in err) == (2, True)


def test_a_run_goes_on_to_the_same_end(command, tmp_path):
    options = ("--trials", 3, "--noise", "seed", "--seed", 4, "--population", 20)
    assert command(*options, "--evals", 90, "--out", tmp_path / "whole")[0] == 0
    assert command(*options, "--evals", 47, "--out", tmp_path / "part")[0] == 0
    code, _, err = command("--resume", tmp_path / "part", "--evals", 90)
    assert (code, err) == (0, "")
    assert files(tmp_path / "part") == files(tmp_path / "whole")
    log = (tmp_path / "whole" / "log.csv").read_text()
    assert log.startswith("evaluation,trial,index,score,score2,cost\n")
    assert log.count("\n") == 1 + 90 * 3
    config = json.loads((tmp_path / "whole" / "config.json").read_text())
    assert (config["algorithm"], config["run"]["against"]) == ("NSGA-II", "params")
    code, out, _ = command("--resume", tmp_path / "whole", "--json")
    assert json.loads(out) == json.loads((tmp_path / "whole" / "summary.json").read_text())


def test_errors_about_a_run_to_go_on_with(command, tmp_path):
    path = tmp_path / "a"
    command("--evals", 20, "--out", path)
    code, _, err = command("--resume", path, "--against", "flops")
    assert (code, "--against flops differs from the run's --against params" in err) == (2, True)
    log = (path / "log.csv").read_text()
    _, _, _, first, second, _ = log.splitlines()[3].split(",")
    for old, new in ((first, "99.5"), (second, "-0.5")):
        (path / "log.csv").write_text(log.replace(old, new))
        code, _, err = command("--resume", path)
        assert (code, "its scores or costs differ from the table" in err) == (2, True)
    (path / "log.csv").write_text(log)
    config = json.loads((path / "config.json").read_text())
    config["run"]["against"] = "val_accuracy"
    (path / "config.json").write_text(json.dumps(config))
    code, _, err = command("--resume", path)
    assert (code, err.count("\n")) == (2, 1)
    assert cli.main(RandomSearch, ["--resume", str(path)]) == 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--against", "val_accuracy"), "against must differ from the metric val_accuracy"),
        (("--against", "size"), "unknown metric 'size'"),
        (("--against", "test_loss"), "no test_loss"),
        (("--mutation", "2"), "mutation must be a probability in [0, 1], got 2.0"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(command, argv, message):
    code, out, err = command(*argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_search_in_the_size_space(command, sizes):
    code, out, _ = command("--store", sizes, "--evals", 60, "--against", "latency")
    assert (code, out.startswith("NSGA-II in the NATS-Bench size space on cifar10")) == (0, True)


def test_a_signal_and_a_picture(command, topology, tmp_path):
    path = tmp_path / "front.png"
    options = ("--store", topology, "--evals", 60, "--against", "latency", "--signal", "val_accuracy@12")
    code, out, _ = command(*options, "--plot", path, "--trials", 2)
    assert code == 0
    assert "200 epochs; signal val_accuracy@12, mean over seeds" in out
    assert out.endswith(f"\nplot in {path}\n")
    assert path.stat().st_size > 5000
    assert command("--evals", 1, "--plot", tmp_path / "one.svg")[0] == 0


def test_an_interrupted_run_says_how_to_go_on(command, tmp_path, monkeypatch):
    asked = NSGA2.ask

    def ask(self, pending=0):
        if len(self.history) == 29:
            signal.raise_signal(signal.SIGINT)
        return asked(self, pending)

    monkeypatch.setattr(NSGA2, "ask", ask)
    code, out, err = command("--evals", 100, "--out", tmp_path / "a")
    assert (code, "Hypervolume" in out) == (130, True)
    assert err.startswith("interrupted after 30 evaluations; continue with: ")


def test_a_command_is_of_one_or_two_objectives():
    class Three(RandomSearch):
        objectives = 3

    with pytest.raises(
        ConfigError, match="a search must have one or two objectives to run as a command, got 3"
    ):
        cli.main(Three, [])


def test_a_history_of_pairs_has_no_incumbent():
    history = History(1, 2)
    history.append([3], [[1.0, 2.0]])
    with pytest.raises(ConfigError, match="a search with 2 objectives has a Pareto front, no incumbent"):
        history.incumbents()
