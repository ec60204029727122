"""Points of a space as features: float32 (n, F) of numbers in [0, 1]."""

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np

from blackbox.errors import ConfigError
from blackbox.search.space import NB201_SPACE, SearchSpace
from nasbench.arrays import CodesLike, Features
from nasbench.benchmark import Benchmark
from nasbench.cell import EDGES, OPERATIONS

_NONE = OPERATIONS.index("none")


class Encoding(Protocol):
    """A function that turns points of a space into features."""

    def __call__(self, space: SearchSpace, codes: CodesLike, /) -> Features:
        """Return features (n, F) of codes (n,)."""


def one_hot(space: SearchSpace, codes: CodesLike) -> Features:
    """Return one feature per value of each variable; for cells, this is the adjacency encoding.

    >>> from blackbox.search.space import CategoricalSpace
    >>> one_hot(CategoricalSpace((2, 3)), [5]).tolist()
    [[0.0, 1.0, 0.0, 0.0, 1.0]]

    Half the squared distance of two points is the Hamming distance of their digits.
    """
    digits = space.digits(codes)
    columns = [digits[:, [axis]] == np.arange(choices) for axis, choices in enumerate(space.choices)]
    return np.asarray(np.concatenate(columns, axis=1), dtype=np.float32)


def paths(space: SearchSpace, codes: CodesLike) -> Features:
    """Return one feature per sequence of operations on a path through a NAS-Bench-201 cell.

    This is the path encoding of White et al. 2019 (arXiv:1910.11858, section 3) without sequences that
    contain `none`, because they pass no information: 4 sequences of one operation, 16 of two (on two paths)
    and 64 of three. Raise ConfigError in other spaces.
    """
    if space is not NB201_SPACE:
        raise ConfigError("the path encoding needs cells of NAS-Bench-201; try the encoding one_hot")
    return _path_table().take(codes, axis=0)


def default_encoding(space: SearchSpace) -> Encoding:
    """Return the default encoding of a space: paths if it has any, else one-hot."""
    return paths if space is NB201_SPACE else one_hot


def with_metrics(encode: Encoding, benchmark: Benchmark, dataset: str, metrics: Sequence[str]) -> Encoding:
    """Return an encoding with the ranks of metrics of the table, in [0, 1], as further features.

    The predictor OMNI has such features, zero-cost proxies (White et al. 2021, arXiv:2104.01177, section 4).
    Raise NotRecordedError if the table lacks a metric.
    """
    from scipy.stats import rankdata

    columns = [benchmark.by_code(dataset, metric) for metric in metrics]
    ranks = np.stack([rankdata(column) / len(column) for column in columns], axis=1).astype(np.float32)

    def encoded(space: SearchSpace, codes: CodesLike) -> Features:
        return np.concatenate([encode(space, codes), ranks[np.asarray(codes)]], axis=1)

    return encoded


@cache
def _path_table() -> Features:
    """Return the path encoding of all cells in the order of codes, (15625, 84), columns by path length."""
    operations = len(OPERATIONS) - 1
    digits = NB201_SPACE.digits(np.arange(NB201_SPACE.size))
    digits = np.where(digits > _NONE, digits - 1, digits)  # numbers of operations, without none
    none = NB201_SPACE.digits(np.arange(NB201_SPACE.size)) == _NONE
    longest = max(map(len, _ways()))
    starts = np.cumsum([0, *(operations**length for length in range(1, longest + 1))])
    table = np.zeros((NB201_SPACE.size, starts[-1]), dtype=np.float32)
    for way in _ways():
        column = starts[len(way) - 1] + np.ravel_multi_index(
            np.where(none[:, way], 0, digits[:, way]).T, (operations,) * len(way)
        )
        open_ = np.flatnonzero(~none[:, way].any(axis=1))
        table[open_, column[open_]] = 1
    table.flags.writeable = False
    return table


def _ways(node: int = 0) -> list[list[int]]:
    """Return the paths from a node to the output, each a list of edge numbers."""
    output = max(target for _, target in EDGES)
    if node == output:
        return [[]]
    return [
        [number, *rest]
        for number, (source, target) in enumerate(EDGES)
        if source == node
        for rest in _ways(target)
    ]
