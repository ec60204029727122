import numpy as np

from blackbox.search.draws import Draws


def test_draws_depend_on_seed_trial_purpose_and_step_alone():
    def draw(rng, steps):
        return rng.integers(1000, size=steps)

    both = Draws(3, [0, 7], 1, draw)
    one = Draws(3, [7], 1, draw)
    rows = [both.at(step).tolist() for step in range(300)]
    assert [row[1] for row in rows] == [one.at(step)[0] for step in range(300)]
    assert Draws(3, [7], 1, draw).at(299)[0] == rows[299][1]
    assert rows != [Draws(4, [0, 7], 1, draw).at(step).tolist() for step in range(300)]
    assert rows != [Draws(3, [0, 7], 2, draw).at(step).tolist() for step in range(300)]


def test_draws_of_an_earlier_step_are_what_they_were():
    draws = Draws(3, [0, 7], 1, lambda rng, steps: rng.integers(1000, size=steps))
    rows = [draws.at(step).tolist() for step in range(400)]
    for step in (399, 127, 128, 127, 0, 256, 255, 399):
        assert draws.at(step).tolist() == rows[step]


def test_draws_are_prepared_by_the_block():
    drawn = Draws(0, [0, 1], 0, lambda rng, steps: np.ones((steps, 2)), lambda rows: rows * [[1.0], [2.0]])
    assert drawn.at(200).tolist() == [[1.0, 1.0], [2.0, 2.0]]
