"""Published methods that are a method of ours with parts: their settings, each with its source."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PublishedMethod:
    """A published combination: {setting of the method or of a part: (value, source)}."""

    title: str
    paper: str
    method: str
    settings: dict[str, tuple[Any, str]]  # each setting has its own type

    @property
    def values(self) -> dict[str, Any]:  # so have their values
        """The settings without their sources."""
        return {name: value for name, (value, _) in self.settings.items()}


# files in the authors' repositories
_FAIR, _BETA = "fairdarts/train_search.py", "optimizers/darts/architect.py"
_ROBUST = "src/search/train_search.py"
#: The published methods, by the names that commands know them by.
PUBLISHED_METHODS: dict[str, PublishedMethod] = {
    "fair-darts": PublishedMethod(
        "FairDARTS with the zero-one loss",
        "Chu et al. 2020, arXiv:1911.12126",  # their Adam has beta1 = 0.9, here 0.5
        "fairdarts",
        {
            "zero_one": (10.0, _FAIR),
            "epochs": (50, _FAIR),
            "batch": (128, _FAIR),
            "learning_rate": (0.005, _FAIR),
            "arch_learning_rate": (3e-3, _FAIR),
            "first": ("alphas", _FAIR),
            "clip_alphas": (False, "fairdarts/architect.py"),
        },
    ),
    "beta-darts": PublishedMethod(
        "beta-DARTS",
        "Ye et al. 2022, arXiv:2203.01665",
        "darts",
        {
            "beta_decay": (50.0, _BETA),
            "epochs": (100, "nasbench201/train_search.py"),
            "first": ("alphas", "nasbench201/train_search.py"),
            "clip_alphas": (False, _BETA),
        },
    ),
    "r-darts-l2": PublishedMethod(
        "R-DARTS (L2)",
        "Zela et al. 2020, arXiv:1909.09656; one of the factors of which the paper takes the best",
        "darts",
        {
            "decay_factor": (27.0, "81e-4, as nasbench201/train_search.py of beta-DARTS names it"),
            "first": ("alphas", _ROBUST),
            "clip_alphas": (False, _ROBUST),
        },
    ),
    "r-darts-dp": PublishedMethod(
        "R-DARTS (DP)",
        "Zela et al. 2020, arXiv:1909.09656; without Cutout of equal schedule",
        "darts",
        {
            "search_drop_path": (0.2, "src/search/args.py"),
            "first": ("alphas", _ROBUST),
            "clip_alphas": (False, _ROBUST),
        },
    ),
}
