import pytest

from oneshot.layout.pack import PAGE, packed
from oneshot.layout.placed import Box

BETWEEN = Box(10.0, 20.0)


def test_one_panel_is_where_it_is():
    assert packed([Box(100.0, 50.0)], BETWEEN) == ([(0.0, 0.0)], Box(100.0, 50.0))


def test_wide_panels_stand_one_above_the_other_in_the_middle():
    corners, whole = packed([Box(400.0, 100.0), Box(300.0, 80.0)], BETWEEN)
    assert corners == [(0.0, 0.0), (50.0, 120.0)]
    assert whole == Box(400.0, 200.0)


def test_small_panels_share_rows_and_columns():
    sizes = [Box(150.0, 300.0)] * 5 + [Box(140.0, 300.0)]
    corners, whole = packed(sizes, BETWEEN)
    assert whole.width <= PAGE.width
    assert corners[:3] == [(0.0, 0.0), (160.0, 0.0), (320.0, 0.0)]
    assert corners[5] == (325.0, 320.0)


def test_panels_are_apart():
    sizes = [Box(100.0 + 37 * k % 90, 60.0 + 23 * k % 50) for k in range(9)]
    corners, whole = packed(sizes, BETWEEN)
    for k, ((x, y), size) in enumerate(zip(corners, sizes, strict=True)):
        assert x >= 0
        assert x + size.width <= whole.width + 1e-6
        assert y + size.height <= whole.height + 1e-6
        for (u, v), other in list(zip(corners, sizes, strict=True))[:k]:
            beside = max(x - u - other.width, u - x - size.width) >= BETWEEN.width - 1e-6
            assert beside or max(y - v - other.height, v - y - size.height) >= BETWEEN.height - 1e-6


@pytest.mark.parametrize("least", [50.0, 400.0])
def test_the_whole_may_have_to_be_wider(least):
    (corner,), whole = packed([Box(100.0, 50.0)], BETWEEN, least)
    assert whole.width == max(100.0, least)
    assert corner == ((whole.width - 100) / 2, 0.0)
