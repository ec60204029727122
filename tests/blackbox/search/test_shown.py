"""Histories in notebooks: summaries and plots."""

import sys

import numpy as np
import pytest

from blackbox import FAILED, History, JobHistory
from blackbox.errors import ConfigError, MissingDependencyError
from blackbox.search.shown import checkpoints, draw_spread, without_gaps
from tests.notebook import html_of, rows_of, texts_of

pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def history_of(scores, codes=None, costs=0.0):
    history = History(*scores.shape[:1], *scores.shape[2:])
    for step in range(scores.shape[1]):
        history.append(np.arange(len(scores)) + step, scores[:, step], costs)
    return history


def lines_of(axes):
    return {line.get_label(): line.get_xydata().T for line in axes.lines}


SCORES = np.random.default_rng(0).random((7, 30))


def test_a_large_history_is_summarized():
    scores = np.random.default_rng(1).random((500, 1000))
    history = history_of(scores, costs=3600.0)
    tree = html_of(history)
    assert len(history._repr_html_()) < 1_500
    assert texts_of(tree)[0] == "History: 500 trials of 1,000 evaluations"
    labels = {row[0]: row[1] for row in rows_of(tree)}
    trial, step = np.unravel_index(scores.argmax(), scores.shape)
    where = f"code {trial + step}, evaluation {step + 1:,} of trial {trial} (from 0)"
    assert labels["best score"] == f"{scores.max():.7g}: {where}"
    assert labels["cost"] == "41.7 days per trial"
    best = np.maximum.accumulate(scores, axis=1)[:, [9, 99, 999]]
    expected = [best.min(axis=0), np.median(best, axis=0), best.max(axis=0)]
    assert rows_of(tree)[-3:] == [
        [str(n), *(f"{value:.7g}" for value in values)]
        for n, values in zip((10, 100, 1000), np.transpose(expected), strict=True)
    ]


def test_failures_are_counted():
    history = history_of(np.array([[FAILED, 0.5], [0.25, FAILED]]))
    assert ["failed", "2 evaluations"] in rows_of(html_of(history))


def test_a_history_of_two_objectives():
    scores = np.array([[[1.0, -5.0], [2.0, -7.0]]])
    rows = rows_of(html_of(history_of(scores)))
    assert rows == [
        ["evaluations", "objective", "lowest", "median", "highest"],
        ["2", "1", "2", "2", "2"],
        ["2", "2", "-5", "-5", "-5"],
    ]


def test_an_empty_history():
    assert texts_of(html_of(History(3))) == ["History: 3 trials of 0 evaluations"]
    with pytest.raises(ConfigError, match="got 0 evaluations with 1"):
        History(3).plot()


def test_the_median_of_the_trials_is_drawn():
    axes = history_of(SCORES).plot()
    x, y = lines_of(axes)["median of 7 trials"]
    assert x.tolist() == list(range(1, 31))
    assert np.array_equal(y, np.median(np.maximum.accumulate(SCORES, axis=1), axis=0))
    assert axes.get_xlabel() == "evaluations"
    assert axes.get_ylabel() == "score of the incumbent (higher is better)"
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["5th to 95th percentile", "quartiles", "median of 7 trials"]


def test_axes_can_be_given_and_failures_are_not_drawn():
    _, given = pyplot.subplots()
    history = history_of(np.array([[FAILED, 0.5, 0.4]]))
    assert history.plot(ax=given) is given
    assert lines_of(given)["one trial"].tolist() == [[2, 3], [0.5, 0.5]]
    assert history_of(np.full((1, 3), FAILED)).plot().lines[:] == []


def test_two_objectives_are_points():
    scores = np.random.default_rng(2).random((2, 5, 2))
    axes = history_of(scores).plot()
    assert np.array_equal(axes.collections[0].get_offsets(), scores.reshape(-1, 2)[:, ::-1])
    assert axes.get_xlabel() == "second score (higher is better)"
    with pytest.raises(ConfigError, match="one or two objectives"):
        history_of(np.zeros((1, 1, 3))).plot()


def test_gaps():
    values = np.array([[np.nan, 1, 2], [3, 4, 5], [6, 7, np.nan]])
    across, kept = without_gaps(np.arange(3), values)
    assert across.tolist() == [1, 2]
    assert kept.tolist() == [[1, 2], [4, 5]]


def test_bands():
    _, axes = pyplot.subplots()
    draw_spread(axes, np.arange(2), np.array([[0.0, 1], [10, 11]]))
    low, high = (band.get_paths()[0].get_extents().y0 for band in axes.collections)
    assert (low, high) == (0.5, 2.5)


def test_checkpoints():
    assert checkpoints(5) == [5]
    assert checkpoints(1000) == [10, 100, 1000]
    assert checkpoints(1001) == [10, 100, 1000, 1001]


ROWS = [
    (0, 0, 7, 1, 60.0, 0.0, 3600.0, 0),
    (1, 0, 9, 1, 50.0, 3600.0, 5400.0, 0),
    (2, 0, 7, 3, 55.0, 5400.0, 10800.0, 0),
    (0, 1, 4, 1, FAILED, 0.0, 1800.0, 0),
    (1, 1, 5, 1, 70.0, 1800.0, 7200.0, 0),
]


def test_jobs_are_summarized():
    tree = html_of(JobHistory([0, 1], ROWS))
    assert texts_of(tree)[:2] == [
        "JobHistory: 2 trials, 5 jobs",
        "last end after 3.0 hours of simulated time",
    ]
    assert rows_of(tree)[1:] == [["1", "4", "1", "70"], ["3", "1", "0", "55"]]
    assert texts_of(html_of(JobHistory([0], []))) == ["JobHistory: 1 trial, 0 jobs"]


def test_jobs_are_drawn_over_time():
    axes = JobHistory([0, 1], ROWS).plot()
    x, y = lines_of(axes)["median of 2 trials"]
    assert x[-1] == 3
    assert y[-1] == np.median([55, 70])
    assert 2 <= x[0] < 2.01  # when both trials have an incumbent
    assert set(y) == {65.0, 62.5}
    assert axes.get_xlabel() == "simulated hours"
    with pytest.raises(ConfigError, match="got none"):
        JobHistory([0], []).plot()


def test_matplotlib_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for history in (history_of(SCORES), JobHistory([0, 1], ROWS)):
        with pytest.raises(MissingDependencyError, match="pip install matplotlib"):
            history.plot()
