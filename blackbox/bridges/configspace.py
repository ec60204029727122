"""Search spaces for tools that use ConfigSpace (Lindauer et al. 2019, arXiv:1908.06756)."""

from typing import TYPE_CHECKING

from blackbox.bridges.variables import Variables
from nasbench.runs.dependencies import required

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace


def configuration_space(variables: Variables, seed: int | None = None) -> "ConfigurationSpace":
    """Return variables as a ConfigurationSpace of categorical hyperparameters.

    A Configuration is a mapping {name: value}, so `variables.code` and a NamedTable accept it unchanged.

    >>> from nasbench.spaces import SIZE
    >>> variables = Variables.from_space(SIZE)
    >>> configuration = configuration_space(variables, seed=0).sample_configuration()
    >>> variables.decode(variables.code(configuration)) == dict(configuration)
    True
    """
    with required("ConfigSpace", "the bridge to ConfigSpace", "bridges"):
        import ConfigSpace
    space = ConfigSpace.ConfigurationSpace(seed=seed)
    space.add(
        [ConfigSpace.CategoricalHyperparameter(name, values) for name, values in variables.values.items()]
    )
    return space
