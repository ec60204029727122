"""A benchmark's table as other tools ask it: by the values of variables, in the metric's own unit."""

from blackbox.bridges.variables import Variables
from blackbox.table.objective import TableObjective


class NamedTable:
    """A metric of the cells of a benchmark, by {name: value}.

    >>> from nasbench import NB201, Cell
    >>> table = NamedTable(NB201(), "cifar10", "val_accuracy")
    >>> values = table.variables.values_of(Cell.from_index(6111).code)
    >>> values["0->1"], table.value(values), table.higher_is_better, table.cell(values).index
    ('nor_conv_3x3', 91.60666665039064, True, 6111)

    `signal`: what a search sees instead, as of a `TableObjective`, such as val_accuracy@12. `where`: limits
    as for `Benchmark.feasible`; the value of a cell outside them is infinitely bad, -inf or inf.
    """

    def __init__(self, benchmark, dataset, metric, *, signal=None, where=None):
        self._objective = TableObjective(benchmark, dataset, metric, signal=signal, where=where)
        self._cell = benchmark.space.cell
        self.variables = Variables.of(benchmark.space)
        self.higher_is_better = self._objective.signal.higher_is_better

    def value(self, values):
        """The metric, in its own unit."""
        score = self._score(values)
        return score if self.higher_is_better else -score

    def loss(self, values):
        """The metric, negated where higher is better: what a tool that minimizes is given."""
        return -self._score(values)

    def cell(self, values):
        """The Cell or SizeCell."""
        return self._cell(self.variables.code(values))

    def _score(self, values):
        return self._objective.scores.item(self.variables.code(values))
