"""Settings of gradient-based searches."""

from dataclasses import dataclass

from nasbench.runs.settings import Settings, option
from oneshot.errors import ConfigError


@dataclass(frozen=True)
class SearchConfig(Settings):
    """Settings of a gradient-based search, by default as in NASLib (Ruchte et al. 2020), appendix A.1."""

    epochs: int = option(50, "passes over the training half", at_least=1)
    batch: int = option(64, "images per step from each half", at_least=2)
    learning_rate: float = option(0.025, "initial learning rate of the weights", above=0)
    learning_rate_min: float = option(
        0.001, "final learning rate of the weights, after the cosine", at_least=0
    )
    momentum: float = option(0.9, "momentum of the weights' SGD", at_least=0, below=1)
    nesterov: bool = option(False, "use Nesterov momentum")
    weight_decay: float = option(3e-4, "weight decay of the weights", at_least=0)
    grad_clip: float = option(
        5.0, "norm to which the weights' gradients are clipped; 5 in the code of Liu et al. 2019", above=0
    )
    exclude_none: bool = option(False, "never select `none`, as is usual in the DARTS space")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and self.momentum == 0:
            raise ConfigError("nesterov needs a momentum > 0, got 0")
        if self.learning_rate_min > self.learning_rate:
            raise ConfigError(
                f"learning_rate_min must be <= learning_rate {self.learning_rate},"
                f" got {self.learning_rate_min}"
            )


@dataclass(frozen=True)
class AlphaConfig(SearchConfig):
    """Settings of a method with architecture parameters."""

    arch_learning_rate: float = option(3e-4, "learning rate of the alphas' Adam", above=0)
    arch_weight_decay: float = option(1e-3, "weight decay of the alphas", at_least=0)
    first: str = option(
        "alphas", "parameters that each step updates first; the others follow", choices=("alphas", "weights")
    )
    clip_alphas: bool = option(
        True,
        "also clip the gradients of the alphas to --grad-clip, as in snippet 7 of the NASLib paper; Liu et"
        " al. and AutoDL-Projects clip only the weights' gradients",
    )
