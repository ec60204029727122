"""Algorithms with their settings as text: `re`, `re:population=10,sample=3`, `module:Class:rate=2`."""

from argparse import ArgumentTypeError
from dataclasses import asdict, dataclass, field, fields

from blackbox.algorithms import ALGORITHMS, algorithm
from blackbox.errors import ConfigError
from blackbox.kinds.reader import name_of
from blackbox.search.fidelity import MultiFidelitySearch
from blackbox.table.settings import RunConfig, SimulationConfig, TableConfig
from nasbench.errors import InvalidArgumentError

_COMMON = {f.name for f in fields(TableConfig)} | set(SimulationConfig.limits)
_TRUTHS = {"true": True, "false": False}
_RULES = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Spec:
    """An algorithm and the settings that are its own.

    >>> spec = Spec.of("re:sample=3,population=100")
    >>> spec.label, spec.config
    ('re:sample=3', EvolutionConfig(population=100, sample=3))
    """

    name: str  # as `blackbox.algorithms` has it
    config: object  # of the search's config_class
    simulation: dict = field(default_factory=dict)  # of a multi-fidelity search: workers, fidelities, ...

    @classmethod
    def of(cls, text):
        """The Spec of a text; ConfigError or UnknownAlgorithmError say what is wrong with it.

        After the name, settings between commas: those of the algorithm, and if it is a multi-fidelity one
        those of its simulation that are not common to all. A truth may be named alone; a piece without a name
        goes on with the value before it, as in `asha:fidelities=12,200`.
        """
        name, _, settings = text.partition(":")
        if name not in ALGORITHMS:
            wanted, _, settings = settings.partition(":")
            name = f"{name}:{wanted}" if wanted and "=" not in wanted else name
        search_class = algorithm(name)
        options = _options(search_class)
        given = {}
        for piece in settings.split(",") if settings else ():
            of, is_set, value = piece.partition("=")
            if not is_set and of not in options and given:
                last = next(reversed(given))
                given[last] += f",{piece}"
                continue
            if of not in options:
                known = ", ".join(options) or "none"
                raise ConfigError(f"{name} has no setting {of!r}; its settings are: {known}")
            if of in given:
                raise ConfigError(f"{text} has {of} twice")
            if not is_set and options[of].metadata["type"] is not bool:
                raise ConfigError(f"{of} needs a value, {of}=..., in {text}")
            given[of] = value if is_set else "true"
        values = {of: _value(options[of], value, name) for of, value in given.items()}
        own = {f.name for f in fields(search_class.config_class)}
        try:
            config = search_class.config_class(**{of: v for of, v in values.items() if of in own})
            spec = cls(name, config, {of: v for of, v in values.items() if of not in own})
            if spec.by_jobs:
                SimulationConfig(**spec.simulation)
        except (ConfigError, InvalidArgumentError) as error:
            raise ConfigError(f"{text}: {error}") from None
        return spec

    @property
    def search_class(self):
        return algorithm(self.name)

    @property
    def by_jobs(self):
        """Whether it is a multi-fidelity search."""
        return issubclass(self.search_class, MultiFidelitySearch)

    @property
    def label(self):
        """The shortest text that gives it: its name and what differs from the defaults."""
        defaults = asdict(self.search_class.config_class()) | asdict(SimulationConfig())
        settings = asdict(self.config) | self.simulation
        shown = [_shown(of, value) for of, value in settings.items() if value != defaults[of]]
        return ":".join([self.name, *([",".join(shown)] if shown else [])])

    def settings(self, common):
        """What its trials are told, by a RunConfig that is common to all: it, or a SimulationConfig."""
        if not self.by_jobs:
            return RunConfig(**asdict(common))
        if common.evals is not None or common.budget is None:
            raise ConfigError(
                f"{self.name} trains cells for few epochs and for many, so that its evaluations cannot be"
                " counted like others: compare it by --budget alone, without --evals"
            )
        table = {f.name: vars(common)[f.name] for f in fields(TableConfig)}
        return SimulationConfig(budget=common.budget, **table, **self.simulation)


def _options(search_class):
    """The settings that a text may give, by name."""
    options = {f.name: f for f in fields(search_class.config_class)}
    if issubclass(search_class, MultiFidelitySearch):
        options = {f.name: f for f in fields(SimulationConfig) if f.name not in _COMMON} | options
    return options


def _value(option, text, name):
    """The value of a setting from its text."""
    kind, choices = option.metadata["type"], option.metadata["choices"]
    allowed = choices or (_TRUTHS if kind is bool else None)
    rule = " or ".join(map(str, allowed)) if allowed else _RULES.get(kind, "of another kind")
    try:
        value = _TRUTHS[text] if kind is bool else kind(text)
    except ArgumentTypeError as error:
        raise ConfigError(f"{option.name} of {name}: {error}") from None
    except (ValueError, TypeError, KeyError):
        value = None
    if value is None or (choices is not None and value not in choices):
        raise ConfigError(f"{option.name} of {name} is {rule}, got {text!r}")
    return value


def _shown(name, value):
    return name if value is True else f"{name}={_text(value)}"


def _text(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    return str(value)


def label_of(run):
    """The label of a Run from a folder: as of a Spec, where its algorithm is a registered one."""
    name = name_of(run.algorithm)
    if name is None:
        return run.label
    config_class = algorithm(name).config_class
    simulation = {}
    if isinstance(run.settings, SimulationConfig):
        simulation = {of: v for of, v in asdict(run.settings).items() if of not in _COMMON}
    try:
        return Spec(name, config_class(**run.record["search"]), simulation).label
    except (TypeError, ConfigError, InvalidArgumentError):  # of another version
        return run.label
