"""Optuna (Akiba et al. 2019, arXiv:1907.10902): its studies on our tables, our searches on its objectives."""

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
    """Return the variables as {name: CategoricalDistribution}, as `study.ask` takes them.

    `GridSampler` takes `variables.values` as it is.
    """
    optuna = _optuna()
    return {
        name: optuna.distributions.CategoricalDistribution(values)
        for name, values in variables.values.items()
    }


def suggest(trial: "BaseTrial", variables: Variables) -> dict[str, Any]:
    """Return the value that a trial suggests for each variable, {name: value}."""
    return {name: trial.suggest_categorical(name, values) for name, values in variables.values.items()}


class StudyObjective:
    """A NamedTable as the objective of a study, which must be created with its `direction`.

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
        The table, whose metric is the value of a trial.

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
        """Return the metric of the cell that a trial suggests, in its own unit."""
        optuna = _optuna()
        if isinstance(trial, optuna.Trial):  # others, such as a FixedTrial, belong to no study
            direction = trial.study.direction
            if direction.name.lower() != self.direction:
                raise ConfigError(
                    f"the study is to {direction.name.lower()} what it should {self.direction};"
                    f" make it with direction={self.direction!r}"
                )
        return self.table.value(suggest(trial, self.table.variables))


def objective_of(
    function: Callable[["BaseTrial"], float | None],
    variables: Variables,
    direction: Literal["maximize", "minimize"] = "maximize",
    catch: type[Exception] | Sequence[type[Exception]] = (),
) -> Objective:
    """Return an objective of our searches, from codes (T,) to scores (T,), that calls one of Optuna's.

    Parameters
    ----------
    function
        Called with FixedTrials; the names and choices that it suggests must be those of `variables`. A trial
        that is pruned (TrialPruned) or gives None or NaN is a failed evaluation.
    variables
        The variables of the search space.
    direction
        Whether higher or lower values of `function` are better.
    catch
        Exceptions that also make an evaluation fail, as in ``Study.optimize``; for others see `on_failure` of
        `blackbox.search.run`.

    Returns
    -------
    Objective
        For `blackbox.search.run`.

    Raises
    ------
    ConfigError
        If the direction is neither of the two.
    """
    optuna = _optuna()
    if direction not in DIRECTIONS:
        raise ConfigError(f"direction is {' or '.join(DIRECTIONS)}, got {direction!r}")
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
