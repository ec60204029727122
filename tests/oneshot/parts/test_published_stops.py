"""Published methods that stop early, or select by perturbation."""

import pytest

from oneshot.methods.darts import DARTSConfig
from oneshot.methods.published import PUBLISHED_METHODS
from oneshot.parts.eigenvalue import EigenvalueSettings
from oneshot.parts.selection import SelectionSettings
from oneshot.parts.skip_limit import SkipLimitSettings
from oneshot.search.settings import SearchSettings, build_config, build_part_settings


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("darts+", SkipLimitSettings(skip_limit=2)),
        (
            "darts-es",
            EigenvalueSettings(eigenvalue_ratio=1.3, eigenvalue_window=5, eigenvalue_start=10),
        ),
        ("darts-pt", SelectionSettings(select="perturbation", tune_epochs=5)),
    ],
)
def test_they_are_darts_with_one_part(name, part):
    settings = SearchSettings(method=name)
    assert build_part_settings(settings) == (part,)
    assert build_config(settings) == DARTSConfig()
    assert "arXiv" in PUBLISHED_METHODS[name].paper


def test_a_given_setting_wins():
    assert build_part_settings(SearchSettings(method="darts+"), skip_limit=3) == (
        SkipLimitSettings(skip_limit=3),
    )
    assert build_part_settings(SearchSettings(method="darts+"), skip_limit=0) == ()
