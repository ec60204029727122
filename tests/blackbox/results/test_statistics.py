"""Statistics against scipy, against counting by hand, and against published worked examples."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from blackbox.results.statistics import (
    Pair,
    alike,
    average_ranks,
    compare_pair,
    critical_difference,
    friedman,
    holm,
    mean_interval,
    median_interval,
    median_time,
    share_interval,
    time_interval,
)


def signed_rank_by_hand(difference):
    """The exact two-sided p of the signed-rank test, by going through all signs."""
    difference = [d for d in difference if d]
    ranks = stats.rankdata(np.abs(difference))
    total = ranks.sum()
    seen = abs(sum(r for r, d in zip(ranks, difference, strict=True) if d > 0) - total / 2)
    sums = [sum(r for r, s in zip(ranks, signs, strict=True) if s) for signs in signs_of(len(ranks))]
    return sum(abs(w - total / 2) >= seen - 1e-9 for w in sums) / len(sums)


def signs_of(n):
    return list(itertools.product((0, 1), repeat=n))


# Intervals


def test_the_interval_of_a_mean_is_that_of_scipys_bootstrap():
    rng = np.random.default_rng(3)
    values = rng.exponential(size=80)
    low, high = mean_interval(values)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=rng)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert low == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
    assert high == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)


def test_the_interval_of_a_mean_holds_it_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    samples = rng.exponential(size=(60, 400))  # 400 experiments of 60 trials, as columns
    low, high = mean_interval(samples)
    assert 0.91 < ((low <= 1) & (high >= 1)).mean() < 0.975
    narrow_low, narrow_high = mean_interval(samples, level=0.5)
    assert 0.42 < ((narrow_low <= 1) & (narrow_high >= 1)).mean() < 0.58


def test_intervals_of_columns_are_those_of_each_alone():
    values = np.random.default_rng(1).normal(size=(30, 4, 2))
    together = np.array(mean_interval(values, seed=5))
    medians = np.array(median_interval(values))
    assert together.shape == medians.shape == (2, 4, 2)
    for column in np.ndindex(4, 2):
        alone = mean_interval(values[:, *column], seed=5)
        np.testing.assert_allclose(alone, together[:, *column], rtol=1e-12)
        np.testing.assert_array_equal(median_interval(values[:, *column]), medians[:, *column])


def test_a_bootstrap_follows_from_its_seed():
    values = np.random.default_rng(1).normal(size=40)
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1)
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)
    assert mean_interval([7.0] * 5) == (7.0, 7.0)


def test_many_trials_are_drawn_in_blocks():
    values = np.random.default_rng(1).normal(size=5000)
    low, high = mean_interval(values)
    error = values.std(ddof=1) / math.sqrt(5000)
    assert (high - low) / error == pytest.approx(2 * 1.96, rel=0.08)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.2 * error)


@pytest.mark.parametrize("trials", [2, 5, 6, 7, 20, 101, 500])
def test_the_interval_of_a_median_is_the_narrowest_pair_of_order_statistics(trials):
    values = np.random.default_rng(trials).permutation(trials) + 1.0

    def coverage(k):  # of the k-th smallest and the k-th largest
        return 1 - 2 * sum(math.comb(trials, below) for below in range(k)) / 2**trials

    sure = [k for k in range(1, trials // 2 + 1) if coverage(k) >= 0.95]
    interval = median_interval(values)
    assert interval == ((sure[-1], trials + 1 - sure[-1]) if sure else None)


def test_the_interval_of_a_median_of_times_of_which_some_are_unknown():
    assert median_interval([*range(1, 9), np.inf, np.inf]) == (2, np.inf)
    assert median_interval([np.inf] * 10) == (np.inf, np.inf)


def test_the_interval_of_a_share_is_that_of_scipy():
    for count, trials in ((0, 1), (0, 10), (3, 10), (10, 10), (250, 500), (499, 500)):
        theirs = stats.binomtest(count, trials).proportion_ci(method="exact")
        np.testing.assert_allclose(share_interval(count, trials), theirs, rtol=1e-9)


def test_the_median_of_times_counts_what_was_not_reached_as_late():
    assert median_time([1], [9]) == 1
    assert median_time([4, 1], [9, 9]) == 2.5
    assert median_time([1, np.inf, 3], [9, 9, 9]) == 3
    assert median_time([2, 2, 2, np.inf], [2, 2, 2, 9]) == 2
    assert median_time([1, np.inf], [9, 9]) == np.inf  # half came: the median lies beyond what was seen
    assert median_time([np.inf] * 3, [9] * 3) == np.inf
    # Whatever the censored times are in truth, the median is the same.
    truth = np.random.default_rng(0).exponential(size=99)
    assert median_time(np.where(truth > 1.0, np.inf, truth), np.ones(99)) == np.median(truth)
    for size in range(1, 40):
        times = truth[:size].round(1)
        assert median_time(times, times) == pytest.approx(np.median(times))


@pytest.mark.parametrize("seed", range(8))
def test_the_median_of_times_of_trials_that_ended_early_is_kaplan_and_meiers(seed):
    rng = np.random.default_rng(seed)
    truth, ends = rng.integers(1, 30, size=61), rng.integers(1, 50, size=61)  # with ties of both kinds
    times = np.where(truth > ends, np.inf, truth)
    theirs = stats.ecdf(stats.CensoredData(uncensored=truth[truth <= ends], right=ends[truth > ends])).sf
    crosses = theirs.probabilities <= 0.5
    expected = theirs.quantiles[crosses.argmax()] if crosses.any() else np.inf
    assert median_time(times, ends) == expected
    low, high = time_interval(times, ends)
    assert low <= expected <= high


def test_the_median_of_times_by_hand():
    """4 of 5 left after 1; one ends at 2; of 3 left one comes at 3, of 2 one at 4."""
    times, ends = np.array([1, np.inf, 3, 4, np.inf]), np.array([9, 2, 9, 9, 9])
    assert median_time(times, ends) == 4  # left: 0.8, 0.8 * 2/3, 0.8 * 2/3 / 2
    assert median_time([np.inf, 1, 3, 5], [0.5, 9, 9, 9]) == 3
    assert median_time([np.inf, 1, 3], [0.5, 9, 9]) == 2  # half is left from 1 to 3


def test_trials_that_end_early_do_not_make_the_median_late():
    rng = np.random.default_rng(5)
    truth, ends = rng.exponential(10, size=4000), rng.exponential(12, size=4000)
    times = np.where(truth > ends, np.inf, truth)
    assert median_time(times, ends) == pytest.approx(10 * np.log(2), rel=0.06)
    assert np.median(times) > 11  # what counting them as never would say


def test_the_interval_of_a_median_of_times_holds_whatever_ended_trials():
    """Here those end early that would have come late, which no estimate can know."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        truth = rng.exponential(10, size=30)
        ends = np.where(truth > 12, rng.uniform(0, 3, size=30), 99)
        low, high = time_interval(np.where(truth > ends, np.inf, truth), ends)
        held += low <= 10 * np.log(2) <= high
    assert held >= 190
    assert time_interval([1, 2, np.inf], [9, 9, 9]) is None
    same = np.append(np.arange(1.0, 9), [np.inf, np.inf])
    assert time_interval(same, np.full(10, 20.0)) == (2, np.inf)


