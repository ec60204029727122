"""Seeded batches of images that live on the device."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import torch
from numpy.typing import ArrayLike

from data.arrays import Positions
from data.augment import Augment
from data.errors import DeviceError, InvalidArgumentError
from data.images import Images

#: Images, float32 ``(B, 3, H, W)`` in channels_last memory, and their labels, int64 ``(B,)``.
Batch = tuple[torch.Tensor, torch.Tensor]


class Loader:
    """Batches (images float32 (B, 3, H, W) channels_last, labels int64 (B,)) of some images of a data set.

    >>> from data import Augment, load
    >>> digits = load("digits")
    >>> loader = Loader(digits, range(100), batch=64, augment=Augment.training(digits), seed=1)
    >>> [len(labels) for _, labels in loader.epoch(0)]
    [64, 36]

    The loader has no state: an epoch's order and random draws come from the seed and the number of the epoch
    alone. The batches of `epoch(e, start=b)` are therefore those that a run from the beginning meets, bit for
    bit, and a checkpoint needs only e and b. Random numbers are drawn on the CPU, whatever the device.

    Parameters
    ----------
    images
        The data set.
    indices
        Positions of the images to use, integers ``(n,)``; None: all.
    batch
        Images per batch.
    augment
        Turns pixels into normalized, perhaps augmented, images.
    device
        Where images and labels live: cpu, cuda or cuda:N.
    seed
        Seed of the orders and the augmentation, at least 0.
    shuffle
        Whether each epoch has a new order, else the order of `indices`.
    drop_last
        Whether to leave out a last batch that would be smaller.
    part
        (k, n) for the k-th of n parts of each batch, the same images and draws as the whole batch has there;
        sizes differ by 1 at most.

    Raises
    ------
    InvalidArgumentError
        If a value is out of its range.
    DeviceError
        If this machine does not have the device.
    """

    def __init__(
        self,
        images: Images,
        indices: ArrayLike | None = None,
        *,
        batch: int,
        augment: Augment,
        device: str | torch.device = "cpu",
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        positions = np.arange(len(images)) if indices is None else _positions(indices, len(images))
        if not 1 <= batch <= len(positions):
            raise InvalidArgumentError(
                f"a batch has from 1 image to all {len(positions)} that are used, got {batch}"
            )
        if seed < 0:
            raise InvalidArgumentError(f"a seed is 0 or more, got {seed}")
        if not 0 <= part[0] < part[1]:
            raise InvalidArgumentError(f"a part is (k, n), the k-th of n from the 0th on, got {part}")
        self.device = _device(device)
        self.batch = batch
        self._pixels = torch.from_numpy(images.pixels[positions]).to(self.device)  # a copy of those used
        self._labels = torch.from_numpy(images.labels[positions]).to(self.device)
        self._augment = augment
        self._seed = seed
        self._shuffle = shuffle
        self._part = part
        self._batches = len(positions) // batch if drop_last else -(-len(positions) // batch)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self._batches

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Return the batches of an epoch, from batch `start` on; both count from 0."""
        if number < 0 or not 0 <= start <= len(self):
            raise InvalidArgumentError(
                f"an epoch is 0 or more, its first batch in 0..{len(self)}, got epoch {number}, batch {start}"
            )
        return self._epoch(number, start)

    def forever(self, start: int = 0) -> Iterator[Batch]:
        """Return the batches of epochs 0, 1, 2, ... without end, from the `start`-th of them all on.

        For validation batches in step with training batches: after b steps, `forever(b)` continues.
        """
        if start < 0:
            raise InvalidArgumentError(f"the first batch is 0 or more, got {start}")
        return self._forever(start)

    def _epoch(self, number: int, start: int) -> Iterator[Batch]:
        order, draws = self._sampled(number)
        for first in range(start * self.batch, len(self) * self.batch, self.batch):
            count = min(self.batch, len(order) - first)
            begin, end = part_of(count, *self._part)
            chosen = slice(first + begin, first + end)
            positions = order[chosen]
            images = self._augment(self._pixels[positions], None if draws is None else draws[chosen])
            yield images, self._labels[positions]

    def _forever(self, start: int) -> Iterator[Batch]:
        number, batch = divmod(start, len(self))
        for epoch in count(number):
            yield from self._epoch(epoch, batch if epoch == number else 0)

    def _sampled(self, epoch: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the order of the images, int64 (N,), and their draws in that order, both on the device."""
        (state,) = np.random.SeedSequence([self._seed, epoch]).generate_state(1)
        generator = torch.Generator().manual_seed(int(state))
        number, height, width, _ = self._pixels.shape
        order = torch.randperm(number, generator=generator) if self._shuffle else torch.arange(number)
        draws = None
        if self._augment.random:
            draws = self._augment.draw(number, height, width, generator).to(self.device)
        return order.to(self.device), draws


def part_of(count: int, part: int, parts: int) -> tuple[int, int]:
    """Return where the k-th of n parts of `count` images begins and ends.

    >>> [part_of(10, k, 3) for k in range(3)]
    [(0, 3), (3, 6), (6, 10)]
    """
    return count * part // parts, count * (part + 1) // parts


def _positions(indices: ArrayLike, images: int) -> Positions:
    """Return positions of images, int64 (n,); InvalidArgumentError unless they are positions of images."""
    positions = np.asarray(indices)
    if positions.ndim != 1 or not positions.size or positions.dtype.kind not in "iu":
        raise InvalidArgumentError(
            f"indices are a list of positions, one at least, got {positions.dtype} {positions.shape}"
        )
    if positions.min() < 0 or positions.max() >= images:
        raise InvalidArgumentError(
            f"indices of {images} images are in 0..{images - 1}, got {positions.min()}..{positions.max()}"
        )
    return positions.astype(np.int64)


def _device(name: str | torch.device) -> torch.device:
    """Return a device of this machine; DeviceError if it has no such device."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"no device is called {name!r}; 'cpu' and 'cuda' are") from error
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # by the build of torch
        reason = str(error).splitlines()[0]
        raise DeviceError(
            f"the device {name} cannot be used here ({reason}); --device cpu would do"
        ) from error
    return device
