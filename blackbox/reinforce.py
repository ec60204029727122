"""REINFORCE on a softmax for each digit of a cell (`python -m blackbox.reinforce`): Williams 1992."""

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blackbox.errors import ConfigError
from blackbox.search.base import Search
from blackbox.search.scores import FAILED
from nasbench.arrays import Codes, Digits, Mask, Scores
from nasbench.runs.settings import Settings, option

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # Adam: Kingma & Ba 2015, arXiv:1412.6980, section 2
_FASTEST = 1e6  # one step already selects a single value per digit, but no logit overflows


@dataclass(frozen=True)
class ReinforceConfig(Settings):
    """Settings of REINFORCE; the defaults are from the authors' code of NAS-Bench-101 and NATS-Bench."""

    # Regret on CIFAR-10 after 1,000 evaluations, mean of 1,000 trials (standard error):
    # 0.035 (0.003) with 0.1, NAS-Bench-101's rate (there for plain gradient steps on accuracies in [0, 1]);
    # 0.054 (0.002) with 0.01, NATS-Bench's rate (also for Adam);
    # 0.159 (0.003) with 0.001; 0.013 (0.001) with 0.03.
    #: Learning rate of Adam, which updates the logits; positive.
    learning_rate: float = option(0.1, "learning rate of Adam, which updates the logits")
    #: Decay of the baseline, a moving average of the scores; in [0, 1).
    decay: float = option(0.9, "decay of the baseline, a moving average of the scores")

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < np.inf:
            raise ConfigError(f"learning_rate must be finite and > 0, got {self.learning_rate!r}")
        if self.learning_rate > _FASTEST:
            raise ConfigError(f"learning_rate must be at most {_FASTEST:,.0f}, got {self.learning_rate!r}")
        if not 0 <= self.decay < 1:
            raise ConfigError(f"decay must be in [0, 1), got {self.decay!r}")


class REINFORCE(Search[ReinforceConfig]):
    """REINFORCE: a policy samples cells, and cells that score better than earlier ones become more likely.

    >>> from blackbox import NB201_SPACE, run
    >>> search = REINFORCE(NB201_SPACE, trials=2)
    >>> history = run(search, lambda codes: -abs(codes - 9000), evals=200)
    >>> history.codes.shape
    (2, 200)

    The policy has an independent softmax for each digit, initially uniform. After each evaluation, Adam
    updates the logits along (score - baseline) times the gradient of the cell's log-probability; the baseline
    is a moving average of the earlier scores. (In the code of both benchmarks the baseline already includes
    the score itself, which multiplies the difference by `decay`.) A failed evaluation counts as the worst
    score so far; if there is none, it changes nothing.

    Parameters
    ----------
    space, config, trials, seed, history, first
        As for `blackbox.search.Search`; `config` is a `ReinforceConfig`.

    References
    ----------
    Williams 1992, doi:10.1007/BF00992696. Ying et al. 2019, NAS-Bench-101, arXiv:1902.09635. Dong & Yang
    2020, NAS-Bench-201, arXiv:2001.00326.
    """

    name = "REINFORCE"
    config_class = ReinforceConfig

    def setup(self) -> None:
        digits, count = len(self.space.choices), len(self.trials)
        self._uniform = self.draws(
            0, lambda rng, steps: rng.random((steps, digits)), lambda rows: rows.swapaxes(1, 2)
        )
        exists = np.arange(max(self.space.choices)) < np.array(self.space.choices)[:, None]
        # Trials last: (D, K, T). Logits of values that a digit does not have are -inf, and stay so.
        self._logits = np.where(exists, 0.0, -np.inf)[..., None].repeat(count, axis=2)
        self._mean, self._square = np.zeros_like(self._logits), np.zeros_like(self._logits)  # moments of Adam
        self._baseline = self._worst = np.full(count, np.nan)
        self._seen = 0  # steps of the history that are in the state above

    def ask(self, pending: int = 0) -> Codes:
        self._read_history()
        limits = softmax(self._logits).cumsum(axis=1)
        digits = (limits <= self._uniform.at(len(self.history) + pending)[:, None]).sum(axis=1)
        most = np.array(self.space.choices)[:, None] - 1  # if rounding leaves the sum below the random number
        return np.asarray(np.ravel_multi_index(tuple(np.minimum(digits, most)), self.space.choices))

    def _read_history(self) -> None:
        """Update the policy with the steps that were told since the last call."""
        while self._seen < len(self.history):
            codes, scores = self.history.last(len(self.history) - self._seen)
            self._seen += 1
            advantage = self._advantage(scores[0])
            slope = gradient(softmax(self._logits), self.space.digits(codes[0]).T, advantage)
            self._logits -= self.config.learning_rate * adam(slope, self._mean, self._square, self._seen)

    def _advantage(self, scores: Scores) -> NDArray[np.float64]:
        """Return the differences between scores (T,) and the baseline, and update the baseline."""
        scores = np.where(scores == FAILED, self._worst, scores)
        self._worst = np.fmin(self._worst, scores)
        before = np.where(np.isnan(self._baseline), scores, self._baseline)
        after = self.config.decay * before + (1 - self.config.decay) * scores
        self._baseline = np.where(np.isnan(scores), self._baseline, after)
        return np.asarray(np.nan_to_num(scores - before))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities (D, K, T), which sum to 1 over the second axis."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def gradient(
    probabilities: NDArray[np.float64], digits: Digits, advantage: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the gradient of -advantage * log p(digits) with respect to the logits, (D, K, T).

    `probabilities` are softmaxes (D, K, T), `digits` the sampled digits (D, T), and `advantage` is (T,).
    """
    drawn: Mask = np.arange(probabilities.shape[1])[:, None] == digits[:, None]
    return (probabilities - drawn) * advantage


def adam(
    gradient: NDArray[np.float64], mean: NDArray[np.float64], square: NDArray[np.float64], step: int
) -> NDArray[np.float64]:
    """Return an Adam step at a learning rate of 1; update the moments `mean` and `square` in place.

    `step` counts from 1. Kingma & Ba 2015, arXiv:1412.6980, algorithm 1.
    """
    mean += (1 - _BETA1) * (gradient - mean)
    square += (1 - _BETA2) * (gradient**2 - square)
    return np.asarray(mean / (1 - _BETA1**step) / (np.sqrt(square / (1 - _BETA2**step)) + _EPSILON))


if __name__ == "__main__":
    from blackbox.cli import main

    sys.exit(main(REINFORCE))
