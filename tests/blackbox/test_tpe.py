import optuna
import pytest

from blackbox.search.loop import run
from blackbox.search.space import NB201_SPACE
from blackbox.testing.searches import objective
from blackbox.tpe import TPE, TPEConfig
from tests.blackbox.optional import OptionalPackageContract
from tests.blackbox.races import regrets_of, standard_errors_ahead


class TestTPE(OptionalPackageContract):
    search_class = TPE
    needed = "optuna.distributions"
    settings = {"initial": 8}


def test_it_says_nothing_on_stderr_and_leaves_optunas_logging_as_it_was(capfd):
    before = optuna.logging.get_verbosity()
    run(TPE(NB201_SPACE, TPEConfig(initial=3)), objective, 5)
    assert capfd.readouterr().err == ""
    assert optuna.logging.get_verbosity() == before


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"initial": 0}, "initial must be an integer >= 1, got 0"),
        ({"candidates": 0}, r"candidates must be an integer in \[1, 100,000\], got 0"),
    ],
)
def test_settings_outside_their_range_are_errors(config, message):
    with pytest.raises(ValueError, match=message):
        TPEConfig(**config)


def test_it_beats_random_search(bench):
    """10 trials of 50 evaluations."""
    found, others = regrets_of("tpe", bench, 10, 50), regrets_of("rs", bench, 10, 50)
    assert standard_errors_ahead(found, others) > 2


@pytest.mark.contract
def test_it_beats_random_search_by_far(bench):
    """200 trials of 50 evaluations: 40 were six standard errors ahead, so 200 are about fifteen."""
    found, others = regrets_of("tpe", bench, 200, 50), regrets_of("rs", bench, 200, 50)
    assert standard_errors_ahead(found, others) > 9
