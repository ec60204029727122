"""A benchmark's table for other tools, looked up by the values of variables."""

from typing import TYPE_CHECKING

from blackbox.bridges.variables import Values, Variables
from blackbox.table.objective import TableObjective
from nasbench.benchmark import Benchmark
from nasbench.constraints import Where

if TYPE_CHECKING:
    from nasbench.coded import CodedCell


class NamedTable:
    """A metric of the cells of a benchmark, looked up by {name: value}.

    >>> from nasbench import NB201, Cell
    >>> table = NamedTable(NB201(), "cifar10", "val_accuracy")
    >>> values = table.variables.decode(Cell.from_index(6111).code)
    >>> values["0->1"], table.value(values), table.higher_is_better, table.cell(values).index
    ('nor_conv_3x3', 91.60666665039064, True, 6111)

    Parameters
    ----------
    benchmark, dataset, metric, signal, where
        As for `blackbox.table.objective.TableObjective`. Values are read from the signal; infeasible cells
        have -inf, or inf if lower is better.

    Raises
    ------
    ConfigError, NotRecordedError
        As for `blackbox.table.objective.TableObjective`.
    """

    variables: Variables  #: the variables of the search space
    higher_is_better: bool  #: whether higher values of the metric are better

    def __init__(
        self,
        benchmark: Benchmark,
        dataset: str,
        metric: str,
        *,
        signal: str | None = None,
        where: Where | None = None,
    ) -> None:
        self._objective = TableObjective(benchmark, dataset, metric, signal=signal, where=where)
        self._cell = benchmark.space.cell
        self.variables = Variables.from_space(benchmark.space)
        self.higher_is_better = self._objective.signal.higher_is_better

    def value(self, values: Values) -> float:
        """Return the metric of a point, in the metric's unit.

        Parameters
        ----------
        values
            The point, ``{name: value}``.

        Returns
        -------
        float
            The value.

        Raises
        ------
        UnknownValueError
            If a variable or a value does not exist.
        """
        score = self._score(values)
        return score if self.higher_is_better else -score

    def loss(self, values: Values) -> float:
        """Return the metric of a point for tools that minimize, negated if higher is better.

        Parameters
        ----------
        values
            The point, ``{name: value}``.

        Returns
        -------
        float
            The loss; lower is better.

        Raises
        ------
        UnknownValueError
            If a variable or a value does not exist.
        """
        return -self._score(values)

    def cell(self, values: Values) -> "CodedCell":
        """Return the cell of a point.

        Parameters
        ----------
        values
            The point, ``{name: value}``.

        Returns
        -------
        CodedCell
            The cell.

        Raises
        ------
        UnknownValueError
            If a variable or a value does not exist.
        """
        return self._cell(self.variables.code(values))

    def _score(self, values: Values) -> float:
        return self._objective.scores.item(self.variables.code(values))
