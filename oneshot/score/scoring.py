"""Score a finished search and save the score in its folder."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasbench.benchmark import Benchmark
from nasbench.cell import CELLS, Cell
from nasbench.errors import NotRecordedError
from nasbench.runs.files import quoted, replacing, to_json
from nasbench.runs.log import read_log
from oneshot.errors import ConfigError, RunFolderError
from oneshot.score.equal_cost import at_equal_cost
from oneshot.score.ranking import Correlations, correlation, path_accuracy, rank_correlations, sample_cells
from oneshot.score.result import FoundCell, ScoreResult, draw
from oneshot.score.settings import ScoreConfig
from oneshot.search import reopen
from oneshot.search.record import SEARCH_LOG
from oneshot.search.scorer import METRIC, TEST_METRIC
from oneshot.training.environment import get_device

SCORE, PICTURE = "score.json", "score.png"


def score(
    path: str | Path,
    config: ScoreConfig | None = None,
    *,
    device: str | None = None,
    store: str | None = None,
    folder: str | None = None,
    download: bool = False,
    against: str | Path | None = None,
    blackbox: bool = True,
    progress: bool = False,
) -> ScoreResult:
    """Score the finished search in a folder; save the score and a picture there.

    Parameters
    ----------
    path
        Run folder of the search.
    config
        Settings of the score; None for the defaults.
    device
        cpu, cuda or cuda:N; None for cuda if available, else cpu.
    store
        Path of the table; None for the one that scored the run.
    folder
        Folder of the data sets' archives; None for the run's.
    download
        Whether to download a missing data set.
    against
        Folder of a black-box search to compare with; None to run searches.
    blackbox
        Whether to run black-box searches to compare with.
    progress
        Whether to show a progress bar.

    Returns
    -------
    ScoreResult
        The score that was saved.

    Raises
    ------
    RunFolderError
        If the folder has no finished search or is damaged.
    ConfigError
        If no benchmark has the architectures, or the table lacks their accuracies.
    DeviceError
        If the device does not exist.
    MissingDependencyError
        If scipy is not installed.
    """
    config = config or ScoreConfig()
    run = reopen(path, device=str(get_device(device)), store=store, folder=folder, download=download)
    if not run.complete:
        raise RunFolderError(
            f"{path} is not finished: {run.epoch:,} of {run.config.epochs:,} epochs;"
            f" continue with: python -m oneshot.search --resume {quoted(path)}"
        )
    if run.scorer is None:
        raise ConfigError(
            f"no benchmark has the architectures of {run.settings.space}; to train the one found, try"
            f" python -m oneshot.retrain {quoted(path)}"
        )
    bench, dataset, cell = run.scorer.bench, run.scorer.dataset, run.architecture
    cells = sample_cells(config.cells, config.seed, run.optimizer.graph)
    column = _recorded(bench, dataset, [cell, *cells])
    scores = run.scorer.scores(cell)
    value = bench.query(cell, dataset, METRIC)
    spent = sum(row["seconds"] for row in read_log(path, SEARCH_LOG)) + run.concluding
    # before long work, because it may fail
    equal_cost = at_equal_cost(value, config, spent, bench, dataset, against, blackbox)
    batches = list(islice(run.val_loader(), -(-config.images // run.config.batch)))
    ranking = correlation(run.optimizer, batches, cells, bench, dataset, progress=progress)
    result = ScoreResult(
        run=str(path),
        method=run.optimizer.name,
        dataset=run.settings.dataset,
        benchmark=dataset,
        epochs=bench.space.full_protocol,
        settings=config,
        cells=tuple(cells),
        images=sum(len(labels) for _, labels in batches),
        ranking=ranking,
        test=_test_correlations(ranking.supernet, bench, dataset, cells),
        found=FoundCell(
            arch=str(cell),
            index=cell.index,
            supernet_accuracy=path_accuracy(run.optimizer, batches, cell),
            benchmark_accuracy=value,
            rank=bench.rank(cell, dataset, METRIC),
            regret=bench.regret(cell, dataset, METRIC),
            share_of_cells_below=float((column < value).mean()),
            test_accuracy=scores.benchmark_test_accuracy,
            test_rank=scores.test_rank,
        ),
        equal_cost=equal_cost,
    )
    return _save(Path(path), result)


def _recorded(bench: Benchmark, dataset: str, cells: Sequence[Cell]) -> NDArray[np.float64]:
    """Return all accuracies in the table by code; raise a ConfigError if one of `cells` has none."""
    table = bench.store.path
    try:
        column: NDArray[np.float64] = bench.by_code(dataset, METRIC)
    except NotRecordedError as error:
        raise ConfigError(f"{table} cannot score a search: {error}; try another --store") from None
    unknown = np.isnan(column[[cell.code for cell in cells]]).sum()
    if unknown:
        known = np.count_nonzero(~np.isnan(column))
        raise ConfigError(
            f"{table} cannot score a search: it has no {dataset} {METRIC} for {unknown:,} of the"
            f" {len(cells):,} cells needed, only for {known:,} of all {CELLS:,}; try another --store"
        )
    return column


def _test_correlations(
    supernet: NDArray[np.float64], bench: Benchmark, dataset: str, cells: Sequence[Cell]
) -> Correlations | None:
    """Return the rank correlations with the test accuracies of cells; None if any is not recorded."""
    with suppress(NotRecordedError):
        column = bench.by_code(dataset, TEST_METRIC)[[cell.code for cell in cells]]
        if not np.isnan(column).any():
            return rank_correlations(supernet, column)
    return None


def _save(path: Path, result: ScoreResult) -> ScoreResult:
    """Write score.json and, if matplotlib is installed, the picture; return the result with its name."""
    with suppress(ImportError):
        figure = draw(result)
        _replace(path / PICTURE, lambda temporary: figure.savefig(temporary, format="png", dpi=150))
        result = replace(result, picture=PICTURE)
    text = to_json(result.to_json() | {"points": result.points()}) + "\n"
    _replace(path / SCORE, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return result


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    try:
        with replacing(path) as temporary:
            write(temporary)
    except OSError as error:
        raise RunFolderError(f"cannot write {path}: {error.strerror}") from None
