"""Optuna studies on tables, and searches on Optuna objectives (Akiba et al. 2019, arXiv:1907.10902)."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from blackbox.bridges.table import NamedTable
from blackbox.bridges.variables import Values, Variables, as_objective
from blackbox.errors import ConfigError
from blackbox.search.loop import Objective
from nasbench.runs.dependencies import required

if TYPE_CHECKING:
    from optuna.distributions import CategoricalDistribution
    from optuna.trial import BaseTrial

DIRECTIONS = ("maximize", "minimize")


def distributions(variables: Variables) -> "dict[str, CategoricalDistribution]":
    """Return variables as {name: CategoricalDistribution}, for `study.ask`.

    `GridSampler` accepts `variables.values` unchanged.
    """
    optuna = _optuna()
    return {
        name: optuna.distributions.CategoricalDistribution(values)
        for name, values in variables.values.items()
    }


def suggest(trial: "BaseTrial", variables: Variables) -> dict[str, Any]:
    """Return the values that a trial suggests for the variables, {name: value}."""
    return {name: trial.suggest_categorical(name, values) for name, values in variables.values.items()}


class StudyObjective:
    """A NamedTable as the objective of a study; create the study with its `direction`.

    >>> import optuna
    >>> from blackbox.bridges.table import NamedTable
    >>> from nasbench import NB201
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> objective = StudyObjective(NamedTable(NB201(), "cifar10", "val_accuracy"))
    >>> sampler = optuna.samplers.RandomSampler(seed=0)
    >>> study = optuna.create_study(direction=objective.direction, sampler=sampler)
    >>> study.optimize(objective, n_trials=20)
    >>> study.best_value > 85
    True

    Parameters
    ----------
    table
        The table; its metric is the value of a trial.

    Raises
    ------
    ConfigError
        On evaluation, if the study optimizes in the other direction.
    """

    def __init__(self, table: NamedTable) -> None:
        self.table = table
        self.direction: Literal["maximize", "minimize"]
        self.direction = "maximize" if table.higher_is_better else "minimize"

    def __call__(self, trial: "BaseTrial") -> float:
        """Return the metric of the cell that a trial suggests, in the metric's unit."""
        optuna = _optuna()
        if isinstance(trial, optuna.Trial):  # others, such as a FixedTrial, have no study
            direction = trial.study.direction
            if direction.name.lower() != self.direction:
                raise ConfigError(
                    f"direction of the study must be {self.direction!r} for this metric, got"
                    f" {direction.name.lower()!r}; create it with direction={self.direction!r}"
                )
        return self.table.value(suggest(trial, self.table.variables))


def build_objective(
    function: Callable[["BaseTrial"], float | None],
    variables: Variables,
    direction: Literal["maximize", "minimize"] = "maximize",
    catch: type[Exception] | Sequence[type[Exception]] = (),
) -> Objective:
    """Return an Optuna objective as an objective of `blackbox.search.run`.

    Parameters
    ----------
    function
        Optuna objective, called with FixedTrials; it must suggest the names and choices of
        `variables`. A trial that is pruned (TrialPruned) or returns None or NaN is a failed evaluation.
    variables
        Variables of the search space.
    direction
        ``"maximize"`` if higher values of `function` are better, ``"minimize"`` if lower values are.
    catch
        Exceptions that also count as failed evaluations, as in ``Study.optimize``; for others see
        `on_failure` of `blackbox.search.run`.

    Returns
    -------
    Objective
        Function from codes, shape ``(T,)``, to scores, shape ``(T,)``.

    Raises
    ------
    ConfigError
        If `direction` is neither of the two.
    """
    optuna = _optuna()
    if direction not in DIRECTIONS:
        raise ConfigError(f"direction must be {' or '.join(DIRECTIONS)}, got {direction!r}")
    failures = (optuna.TrialPruned, *((catch,) if isinstance(catch, type) else catch))

    def evaluate(values: Values) -> float:
        try:
            value = function(optuna.trial.FixedTrial(values))
        except failures:
            return float("nan")
        return float("nan") if value is None else value

    return as_objective(evaluate, variables, minimize=direction == "minimize")


def _optuna() -> ModuleType:
    with required("optuna", "the bridge to Optuna", "bridges"):
        import optuna
    return optuna
