"""The algorithms by name: each is a module `blackbox.NAME` and a command `python -m blackbox.NAME`."""

import importlib
from contextlib import suppress
from typing import Any

from blackbox.errors import UnknownAlgorithmError
from blackbox.search.base import Search
from blackbox.search.fidelity import MultiFidelitySearch

SearchClass = type[Search[Any]] | type[MultiFidelitySearch[Any]]

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


def algorithm(name: object) -> SearchClass:
    """Return the search class with a name.

    >>> algorithm("re").name
    'regularized evolution'

    Parameters
    ----------
    name
        A key of `ALGORITHMS`, or ``"module:Class"`` for a custom algorithm.

    Returns
    -------
    SearchClass
        A subclass of `Search` or `MultiFidelitySearch`.

    Raises
    ------
    UnknownAlgorithmError
        If there is no such algorithm, or if it cannot be imported.
    """
    module, colon, class_name = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not (all(map(str.isidentifier, module.split("."))) if colon else module in ALGORITHMS):
        raise UnknownAlgorithmError(
            f"unknown algorithm {name!r}; choose from {', '.join(ALGORITHMS)}, or give module:Class"
        )
    if not colon:
        module, class_name = f"blackbox.{module}", ALGORITHMS[module]
    try:
        search_class = vars(importlib.import_module(module)).get(class_name)
    except ImportError as error:
        raise UnknownAlgorithmError(f"algorithm {name!r} cannot be imported: {error}") from None
    if not (isinstance(search_class, type) and issubclass(search_class, (Search, MultiFidelitySearch))):
        raise UnknownAlgorithmError(f"algorithm {name!r}: {module} has no search class {class_name}")
    return search_class


def find_short_name(algorithm_name: str) -> str | None:
    """Return the short name of an algorithm from its name in reports; None for a custom algorithm."""
    for short in ALGORITHMS:
        with suppress(UnknownAlgorithmError):
            if algorithm(short).name == algorithm_name:
                return short
    return None
