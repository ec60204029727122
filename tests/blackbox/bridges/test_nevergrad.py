import sys

import nevergrad
import pytest

from blackbox.bridges.nevergrad import parametrization
from blackbox.bridges.table import NamedTable
from blackbox.bridges.variables import Variables
from blackbox.errors import MissingDependencyError
from nasbench.spaces import SIZE, TOPOLOGY


@pytest.mark.parametrize("space", [TOPOLOGY, SIZE], ids=lambda space: space.flag)
def test_what_is_drawn_is_in_the_space(space):
    variables = Variables.from_space(space)
    drawn = parametrization(variables)
    drawn.random_state.seed(0)
    codes = {variables.code(drawn.sample().value) for _ in range(50)}
    assert 45 < len(codes) <= 50


@pytest.mark.parametrize(("metric", "best"), [("val_accuracy", max), ("latency", min)])
def test_an_optimizer_finds_the_better_end_of_a_metric(bench, metric, best):
    table = NamedTable(bench, "cifar10", metric)
    space = parametrization(table.variables)
    space.random_state.seed(0)
    optimizer = nevergrad.optimizers.registry["DiscreteOnePlusOne"](space, budget=60)
    seen = []
    for _ in range(60):
        candidate = optimizer.ask()
        seen.append(table.value(candidate.value))
        optimizer.tell(candidate, table.loss(candidate.value))
    found = table.value(optimizer.provide_recommendation().value)
    assert found == best(seen) != best(seen[:5])


def test_without_nevergrad_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nevergrad", None)
    with pytest.raises(MissingDependencyError, match=r"'nas-toolkit\[bridges\]'"):
        parametrization(Variables.from_space(SIZE))
