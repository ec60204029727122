"""The kinds of searches, and which kind a search or a run's folder is of."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from blackbox.errors import ConfigError
from blackbox.kinds.evaluations import EVALUATIONS
from blackbox.kinds.fronts import FRONTS
from blackbox.kinds.jobs import JOBS
from nasbench.errors import said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blackbox.kinds.base import SearchKind

    Kind = SearchKind[Any, Any, Any, Any]  # settings, problem, history and result depend on which

KINDS: tuple[Kind, ...] = (EVALUATIONS, FRONTS, JOBS)
_ADDED = {"at_most", "at_least"}  # settings that runs of earlier releases lack


def kind_of(search_class: Any) -> Kind:
    """Return the kind of a `Search` or a `MultiFidelitySearch`; ConfigError if there is none."""
    for kind in KINDS:
        if kind.accepts(search_class):
            return kind
    raise ConfigError(f"a command is of searches with one or two objectives, got {search_class.objectives}")


def kind_named(name: object) -> Kind:
    """Return the kind of that name, the field `kind` of a config.json."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise ConfigError(f"kind must be {' or '.join(kind.name for kind in KINDS)}, got {said(str(name))}")


def kind_of_record(record: Mapping[str, Any]) -> Kind:
    """Return the kind of a run by its config.json; ConfigError if there is none.

    Runs of earlier releases do not name it: the names of their settings tell the kinds apart.
    """
    kinds = (kind_named(record["kind"]),) if "kind" in record else KINDS
    for kind in kinds:
        if {field.name for field in fields(kind.settings_class)} == _ADDED | set(record["run"]):
            return kind
    raise ConfigError(f"its settings are {', '.join(map(str, record['run']))}")
