"""Seeded batches of images on a device."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import torch
from numpy.typing import ArrayLike

from data.arrays import Positions
from data.augment import Augment
from data.errors import DeviceError, InvalidArgumentError
from data.images import Images

#: images, float32 ``(B, 3, H, W)`` in channels_last memory, and labels, int64 ``(B,)``
Batch = tuple[torch.Tensor, torch.Tensor]


class Loader:
    """Seeded batches of the images of a data set, kept on a device.

    >>> from data import Augment, load
    >>> digits = load("digits")
    >>> loader = Loader(digits, range(100), batch=64, augment=Augment.training(digits), seed=1)
    >>> [len(labels) for _, labels in loader.epoch(0)]
    [64, 36]

    A batch has images, float32 (B, 3, H, W) in channels_last memory, and labels, int64 (B,).

    The loader has no state: the order and the random numbers of an epoch depend only on the seed and the
    number of the epoch. `epoch(e, start=b)` therefore continues bit for bit like an uninterrupted run, and a
    checkpoint needs only e and b. Random numbers are sampled on the CPU and are identical on every device.

    Parameters
    ----------
    images
        The data set.
    indices
        Positions of the images to use, integers, shape ``(n,)``; by default all images.
    batch
        Images per batch, from 1 to the number of images.
    augment
        Normalization and augmentation of the images.
    device
        Device of images and labels: cpu, cuda or cuda:N.
    seed
        Seed of the order and the augmentation, >= 0.
    shuffle
        Whether to shuffle each epoch; otherwise images keep the order of `indices`.
    drop_last
        Whether to drop a smaller last batch.
    part
        (k, n) for the k-th of n parts of each batch, with the same images and random numbers as in the whole
        batch; 0 <= k < n. Sizes of the parts differ by at most 1.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of range.
    DeviceError
        If the device does not exist on this machine.
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
                f"batch must be between 1 and {len(positions)} (all images), got {batch}"
            )
        if seed < 0:
            raise InvalidArgumentError(f"seed must be >= 0, got {seed}")
        if not 0 <= part[0] < part[1]:
            raise InvalidArgumentError(f"part must be (k, n) with 0 <= k < n, got {part}")
        self.device = _device(device)
        self.batch = batch
        self._pixels = torch.from_numpy(images.pixels[positions]).to(self.device)  # a copy of the used images
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
        """Return the batches of an epoch.

        Parameters
        ----------
        number
            Number of the epoch, counted from 0.
        start
            First batch, counted from 0.

        Returns
        -------
        iterator of Batch
            Images, float32 ``(B, 3, H, W)``, and labels, int64 ``(B,)``.

        Raises
        ------
        InvalidArgumentError
            If `number` or `start` is out of range.
        """
        if number < 0 or not 0 <= start <= len(self):
            raise InvalidArgumentError(
                f"number must be >= 0 and start in [0, {len(self)}], got number {number} and start {start}"
            )
        return self._epoch(number, start)

    def forever(self, start: int = 0) -> Iterator[Batch]:
        """Return the batches of epochs 0, 1, 2, ... without end.

        This gives validation batches in step with training batches: after b steps, `forever(b)` continues.

        Parameters
        ----------
        start
            First batch, counted from 0 over all epochs.

        Returns
        -------
        iterator of Batch
            As for `epoch`.

        Raises
        ------
        InvalidArgumentError
            If `start` is negative.
        """
        if start < 0:
            raise InvalidArgumentError(f"start must be >= 0, got {start}")
        return self._forever(start)

    def _epoch(self, number: int, start: int) -> Iterator[Batch]:
        order, draws = self._sampled(number)
        for first in range(start * self.batch, len(self) * self.batch, self.batch):
            count = min(self.batch, len(order) - first)
            begin, end = part_bounds(count, *self._part)
            chosen = slice(first + begin, first + end)
            positions = order[chosen]
            images = self._augment(self._pixels[positions], None if draws is None else draws[chosen])
            yield images, self._labels[positions]

    def _forever(self, start: int) -> Iterator[Batch]:
        number, batch = divmod(start, len(self))
        for epoch in count(number):
            yield from self._epoch(epoch, batch if epoch == number else 0)

    def _sampled(self, epoch: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the order of the images, int64 (N,), and the draws in that order, both on the device."""
        (state,) = np.random.SeedSequence([self._seed, epoch]).generate_state(1)
        generator = torch.Generator().manual_seed(int(state))
        number, height, width, _ = self._pixels.shape
        order = torch.randperm(number, generator=generator) if self._shuffle else torch.arange(number)
        draws = None
        if self._augment.random:
            draws = self._augment.draw(number, height, width, generator).to(self.device)
        return order.to(self.device), draws


def part_bounds(count: int, part: int, parts: int) -> tuple[int, int]:
    """Return start and end of part `part` of `count` images, which are divided into `parts` parts.

    >>> [part_bounds(10, k, 3) for k in range(3)]
    [(0, 3), (3, 6), (6, 10)]
    """
    return count * part // parts, count * (part + 1) // parts


def _positions(indices: ArrayLike, images: int) -> Positions:
    """Return positions of images as int64 (n,); raise InvalidArgumentError if they are out of range."""
    positions = np.asarray(indices)
    if positions.ndim != 1 or not positions.size or positions.dtype.kind not in "iu":
        raise InvalidArgumentError(
            f"indices must be a non-empty list of integers, got {positions.dtype} {positions.shape}"
        )
    if positions.min() < 0 or positions.max() >= images:
        raise InvalidArgumentError(
            f"indices must be in [0, {images - 1}] for {images} images, got values in"
            f" [{positions.min()}, {positions.max()}]"
        )
    return positions.astype(np.int64)


def _device(name: str | torch.device) -> torch.device:
    """Return a device; raise DeviceError if it does not exist on this machine."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"unknown device {name!r}; try 'cpu' or 'cuda'") from error
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # depending on the build of torch
        reason = str(error).splitlines()[0]
        raise DeviceError(f"the device {name} cannot be used here ({reason}); try --device cpu") from error
    return device