@pytest.mark.parametrize("values", [[], [1.0], 1.0])
def test_an_interval_needs_two_trials(values):
    for interval in (mean_interval, median_interval):
        with pytest.raises(ValueError, match="an interval needs two trials or more, got"):
            interval(values)


# Pairs


@pytest.mark.parametrize("seed", range(6))
def test_a_pair_by_hand(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, 11)), None
    first, second = first[0], first[1] + 0.5
    if seed % 2:  # zeros
        second[:3] = first[:3]
    if seed > 2:  # ties
        first, second = np.round(first), np.round(second)
    pair = compare_pair(first, second)
    difference = second - first
    assert pair.p == pytest.approx(signed_rank_by_hand(difference))
    assert (pair.better, pair.worse) == ((difference > 0).sum(), (difference < 0).sum())
    assert pair.better + pair.worse + pair.equal == 11
    ranks = stats.rankdata(np.abs(difference[difference != 0]))
    signs = np.sign(difference[difference != 0])
    assert pair.rank_biserial == pytest.approx(
        (ranks[signs > 0].sum() - ranks[signs < 0].sum()) / ranks.sum()
    )
    a12 = np.mean([1.0 if a < b else 0.5 if a == b else 0.0 for a in first for b in second])
    assert pair.a12 == pytest.approx(a12)


def test_many_pairs_with_ties_are_as_scipy_says():
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 6, size=(2, 300)) * 0.5
    pair = compare_pair(first, second)
    assert pair.p == pytest.approx(stats.wilcoxon(first, second, zero_method="wilcox").pvalue)
    u = stats.mannwhitneyu(second, first).statistic  # of pairs with second > first
    assert pair.a12 == pytest.approx(u / 300**2)
    turned = compare_pair(second, first)
    assert (turned.better, turned.worse, turned.p) == (pair.worse, pair.better, pytest.approx(pair.p))
    assert turned.rank_biserial == pytest.approx(-pair.rank_biserial)
    assert turned.a12 == pytest.approx(1 - pair.a12)


@pytest.mark.parametrize("n", [1, 2, 5, 20, 50, 100])
def test_without_ties_the_exact_p_is_scipys(n):
    difference = np.random.default_rng(n).normal(0.2, size=n)
    expected = stats.wilcoxon(difference, method="exact").pvalue
    assert compare_pair(np.zeros(n), difference).p == pytest.approx(expected)


def test_the_exact_p_and_the_approximate_one_agree_where_they_meet():
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.1, 0.2):
        difference = rng.integers(-5, 6, size=110) / 5 + shift
        exact = compare_pair(np.zeros(100), difference[:100]).p
        assert exact == pytest.approx(stats.wilcoxon(difference[:100]).pvalue, rel=0.15)


