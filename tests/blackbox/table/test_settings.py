import pytest

from blackbox.table.settings import SimulationConfig


def test_settings():
    assert SimulationConfig().jobs == 1000
    assert SimulationConfig(budget=5.0).jobs is None
    assert SimulationConfig(fidelities=[12, 200]).fidelities == (12, 200)
    for config, message in (
        ({"jobs": 0}, "jobs must be an integer >= 1, got 0"),
        ({"workers": 0}, r"workers must be an integer in \[1, 100,000\], got 0"),
        ({"budget": -1.0}, "budget must be a positive number of seconds"),
        ({"fidelities": ()}, "fidelities must be numbers of epochs"),
        ({"fidelities": "12"}, "fidelities must be numbers of epochs, got '12'"),
        ({"fidelities": (1.5,)}, "a fidelity must be an integer"),
        ({"trials": 0}, "trials must be an integer"),
    ):
        with pytest.raises(ValueError, match=message):
            SimulationConfig(**config)
