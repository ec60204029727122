"""The kinds of searches, and which kind a search or a run's folder is of."""

import importlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from blackbox.errors import ConfigError
from blackbox.kinds.base import Kind
from blackbox.search.base import Search
from nasbench.errors import shown

_EVALUATIONS, _FRONTS, _JOBS = KINDS = ("evaluations", "fronts", "jobs")  # each a module of this package
_OF_OBJECTIVES = {1: _EVALUATIONS, 2: _FRONTS}
_ADDED = {"at_most", "at_least"}  # settings that runs of earlier releases lack


def kind_of(search_class: Any) -> Kind:
    """Return the kind of a `Search` or a `MultiFidelitySearch`; ConfigError if there is none."""
    if not issubclass(search_class, Search):
        return kind_named(_JOBS)
    if search_class.objectives not in _OF_OBJECTIVES:
        raise ConfigError(
            f"a command is of searches with one or two objectives, got {search_class.objectives}"
        )
    return kind_named(_OF_OBJECTIVES[search_class.objectives])


def kind_named(name: object) -> Kind:
    """Return the kind of that name, the field `kind` of a config.json; ConfigError if there is none.

    Its module is imported then: a command needs one kind only.
    """
    if name not in KINDS:
        raise ConfigError(f"kind must be {' or '.join(KINDS)}, got {shown(name)}")
    kind: Kind = vars(importlib.import_module(f"blackbox.kinds.{name}"))[str(name).upper()]
    return kind


def kind_of_record(record: Mapping[str, Any]) -> Kind:
    """Return the kind of a run by its config.json; ConfigError if there is none.

    Runs of earlier releases do not name it: the names of their settings tell the kinds apart.
    """
    for kind in map(kind_named, [record["kind"]] if "kind" in record else KINDS):
        if {field.name for field in fields(kind.settings_class)} == _ADDED | set(record["run"]):
            return kind
    raise ConfigError(f"its settings are {', '.join(map(str, record['run']))}")
