"""ConfigSpace (Lindauer et al. 2019, arXiv:1908.06756): our spaces as its tools take them."""

from nasbench.runs.dependencies import required


def configuration_space(variables, seed=None):
    """The variables as a ConfigurationSpace, of as many categorical hyperparameters.

    A Configuration is a mapping {name: value}: `variables.code` and a NamedTable take it as it is.

    >>> from blackbox.bridges.variables import Variables
    >>> from nasbench.spaces import SIZE
    >>> variables = Variables.of(SIZE)
    >>> configuration = configuration_space(variables, seed=0).sample_configuration()
    >>> variables.values_of(variables.code(configuration)) == dict(configuration)
    True
    """
    with required("ConfigSpace", "the bridge to ConfigSpace", "bridges"):
        import ConfigSpace
    space = ConfigSpace.ConfigurationSpace(seed=seed)
    space.add(
        [ConfigSpace.CategoricalHyperparameter(name, values) for name, values in variables.values.items()]
    )
    return space
