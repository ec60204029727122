"""Optuna (Akiba et al. 2019, arXiv:1907.10902): its studies on our tables, our searches on its objectives."""

from blackbox.bridges.variables import as_objective
from blackbox.errors import ConfigError
from nasbench.runs.dependencies import required

DIRECTIONS = ("maximize", "minimize")


def distributions(variables):
    """The variables as {name: CategoricalDistribution}: what `study.ask` takes.

    `GridSampler` takes `variables.values` as it is.
    """
    optuna = _optuna()
    return {
        name: optuna.distributions.CategoricalDistribution(values)
        for name, values in variables.values.items()
    }


def suggest(trial, variables):
    """A value for each variable by a trial, {name: value}."""
    return {name: trial.suggest_categorical(name, values) for name, values in variables.values.items()}


class StudyObjective:
    """A NamedTable as the objective of a study, which is to be made with its `direction`.

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
    """

    def __init__(self, table):
        self.table = table
        self.direction = "maximize" if table.higher_is_better else "minimize"

    def __call__(self, trial):
        """The metric of the cell that a trial suggests, in its own unit."""
        optuna = _optuna()
        if isinstance(trial, optuna.Trial):  # others, such as a FixedTrial, are of no study
            direction = trial.study.direction
            if direction.name.lower() != self.direction:
                raise ConfigError(
                    f"the study is to {direction.name.lower()} what it should {self.direction};"
                    f" make it with direction={self.direction!r}"
                )
        return self.table.value(suggest(trial, self.table.variables))


def objective_of(function, variables, direction="maximize", catch=()):
    """An objective of our searches, from codes (T,) to scores (T,), by one of Optuna's, trial -> float.

    It is called with FixedTrials; the names and choices that it suggests are those of `variables`. A trial
    that is pruned (TrialPruned), gives None or NaN, or raises an exception of `catch`, a class or several as
    in `Study.optimize`, is a failed evaluation; others pass: see `on_failure` of `blackbox.search.run`.
    """
    optuna = _optuna()
    if direction not in DIRECTIONS:
        raise ConfigError(f"direction is {' or '.join(DIRECTIONS)}, got {direction!r}")
    failures = (optuna.TrialPruned, *((catch,) if isinstance(catch, type) else catch))

    def value(values):
        try:
            found = function(optuna.trial.FixedTrial(values))
        except failures:
            return float("nan")
        return float("nan") if found is None else found

    return as_objective(value, variables, minimize=direction == "minimize")


def _optuna():
    with required("optuna", "the bridge to Optuna", "bridges"):
        import optuna
    return optuna
