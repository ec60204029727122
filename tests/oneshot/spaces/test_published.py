import re

import pytest

from oneshot.spaces import published
from oneshot.spaces.genotype import Genotype
from oneshot.spaces.published import DARTS_V1, DARTS_V2, LIU2018, PUBLISHED, published_names
from tests.oneshot.spaces.written import NORMAL, V1, V2


def test_the_published_text_is_read_and_written():
    assert Genotype.from_text(V1) == DARTS_V1
    assert Genotype.from_text(V2) == DARTS_V2
    assert str(DARTS_V2) == V2
    assert DARTS_V2.normal == tuple(NORMAL)
    assert DARTS_V2.reduce_concat == (2, 3, 4, 5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_is_one_line_that_is_read_again(name):
    found = PUBLISHED[name]
    assert "\n" not in str(found)
    assert type(found).from_text(str(found)) == found
    assert type(found).from_json(found.to_json()) == found
    assert getattr(published, name) is found


def test_published_names_are_listed_once_for_each_architecture():
    assert PUBLISHED["DARTS"] is DARTS_V2
    names = published_names()
    assert "DARTS_V1, DARTS_V2 (or DARTS), GDAS_V1" in names
    assert len(names.split(", ")) == len(set(PUBLISHED.values())) == len(PUBLISHED) - 1
    assert set(re.findall(r"\w+", names)) - {"or"} == set(PUBLISHED)


def test_the_hierarchy_that_was_published():
    """Of motifs 2 and 6 there is no instance in the cell."""
    assert (LIU2018.motif_nodes, LIU2018.cell_nodes, len(LIU2018.motifs)) == (4, 5, 6)
    assert sorted(set(LIU2018.cell)) == [0, 2, 3, 4]
    assert len(LIU2018.operations) == 60
    assert "none" not in LIU2018.operations
