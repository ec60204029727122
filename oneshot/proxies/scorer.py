"""Scoring of networks, which are built and initialized with each seed."""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from data.augment import Augment
from data.errors import MissingFileError
from data.images import load
from data.loader import Loader
from nasbench.metrics import DATASETS
from oneshot.errors import ConfigError, ProxyError
from oneshot.proxies.batch import Batch
from oneshot.proxies.passes import sharing
from oneshot.proxies.registry import PROXIES, get_proxy
from oneshot.proxies.settings import NO_IMAGES, ProxyEnvironment, ProxySettings
from oneshot.spaces.architectures import Architecture
from oneshot.spaces.registry import get_space

if TYPE_CHECKING:
    from oneshot.proxies.registry import Proxy

_SUBSTITUTE = "digits"
Scores = list[dict[str, float | None]]  # by proxy, one dictionary per seed; None if NaN or infinite


@dataclass(frozen=True)
class Scorer:
    """Scorer of architectures, which can be pickled for another process."""

    #: settings of the run
    settings: ProxySettings
    #: one batch per seed
    batches: Sequence[Batch]

    def score(self, architecture: Architecture) -> Scores:
        """Return the scores of an architecture for each seed."""
        network = self._build(architecture)
        names = sorted(self.settings.computed, key=lambda name: [*PROXIES, name].index(name))
        scores: Scores = []
        for batch in self.batches:
            initialize(network, batch.seed)
            with sharing():
                scores.append(
                    {
                        name: _score(name, network, batch)
                        for name in names
                        if batch.seed in self.settings.list_seeds(name)
                    }
                )
        return scores

    def _build(self, architecture: Architecture) -> nn.Module:
        """Return the network of an architecture; torch's random state does not change."""
        space, settings = get_space(architecture.space), self.settings
        channels = settings.channels or space.searched.channels
        depth = settings.depth or space.searched.cells
        classes = DATASETS[settings.dataset].classes
        with torch.random.fork_rng(devices=[]):
            return space.network(architecture.value, classes, channels, depth)


def initialize(network: nn.Module, seed: int) -> None:
    """Initialize all layers like torch, with a seed; torch's random state does not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
                module.reset_parameters()


def _score(name: str, network: nn.Module, batch: Batch) -> float | None:
    proxy = get_proxy(name)
    value: Any = _isolated(proxy, network, batch) if ":" in name else proxy(network, batch)
    wrong = ProxyError(f"the proxy {name} must return a number, got {value!r}")
    if isinstance(value, str):
        raise wrong
    try:
        number = float(value)
    except OverflowError:
        return None
    except (TypeError, ValueError):
        raise wrong from None
    return number if math.isfinite(number) else None


def _isolated(proxy: "Proxy", network: nn.Module, batch: Batch) -> object:
    """Return a custom proxy's value; it may change its copies, and torch's random numbers have the seed."""
    labels = None if batch.labels is None else batch.labels.clone()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(batch.seed)
        value: object = proxy(deepcopy(network), batch._replace(images=batch.images.clone(), labels=labels))
    return value.detach() if isinstance(value, torch.Tensor) else value


def read_batches(settings: ProxySettings, environment: ProxyEnvironment) -> tuple[list[Batch], list[str]]:
    """Return one batch per seed, and notes about images that replace the data set's images."""
    dataset = DATASETS[settings.dataset]
    notes: list[str] = []
    if settings.images == NO_IMAGES:
        size = dataset.image_size
        return [
            Batch.random(settings.batch, dataset.classes, size, seed, labelled=False)
            for seed in range(settings.seeds)
        ], notes
    try:
        images = load(settings.images or dataset.name, environment.folder, download=environment.download)
    except MissingFileError as error:
        if settings.images is not None:
            raise
        images = load(_SUBSTITUTE)
        notes.append(
            f"{error}: scores use enlarged images of digits instead; this does not affect params, flops,"
            " l2_norm, synflow and zen, but it changes ranks by other proxies (docs/proxies.md)"
        )
    if len(images.classes) > dataset.classes:
        raise ConfigError(
            f"{images.name} has {len(images.classes)} classes, but a network for {dataset.name} has"
            f" {dataset.classes}"
        )
    return [
        _batch(
            next(
                iter(
                    Loader(
                        images,
                        None,
                        batch=settings.batch,
                        augment=Augment.evaluation(images),
                        seed=seed,
                        device="cpu",
                    ).epoch(0)
                )
            ),
            dataset.image_size,
            dataset.classes,
            seed,
        )
        for seed in range(settings.seeds)
    ], notes


def _batch(loaded: tuple[torch.Tensor, torch.Tensor], size: int, classes: int, seed: int) -> Batch:
    """Return a loaded batch with images resized to size × size."""
    images, labels = loaded
    if images.shape[2:] != (size, size):
        images = nn.functional.interpolate(images, (size, size), mode="bilinear", align_corners=False)
    return Batch(images, labels, classes, seed)
