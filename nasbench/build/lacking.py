"""Comparison of the data in two stores, so that a build without --out loses none."""

from collections.abc import Callable, Sequence

import numpy as np

from nasbench.answers import UNTRAINED
from nasbench.arrays import Mask
from nasbench.build.sources.columns import shorten
from nasbench.build.sources.source import Source, any_known, find_group
from nasbench.errors import StoreError
from nasbench.metrics import DATASETS, METRICS, UNKNOWN_SEED
from nasbench.runs.files import quoted
from nasbench.runs.text import counted
from nasbench.store import Store

# (array, seed or None) -> mask (N,) of cells with a value, or one bool for all cells.
Known = Callable[[str, int | None], Mask | bool]


def check_kept(old: Store, known: Known, sources: Sequence[Source], force: str) -> None:
    """Raise StoreError if a store of the sources lacks data of `old`; `force` has the flags to replace it."""
    lost = _lost(old, known)
    if lost:
        lacks = shorten([f"{metric} ({counted(cells, 'cell')})" for metric, cells in lost.items()])
        others = [source.label for source in sources if source.label != str(old.path)]
        # Earlier sources take precedence; if a merge with the old store loses data, it must come first.
        paths = [*others, old.path] if len(others) == len(sources) else [old.path, *others]
        raise StoreError(
            f"{old.path} has data that the new store lacks: {lacks};"
            f" try --out FILE, {force} to replace it,"
            f" or python -m nasbench build {' '.join(map(quoted, paths))} to keep all"
        )


def known_in_sources(sources: Sequence[Source]) -> Known:
    """Return the cells that the sources may have, before they are read."""

    def known(name: str, seed: int | None) -> Mask | bool:
        group = find_group(name)
        cells: Mask | bool = False
        for source in sources:
            has_seed = group is None or seed in (None, UNKNOWN_SEED) or seed in source.seeds.get(group, ())
            if name in source.layout and has_seed:
                cells = cells | source.foreseen(name)
        return cells

    return known


def known_in_store(store: Store) -> Known:
    """Return the cells with a value in a store; for curves, whether there are any."""

    def known(name: str, seed: int | None) -> Mask | bool:
        if name not in store or "/curve/" in name:
            return name in store
        if seed is None or seed == UNKNOWN_SEED:  # per-seed runs have a mean, too
            return any_known(store[name])
        seeds = _seeds(store, name)
        return any_known(store[name][:, seeds.index(seed)]) if seed in seeds else False

    return known


def _lost(old: Store, known: Known) -> dict[str, int]:
    """Return the number of cells with a value in `old` only, by metric, named as in a table."""
    lost: dict[str, int] = {}
    order = {metric: number for number, metric in enumerate(METRICS)}
    names = [name for name in old.names if name.split("/")[0] in DATASETS and name.split("/")[-1] in order]
    for name in sorted(names, key=lambda name: (order[name.split("/")[-1]], name)):
        dataset, *middle, metric = name.split("/")
        seeds: Sequence[int | None] = _seeds(old, name) if middle else [None]
        cells = np.zeros(len(old[name]), dtype=bool)
        for column, seed in enumerate(seeds):
            kept = known(name, seed)
            if not np.all(kept):
                values = old[name] if seed is None else old[name][:, column]
                cells |= ~np.isnan(values if values.ndim == 1 else values[:, -1]) & ~np.asarray(kept)
        if cells.any():
            label = ":".join([dataset, *(each for each in middle[:1] if each != str(UNTRAINED)), metric])
            lost[label if "final" in middle or not middle else f"{label} by epoch"] = int(cells.sum())
    return lost


def _seeds(store: Store, name: str) -> list[int]:
    """Return the seeds of the columns of an array DATASET/PROTOCOL/KIND/METRIC."""
    dataset, protocol, _, _ = name.split("/")
    seeds: list[int] = store[f"{dataset}/{protocol}/seeds"].tolist()
    return seeds
