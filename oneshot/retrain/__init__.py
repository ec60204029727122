"""Training from scratch of an architecture, such as one that a search found, and testing it."""

from typing import TYPE_CHECKING

from nasbench.faces import lazy, public_names

if TYPE_CHECKING:
    from oneshot.retrain.report import RetrainResult as RetrainResult
    from oneshot.retrain.session import resume as resume
    from oneshot.retrain.session import retrain as retrain
    from oneshot.retrain.settings import RetrainSettings as RetrainSettings
    from oneshot.retrain.weights import load_network as load_network
    from oneshot.spaces.architectures import Architecture as Architecture
    from oneshot.training.environment import Environment as Environment

_MODULES = public_names(__file__)
__all__ = list(_MODULES)
__getattr__ = lazy(_MODULES)
