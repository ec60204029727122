"""The batch of images from which proxies compute scores."""

from typing import NamedTuple

import torch
from torch import Tensor

from oneshot.errors import ProxyError


class Batch(NamedTuple):
    """Images, their labels, and a seed for random numbers.

    >>> batch = Batch.random(4, classes=10, size=8, seed=0)
    >>> batch.images.shape, batch.labels.tolist()
    (torch.Size([4, 3, 8, 8]), [0, 1, 2, 3])
    """

    #: normalized images, shape ``(N, C, H, W)``
    images: Tensor
    #: class numbers, shape ``(N,)``; None if the images are noise
    labels: Tensor | None
    #: number of classes
    classes: int
    #: seed for weights and images that a proxy samples
    seed: int = 0

    @classmethod
    def random(cls, count: int, classes: int, size: int, seed: int, labelled: bool = True) -> "Batch":
        """Return a batch of normal noise, three channels; if `labelled`, labels are 0, 1, 2, ... in turn."""
        generator = torch.Generator().manual_seed(seed)
        images = torch.randn(count, 3, size, size, generator=generator)
        return cls(images, torch.arange(count) % classes if labelled else None, classes, seed)

    def generator(self) -> torch.Generator:
        """Return a new random generator with the seed."""
        return torch.Generator().manual_seed(self.seed)

    def need_labels(self, name: str) -> Tensor:
        """Return the labels; raise ProxyError for the proxy `name` if there are none."""
        if self.labels is None:
            raise ProxyError(f"{name} needs images with labels; give a data set")
        return self.labels
