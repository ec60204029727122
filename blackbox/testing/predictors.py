"""The test suite for predictors that are fitted to scores."""

from typing import Any, ClassVar

import numpy as np
import pytest

from blackbox.errors import PredictorError
from blackbox.predictors.base import LearnedPredictor
from blackbox.search.space import NB201_SPACE, SSS_SPACE, CategoricalSpace
from nasbench import CELLS
from nasbench.benchmark import open_benchmark


class LearnedPredictorContract:
    """The test suite for a `LearnedPredictor`; a subclass sets `predictor_class`.

    >>> from blackbox.predictors.ensemble import ExtraTrees
    >>> class TestExtraTrees(LearnedPredictorContract):
    ...     predictor_class = ExtraTrees

    The predictor must learn to rank the cells of NAS-Bench-201 by CIFAR-10 validation accuracy in the default
    table.
    """

    predictor_class: ClassVar[type[LearnedPredictor]]  #: class to test

    def make(self, space: CategoricalSpace = NB201_SPACE, **options: Any) -> LearnedPredictor:
        """Return a new predictor; `options` are further arguments of the class."""
        return self.predictor_class(space, **options)

    def test_it_ranks_cells_that_it_has_not_seen(self) -> None:
        from scipy.stats import kendalltau

        scores = open_benchmark().by_code("cifar10", "val_accuracy")
        codes = np.random.default_rng(0).permutation(CELLS)
        mean, std = self.make().fit(codes[:100], scores[codes[:100]]).predict(codes[100:600])
        assert kendalltau(mean, scores[codes[100:600]]).statistic > 0.5
        assert mean.shape == std.shape == (500,)
        assert mean.dtype == std.dtype == np.float64
        assert (std >= 0).all()
        assert (std > 0).mean() > 0.9

    def test_the_same_seed_gives_the_same(self) -> None:
        codes, scores = np.arange(0, 3000, 100), np.arange(30) % 7 * 1.0
        first, second = (self.make(seed=3).fit(codes, scores).predict(np.arange(50)) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_it_knows_the_normal_score_of_the_best_cell(self) -> None:
        from scipy.special import ndtri

        predictor = self.make().fit([3, 5, 9, 70], [1.0, -np.inf, 9.0, 4.0])
        assert predictor.best == pytest.approx(ndtri(5 / 6))

    def test_it_learns_from_one_evaluation_and_from_equal_ones(self) -> None:
        for codes, scores in (([7], [50.0]), ([7, 9000], [50.0, 50.0])):
            mean, std = self.make().fit(codes, scores).predict([7, 15000])
            np.testing.assert_allclose(mean, 0.0, atol=1e-9)
            assert np.isfinite(std).all()

    def test_failed_evaluations_are_left_out(self) -> None:
        codes, scores = np.arange(0, 3000, 100), np.arange(30) % 7 * 1.0
        failed = np.append(scores, [-np.inf, -np.inf])
        with_failures = self.make().fit(np.append(codes, [7, 8]), failed).predict(np.arange(50))
        np.testing.assert_array_equal(with_failures, self.make().fit(codes, scores).predict(np.arange(50)))

    def test_malformed_evaluations_are_errors(self) -> None:
        cases: tuple[tuple[list[int], list[float], str], ...] = (
            ([1, 2], [1.0], "codes and scores must have equal shapes"),
            ([1, 2], [1.0, np.nan], "got NaN"),
            ([1, 2], [-np.inf, -np.inf], "one successful evaluation or more; all of 2 failed"),
            ([], [], "one successful evaluation or more; all of 0 failed"),
        )
        for codes, scores, message in cases:
            with pytest.raises(PredictorError, match=message):
                self.make().fit(codes, scores)
        with pytest.raises(PredictorError, match="a predictor must be fitted with `fit` first"):
            self.make().predict([1])

    def test_it_learns_in_the_size_space_too(self) -> None:
        from scipy.stats import kendalltau

        codes = np.random.default_rng(1).permutation(SSS_SPACE.size)[:400]
        scores = SSS_SPACE.digits(codes).sum(axis=1) * 1.0
        mean, _ = self.make(SSS_SPACE).fit(codes[:100], scores[:100]).predict(codes[100:])
        assert kendalltau(mean, scores[100:]).statistic > 0.5
