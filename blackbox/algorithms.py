"""The algorithms by name: each is the module `blackbox.NAME`, the command `python -m blackbox.NAME`."""

import importlib

from blackbox.errors import UnknownAlgorithmError
from blackbox.search.base import Search
from blackbox.search.fidelity import MultiFidelitySearch

ALGORITHMS = {
    "rs": "RandomSearch",
    "re": "RegularizedEvolution",
    "ls": "LocalSearch",
    "reinforce": "REINFORCE",
    "nsga2": "NSGA2",
    "bananas": "Bananas",
    "gp": "GaussianProcessSearch",
    "tpe": "TPE",
    "sh": "SuccessiveHalving",
    "hyperband": "Hyperband",
    "asha": "ASHA",
    "bohb": "BOHB",
}


def algorithm(name):
    """The class of that name, or of a name `module:Class` of one's own; UnknownAlgorithmError lists them.

    A `Search`, or a `MultiFidelitySearch`.

    >>> algorithm("re").name
    'regularized evolution'
    """
    module, colon, wanted = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not (all(map(str.isidentifier, module.split("."))) if colon else module in ALGORITHMS):
        raise UnknownAlgorithmError(
            f"unknown algorithm {name!r}; the algorithms are {', '.join(ALGORITHMS)}, or module:Class"
        )
    if not colon:
        module, wanted = f"blackbox.{name}", ALGORITHMS[name]
    try:
        found = vars(importlib.import_module(module)).get(wanted)
    except ImportError as error:
        raise UnknownAlgorithmError(f"algorithm {name!r} cannot be imported: {error}") from None
    if not (isinstance(found, type) and issubclass(found, (Search, MultiFidelitySearch))):
        raise UnknownAlgorithmError(f"algorithm {name!r}: {module} has no search {wanted}")
    return found
