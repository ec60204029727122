"""Run folders as they are read: against the logs and the searches that wrote them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from blackbox import cli
from blackbox.asha import ASHA
from blackbox.errors import ConfigError, RunFolderError
from blackbox.kinds.reader import open_table, read_run
from blackbox.ls import LocalSearch
from blackbox.nsga2 import NSGA2
from blackbox.re import EvolutionConfig, RegularizedEvolution
from blackbox.rs import RandomSearch
from blackbox.search.base import Search
from blackbox.search.loop import run
from blackbox.search.scores import FAILED
from blackbox.search.space import NB201_SPACE
from blackbox.table.objective import TableObjective
from blackbox.table.settings import PairConfig, RunConfig, SimulationConfig
from blackbox.table.simulator import simulate
from nasbench.benchmark import open_benchmark
from tests.blackbox.results.test_anytime import assert_same_changes

BUDGET = 50_000.0


class MyOwn(Search):
    """An algorithm that is in no registry."""

    name = "my own"
    config_class = EvolutionConfig

    def ask(self, pending=0):
        return np.full(len(self.trials), len(self.history) + pending)


@pytest.fixture(scope="module")
def made(home, curves, tmp_path_factory):
    """A folder with small runs of all kinds."""
    folder = tmp_path_factory.mktemp("runs")
    for name, search, options in (
        ("re", RegularizedEvolution, ["--evals", 80, "--trials", 5, "--population", 30]),
        ("rs", RandomSearch, ["--budget", f"{BUDGET}s", "--trials", 4, "--dataset", "cifar100"]),
        ("ls", LocalSearch, ["--evals", 20, "--first", "--noise", "seed"]),
        ("own", MyOwn, ["--evals", 20]),
        ("pair", NSGA2, ["--evals", 30, "--trials", 2]),
        ("asha", ASHA, ["--jobs", 40, "--trials", 3, "--store", curves]),
    ):
        assert cli.main(search, [*map(str, options), "--out", str(folder / name)]) == 0
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of the run `re`, to damage."""
    return shutil.copytree(made / "re", tmp_path / "re")


def brute_force(history, counted):
    """When the incumbent of each trial changes, by going through its evaluations one by one."""
    found = []
    for codes, scores, costs, n in zip(history.codes, history.scores, history.costs, counted, strict=True):
        best, now, spent, changes = FAILED, -1, 0.0, []
        for step in range(n):
            spent += costs[step]
            if scores[step] > best:
                best = scores[step]
                if codes[step] != now:
                    now = codes[step]
                    changes.append((step + 1, spent, now))
        found.append(changes)
    return found


def test_a_run_of_evaluations(made, bench):
    read = read_run(made / "re")
    history = run(
        RegularizedEvolution(NB201_SPACE, EvolutionConfig(population=30), trials=5),
        TableObjective(bench, "cifar10", "val_accuracy"),
        80,
        cost=TableObjective(bench, "cifar10", "val_accuracy").cost,
    )
    np.testing.assert_array_equal(read.history.codes, history.codes)
    np.testing.assert_array_equal(read.codes, history.codes)
    assert (read.path, read.algorithm) == (made / "re", "regularized evolution")
    assert read.label == "regularized evolution, population 30"
    assert read.record["search"] == {"population": 30, "sample": 10}
    assert read.settings == RunConfig(trials=5, evals=80, space="tss", signal="val_accuracy@200")
    assert read.space.flag == "tss"
    assert read.trials == range(5)
    assert read.complete
    assert_same_changes(read.anytime(), brute_force(history, [80] * 5))


def test_a_run_within_a_budget(made):
    read = read_run(made / "rs")
    counted = (read.history.costs.cumsum(axis=1) <= BUDGET).sum(axis=1)
    assert len(set(counted)) > 1
    assert [len(codes) for codes in read.codes] == counted.tolist()
    assert read.label == "random search"
    assert read.complete
    assert max(seconds.max() for _, seconds, _ in read.anytime()) <= BUDGET
    assert_same_changes(read.anytime(), brute_force(read.history, counted))


def test_labels_have_what_differs_from_the_defaults(made):
    assert read_run(made / "ls").label == "local search, first"
    assert read_run(made / "own").label == "my own, population 100, sample 10"  # their defaults: unknown


def test_a_run_of_jobs(made, curves):
    read = read_run(made / "asha")
    settings = SimulationConfig(jobs=40, trials=3)
    expected = simulate(ASHA, None, settings, open_benchmark(curves))
    np.testing.assert_array_equal(read.history.rows, expected.rows)
    assert read.settings == replace(settings, space="tss", signal="val_accuracy@200")
    assert [len(codes) for codes in read.codes] == [40, 40, 40]
    for found, trial in zip(read.anytime(), range(3), strict=True):
        np.testing.assert_array_equal(found, expected.anytime(trial))
    assert read.complete


def test_jobs_are_complete_once_the_summary_says_so(made, tmp_path):
    copy = shutil.copytree(made / "asha", tmp_path / "asha")
    config = json.loads((copy / "config.json").read_text())
    config["run"]["jobs"] = 50  # raised, and killed before its end
    (copy / "config.json").write_text(json.dumps(config))
    assert not read_run(copy).complete
    (copy / "summary.json").write_text("{")
    assert not read_run(copy).complete
    (copy / "summary.json").unlink()
    assert not read_run(copy).complete