def test_the_worked_example_of_the_signed_rank_test():
    """C4.5 against C4.5+m on 14 data sets: Demsar 2006, table 2. There R- is 12, below the critical 21."""
    plain = [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.0, 0.940, 0.619, 0.972, 0.957]
    tuned = [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.0, 0.962, 0.666, 0.981, 0.978]
    pair = compare_pair(-np.array(tuned), -np.array(plain))
    assert (pair.better, pair.worse, pair.equal) == (10, 2, 2)
    assert pair.p < 0.05


def test_algorithms_that_are_all_the_same():
    pair = compare_pair([1.0, 2.0], [1.0, 2.0])
    assert pair == Pair(0, 0, 2, 1.0, 0.0, 0.5)


def test_one_trial_alone():
    assert compare_pair([1.0], [2.0]) == Pair(1, 0, 0, 1.0, 1.0, 1.0)


def test_a_pair_needs_the_same_trials():
    for first, second in (([1.0], [1.0, 2.0]), ([], []), ([[1.0]], [[1.0]])):
        with pytest.raises(ValueError, match=r"first and second must have equal shapes \(T,\), got"):
            compare_pair(first, second)
    with pytest.raises(ValueError, match="values of tests and ranks must be finite"):
        compare_pair([1.0, np.nan], [1.0, 2.0])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])
    assert holm([]).tolist() == []
    # Its meaning: rejected at 0.05 are the smallest, for as long as p <= 0.05 / (those that are left).
    p = np.random.default_rng(0).uniform(0, 0.1, size=20)
    order, rejected = np.argsort(p), set()
    for place, n in enumerate(order):
        if p[n] > 0.05 / (20 - place):
            break
        rejected.add(int(n))
    assert set(np.flatnonzero(holm(p) <= 0.05).tolist()) == rejected


# All of them

# Demsar 2006, table 6: the areas under the curve of four classifiers on 14 data sets. (One is 0.975 there
# like another, but ranked before it.)
DEMSAR = np.array(
    [
        [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.0, 0.940, 0.619, 0.972, 0.957],
        [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.0, 0.962, 0.666, 0.981, 0.978],
        [0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.0, 0.965, 0.614, 0.9751, 0.946],
        [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.0, 0.962, 0.669, 0.975, 0.970],
    ]
)


def test_the_worked_example_of_demsar():
    assert average_ranks(-DEMSAR) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    ranks = average_ranks(-DEMSAR)
    published = 12 * 14 / (4 * 5) * ((ranks**2).sum() - 4 * 5**2 / 4)
    assert published == pytest.approx(9.28, abs=5e-3)
    # Which leaves ties out of account; scipy does not.
    sizes = [np.unique(column, return_counts=True)[1] for column in DEMSAR.T]
    ties = sum((size**3 - size).sum() for size in sizes)
    statistic, p = friedman(-DEMSAR)
    assert statistic == pytest.approx(published / (1 - ties / (14 * (4**3 - 4))))
    assert 0.01 < p < 0.05
    assert critical_difference(4, 14) == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    assert critical_difference(4, 14, level=0.9) == pytest.approx(1.12, abs=5e-3)


def test_critical_values_are_those_of_demsars_table():
    """Demsar 2006, table 5(a)."""
    for level, published in (
        (0.95, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]),
        (0.9, [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]),
    ):
        for algorithms, q in enumerate(published, start=2):
            factor = math.sqrt(algorithms * (algorithms + 1) / (6 * 50))
            assert critical_difference(algorithms, 50, level) / factor == pytest.approx(q, abs=1.1e-3)


def test_friedman_is_that_of_scipy_and_of_the_formula():
    values = np.random.default_rng(4).normal(size=(5, 40)) + np.arange(5)[:, None] * 0.2
    ranks = average_ranks(values)
    statistic, p = friedman(values)
    assert statistic == pytest.approx(12 * 40 / (5 * 6) * ((ranks**2).sum() - 5 * 6**2 / 4))
    assert p == pytest.approx(stats.chi2.sf(statistic, 4))


def test_friedman_where_there_is_nothing_to_tell():
    assert friedman(np.tile([1.0, 5.0, 2.0], (3, 1))) == (0.0, 1.0)
    with pytest.raises(ValueError, match="needs three algorithms or more, got 2"):
        friedman([[1.0], [2.0]])
    for values in ([1.0, 2.0], np.empty((3, 0))):
        with pytest.raises(ValueError, match=r"values must have shape \(algorithms, trials\), got"):
            average_ranks(values)
    with pytest.raises(ValueError, match="finite"):
        friedman([[1.0], [np.inf], [2.0]])


def test_groups_of_algorithms_that_are_alike():
    assert alike([1.0, 1.1, 3.0, 3.05], 0.5) == [[0, 1], [2, 3]]
    assert alike([1.0, 2.0, 3.0], 0.5) == []
    assert alike([3.0, 2.0, 1.0], 5.0) == [[2, 1, 0]]
    assert alike([1.0, 1.4, 1.8], 0.4 + 1e-12) == [[0, 1], [1, 2]]
    assert alike([2.0, 2.0], 0.0) == [[0, 1]]
