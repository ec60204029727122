"""Black-box search on tabular benchmarks: which cell is best?

Each algorithm is a module and a command: `blackbox.re`, `blackbox.rs`, …; `blackbox.compare` runs several,
`blackbox.report` shows runs as a page. The public names below are imported when they are first used.

>>> from blackbox import NB201_SPACE, RegularizedEvolution, TableObjective, run
>>> from nasbench import NB201
>>> history = run(RegularizedEvolution(NB201_SPACE), TableObjective(NB201(), "cifar10", "val_accuracy"), 1000)
>>> history.scores.shape
(1, 1000)
"""

from importlib.util import find_spec
from os.path import dirname
from typing import TYPE_CHECKING

# A package of the same name in the folder where a command runs, which is first on the path, would hide ours.
# The same check is in oneshot/__init__.py, because code that both could share may itself be hidden.
# With this `name`, `python -m` reports the error in one line.
_spec = find_spec("nasbench")
_origin = _spec.origin if _spec is not None else None
if _origin is None or dirname(dirname(_origin)) != dirname(dirname(__file__)):
    raise ImportError(
        f"{_origin or 'nothing'} is imported as the package nasbench, instead of that of nas-toolkit;"
        " rename it, or run the command in another folder",
        name=__name__,
    )

from nasbench.faces import lazy  # noqa: E402, only after the check

if TYPE_CHECKING:
    from blackbox.algorithms import algorithm as algorithm
    from blackbox.asha import ASHA as ASHA
    from blackbox.bananas import Bananas as Bananas
    from blackbox.bananas import BananasConfig as BananasConfig
    from blackbox.bohb import BOHB as BOHB
    from blackbox.bohb import BOHBConfig as BOHBConfig
    from blackbox.bridges.table import NamedTable as NamedTable
    from blackbox.bridges.variables import Variables as Variables
    from blackbox.bridges.variables import as_objective as as_objective
    from blackbox.errors import BlackboxError as BlackboxError
    from blackbox.gp import GaussianProcessConfig as GaussianProcessConfig
    from blackbox.gp import GaussianProcessSearch as GaussianProcessSearch
    from blackbox.hyperband import Hyperband as Hyperband
    from blackbox.kinds.reader import read_run as read_run
    from blackbox.ls import LocalSearch as LocalSearch
    from blackbox.ls import LocalSearchConfig as LocalSearchConfig
    from blackbox.nsga2 import NSGA2 as NSGA2
    from blackbox.nsga2 import NSGA2Config as NSGA2Config
    from blackbox.predictors.base import Predictor as Predictor
    from blackbox.re import EvolutionConfig as EvolutionConfig
    from blackbox.re import RegularizedEvolution as RegularizedEvolution
    from blackbox.reinforce import REINFORCE as REINFORCE
    from blackbox.reinforce import ReinforceConfig as ReinforceConfig
    from blackbox.results.statistics import compare_pair as compare_pair
    from blackbox.results.statistics import critical_difference as critical_difference
    from blackbox.results.statistics import friedman as friedman
    from blackbox.results.statistics import holm as holm
    from blackbox.results.statistics import mean_interval as mean_interval
    from blackbox.results.statistics import median_interval as median_interval
    from blackbox.results.statistics import share_interval as share_interval
    from blackbox.rs import RandomSearch as RandomSearch
    from blackbox.search.base import Search as Search
    from blackbox.search.fidelity import Job as Job
    from blackbox.search.fidelity import MultiFidelitySearch as MultiFidelitySearch
    from blackbox.search.fidelity import RungsConfig as RungsConfig
    from blackbox.search.history import History as History
    from blackbox.search.jobs import JobHistory as JobHistory
    from blackbox.search.loop import run as run
    from blackbox.search.model_based import ModelBasedConfig as ModelBasedConfig
    from blackbox.search.model_based import ModelBasedSearch as ModelBasedSearch
    from blackbox.search.pareto import crowding as crowding
    from blackbox.search.pareto import fronts as fronts
    from blackbox.search.pareto import hypervolume as hypervolume
    from blackbox.search.pareto import nondominated as nondominated
    from blackbox.search.scores import FAILED as FAILED
    from blackbox.search.space import NB201_SPACE as NB201_SPACE
    from blackbox.search.space import SSS_SPACE as SSS_SPACE
    from blackbox.search.space import CategoricalSpace as CategoricalSpace
    from blackbox.sh import HalvingConfig as HalvingConfig
    from blackbox.sh import SuccessiveHalving as SuccessiveHalving
    from blackbox.table.curves import Curves as Curves
    from blackbox.table.objective import PairObjective as PairObjective
    from blackbox.table.objective import TableObjective as TableObjective
    from blackbox.table.settings import PairConfig as PairConfig
    from blackbox.table.settings import RunConfig as RunConfig
    from blackbox.table.settings import SimulationConfig as SimulationConfig
    from blackbox.table.simulator import simulate as simulate
    from blackbox.tpe import TPE as TPE
    from blackbox.tpe import TPEConfig as TPEConfig

_NAMES = {
    "algorithms": "algorithm",
    "asha": "ASHA",
    "bananas": "Bananas BananasConfig",
    "bohb": "BOHB BOHBConfig",
    "bridges.table": "NamedTable",
    "bridges.variables": "Variables as_objective",
    "errors": "BlackboxError",
    "gp": "GaussianProcessConfig GaussianProcessSearch",
    "hyperband": "Hyperband",
    "kinds.reader": "read_run",
    "ls": "LocalSearch LocalSearchConfig",
    "nsga2": "NSGA2 NSGA2Config",
    "predictors.base": "Predictor",
    "re": "EvolutionConfig RegularizedEvolution",
    "reinforce": "REINFORCE ReinforceConfig",
    "results.statistics": "compare_pair critical_difference friedman holm"
    " mean_interval median_interval share_interval",
    "rs": "RandomSearch",
    "search.base": "Search",
    "search.fidelity": "Job MultiFidelitySearch RungsConfig",
    "search.history": "History",
    "search.jobs": "JobHistory",
    "search.loop": "run",
    "search.model_based": "ModelBasedConfig ModelBasedSearch",
    "search.pareto": "crowding fronts hypervolume nondominated",
    "search.scores": "FAILED",
    "search.space": "CategoricalSpace NB201_SPACE SSS_SPACE",
    "sh": "HalvingConfig SuccessiveHalving",
    "table.curves": "Curves",
    "table.objective": "PairObjective TableObjective",
    "table.settings": "PairConfig RunConfig SimulationConfig",
    "table.simulator": "simulate",
    "tpe": "TPE TPEConfig",
}
_MODULES = {name: f"blackbox.{module}" for module in _NAMES for name in _NAMES[module].split()}
__all__ = sorted(_MODULES)
if not TYPE_CHECKING:  # else type checkers would accept any name
    __getattr__ = lazy(_MODULES)
