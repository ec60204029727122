"""TPE, tree-structured Parzen estimators, with Optuna (`python -m blackbox.tpe`): Bergstra et al. 2011."""

import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from blackbox.search.model_based import ModelBasedConfig, ModelBasedSearch
from nasbench.runs.checks import MANY
from nasbench.runs.dependencies import required
from nasbench.runs.settings import option

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import TPESampler

_TRIES = 10  # samples tried for a new cell, before one is sampled uniformly


@dataclass(frozen=True)
class TPEConfig(ModelBasedConfig):
    """Settings of TPE; the defaults are Optuna's, except `initial`: with Optuna's 10, regret is doubled."""

    #: Number of cells sampled uniformly before the first model.
    initial: int = option(20, "number of cells sampled uniformly before the first model", at_least=1)
    #: Number of samples from the density of good cells; the one with the best ratio is evaluated.
    candidates: int = option(
        24,
        "number of samples from the density of good cells; the one with the best ratio is evaluated",
        at_least=1,
        at_most=MANY,
    )


class TPE(ModelBasedSearch[TPEConfig, None]):
    """TPE: evaluates the cell with the highest ratio of two densities, of good cells and of the others.

    >>> from blackbox import NB201_SPACE, run
    >>> search = TPE(NB201_SPACE, trials=2)
    >>> history = run(search, lambda codes: -abs(codes - 9000), evals=30)
    >>> history.codes.shape
    (2, 30)

    It runs Optuna's TPESampler with one study per trial, which holds the trial's history, and one sampler per
    step. The densities are joint densities of all digits; in the paper each digit has its own. A failed
    evaluation counts as the worst.

    Parameters
    ----------
    space, config, trials, seed, history, first
        As for `blackbox.search.Search`; `config` is a `TPEConfig`.

    Raises
    ------
    MissingDependencyError
        If Optuna is not installed.

    References
    ----------
    Bergstra et al. 2011, Algorithms for hyper-parameter optimization, NeurIPS. Akiba et al. 2019,
    arXiv:1907.10902 (Optuna).
    """

    name = "TPE"
    config_class = TPEConfig

    def setup(self) -> None:
        super().setup()
        with required("optuna", "TPE", "search"):
            from optuna.distributions import CategoricalDistribution
        self._distributions: dict[str, BaseDistribution] = {
            str(axis): CategoricalDistribution(range(choices))
            for axis, choices in enumerate(self.space.choices)
            if choices > 1
        }
        self._studies: dict[int, tuple[Study, int]] = {}  # by row: a study, and its number of steps

    def propose(self, row: int, step: int) -> Iterable[int]:
        from optuna.trial import TrialState

        study = self._study(row)
        study.sampler = self._sampler(self.generator(row, step))
        for _ in range(_TRIES):
            trial = study.ask(self._distributions)
            study.tell(trial, state=TrialState.FAIL)  # evaluations are added from the history
            digits = [trial.params.get(str(axis), 0) for axis in range(len(self.space.choices))]
            yield int(np.ravel_multi_index(digits, self.space.choices))

    def _study(self, row: int) -> "Study":
        """Add new evaluations to the study of a trial and return it."""
        from optuna.trial import create_trial

        study, known = self._studies.get(row) or (_new_study(), 0)
        codes, scores = self.history.codes[row, known:], self.history.scores[row, known:]
        for digits, score in zip(self.space.digits(codes).tolist(), scores.tolist(), strict=True):
            values = {name: digits[int(name)] for name in self._distributions}
            study.add_trial(create_trial(params=values, distributions=self._distributions, value=score))
        self._studies[row] = study, len(self.history)
        return study

    def _sampler(self, generator: np.random.Generator) -> "TPESampler":
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import TPESampler

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return TPESampler(
                n_startup_trials=0,
                n_ei_candidates=self.config.candidates,
                multivariate=True,
                constant_liar=False,
                seed=int(generator.integers(2**32)),
            )


def _new_study() -> "Study":
    """Create a study in memory, without Optuna's line about it on stderr."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(direction="maximize")
    finally:
        optuna.logging.set_verbosity(before)


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(TPE))
