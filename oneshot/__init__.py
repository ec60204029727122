"""Supernets that search by gradient: a graph language for spaces, its compiler, DARTS, GDAS and more."""

from importlib.util import find_spec
from os.path import dirname
from typing import TYPE_CHECKING

# A package of the same name in the folder where a command runs, which is first on the path, would hide ours.
# The same check is in blackbox/__init__.py, because code that both could share may itself be hidden.
# With this `name`, `python -m` reports the error in one line.
for _name in ("nasbench", "data"):
    _spec = find_spec(_name)
    _origin = _spec.origin if _spec is not None else None
    if _origin is None or dirname(dirname(_origin)) != dirname(dirname(__file__)):
        raise ImportError(
            f"{_origin or 'nothing'} is imported as the package {_name}, instead of that of nas-toolkit;"
            " rename it, or run the command in another folder",
            name=__name__,
        )

from nasbench.faces import lazy, public_names  # noqa: E402, only after the check

if TYPE_CHECKING:
    from oneshot.errors import ConfigError as ConfigError
    from oneshot.errors import GenotypeError as GenotypeError
    from oneshot.errors import GraphError as GraphError
    from oneshot.errors import OneShotError as OneShotError
    from oneshot.graph import Graph as Graph
    from oneshot.methods.base import MetaOptimizer as MetaOptimizer
    from oneshot.methods.base import Step as Step
    from oneshot.methods.config import AlphaConfig as AlphaConfig
    from oneshot.methods.config import SearchConfig as SearchConfig
    from oneshot.methods.darts import DARTS as DARTS
    from oneshot.methods.darts import DARTSConfig as DARTSConfig
    from oneshot.methods.drnas import DrNAS as DrNAS
    from oneshot.methods.drnas import DrNASConfig as DrNASConfig
    from oneshot.methods.gdas import GDAS as GDAS
    from oneshot.methods.gdas import GDASConfig as GDASConfig
    from oneshot.methods.recipes import recipe_settings as recipe_settings
    from oneshot.methods.registry import MethodName as MethodName
    from oneshot.methods.registry import method_of as method_of
    from oneshot.methods.rsws import RSWS as RSWS
    from oneshot.methods.rsws import RSWSConfig as RSWSConfig
    from oneshot.mixed import MixedOp as MixedOp
    from oneshot.mixed import Mixture as Mixture
    from oneshot.spaces.architectures import Architecture as Architecture
    from oneshot.spaces.base import Diagram as Diagram
    from oneshot.spaces.base import Sizes as Sizes
    from oneshot.spaces.base import Space as Space
    from oneshot.spaces.darts import DARTSSearchSpace as DARTSSearchSpace
    from oneshot.spaces.genotype import Genotype as Genotype
    from oneshot.spaces.genotype import Hierarchy as Hierarchy
    from oneshot.spaces.hierarchical import HierarchicalSearchSpace as HierarchicalSearchSpace
    from oneshot.spaces.nb201 import NasBench201SearchSpace as NasBench201SearchSpace
    from oneshot.spaces.published import PUBLISHED as PUBLISHED
    from oneshot.spaces.registry import SpaceName as SpaceName
    from oneshot.spaces.registry import architecture_of as architecture_of
    from oneshot.spaces.registry import space_of as space_of

_MODULES = public_names(__file__)
__all__ = list(_MODULES)
__getattr__ = lazy(_MODULES)
