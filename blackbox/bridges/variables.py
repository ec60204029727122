"""The named variables of a space, for other tools, and their conversion to the codes of searches."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np

from blackbox.errors import ConfigError, ObjectiveError, UnknownValueError
from blackbox.search.loop import Objective
from blackbox.search.scores import FAILED
from blackbox.search.space import CategoricalSpace
from nasbench.cell import EDGES, OPERATIONS
from nasbench.runs.checks import integer
from nasbench.size import LAYERS, WIDTHS
from nasbench.spaces import SIZE, TOPOLOGY, Space

Values = Mapping[str, Any]  # a point: the value of each variable, of any hashable type


class Variables:
    """Named categorical variables; a point is a mapping {name: value}, or its code in `space`.

    >>> variables = Variables.from_space(SIZE)
    >>> variables.decode(11)
    {'layer1': 8, 'layer2': 8, 'layer3': 8, 'layer4': 16, 'layer5': 32}
    >>> variables.code(variables.decode(11)), Variables.from_space(TOPOLOGY).decode(9)["1->3"]
    (11, 'skip_connect')

    The variables of NAS-Bench-201 are its six edges, and their values are the operations. The variables of
    the size space are the widths of its five layers. Codes are the same as in `nasbench`.

    Parameters
    ----------
    values
        The values of each variable, ``{name: values}``, at least one per variable.

    Raises
    ------
    ConfigError
        If a value is not hashable or is repeated, or if there are fewer than two points.
    """

    values: dict[str, tuple[Any, ...]]  #: the values of each variable
    space: CategoricalSpace  #: the search space, for searches

    def __init__(self, values: Mapping[str, Iterable[Any]]) -> None:
        self.values = {name: tuple(allowed) for name, allowed in values.items()}
        self.space = CategoricalSpace(tuple(map(len, self.values.values())))
        self._numbers: dict[str, dict[Any, int]] = {}
        for name, allowed in self.values.items():
            try:
                numbers = {value: number for number, value in enumerate(allowed)}
            except TypeError:
                raise ConfigError(
                    "the values of a variable must be hashable, such as tuples instead of lists;"
                    f" got {name}: {allowed}"
                ) from None
            if len(numbers) < len(allowed):
                raise ConfigError(f"the values of a variable must differ, got {name}: {allowed}")
            self._numbers[name] = numbers

    @classmethod
    def from_space(cls, space: Space) -> Self:
        """Return the variables of a search space.

        Parameters
        ----------
        space
            A space of `nasbench.spaces`.

        Returns
        -------
        Self
            Its variables.
        """
        return cls(_OF_TABLES[space.flag])

    def code(self, values: Values) -> int:
        """Return the code of a point.

        Parameters
        ----------
        values
            The point, ``{name: value}``.

        Returns
        -------
        int
            The code.

        Raises
        ------
        UnknownValueError
            If a variable or a value does not exist.
        """
        if values.keys() != self.values.keys():
            raise UnknownValueError(
                f"variables must be {', '.join(self.values)}; got {', '.join(map(str, values)) or 'none'}"
            )
        code = 0
        for name, numbers in self._numbers.items():
            try:
                code = code * len(numbers) + numbers[values[name]]
            except (KeyError, TypeError):  # TypeError: a value that is not hashable
                allowed = ", ".join(map(str, numbers))
                raise UnknownValueError(f"{name} must be one of {allowed}; got {values[name]!r}") from None
        return code

    def decode(self, code: int) -> dict[str, Any]:
        """Return the values of a point.

        Parameters
        ----------
        code
            Code of the point.

        Returns
        -------
        dict[str, Any]
            The values of the variables, ``{name: value}``.

        Raises
        ------
        UnknownValueError
            If the code is not in the space.
        """
        number = integer(code)
        if number is None or not 0 <= number < self.space.size:
            raise UnknownValueError(f"code must be an integer in [0, {self.space.size - 1}], got {code!r}")
        digits = self.space.digits(number).tolist()
        return {
            name: allowed[digit] for (name, allowed), digit in zip(self.values.items(), digits, strict=True)
        }


_OF_TABLES: dict[str, dict[str, Iterable[Any]]] = {
    TOPOLOGY.flag: {f"{source}->{target}": OPERATIONS for source, target in EDGES},
    SIZE.flag: {f"layer{number}": WIDTHS for number in range(1, LAYERS + 1)},
}


def as_objective(
    function: Callable[[Values], float], variables: Variables, minimize: bool = False
) -> Objective:
    """Return a function of {name: value} as an objective of `blackbox.search.run`.

    >>> from blackbox.re import RegularizedEvolution
    >>> from blackbox.search import run
    >>> variables = Variables({"layers": (2, 4, 8), "width": (16, 32, 64)})
    >>> objective = as_objective(lambda values: values["layers"] * values["width"], variables, minimize=True)
    >>> history = run(RegularizedEvolution(variables.space), objective, evals=50)
    >>> variables.decode(history.incumbent()[0])
    {'layers': 2, 'width': 16}

    Parameters
    ----------
    function
        Function from a point, ``{name: value}``, to a number; NaN counts as a failed evaluation. For
        exceptions, see `on_failure` of `blackbox.search.run`.
    variables
        Variables of the search space.
    minimize
        Whether lower numbers are better.

    Returns
    -------
    Objective
        Function from codes, shape ``(T,)``, to scores, shape ``(T,)``. It raises an ObjectiveError if
        `function` does not return a number.
    """
    return lambda codes: np.array([_score(function(variables.decode(c)), minimize) for c in codes])


def _score(value: object, minimize: bool) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # any type may convert
    except (TypeError, ValueError):
        raise ObjectiveError(f"the objective must return a number, got {value!r}") from None
    if number != number:
        return FAILED
    return -number if minimize else number
