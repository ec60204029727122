"""The optimizers of Nevergrad (Rapin & Teytaud 2018) on these search spaces.

Nevergrad minimizes functions of {name: value}, such as `NamedTable.loss`. To search such a function with an
algorithm of this package, use `blackbox.bridges.variables.as_objective(function, variables, minimize=True)`.
"""

from typing import TYPE_CHECKING

from blackbox.bridges.variables import Variables
from nasbench.runs.dependencies import required

if TYPE_CHECKING:
    from nevergrad.p import Dict


def parametrization(variables: Variables) -> "Dict":
    """Return variables as a Dict of Choices, whose `value` is {name: value}.

    >>> import nevergrad
    >>> from blackbox.bridges.table import NamedTable
    >>> from nasbench import NB201
    >>> table = NamedTable(NB201(), "cifar10", "val_accuracy")
    >>> space = parametrization(table.variables)
    >>> space.random_state.seed(0)
    >>> optimizer = nevergrad.optimizers.registry["DiscreteOnePlusOne"](space, budget=50)
    >>> table.value(optimizer.minimize(table.loss).value) > 85
    True
    """
    with required("nevergrad", "the bridge to Nevergrad", "bridges"):
        import nevergrad
    return nevergrad.p.Dict(**{name: nevergrad.p.Choice(values) for name, values in variables.values.items()})
