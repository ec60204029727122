"""Base classes of results: frozen dataclasses that convert to JSON and text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from blackbox.results.text import Rows, subject
from nasbench.runs.settings import Settings
from nasbench.spaces import get_space

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from blackbox.table.settings import TableConfig
    from nasbench.svg import Svg

INLINE = {"json": "inline"}  # metadata of a field whose own fields replace it in JSON
OPTIONAL = {"json": "optional"}  # metadata of a field that is left out of JSON if it is None
OMITTED = {"json": "omitted"}  # metadata of a field that is left out of JSON
S_co = TypeVar("S_co", bound="TableConfig", covariant=True)


class Result:
    """The base class of results, which are frozen dataclasses."""

    def to_json(self) -> dict[str, Any]:  # Any: any JSON value
        """Return the fields as plain values by name."""
        values: dict[str, Any] = {}
        for field in fields(self):  # type: ignore[arg-type]  # a dataclass
            value, how = vars(self)[field.name], field.metadata.get("json")
            if how == "inline":
                values |= _plain(value)
            elif how is None or (how == "optional" and value is not None):
                values[field.name] = _plain(value)
        return values


@dataclass(frozen=True)
class SearchResult(Result, ABC, Generic[S_co]):
    """The result of a search on a table."""

    #: Name of the algorithm in reports.
    algorithm: str
    #: Settings of the algorithm.
    config: DataclassInstance
    #: Settings of the run, common to all searches of the kind.
    settings: S_co
    #: Whether the search reached its limits.
    complete: bool

    def to_json(self) -> dict[str, Any]:
        """Return the content of summary.json."""
        values = super().to_json()
        return values | {"settings": values.pop("config") | values["settings"]}

    @property
    @abstractmethod
    def done(self) -> str:
        """The amount of work done, such as `5 evaluations`."""

    def heading(self, done: str, per: str = "evaluation", others: Iterable[str] = ()) -> str:
        """Return the first lines of the text; `done` is the amount of work, such as `5 evaluations`."""
        settings = self.settings
        each = "" if settings.trials == 1 else f", in each of {settings.trials:,} trials"
        return f"{self.algorithm}{subject(settings, per, others)}\n{done}{each}; seed {settings.seed}\n"

    @property
    @abstractmethod
    def head(self) -> str:
        """The first lines of the text."""

    @abstractmethod
    def summary(self) -> Rows:
        """Return the rows about the whole search."""

    @property
    @abstractmethod
    def best_entry(self) -> tuple[str, Mapping[str, Mapping[str, float]]] | None:
        """The best cell and its entry, as `Benchmark.entry` gives it; None if there is no such cell."""

    @abstractmethod
    def tables(self) -> list[str]:
        """Return further tables that notebooks show, as HTML."""

    def _repr_html_(self) -> str:
        from nasbench import display

        parts: list[str | Svg] = [display.paragraphs(self.head)]
        if self.best_entry is None:
            parts.append(display.labelled(self.summary()))
        else:
            arch, entry = self.best_entry
            parts.append(get_space(self.settings.space).cell.from_string(arch).picture())
            parts.append(display.labelled(self.summary()))
            parts.append(display.entry_table(entry, how="text(all=True)"))
        return display.block(*parts, *self.tables())

    @abstractmethod
    def text(self, *, all: bool = False) -> str:
        """Return the result as text; with `all`, including the hardware metrics of the best cell."""


def _plain(value: Any) -> Any:
    """Return a value of a result as a JSON value."""
    if isinstance(value, (Result, Settings)):
        return value.to_json()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
