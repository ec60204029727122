"""The findings of a comparison: a row per method, tests of pairs, black-box search at equal cost."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.benchmark import Benchmark
from nasbench.errors import NotRecordedError
from oneshot.compare.settings import CompareSettings
from oneshot.compare.study import Study
from oneshot.errors import MissingDependencyError
from oneshot.score.equal_cost import Trials
from oneshot.search.scorer import METRIC, TEST_METRIC

Floats = NDArray[np.float64]
_RESAMPLES = 2000
#: Data sets and metrics of the table, as papers on NAS-Bench-201 print them.
COLUMNS = tuple(
    (dataset, metric)
    for dataset in ("cifar10", "cifar100", "imagenet16-120")
    for metric in (METRIC, TEST_METRIC)
)


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation of values; the latter is None of one value."""

    mean: float
    std: float | None

    @classmethod
    def estimate(cls, values: ArrayLike) -> Self | None:
        """Return that of values without NaN; None if there are none."""
        known = np.asarray(values, dtype=np.float64)
        known = known[~np.isnan(known)]
        if not known.size:
            return None
        return cls(float(known.mean()), float(known.std(ddof=1)) if known.size > 1 else None)


@dataclass(frozen=True)
class FoundBySearch:
    """The architecture that a search found."""

    seed: int
    #: Name of the folder of the search.
    folder: str
    #: Text of the architecture.
    architecture: str
    #: Epochs done.
    epochs: int
    #: Why a part stopped the search before its last epoch; None if none did.
    stopped: str | None
    #: Why it looks like one that a search collapsed to; None for others.
    collapse: str | None
    #: Cost of the search in seconds.
    seconds: float
    #: Accuracy along its path in the supernet, percent.
    path_accuracy: float
    #: Its scores in the benchmark, as in the search's summary; None in a space without one.
    benchmark: Mapping[str, Any] | None  # plain values
    #: Kendall's tau-b of the supernet and the benchmark; None if there is no benchmark, or it is constant.
    kendall: float | None

    def score(self, name: str) -> float:
        """Return a score in the benchmark; NaN if there is none."""
        value = None if self.benchmark is None else self.benchmark[name]
        return np.nan if value is None else float(value)

    def recorded(self, dataset: str, metric: str) -> float:
        """Return what the table records for it; NaN for nothing."""
        entry = {} if self.benchmark is None else self.benchmark["entry"]
        return float(entry.get(dataset, {}).get(metric, np.nan))


@dataclass(frozen=True)
class BlackBoxResult:
    """A black-box search at the cost of a method's searches."""

    #: Name of the search.
    algorithm: str
    #: Mean number of evaluations.
    evaluations: float
    #: Accuracies of the best cells in percent, by data set and metric, over its trials.
    accuracies: dict[str, Spread | None]
    #: The share of pairs of a search and a trial in which the method's cell is better.
    beaten: float | None


@dataclass(frozen=True)
class MethodResult:
    """The searches with a method."""

    label: str
    searches: tuple[FoundBySearch, ...]
    #: Accuracies of the cells found in percent, by data set and metric.
    accuracies: dict[str, Spread | None]
    rank: Spread | None
    regret: Spread | None
    #: Seconds of a search.
    seconds: Spread | None
    #: Kendall's tau-b of supernet and benchmark.
    kendall: Spread | None
    #: Number of searches whose architecture looks collapsed.
    collapsed: int
    #: Black-box searches at equal cost.
    blackbox: tuple[BlackBoxResult, ...] = ()
    #: The cost in seconds, and the evaluations that it buys; None without a benchmark.
    cost: float | None = None
    evaluations: float | None = None
    #: Why there are no black-box searches.
    note: str | None = None


@dataclass(frozen=True)
class PairResult:
    """Two methods, compared by the accuracy of the cells that the same seeds found."""

    first: str
    second: str
    #: Numbers of seeds whose cell of the first is better, worse, equally good.
    better: int
    worse: int
    equal: int
    #: Two-sided p of Wilcoxon's signed-rank test; 1 if all are equal.
    p: float
    #: Mean of the first less the second, percentage points.
    difference: float
    #: Its 95 % interval by a paired percentile bootstrap.
    interval: tuple[float, float]


@dataclass(frozen=True)
class CompareResult:
    """The findings of a comparison."""

    settings: CompareSettings
    #: Settings of all searches.
    common: dict[str, Any]  # each has its own type
    methods: tuple[MethodResult, ...]
    #: Tests of pairs; empty without a benchmark, or with one seed.
    pairs: tuple[PairResult, ...]
    #: The data set of ranks, regrets and tests; None without a benchmark.
    benchmark: str | None
    #: The best accuracies of any cell; empty without a benchmark.
    optimum: dict[str, Spread | None]
    #: Names of the pictures in the folder.
    pictures: tuple[str, ...] = ()
    #: Why there are none.
    note: str | None = None

    def to_json(self) -> dict[str, Any]:  # plain values, nested
        """Return the findings as plain values."""
        return asdict(self) | {"settings": self.settings.to_json(), "complete": True}


