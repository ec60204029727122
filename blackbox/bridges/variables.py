"""The variables of a space by name, as other tools have them, and the codes that our searches have."""

import numpy as np

from blackbox.errors import ConfigError, ObjectiveError, UnknownValueError
from blackbox.search.scores import FAILED
from blackbox.search.space import CategoricalSpace
from nasbench.cell import EDGES, OPERATIONS
from nasbench.runs.checks import integer
from nasbench.size import LAYERS, WIDTHS
from nasbench.spaces import SIZE, TOPOLOGY


class Variables:
    """Categorical variables with names; a point is its values, {name: value}, or its code in `space`.

    >>> variables = Variables.of(SIZE)
    >>> variables.values_of(11)
    {'layer1': 8, 'layer2': 8, 'layer3': 8, 'layer4': 16, 'layer5': 32}
    >>> variables.code(variables.values_of(11)), Variables.of(TOPOLOGY).values_of(9)["1->3"]
    (11, 'skip_connect')

    The variables of NAS-Bench-201 are its six edges, their values the operations; those of the size space are
    the widths of its five layers. Codes are those of `nasbench`.
    """

    def __init__(self, values):
        """`values`: {name: its values, at least one}."""
        self.values = {name: tuple(allowed) for name, allowed in values.items()}
        self.space = CategoricalSpace(tuple(map(len, self.values.values())))
        self._numbers = {}
        for name, allowed in self.values.items():
            try:
                numbers = {value: number for number, value in enumerate(allowed)}
            except TypeError:
                raise ConfigError(
                    "the values of a variable can be looked up, as a tuple can and a list cannot;"
                    f" got {name}: {allowed}"
                ) from None
            if len(numbers) < len(allowed):
                raise ConfigError(f"the values of a variable differ; got {name}: {allowed}")
            self._numbers[name] = numbers

    @classmethod
    def of(cls, space):
        """Those of a `nasbench.spaces.Space`."""
        return cls(_OF_TABLES[space.flag])

    def code(self, values):
        """The code of a value for each variable, a mapping; UnknownValueError says what does not fit."""
        if values.keys() != self.values.keys():
            raise UnknownValueError(
                f"the variables are {', '.join(self.values)}; got {', '.join(map(str, values)) or 'none'}"
            )
        code = 0
        for name, numbers in self._numbers.items():
            try:
                code = code * len(numbers) + numbers[values[name]]
            except (KeyError, TypeError):  # TypeError: it cannot be looked up, as a list
                allowed = ", ".join(map(str, numbers))
                raise UnknownValueError(f"the values of {name} are {allowed}; got {values[name]!r}") from None
        return code

    def values_of(self, code):
        """The values that a code stands for, {name: value}."""
        number = integer(code)
        if number is None or not 0 <= number < self.space.size:
            raise UnknownValueError(f"a code is an integer in [0, {self.space.size - 1}], got {code!r}")
        digits = self.space.digits(number).tolist()
        return {
            name: allowed[digit] for (name, allowed), digit in zip(self.values.items(), digits, strict=True)
        }


_OF_TABLES = {
    TOPOLOGY.flag: {f"{source}->{target}": OPERATIONS for source, target in EDGES},
    SIZE.flag: {f"layer{number}": WIDTHS for number in range(1, LAYERS + 1)},
}


def as_objective(function, variables, minimize=False):
    """An objective of our searches, from codes (T,) to scores (T,), by a function of {name: value}.

    `minimize`: lower is better in what the function gives. NaN counts as a failed evaluation; for what it
    raises, see `blackbox.search.run`.

    >>> from blackbox.re import RegularizedEvolution
    >>> from blackbox.search import run
    >>> variables = Variables({"layers": (2, 4, 8), "width": (16, 32, 64)})
    >>> objective = as_objective(lambda values: values["layers"] * values["width"], variables, minimize=True)
    >>> history = run(RegularizedEvolution(variables.space), objective, evals=50)
    >>> variables.values_of(history.incumbent()[0])
    {'layers': 2, 'width': 16}
    """
    return lambda codes: np.array([_score(function(variables.values_of(c)), minimize) for c in codes])


def _score(value, minimize):
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ObjectiveError(f"an objective gives a number, got {value!r}") from None
    if number != number:
        return FAILED
    return -number if minimize else number