def test_two_objectives_have_no_incumbent(made):
    read = read_run(made / "pair")
    assert isinstance(read.settings, PairConfig)
    assert (read.objectives, read_run(made / "re").objectives) == (2, 1)
    assert read.history.scores.shape == (2, 30, 2)
    with pytest.raises(ConfigError, match="a Pareto front, no incumbent"):
        read.anytime()


def test_a_run_that_is_being_written(folder):
    whole = read_run(folder).history
    log = (folder / "log.csv").read_bytes()
    with open(folder / "log.csv", "wb") as file:
        file.write(b"".join(log.splitlines(keepends=True)[: 1 + 7 * 5 + 3]) + b"8,3,77")
        file.flush()
        read = read_run(folder)
    assert not read.complete
    np.testing.assert_array_equal(read.history.codes, whole.codes[:, :7])


def config_without(name):
    def damage(folder):
        config = json.loads((folder / "config.json").read_text())
        del config[name]
        (folder / "config.json").write_text(json.dumps(config))

    return damage


def config_with(path, value):
    def damage(folder):
        config = json.loads((folder / "config.json").read_text())
        *above, last = path.split(".")
        place = config
        for name in above:
            place = place[name]
        place[last] = value
        (folder / "config.json").write_text(json.dumps(config))

    return damage


def log_of(text):
    return lambda folder: (folder / "log.csv").write_text(text)


def config_of(text):
    return lambda folder: (folder / "config.json").write_text(text)


HEADER = "evaluation,trial,index,score,cost\n"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: (folder / "config.json").unlink(),
            "is not the folder of a run: it has no config.json",
        ),
        (lambda folder: (folder / "log.csv").unlink(), "is not the folder of a run: it has no log.csv"),
        (shutil.rmtree, "is not the folder of a run: it has no config.json"),
        (log_of(HEADER), "has no completed evaluation yet"),
        (log_of(HEADER + "1,0,5,60.0,1.0\n"), "has no completed evaluation yet"),
        (log_of(""), "log.csv is damaged: its first line must be evaluation,trial,index,score,cost"),
        (log_of(HEADER + "a,b\n" * 5), "log.csv is damaged"),
        (log_of(HEADER + "2,0,5,60.0,1.0\n" * 5), "its rows are not 1 evaluation of 5 trials"),
        (config_of(""), "config.json is damaged: Expecting value"),
        (config_of("[1]"), "config.json is damaged: it must hold a JSON object"),
        (config_of('{"space": "nb201"}'), "is not the folder of a search on a table: its config.json lacks"),
        (config_without("run"), "is not the folder of a search on a table: its config.json lacks 'run'"),
        (
            config_with("run.more", 1),
            "config.json is damaged or of another version: its settings belong to no kind",
        ),
        (config_with("run", 7), "config.json is damaged or of another version"),
        (config_with("run.trials", 0), "config.json is damaged or of another version: trials must be an int"),
        (config_with("run.space", None), "config.json is damaged or of another version: unknown space None"),
        (config_with("run.signal", "best"), "config.json is damaged or of another version"),
        (config_with("versions", 3), "config.json is damaged or of another version: versions is invalid: 3"),
        (config_with("table", {}), "config.json is damaged or of another version: it has no 'store'"),
        (config_with("table.store", 3), "another version: table.store is invalid: 3"),
        (config_with("algorithm", None), "another version: algorithm is invalid: None"),
        (config_with("search", []), r"another version: search is invalid: \[\]"),
    ],
)
def test_a_folder_that_is_not_a_run_is_named(folder, damage, message):
    damage(folder)
    with pytest.raises(RunFolderError, match=message) as caught:
        read_run(folder)
    assert str(folder) in str(caught.value)


def test_a_run_on_an_objective_of_ones_own(folder):
    config_with("table", None)(folder)
    config_with("run", {"objective": "mine:train", "evals": 9})(folder)
    with pytest.raises(RunFolderError, match="re must be a run on a table, but its objective is mine:train"):
        read_run(folder)


def test_what_may_not_be_read(made, unprivileged):
    def refuses(folder):
        for name, said in (
            ("log.csv", "cannot read .*log.csv"),
            ("config.json", "cannot read .*config.json"),
        ):
            (folder / "config.json").write_bytes(config)
            (folder / name).write_text("")
            (folder / name).chmod(0)
            with pytest.raises(RunFolderError, match=said):
                read_run(folder)

    config = (made / "re" / "config.json").read_bytes()
    unprivileged(refuses)


def test_the_table_of_a_run(made, folder, bench, topology):
    read = read_run(made / "re")
    assert open_table(read).store.path == bench.store.path
    assert open_table(read, bench.store.path).store.path == bench.store.path
    with pytest.raises(RunFolderError, match="re is a run on a different table than .*; try --store FILE"):
        open_table(read, topology)
    config_with("table.store", str(folder / "gone.h5"))(folder)
    with pytest.raises(RunFolderError, match="cannot open the table of .*; try --store FILE"):
        open_table(read_run(folder))
    assert open_table(read_run(folder), bench.store.path).space.flag == "tss"
