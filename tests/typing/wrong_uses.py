"""Wrong uses of the public interface; type checkers must reject each marked line, and no other.

Nothing here is run.
"""

import numpy as np
from torch import Tensor, nn

from blackbox import (
    ASHA,
    NB201_SPACE,
    EvolutionConfig,
    LocalSearchConfig,
    NamedTable,
    RegularizedEvolution,
    Search,
    TableObjective,
    mean_interval,
    read_run,
    run,
)
from blackbox import RegularisedEvolution  # rejected: attr-defined
from blackbox.search import EvolutionConfig as Config  # rejected: attr-defined
from data import Augment, Loader, load
from nasbench import NB201, Cell
from nasbench import Cells  # rejected: attr-defined
from oneshot import (
    DARTS,
    GDAS,
    DARTSConfig,
    Graph,
    MetaOptimizer,
    NasBench201SearchSpace,
    Sizes,
    parse_architecture,
)
from oneshot import Darts  # rejected: attr-defined
from oneshot.search import SearchSettings, search

# lookups
bench = NB201()
bench.query(6111.0, "cifar10", "val_accuracy")  # rejected: arg-type
bench.query(6111, "cifar10", "val_accuracy", protocol="12")  # rejected: arg-type
bench.query(6111, "cifar10", "val_accuracy", seeds=777)  # rejected: call-arg
bench.query(6111, "cifar10")  # rejected: call-arg
bench.query(6111, "cifar10", "val_accuracy").mean()  # rejected: attr-defined
accuracies: list[float] = bench.columns("cifar10", "val_accuracy")  # rejected: assignment
Cell("|none~0|")  # rejected: arg-type
Cell.from_index("6111")  # rejected: arg-type
Cell(6111).operations  # rejected: attr-defined
Cell(6111).index = 0  # rejected: misc

# searches
objective = TableObjective(bench, "cifar10", "val_accuracy")
run(RegularizedEvolution, objective, evals=100)  # rejected: arg-type
run(RegularizedEvolution(NB201_SPACE), objective, evals="100")  # rejected: arg-type
run(RegularizedEvolution(NB201_SPACE), lambda: [0.0], evals=100)  # rejected: arg-type
RegularizedEvolution(NB201_SPACE, LocalSearchConfig())  # rejected: arg-type
RegularizedEvolution(NB201_SPACE, trials=1.5)  # rejected: arg-type
EvolutionConfig(populations=10)  # rejected: call-arg
EvolutionConfig(population=10).population = 5  # rejected: misc
NamedTable(bench, "cifar10", 1)  # rejected: arg-type
ASHA(NB201_SPACE, 81).tell(Cell(0), 1.0)  # rejected: arg-type
mean_interval([90.0, 91.0], confidence=0.9)  # rejected: call-arg
read_run(12)  # rejected: arg-type


class Lazy(Search[EvolutionConfig]):
    """A search that does not ask."""


Lazy(NB201_SPACE)  # rejected: abstract


class Wordy(Search[EvolutionConfig]):
    """A search that asks in words."""

    def ask(self, pending: int = 0) -> str:  # rejected: override
        return "|none~0|"


# images
load("cifar10").train.image_size  # rejected: attr-defined
Loader("cifar10", batch=64)  # rejected: arg-type, call-arg
Augment(crop=4)  # rejected: call-arg

# one-shot search
DARTSConfig(epochs="50")  # rejected: arg-type
DARTS(GDAS())  # rejected: arg-type
DARTS().adapt_search_space("nb201")  # rejected: arg-type
SearchSettings(method=DARTS)  # rejected: arg-type
search("darts")  # rejected: arg-type
NasBench201SearchSpace("small")  # rejected: arg-type
Sizes("16", 5)  # rejected: arg-type
Graph("cell").add_edges_densely(1, 2)  # rejected: call-arg
parse_architecture(3, "nb201")  # rejected: arg-type
DARTS().step(data_train=np.zeros(3), data_val=np.zeros(3))  # rejected: arg-type


class Half(MetaOptimizer[DARTSConfig]):
    """A method without steps."""

    def mixed(self, primitives: list[nn.Module]) -> Tensor:  # rejected: override
        raise NotImplementedError


Half()  # rejected: abstract
