import pytest

from blackbox.asha import ASHA
from blackbox.errors import ConfigError
from blackbox.search.fidelity import rungs
from blackbox.search.space import NB201_SPACE, CategoricalSpace
from nasbench.errors import InvalidArgumentError


@pytest.mark.parametrize(
    ("longest", "eta", "least", "expected"),
    [
        (81, 3, 1, (1, 3, 9, 27, 81)),
        (200, 3, 1, (2, 7, 22, 67, 200)),
        (200, 4, 1, (3, 12, 50, 200)),
        (200, 3, 3, (7, 22, 67, 200)),
        (200, 3, 200, (200,)),
        (12, 3, 1, (1, 4, 12)),
        (1, 3, 1, (1,)),
        (3, 3, 1, (1, 3)),
        (2, 3, 1, (2,)),
    ],
)
def test_rungs_go_down_from_the_longest_by_factors_of_eta(longest, eta, least, expected):
    assert rungs(longest, eta, least) == expected


def test_rungs_are_different_and_at_least_the_least():
    for longest in range(1, 400):
        for eta in (2, 3, 4, 7):
            found = rungs(longest, eta)
            assert len(set(found)) == len(found)
            assert found[0] >= 1
            assert found[-1] == longest
            assert found[0] / eta < 1.5  # else there would be one more


@pytest.mark.parametrize("fidelities", [(), (12, 12), [1, 3, 1]])
def test_rungs_that_are_given_are_different(fidelities):
    with pytest.raises(ConfigError, match="fidelities must be one or more different numbers of epochs"):
        rungs(fidelities, 3)


@pytest.mark.parametrize("fidelities", [0, -3, 1.5, None, (0, 3), (1.5,)])
def test_fidelities_are_whole_numbers(fidelities):
    with pytest.raises(InvalidArgumentError, match="fidelity.* must be an integer >= 1"):
        rungs(fidelities, 3)


def test_cells_are_drawn_uniformly_without_replacement():
    space = CategoricalSpace((2, 2))
    first = [ASHA(space, 9, trial=trial).draw() for trial in range(2000)]
    assert all(abs(first.count(code) - 500) < 100 for code in range(4))
    search = ASHA(space, 9)
    assert sorted(search.draw() for _ in range(4)) == [0, 1, 2, 3]
    assert search.draw() is None


def test_the_draws_of_seed_0_stay_what_they_are():
    """Pins the random stream: if this fails, results made before can no longer be reproduced."""
    search = ASHA(NB201_SPACE, 9)
    drawn = [search.draw() for _ in range(200)]
    assert [drawn[n] for n in (0, 1, 127, 128, 199)] == [269, 8830, 8875, 775, 13276]
