"""What proxies are given in addition to a network."""

from typing import NamedTuple

import torch
from torch import Tensor

from oneshot.errors import ProxyError


class Batch(NamedTuple):
    """Images, their labels, and the seed of what a proxy draws itself.

    >>> batch = Batch.random(4, classes=10, size=8, seed=0)
    >>> batch.images.shape, batch.labels.tolist()
    (torch.Size([4, 3, 8, 8]), [0, 1, 2, 3])
    """

    #: Normalized images, shape ``(N, C, H, W)``.
    images: Tensor
    #: The numbers of their classes, shape ``(N,)``; None without images: then the images are noise.
    labels: Tensor | None
    #: The number of classes.
    classes: int
    #: The seed of weights and images that a proxy draws itself.
    seed: int = 0

    @classmethod
    def random(cls, count: int, classes: int, size: int, seed: int, labelled: bool = True) -> "Batch":
        """Return a batch of normal noise, three channels; `labelled`: with labels in turn."""
        generator = torch.Generator().manual_seed(seed)
        images = torch.randn(count, 3, size, size, generator=generator)
        return cls(images, torch.arange(count) % classes if labelled else None, classes, seed)

    def generator(self) -> torch.Generator:
        """Return a new generator of random numbers."""
        return torch.Generator().manual_seed(self.seed)

    def need_labels(self, name: str) -> Tensor:
        """Return the labels; ProxyError if there are no images."""
        if self.labels is None:
            raise ProxyError(f"{name} needs images, and there are none; name a data set")
        return self.labels
