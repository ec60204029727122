"""Published methods that combine an implemented method with parts: their settings, each with its source."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PublishedMethod:
    """A published combination of a method with settings and parts."""

    #: name in the paper
    title: str
    #: authors, year and arXiv number
    paper: str
    #: name of the method that it extends
    method: str
    #: {setting of the method or of a part: (value, source)}
    settings: dict[str, tuple[Any, str]]  # each setting has its own type
    #: {space: settings that differ there}
    in_spaces: dict[str, dict[str, tuple[Any, str]]] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:  # each value has its own type
        """The settings without their sources."""
        return self.values_in(None)

    def values_in(self, space: str | None) -> dict[str, Any]:  # each value has its own type
        """Return the settings in a space, without their sources."""
        settings = self.settings | self.in_spaces.get(space or "", {})
        return {name: value for name, (value, _) in settings.items()}


def _with_source(source: str, **settings: Any) -> dict[str, tuple[Any, str]]:  # as in a PublishedMethod
    return {name: (value, source) for name, value in settings.items()}


_SDARTS = "Chen & Hsieh 2020, arXiv:2002.05283; sources are files of the authors' code"


def _perturbed(kind: str) -> dict[str, tuple[Any, str]]:  # as in a PublishedMethod
    return {
        **_with_source(
            "sota/cnn/train_search.py",
            epochs=50,
            batch=64,
            learning_rate=0.025,
            learning_rate_min=0.001,
            momentum=0.9,
            nesterov=False,
            weight_decay=3e-4,
            grad_clip=5.0,
            first="alphas",
            order=1,
            arch_learning_rate=3e-4,
            arch_weight_decay=1e-3,
            perturb=kind,
            perturb_epsilon=0.3,
            perturb_epsilon_start=0.03,
        ),
        **_with_source("optimizers/darts/architect.py", clip_alphas=False),
        **_with_source("attacker/perturb.py", perturb_steps=7),
    }


# Files in the authors' repositories
_FAIR, _BETA = "fairdarts/train_search.py", "optimizers/darts/architect.py"
_ROBUST = "src/search/train_search.py"

#: published methods by their names on the command line
PUBLISHED_METHODS: dict[str, PublishedMethod] = {
    "pc-darts": PublishedMethod(
        "PC-DARTS",
        "Xu et al. 2020, arXiv:1907.05737; sources are files of the authors' code for CIFAR-10",
        "darts",
        {
            **_with_source(
                "train_search.py",
                epochs=50,
                batch=256,
                learning_rate=0.1,
                learning_rate_min=0.0,
                momentum=0.9,
                nesterov=False,
                weight_decay=3e-4,
                grad_clip=5.0,
                clip_alphas=False,
                first="alphas",
                order=1,
                arch_learning_rate=6e-4,
                arch_weight_decay=1e-3,
                warm_up=15,
            ),
            **_with_source("model_search.py", partial_channels=4, edge_normalization=True),
        },
    ),
    "sdarts-rs": PublishedMethod("SDARTS-RS", _SDARTS, "darts", _perturbed("random")),
    "sdarts-adv": PublishedMethod("SDARTS-ADV", _SDARTS, "darts", _perturbed("adversarial")),
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
        "Zela et al. 2020, arXiv:1909.09656; one of several factors, of which the paper selects the best",
        "darts",
        {
            "decay_factor": (27.0, "81e-4, as in nasbench201/train_search.py of beta-DARTS"),
            "first": ("alphas", _ROBUST),
            "clip_alphas": (False, _ROBUST),
        },
    ),
    "r-darts-dp": PublishedMethod(
        "R-DARTS (DP)",
        "Zela et al. 2020, arXiv:1909.09656; without their Cutout of the same schedule",
        "darts",
        {
            "search_drop_path": (0.2, "src/search/args.py"),
            "first": ("alphas", _ROBUST),
            "clip_alphas": (False, _ROBUST),
        },
    ),
    "oles": PublishedMethod(
        "OLES",
        "Jiang et al. 2023, NeurIPS; sources are files of the authors' code",
        "darts",
        {
            **_with_source(
                "train_search.py",
                oles_threshold=0.4,
                oles_window=20,
                oles_validation="added",
                epochs=50,
                batch=64,
                learning_rate=0.025,
                learning_rate_min=0.001,
                weight_decay=3e-4,
                grad_clip=5.0,
                first="alphas",
                arch_learning_rate=3e-4,
                arch_weight_decay=1e-3,
            ),
            **_with_source("architect.py", clip_alphas=False),
        },
    ),
    "asap": PublishedMethod(
        "ASAP",
        "Noy et al. 2019, arXiv:1904.04123; values as in the reimplementation of UniNAS",
        "darts",
        _with_source(
            "uninas/methods/asap.py",
            prune_below=0.4,
            anneal_start=1.6,
            anneal_factor=0.95,
            anneal_grace=1.0,
        ),
    ),
    "p-darts": PublishedMethod(
        "P-DARTS",
        "Chen et al. 2019, arXiv:1904.12760; sources are files of the authors' code for the DARTS space",
        "darts",
        {
            **_with_source(
                "train_search.py",
                epochs=75,  # three stages of 25
                batch=96,
                learning_rate=0.025,
                learning_rate_min=0.0,
                momentum=0.9,
                nesterov=False,
                weight_decay=3e-4,
                grad_clip=5.0,
                clip_alphas=True,
                first="alphas",
                order=1,
                arch_learning_rate=6e-4,
                arch_weight_decay=1e-3,
                stage_candidates=(8, 5, 3),
                stage_warm_up=10,
                stage_weights="new",
            ),
            "stage_cells": ((5, 11, 17), "README.md: 6 and 12 more than --layers"),
            "stage_skip_dropout": ((0.1, 0.4, 0.7), "README.md"),
            "final_skips": (2, "section 3.3 of the paper; the code reports all numbers from 8 to 0"),
        },
    ),
    "drnas-progressive": PublishedMethod(
        "DrNAS with progressive learning",
        "Chen et al. 2021, arXiv:2006.10355; sources are files of the authors' code",
        "drnas",
        {
            **_with_source(
                "201-space/train_search_progressive.py",
                epochs=100,  # two stages of 50
                batch=64,
                learning_rate=0.025,
                learning_rate_min=0.001,
                momentum=0.9,
                nesterov=False,
                weight_decay=3e-4,
                grad_clip=5.0,
                arch_learning_rate=3e-4,
                arch_weight_decay=1e-3,
                stage_candidates=(5, 3),
                stage_partial_channels=(4, 2),
                stage_warm_up=10,
                first="alphas",
            ),
            **_with_source("architect.py", clip_alphas=False, divergence=0.0),
            **_with_source("net2wider.py", stage_weights="kept"),
        },
        {
            "darts": _with_source(
                "DARTS-space/train_search.py, with 36 channels and 20 cells; that space has no none",
                epochs=50,  # two stages of 25
                learning_rate=0.1,
                learning_rate_min=0.0,
                arch_learning_rate=6e-4,
                stage_candidates=(8, 4),
                stage_partial_channels=(6, 4),
            ),
        },
    ),
}


def get_title(method: str, default: str) -> str:
    """Return the title of the published method with this name; `default` for other methods."""
    published = PUBLISHED_METHODS.get(method)
    return default if published is None else published.title
