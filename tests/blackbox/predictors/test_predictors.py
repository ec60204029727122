"""What every predictor must do, and what each does of its own."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from blackbox.errors import ConfigError, PredictorError
from blackbox.predictors.base import normal_scores
from blackbox.predictors.encodings import encoding_of, one_hot, paths
from blackbox.predictors.ensemble import ExtraTrees
from blackbox.predictors.gaussian_process import GaussianProcess
from blackbox.predictors.zero_cost import ZeroCost
from blackbox.space import NB201, SSS
from nasbench import CELLS, Cell
from nasbench.cell import EDGES
from nasbench.errors import NotRecordedError


class LearnedContract:
    def make(self, space=NB201, **options):
        raise NotImplementedError

    def test_it_ranks_cells_that_it_has_not_seen(self, bench):
        scores = bench.by_code("cifar10", "val_accuracy")
        codes = np.random.default_rng(0).permutation(CELLS)
        mean, std = self.make().fit(codes[:100], scores[codes[:100]]).predict(codes[100:600])
        assert kendalltau(mean, scores[codes[100:600]]).statistic > 0.5
        assert mean.shape == std.shape == (500,)
        assert mean.dtype == std.dtype == np.float64
        assert (std >= 0).all()
        assert (std > 0).mean() > 0.9

    def test_the_same_seed_gives_the_same(self):
        codes, scores = np.arange(0, 3000, 100), np.arange(30) % 7 * 1.0
        first, second = (self.make(seed=3).fit(codes, scores).predict(np.arange(50)) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_failed_evaluations_are_left_out(self):
        codes, scores = np.arange(0, 3000, 100), np.arange(30) % 7 * 1.0
        failed = np.append(scores, [-np.inf, -np.inf])
        with_failures = self.make().fit(np.append(codes, [7, 8]), failed).predict(np.arange(50))
        np.testing.assert_array_equal(with_failures, self.make().fit(codes, scores).predict(np.arange(50)))

    def test_what_it_cannot_learn_from_is_an_error(self):
        for codes, scores, message in (
            ([1, 2], [1.0], "each code has one score"),
            ([1, 2], [1.0, np.nan], "got NaN"),
            ([1, 2], [-np.inf, -np.inf], "2 failed, none is left"),
            ([], [], "0 failed, none is left"),
        ):
            with pytest.raises(PredictorError, match=message):
                self.make().fit(codes, scores)
        with pytest.raises(PredictorError, match="a predictor predicts after `fit`"):
            self.make().predict([1])

    def test_the_size_space_has_predictors_too(self):
        codes = np.random.default_rng(1).permutation(SSS.size)[:400]
        scores = SSS.digits(codes).sum(axis=1) * 1.0
        mean, _ = self.make(SSS).fit(codes[:100], scores[:100]).predict(codes[100:])
        assert kendalltau(mean, scores[100:]).statistic > 0.5


class TestExtraTreesOnPaths(LearnedContract):
    def make(self, space=NB201, **options):
        return ExtraTrees(space, encoding_of(space), **options)

    def test_mean_and_deviation_are_those_of_the_members(self):
        predictor = self.make(trees=3).fit(np.arange(0, 3000, 100), np.arange(30) % 7 * 1.0)
        features = paths(NB201, np.arange(20))
        members = [tree.predict(features) for tree in predictor._forest.estimators_]
        np.testing.assert_allclose(predictor.predict(np.arange(20))[0], np.mean(members, axis=0))
        np.testing.assert_allclose(predictor.predict(np.arange(20))[1], np.std(members, axis=0, ddof=1))


class TestExtraTreesOnOneHotCodes(LearnedContract):
    def make(self, space=NB201, **options):
        return ExtraTrees(space, one_hot, **options)


class TestGaussianProcess(LearnedContract):
    def make(self, space=NB201, **options):
        return GaussianProcess(space, **options)

    def test_a_kernel_that_is_given_is_taken_as_it_is(self):
        codes, scores = np.arange(0, 3000, 100), np.arange(30) % 7 * 1.0
        first = self.make().fit(codes, scores)
        second = self.make(kernel=first.kernel).fit(codes, scores)
        assert second.kernel == first.kernel
        np.testing.assert_allclose(second.predict(np.arange(9)), first.predict(np.arange(9)))


def test_zero_cost_is_the_column_of_the_table(bench):
    codes = np.array([5, 9, 15000])
    mean, std = ZeroCost(bench, "cifar10", "flops").fit([], []).predict(codes)
    assert mean.tolist() == [bench.flops(Cell(int(code)), "cifar10") for code in codes]
    assert not std.any()
    with pytest.raises(NotRecordedError, match="test_accuracy"):
        ZeroCost(bench, "cifar10", "test_accuracy")


def test_one_hot_distances_are_hamming_distances():
    codes = np.random.default_rng(0).integers(CELLS, size=40)
    features, digits = one_hot(NB201, codes), NB201.digits(codes)
    squared = ((features[:, None] - features) ** 2).sum(axis=-1)
    np.testing.assert_array_equal(squared / 2, (digits[:, None] != digits).sum(axis=-1))


def test_paths_are_those_of_a_walk_through_the_cell():
    """Two cells have equal codes just where their sets of operation sequences are equal."""

    def walk(cell, node=0, passed=()):
        if node == 3:
            yield passed
        for (source, target), operation in zip(EDGES, cell.ops, strict=True):
            if source == node and operation != "none":
                yield from walk(cell, target, (*passed, operation))

    codes = np.random.default_rng(0).integers(CELLS, size=300)
    features = paths(NB201, codes)
    sequences = [set(walk(Cell(int(code)))) for code in codes]
    assert features.shape == (300, 84)
    assert features.sum(axis=1).tolist() == [len(found) for found in sequences]
    for a in range(0, 300, 7):
        for b in range(300):
            common = int((features[a] * features[b]).sum())
            assert common == len(sequences[a] & sequences[b])
    with pytest.raises(ConfigError, match="other spaces have the encoding one_hot"):
        paths(SSS, codes)
    assert encoding_of(NB201) is paths
    assert encoding_of(SSS) is one_hot


def test_normal_scores_are_of_ranks():
    scores = normal_scores(np.array([10.0, -500.0, 10.0, 99.0]))
    assert scores[0] == scores[2] == pytest.approx(0.0)
    assert scores[3] == -scores[1] == pytest.approx(1.1503, abs=1e-4)
