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


#: The published methods, by the names that commands know them by.
PUBLISHED_METHODS: dict[str, PublishedMethod] = {
    "darts+": PublishedMethod(
        "DARTS+",
        "Liang et al. 2019, arXiv:1909.06035",
        "darts",
        {"skip_limit": (2, "section 3.3, criterion 1")},
    ),
    "darts-es": PublishedMethod(
        "DARTS-ES",
        "Zela et al. 2020, arXiv:1909.09656",
        "darts",
        {
            "eigenvalue_ratio": (1.3, "the authors' code; 1 / 0.75 in section 4.3"),
            "eigenvalue_window": (5, "section 4.3"),
            "eigenvalue_start": (10, "the authors' code"),
        },
    ),
    "darts-pt": PublishedMethod(
        "DARTS-PT",
        "Wang et al. 2021, arXiv:2108.04392",
        "darts",
        {
            "select": ("perturbation", "algorithm 1"),
            "tune_epochs": (5, "the authors' code on NAS-Bench-201"),
        },
    ),
}
