"""The parts, in the order in which they are added to a method."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from nasbench.runs.settings import Settings
from oneshot.errors import ConfigError
from oneshot.parts.base import Part, PartSettings

#: MODULE:CLASS of each part
PARTS: tuple[str, ...] = (
    "oneshot.parts.warmup:WarmUp",
    "oneshot.parts.partial_channels:PartialChannels",
    "oneshot.parts.partial_channels:EdgeNormalization",
    "oneshot.parts.perturbation:Perturbation",
    "oneshot.parts.skip_limit:SkipLimit",
    "oneshot.parts.eigenvalue:EigenvalueStop",
    "oneshot.parts.selection:Selection",
    "oneshot.parts.zero_one:ZeroOne",
    "oneshot.parts.beta_decay:BetaDecay",
    "oneshot.parts.weight_decay:WeightDecay",
    "oneshot.parts.drop_path:SearchDropPath",
    "oneshot.parts.cost:ExpectedCost",
    "oneshot.parts.oles:OperationStop",
    "oneshot.parts.annealing:AnnealAndPrune",
    "oneshot.parts.stages:Stages",
    "oneshot.parts.skip_limit:SkipRestriction",
)


def part_classes() -> list[type[Part[Any]]]:  # each has its own settings
    """Return the classes of all parts.

    >>> [part.name for part in part_classes()][0]
    'warm-up'
    """
    names = (part.split(":") for part in PARTS)
    return [getattr(import_module(module), name) for module, name in names]


def select_parts(options: Mapping[str, Any]) -> tuple[PartSettings, ...]:  # values of fields of all parts
    """Return the settings, given `options` {field: value}, of the parts that are not neutral."""
    configs = [kind(**kind.own(options)) for kind in (part.config_class for part in part_classes())]
    return tuple(config for config in configs if not config.is_neutral)


def build_parts(configs: Iterable[PartSettings]) -> list[Part[Any]]:
    """Return the parts with these settings in the order of `PARTS`, omitting neutral ones.

    Raise a ConfigError for two settings of the same part, or settings of no part.
    """
    configs = tuple(configs)
    given = {type(config): config for config in configs}
    if len(given) != len(configs):
        raise ConfigError("each part can be given only once")
    classes = {part.config_class: part for part in part_classes()}
    unknown = [kind.__name__ for kind in given if kind not in classes]
    if unknown:
        known = ", ".join(kind.__name__ for kind in classes)
        raise ConfigError(f"{unknown[0]} configures no part; the settings of parts are {known}")
    return [
        part(given[kind]) for kind, part in classes.items() if kind in given and not given[kind].is_neutral
    ]


def record_parts(configs: Iterable[PartSettings]) -> dict[str, Any]:  # plain values
    """Return the settings of parts for config.json, by the parts' names."""
    return {part.name: part.config.to_json() for part in build_parts(configs)}


def read_parts(record: object) -> tuple[PartSettings, ...]:
    """Return the settings of the parts recorded in config.json; raise a ConfigError if they are invalid."""
    classes = {part.name: part for part in part_classes()}
    if not isinstance(record, dict) or not record.keys() <= classes.keys():
        raise ConfigError(f"the parts are {', '.join(classes)}, got {record!r}")
    return tuple(classes[name].config_class.from_json(value, name) for name, value in record.items())


def check_parts(
    recorded: Iterable[PartSettings],
    given: Mapping[str, Any],  # values of fields of all parts
    *others: type[Settings],
) -> None:
    """Raise a ConfigError if an option given to resume a run differs from the run's option.

    `others` are further classes whose options the command has, as for `Settings.resumed`.
    """
    by_class = {type(config): config for config in recorded}
    for part in part_classes():
        config = by_class.get(part.config_class, part.config_class())
        config.resumed(config.own(given), *others)
