"""Scores of a run: its log and the CSV file that `python -m nasbench build` reads."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbench.metrics import METRICS
from nasbench.runs.log import Columns, Row
from oneshot.proxies.az_nas import az_nas
from oneshot.proxies.registry import FIXED, RANKED
from oneshot.proxies.scorer import Scores
from oneshot.proxies.settings import ProxySettings
from oneshot.spaces.architectures import Architecture

CSV = "proxies.csv"
Values = NDArray[np.float64]


def log_format(settings: ProxySettings) -> Columns:
    """Return the format of the log, which has one row per architecture and seed."""
    return Columns({"number": int, **dict.fromkeys(settings.computed, float), "seed": int})


def log_rows(number: int, scores: Scores, settings: ProxySettings) -> list[Row]:
    """Return the log rows of the `number`-th architecture."""
    return [
        {"number": number, **{name: of_seed.get(name) for name in settings.computed}, "seed": seed}
        for seed, of_seed in enumerate(scores)
    ]


@dataclass(frozen=True)
class ScoreTable:
    """Scores of N architectures."""

    #: settings of the run
    settings: ProxySettings
    #: the N architectures
    architectures: Sequence[Architecture]
    #: scores by proxy, shape ``(N, seeds)``; NaN if missing
    scores: dict[str, Values]

    @classmethod
    def from_rows(
        cls, rows: Sequence[Row], architectures: Sequence[Architecture], settings: ProxySettings
    ) -> "ScoreTable":
        """Return the scores in the rows of a log, for architectures with all seeds."""
        count = len(rows) // settings.seeds
        scores = {}
        for name in settings.computed:
            column = [np.nan if row[name] is None else row[name] for row in rows[: count * settings.seeds]]
            values = np.array(column, dtype=np.float64).reshape(count, settings.seeds)
            scores[name] = values[:, : len(settings.list_seeds(name))]
        for name in settings.named:
            if name in RANKED:
                scores[name] = _ranked([scores[part] for part in RANKED[name]], settings.seeds)
        return cls(settings, architectures[:count], scores)

    @property
    def means(self) -> dict[str, Values]:
        """Mean of each proxy over seeds, shape (N,); NaN if the score of a seed is missing."""
        return {name: values.mean(1) for name, values in self.scores.items()}

    @property
    def missing(self) -> dict[str, int]:
        """Number of missing scores by proxy, which were NaN or infinite; only proxies with any."""
        counts = {name: int(np.isnan(values).sum()) for name, values in self.scores.items()}
        return {name: count for name, count in counts.items() if count}

    def to_csv(self) -> bytes:
        """Return the table as CSV for `python -m nasbench build`, with one row per architecture."""
        names = [name for name in self.scores if name in self.settings.named]
        columns = [(name, seed) for name in names for seed in range(self.scores[name].shape[1])]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["arch", *(self._column(name, seed) for name, seed in columns)])
        for row, architecture in enumerate(self.architectures):
            values = (float(self.scores[name][row, seed]) for name, seed in columns)
            writer.writerow(
                [str(architecture.value), *("" if np.isnan(value) else repr(value) for value in values)]
            )
        return text.getvalue().encode()

    def _column(self, name: str, seed: int) -> str:
        if name in FIXED:
            return f"{self.settings.dataset}:{name}"
        if name in METRICS:
            return f"{self.settings.dataset}:{name}:{seed}"
        return f"{name.replace(':', '.')} {seed}"  # a custom proxy, which stores leave out


def _ranked(parts: Sequence[Values], seeds: int) -> Values:
    """Return the combined ranks of proxies for each seed."""
    wide = [np.broadcast_to(part, (len(part), seeds)) for part in parts]
    return np.stack([az_nas([part[:, seed] for part in wide]) for seed in range(seeds)], axis=1)
