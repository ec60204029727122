"""Result of a comparison: searches per method, tests of pairs, black-box search at equal cost."""

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
#: data sets and metrics that papers on NAS-Bench-201 report
COLUMNS = tuple(
    (dataset, metric)
    for dataset in ("cifar10", "cifar100", "imagenet16-120")
    for metric in (METRIC, TEST_METRIC)
)


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation of values."""

    #: mean
    mean: float
    #: sample standard deviation; None for a single value
    std: float | None

    @classmethod
    def estimate(cls, values: ArrayLike) -> Self | None:
        """Return the spread of the values that are not NaN; None if there are none."""
        known = np.asarray(values, dtype=np.float64)
        known = known[~np.isnan(known)]
        if not known.size:
            return None
        return cls(float(known.mean()), float(known.std(ddof=1)) if known.size > 1 else None)


@dataclass(frozen=True)
class FoundBySearch:
    """The architecture that a search found, and its scores."""

    #: seed of the search
    seed: int
    #: name of the folder of the search
    folder: str
    #: the architecture as text
    architecture: str
    #: number of epochs
    epochs: int
    #: why a part stopped the search before its last epoch; None if none did
    stopped: str | None
    #: why the search seems to have collapsed; None if it does not
    collapse: str | None
    #: cost of the search in seconds
    seconds: float
    #: accuracy along the architecture's path in the supernet, percent
    path_accuracy: float
    #: scores in the benchmark, as in the search's summary; None in a space without a benchmark
    benchmark: Mapping[str, Any] | None  # plain values
    #: Kendall's tau-b of supernet and benchmark; None without a benchmark or if one side is constant
    kendall: float | None

    def score(self, name: str) -> float:
        """Return a score in the benchmark; NaN if there is none."""
        value = None if self.benchmark is None else self.benchmark[name]
        return np.nan if value is None else float(value)

    def recorded(self, dataset: str, metric: str) -> float:
        """Return the table's value of a metric; NaN if not recorded."""
        entry = {} if self.benchmark is None else self.benchmark["entry"]
        return float(entry.get(dataset, {}).get(metric, np.nan))


@dataclass(frozen=True)
class BlackBoxResult:
    """A black-box search at the mean cost of a method's searches."""

    #: name of the algorithm
    algorithm: str
    #: mean number of evaluations per trial
    evaluations: float
    #: accuracies of the trials' incumbents in percent, by data set and metric
    accuracies: dict[str, Spread | None]
    #: fraction of pairs of a search and a trial in which the method's cell is better; None without pairs
    beaten: float | None


@dataclass(frozen=True)
class MethodResult:
    """Results of the searches with a method."""

    #: the method with its settings, as given
    label: str
    #: result of each search
    searches: tuple[FoundBySearch, ...]
    #: accuracies of the cells found in percent, by data set and metric
    accuracies: dict[str, Spread | None]
    #: ranks of the cells found; None without a benchmark
    rank: Spread | None
    #: regrets of the cells found in percentage points; None without a benchmark
    regret: Spread | None
    #: seconds per search
    seconds: Spread | None
    #: Kendall's tau-b of supernet and benchmark
    kendall: Spread | None
    #: number of searches that seem to have collapsed
    collapsed: int
    #: black-box searches at equal cost
    blackbox: tuple[BlackBoxResult, ...] = ()
    #: cost of each black-box search in seconds; None without a benchmark
    cost: float | None = None
    #: number of evaluations that the cost buys; None without a benchmark
    evaluations: float | None = None
    #: why there are no black-box searches; None if there are some
    note: str | None = None


@dataclass(frozen=True)
class PairResult:
    """Comparison of two methods by the accuracies of the cells found with the same seeds."""

    #: label of the first method
    first: str
    #: label of the second method
    second: str
    #: number of seeds for which the first method's cell is better
    better: int
    #: number of seeds for which it is worse
    worse: int
    #: number of seeds for which both are equally good
    equal: int
    #: two-sided p-value of Wilcoxon's signed-rank test; 1 if all are equal
    p: float
    #: mean difference, first minus second, in percentage points
    difference: float
    #: 95 % interval of the mean difference by a paired percentile bootstrap
    interval: tuple[float, float]


@dataclass(frozen=True)
class CompareResult:
    """Result of a comparison."""

    #: settings of the comparison
    settings: CompareSettings
    #: settings of all methods
    common: dict[str, Any]  # each has its own type
    #: result of each method
    methods: tuple[MethodResult, ...]
    #: tests of pairs; empty without a benchmark or with one seed
    pairs: tuple[PairResult, ...]
    #: data set of ranks, regrets and tests; None without a benchmark
    benchmark: str | None
    #: best accuracy of any cell in percent, by data set and metric; empty without a benchmark
    optimum: dict[str, Spread | None]
    #: names of the pictures in the folder
    pictures: tuple[str, ...] = ()
    #: why there are no pictures; None if there are some
    note: str | None = None

    def to_json(self) -> dict[str, Any]:  # plain values, nested
        """Return the result as plain values."""
        return asdict(self) | {"settings": self.settings.to_json(), "complete": True}


def collect_result(study: Study) -> CompareResult:
    """Return the result of a study; raise a RunFolderError if a search is not finished."""
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
    finished, score = study.finished(path), study.score(path)
    return FoundBySearch(
        seed=seed,
        folder=path.name,
        architecture=finished.architecture,
        epochs=int(finished.summary["epochs"]),
        stopped=finished.summary.get("stopped"),
        collapse=finished.summary.get("warning"),
        seconds=study.seconds(path),
        path_accuracy=finished.accuracy,
        benchmark=finished.summary["benchmark"],
        kendall=None if score is None else score["ranking"]["kendall"]["value"],
    )


def _blackbox(trials: Trials, bench: Benchmark, values: Floats) -> BlackBoxResult:
    """Return the result of a black-box search; `values` are accuracies of the cells a method found."""
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
    """Return the best value of any cell in each column."""
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
    """Compare each pair of methods; omit methods with a cell that the table lacks."""
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
    nonzero = difference[difference != 0]  # ties are dropped, as in Wilcoxon 1945
    means = np.random.default_rng(0).choice(difference, (_RESAMPLES, len(difference))).mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return PairResult(
        first,
        second,
        better=int((difference > 0).sum()),
        worse=int((difference < 0).sum()),
        equal=len(difference) - len(nonzero),
        p=float(wilcoxon(nonzero).pvalue) if nonzero.size else 1.0,
        difference=float(difference.mean()),
        interval=(float(low), float(high)),
    )