def collect_result(study: Study) -> CompareResult:
    """Return the findings of a study that is complete; RunFolderError if a search is not finished."""
    methods = tuple(_method(study, number) for number in range(len(study.specs)))
    scorer = study.scorer
    return CompareResult(
        study.settings,
        dict(study.common),
        methods,
        () if scorer is None else compare_pairs(methods),
        None if scorer is None else scorer.dataset,
        {} if scorer is None else _optimum(scorer.bench),
    )


def _method(study: Study, number: int) -> MethodResult:
    searches = tuple(_search(study, number, seed) for seed in study.seeds)
    values = np.array([search.score("benchmark_val_accuracy") for search in searches])
    result = MethodResult(
        label=study.specs[number].label,
        searches=searches,
        accuracies={
            _name(*column): Spread.estimate([search.recorded(*column) for search in searches])
            for column in COLUMNS
        },
        rank=Spread.estimate([search.score("rank") for search in searches]),
        regret=Spread.estimate([search.score("regret") for search in searches]),
        seconds=Spread.estimate([search.seconds for search in searches]),
        kendall=Spread.estimate([np.nan if s.kendall is None else s.kendall for s in searches]),
        collapsed=sum(search.collapse is not None for search in searches),
    )
    if study.scorer is None:
        return result
    blackbox, bench = study.blackbox(number, study.scorer), study.scorer.bench
    return MethodResult(
        **vars(result)
        | {
            "blackbox": tuple(_blackbox(trials, bench, values) for trials in blackbox.trials),
            "cost": blackbox.cost,
            "evaluations": blackbox.evaluations,
            "note": blackbox.note,
        }
    )


def _search(study: Study, number: int, seed: int) -> FoundBySearch:
    path = study.folder(number, seed)
    ended, score = study.finished(path), study.score(path)
    return FoundBySearch(
        seed=seed,
        folder=path.name,
        architecture=ended.architecture,
        epochs=int(ended.summary["epochs"]),
        stopped=ended.summary.get("stopped"),
        collapse=ended.summary.get("warning"),
        seconds=study.seconds(path),
        path_accuracy=ended.accuracy,
        benchmark=ended.summary["benchmark"],
        kendall=None if score is None else score["ranking"]["kendall"]["value"],
    )


def _blackbox(trials: Trials, bench: Benchmark, values: Floats) -> BlackBoxResult:
    """Return the findings of a black-box search; `values`: of the cells that a method found."""
    cells = trials.cells[trials.cells >= 0]
    best = trials.values[trials.cells >= 0]
    accuracies = {_name(*column): Spread.estimate(_column(bench, *column, cells)) for column in COLUMNS}
    beaten = float((values[:, None] > best).mean()) if best.size else None
    return BlackBoxResult(trials.algorithm, float(trials.evaluations.mean()), accuracies, beaten)


def _column(bench: Benchmark, dataset: str, metric: str, cells: NDArray[np.intp]) -> Floats:
    try:
        column: Floats = bench.columns(dataset, metric)[cells]
    except NotRecordedError:
        return np.full(len(cells), np.nan)
    return column


def _optimum(bench: Benchmark) -> dict[str, Spread | None]:
    """Return the best value of each column, whatever its cell."""
    best: dict[str, Spread | None] = {}
    for dataset, metric in COLUMNS:
        try:
            best[_name(dataset, metric)] = Spread(bench.best(dataset, metric).value, None)
        except NotRecordedError:
            best[_name(dataset, metric)] = None
    return best


def _name(dataset: str, metric: str) -> str:
    return f"{dataset} {metric}"


# Pairs


def compare_pairs(methods: Sequence[MethodResult]) -> tuple[PairResult, ...]:
    """Return the comparison of each pair of methods; none of a method whose cells the table lacks."""
    values = {
        method.label: np.array([search.score("benchmark_val_accuracy") for search in method.searches])
        for method in methods
    }
    known = [label for label, each in values.items() if not np.isnan(each).any() and len(each) > 1]
    return tuple(_pair(*labels, *(values[label] for label in labels)) for labels in combinations(known, 2))


def _pair(first: str, second: str, left: Floats, right: Floats) -> PairResult:
    try:
        from scipy.stats import wilcoxon
    except ImportError:
        raise MissingDependencyError("tests of pairs need scipy: pip install scipy") from None
    difference = left - right
    other = difference[difference != 0]  # equal ones say nothing of the difference, as in Wilcoxon 1945
    drawn = np.random.default_rng(0).choice(difference, (_RESAMPLES, len(difference))).mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return PairResult(
        first,
        second,
        better=int((difference > 0).sum()),
        worse=int((difference < 0).sum()),
        equal=len(difference) - len(other),
        p=float(wilcoxon(other).pvalue) if other.size else 1.0,
        difference=float(difference.mean()),
        interval=(float(low), float(high)),
    )
