import numpy as np
import pytest

from blackbox.errors import ConfigError
from blackbox.predictors.encodings import default_encoding, one_hot, paths
from blackbox.search.space import NB201_SPACE, SSS_SPACE
from nasbench import CELLS, Cell
from nasbench.cell import EDGES


def test_one_hot_distances_are_hamming_distances():
    codes = np.random.default_rng(0).integers(CELLS, size=40)
    features, digits = one_hot(NB201_SPACE, codes), NB201_SPACE.digits(codes)
    squared = ((features[:, None] - features) ** 2).sum(axis=-1)
    np.testing.assert_array_equal(squared / 2, (digits[:, None] != digits).sum(axis=-1))


def test_paths_are_those_of_a_walk_through_the_cell():
    """Two cells have equal codes just where their sets of operation sequences are equal."""

    def walk(cell, node=0, passed=()):
        if node == 3:
            yield passed
        for (source, target), operation in zip(EDGES, cell.ops, strict=True):
            if source == node and operation != "none":
                yield from walk(cell, target, (*passed, operation))

    codes = np.random.default_rng(0).integers(CELLS, size=300)
    features = paths(NB201_SPACE, codes)
    sequences = [set(walk(Cell(int(code)))) for code in codes]
    assert features.shape == (300, 84)
    assert features.sum(axis=1).tolist() == [len(found) for found in sequences]
    for a in range(0, 300, 7):
        for b in range(300):
            common = int((features[a] * features[b]).sum())
            assert common == len(sequences[a] & sequences[b])
    with pytest.raises(ConfigError, match="try the encoding one_hot"):
        paths(SSS_SPACE, codes)
    assert default_encoding(NB201_SPACE) is paths
    assert default_encoding(SSS_SPACE) is one_hot
