import sys

import pytest

from blackbox.bridges.configspace import configuration_space
from blackbox.bridges.table import NamedTable
from blackbox.bridges.variables import Variables
from blackbox.errors import MissingDependencyError
from nasbench.spaces import SIZE, TOPOLOGY


@pytest.mark.parametrize("space", [TOPOLOGY, SIZE], ids=lambda space: space.flag)
def test_configurations_have_codes(space):
    variables = Variables.from_space(space)
    described = configuration_space(variables, seed=0)
    assert {name: tuple(described[name].choices) for name in described} == variables.values
    for configuration in described.sample_configuration(30):
        code = variables.code(configuration)
        assert variables.decode(code) == dict(configuration)
        assert tuple(variables.decode(code).values()) == tuple(
            configuration[name] for name in variables.values
        )


def test_the_seed_decides_what_is_drawn():
    variables = Variables.from_space(TOPOLOGY)
    one, same, other = (
        [variables.code(c) for c in configuration_space(variables, seed).sample_configuration(10)]
        for seed in (3, 3, 4)
    )
    assert one == same != other


def test_a_table_takes_a_configuration(bench):
    table = NamedTable(bench, "cifar10", "val_accuracy")
    configuration = configuration_space(table.variables, seed=0).sample_configuration()
    assert table.value(configuration) == bench.query(table.cell(configuration), "cifar10", "val_accuracy")


def test_without_configspace_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ConfigSpace", None)
    with pytest.raises(MissingDependencyError, match=r"'nas-toolkit\[bridges\]'"):
        configuration_space(Variables.from_space(SIZE))
