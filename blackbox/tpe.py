"""TPE, tree-structured Parzen estimators, by Optuna (`python -m blackbox.tpe`): Bergstra et al. 2011."""

import sys
import warnings
from dataclasses import dataclass

import numpy as np

from blackbox.dependencies import required
from blackbox.search.model_based import ModelBasedConfig, ModelBasedSearch
from nasbench.runs.settings import MANY, option, whole

_TRIES = 10  # draws for a cell that is not evaluated yet; beyond these one is drawn uniformly


@dataclass(frozen=True)
class TPEConfig(ModelBasedConfig):
    """Defaults: Optuna's, but for `initial`, which is measured: with 10 it ends at twice the regret."""

    initial: int = option(20, "cells drawn uniformly before there is a model")
    candidates: int = option(24, "draws from the density of good cells; the one with the best ratio is taken")

    def __post_init__(self):
        super().__post_init__()
        whole("candidates", self.candidates, 1, MANY)


class TPE(ModelBasedSearch):
    """The next cell is one that the density of good cells favours most over that of the others.

    >>> from blackbox.search import run
    >>> from blackbox.search.space import NB201
    >>> history = run(TPE(NB201, trials=2), lambda codes: -abs(codes - 9000), evals=30)
    >>> history.codes.shape
    (2, 30)

    Optuna's TPESampler, with a study a trial, which has the trial's history, and a sampler a step. The
    densities are of all digits together, not of each by itself as in the paper (Bergstra et al. 2011,
    Algorithms for hyper-parameter optimization, NeurIPS). A failed evaluation counts as the worst.
    """

    name = "TPE"
    config_class = TPEConfig

    def __init__(self, space, config=None, trials=1, seed=0, history=None):
        super().__init__(space, config, trials, seed, history)
        with required("optuna", "TPE", "search"):
            from optuna.distributions import CategoricalDistribution
        self._distributions = {
            str(axis): CategoricalDistribution(range(choices))
            for axis, choices in enumerate(space.choices)
            if choices > 1
        }
        self._studies = [None] * len(self.trials)  # a study, and the steps of the history that it has

    def propose(self, row, step):
        from optuna.trial import TrialState

        study = self._study(row)
        study.sampler = self._sampler(self.generator(row, step))
        for _ in range(_TRIES):
            trial = study.ask(self._distributions)
            study.tell(trial, state=TrialState.FAIL)  # what is evaluated comes back with the history
            digits = [trial.params.get(str(axis), 0) for axis in range(len(self.space.choices))]
            yield int(np.ravel_multi_index(digits, self.space.choices))

    def _study(self, row):
        """The study of a trial, brought up to date."""
        from optuna.trial import create_trial

        study, known = self._studies[row] or (_new_study(), 0)
        codes, scores = self.history.codes[row, known:], self.history.scores[row, known:]
        for digits, score in zip(self.space.digits(codes).tolist(), scores.tolist(), strict=True):
            values = {name: digits[int(name)] for name in self._distributions}
            study.add_trial(create_trial(params=values, distributions=self._distributions, value=score))
        self._studies[row] = study, len(self.history)
        return study

    def _sampler(self, generator):
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


def _new_study():
    """A study in memory, made without Optuna's line about it on stderr."""
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
