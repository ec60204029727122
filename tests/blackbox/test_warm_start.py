"""Searches that see a proxy of a store, or begin with the best cells by one."""

import json

import numpy as np
import pytest

from blackbox.algorithms import algorithm
from blackbox.errors import ConfigError
from blackbox.predictors.comparison import compare
from blackbox.search.space import NB201_SPACE
from blackbox.table.objective import TableObjective
from blackbox.table.settings import RunConfig
from nasbench import CELLS, NB201
from nasbench.build import build
from nasbench.errors import NotRecordedError, SourceError


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return a store with an accuracy and a proxy of two seeds, the negative code."""
    folder = tmp_path_factory.mktemp("proxies")
    rng = np.random.default_rng(0)
    lines = ["code,cifar10:200:val_accuracy,cifar10:synflow:0,cifar10:synflow:1"]
    lines += [f"{code},{rng.uniform(50, 90)!r},{-code - 1},{-code + 1}" for code in range(CELLS)]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    build([folder / "table.csv"], folder / "store.h5")
    return folder / "store.h5"


def test_proxy_in_a_store_has_seeds_and_a_mean(store):
    bench = NB201(store)
    assert bench.by_code("cifar10", "synflow")[:3].tolist() == [0.0, -1.0, -2.0]
    assert bench.by_code("cifar10", "synflow", seed=1)[:2].tolist() == [1.0, 0.0]
    (recorded,) = [each for each in bench.recorded() if each.metric == "synflow"]
    assert (recorded.protocol, recorded.seeds, recorded.epochs) == (None, (0, 1), None)
    assert bench.protocols("cifar10") == [200]
    with pytest.raises(NotRecordedError, match="it has no epoch"):
        bench.query(0, "cifar10", "synflow", epoch=3)
    with pytest.raises(NotRecordedError, match="cifar10 before training is not recorded with seed 7"):
        bench.query(0, "cifar10", "synflow", seed=7)
    with pytest.raises(NotRecordedError, match="cifar10 has no jacov in this store"):
        bench.query(0, "cifar10", "jacov")


def test_seed_of_a_proxy_must_be_a_number(tmp_path):
    (tmp_path / "table.csv").write_text("index,cifar10:jacov:first\n0,-1\n1,-2\n")
    with pytest.raises(SourceError, match="seed must be an integer, got 'first'"):
        build([tmp_path / "table.csv"], tmp_path / "store.h5")


def test_search_sees_a_proxy(store, capsys):
    from blackbox.cli import main

    search = algorithm("rs")
    assert main(search, ["--signal", "synflow", "--evals", "50", "--store", str(store), "--json"]) == 0
    best = json.loads(capsys.readouterr().out)["best"]
    assert best["score"] == -NB201(store).cell(best["index"]).code


@pytest.mark.parametrize("name", ["re", "ls", "bananas", "gp", "tpe"])
def test_search_begins_with_the_best_cells(name, store):
    bench = NB201(store)
    settings = RunConfig(warm_start="synflow=3", trials=2)
    first = settings.first(bench)
    assert first == [0, 1, 2]
    search = algorithm(name)(NB201_SPACE, None, 2, 0, first=first)
    steps = 1 if name == "ls" else 3
    for step in range(steps):
        codes = search.ask()
        assert codes.tolist() == [first[step]] * 2
        search.tell(codes, codes * 0.0)


def test_local_search_restarts_from_the_next_of_the_best_cells():
    search = algorithm("ls")(NB201_SPACE, None, 1, 0, first=[7000, 3000])
    seen = []
    for _ in range(1 + NB201_SPACE.edits + 1):
        codes = search.ask()
        seen.append(int(codes[0]))
        search.tell(codes, [1.0 if codes[0] == 7000 else 0.0])
    assert (seen[0], seen[-1]) == (7000, 3000)


def test_wrong_warm_starts_are_refused(store):
    for text in ("synflow", "synflow=0", "synflow=x"):
        with pytest.raises(ConfigError, match="warm_start must be METRIC=N"):
            RunConfig(warm_start=text)
    with pytest.raises(
        ConfigError, match=r"warm_start needs 20,000 cells; the store has cifar10 synflow for"
    ):
        RunConfig(warm_start="synflow=20000").first(NB201(store))
    with pytest.raises(ConfigError, match="random search does not support a warm start"):
        algorithm("rs")(NB201_SPACE, first=[1])


def test_settings_without_a_warm_start_are_recorded_as_before():
    assert "warm_start" not in RunConfig().to_json()
    assert RunConfig(warm_start="params=5").to_json()["warm_start"] == "params=5"


def test_predictors_have_the_proxies_of_the_store(store):
    bench = NB201(store)
    objective = TableObjective(bench, "cifar10", "val_accuracy")
    found = {each.predictor for each in compare(bench, objective, NB201_SPACE, [5], trials=1, tested=20)}
    assert {"synflow", "extra trees, with proxies"} <= found
    assert "jacov" not in found
