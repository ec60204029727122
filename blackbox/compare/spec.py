"""Algorithms with their settings as text: `re`, `re:population=10,sample=3`, `module:Class:rate=2`."""

from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, Self

from blackbox.algorithms import ALGORITHMS, algorithm, find_short_name
from blackbox.errors import ConfigError
from blackbox.kinds.base import Experiment, Kind, get_kind
from blackbox.kinds.reader import Run
from blackbox.table.settings import RunConfig
from nasbench.benchmark import Benchmark
from nasbench.errors import InvalidArgumentError
from nasbench.runs.spec import format_setting, parse_settings


@dataclass(frozen=True)
class Spec:
    """An algorithm with its settings.

    >>> spec = Spec.parse("re:sample=3,population=100")
    >>> spec.label, spec.config
    ('re:sample=3', EvolutionConfig(population=100, sample=3))
    """

    #: Name in `blackbox.algorithms`.
    name: str
    #: Settings of the algorithm, an instance of its `config_class`.
    config: Any
    #: Settings of the run that only this algorithm has, such as the workers of a multi-fidelity search.
    own: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a text; raise ConfigError or UnknownAlgorithmError if it is invalid.

        The name is followed by comma-separated settings, in the form that `parse_settings` takes: settings of
        the algorithm, and settings of its kind that are not common to all algorithms.
        """
        name, _, settings = text.partition(":")
        if name not in ALGORITHMS:
            wanted, _, settings = settings.partition(":")
            name = f"{name}:{wanted}" if wanted and "=" not in wanted else name
        search_class = algorithm(name)
        config_options = {f.name: f for f in fields(search_class.config_class)}
        options = _own_options(get_kind(search_class)) | config_options
        values = parse_settings(settings, options, name, text)
        try:
            config = search_class.config_class(**{of: v for of, v in values.items() if of in config_options})
            spec = cls(name, config, {of: v for of, v in values.items() if of not in config_options})
            if spec.own:
                spec.kind.settings_class(**spec.own)
        except (ConfigError, InvalidArgumentError) as error:
            raise ConfigError(f"{text}: {error}") from None
        return spec

    @property
    def search_class(self) -> Any:
        """The class of the search."""
        return algorithm(self.name)

    @property
    def kind(self) -> Kind:
        """The kind of the search."""
        return get_kind(self.search_class)

    @property
    def label(self) -> str:
        """The shortest equivalent text: the name and the settings that differ from the defaults."""
        defaults = {name: option.default for name, option in _own_options(self.kind).items()}
        defaults |= asdict(self.search_class.config_class())
        settings = asdict(self.config) | self.own
        shown = [format_setting(key, value) for key, value in settings.items() if value != defaults[key]]
        return ":".join([self.name, *([",".join(shown)] if shown else [])])

    def settings(self, common: RunConfig) -> Any:
        """Return the settings of its run, given the settings common to all algorithms."""
        return self.kind.compared(self.name, common, self.own)

    def experiment(self, common: RunConfig, bench: Benchmark) -> Experiment[Any, Any]:
        """Return the search on a table."""
        return Experiment(self.kind, self.search_class, self.config, self.settings(common), bench)


def _own_options(kind: Kind) -> dict[str, Field[Any]]:
    """Return the settings that each algorithm of a kind can choose for itself, by name."""
    return {f.name: f for f in fields(kind.settings_class) if f.name in kind.own_settings}


def format_label(run: Run) -> str:
    """Return the label of a Run from a folder, in the form of a Spec if its algorithm is registered."""
    name = find_short_name(run.algorithm)
    if name is None:
        return run.label
    own = {key: value for key, value in asdict(run.settings).items() if key in run.kind.own_settings}
    try:
        return Spec(name, algorithm(name).config_class(**run.record["search"]), own).label
    except (TypeError, ConfigError, InvalidArgumentError):  # from another version
        return run.label
