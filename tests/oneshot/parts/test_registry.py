from dataclasses import dataclass, fields

import pytest

from oneshot.errors import ConfigError
from oneshot.methods.base import AlphaConfig
from oneshot.parts.base import PartSettings
from oneshot.parts.partial_channels import PartialChannelsSettings
from oneshot.parts.registry import (
    build_parts,
    check_parts,
    part_classes,
    read_parts,
    record_parts,
    select_parts,
)
from oneshot.parts.warmup import WarmUpSettings


@dataclass(frozen=True)
class NoSettings(PartSettings):
    @property
    def is_neutral(self):
        return False


def test_names_and_flags_of_parts_are_their_own():
    names = [part.name for part in part_classes()]
    flags = [f.name for part in part_classes() for f in fields(part.config_class)]
    assert len(set(names)) == len(names) > 5
    assert len(set(flags)) == len(flags)
    assert not set(flags) & {f.name for f in fields(AlphaConfig)}


def test_a_part_is_neutral_by_default_and_then_left_out():
    configs = [part.config_class() for part in part_classes()]
    assert all(config.is_neutral for config in configs)
    assert build_parts(configs) == []
    assert select_parts({}) == ()


def test_parts_are_selected_by_their_options_in_the_order_of_the_registry():
    selected = select_parts({"partial_channels": 4, "warm_up": 2, "epochs": 50})
    assert selected == (WarmUpSettings(warm_up=2), PartialChannelsSettings(partial_channels=4))
    assert [part.name for part in build_parts(reversed(selected))] == ["warm-up", "partial channels"]


def test_a_record_of_parts_gives_their_settings():
    selected = select_parts({"partial_channels": 4, "warm_up": 2})
    record = record_parts(iter(selected))
    assert record["warm-up"] == {"warm_up": 2}
    assert read_parts(record) == selected


@pytest.mark.parametrize("record", [{"warm-down": {}}, [], None])
def test_a_record_of_something_else_is_an_error(record):
    with pytest.raises(ConfigError, match="the parts are warm-up, "):
        read_parts(record)


def test_parts_that_do_not_belong_together_are_an_error():
    with pytest.raises(ConfigError, match="each part can be given only once"):
        build_parts(iter([WarmUpSettings(warm_up=1), WarmUpSettings(warm_up=2)]))
    with pytest.raises(ConfigError, match="NoSettings configures no part; the settings of parts are WarmUp"):
        build_parts([NoSettings()])


def test_a_resumed_run_keeps_its_parts():
    recorded = (WarmUpSettings(warm_up=2),)
    check_parts(recorded, {"warm_up": 2, "partial_channels": 1})
    for given in ({"warm_up": 1}, {"warm_up": 2, "partial_channels": 4}):
        with pytest.raises(ConfigError, match="differs from the run's"):
            check_parts(recorded, given)
