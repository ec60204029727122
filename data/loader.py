"""Seeded batches of images that live on the device."""

from itertools import count

import numpy as np
import torch

from data.errors import DeviceError, InvalidArgumentError


class Loader:
    """Batches (images float32 (B, 3, H, W) channels_last, labels int64 (B,)) of some images of a data set.

    >>> from data.augment import Augment
    >>> from data.images import load
    >>> digits = load("digits")
    >>> loader = Loader(digits, range(100), batch=64, augment=Augment.training(digits), seed=1)
    >>> [len(labels) for _, labels in loader.epoch(0)]
    [64, 36]

    The loader has no state: an epoch's order and random draws come from the seed and the number of the epoch
    alone, so the batches of `epoch(e, start=b)` are those that a run from the beginning meets, bit for bit,
    and a checkpoint need only hold e and b. Draws are made on the CPU, so they do not depend on the device.

    `indices`: positions of the images that are used; None: all. `augment`: a `data.augment.Augment`.
    `shuffle`: a new order each epoch, else the order of `indices`. `drop_last`: leave out a last batch that
    would be smaller. `part`: (k, n) for the k-th of n parts of each batch, the same images and draws as the
    whole has there; parts are as equal as may be. Raises InvalidArgumentError, and DeviceError for a device
    that is not there.
    """

    def __init__(
        self,
        images,
        indices=None,
        *,
        batch,
        augment,
        device="cpu",
        seed=0,
        shuffle=True,
        drop_last=False,
        part=(0, 1),
    ):
        indices = np.arange(len(images)) if indices is None else _positions(indices, len(images))
        if not 1 <= batch <= len(indices):
            raise InvalidArgumentError(
                f"a batch has from 1 image to all {len(indices)} that are used, got {batch}"
            )
        if seed < 0:
            raise InvalidArgumentError(f"a seed is 0 or more, got {seed}")
        if not 0 <= part[0] < part[1]:
            raise InvalidArgumentError(f"a part is (k, n), the k-th of n from the 0th on, got {part}")
        self.device = _device(device)
        self.batch = batch
        self._pixels = torch.from_numpy(images.pixels[indices]).to(self.device)  # a copy of those used
        self._labels = torch.from_numpy(images.labels[indices]).to(self.device)
        self._augment = augment
        self._seed = seed
        self._shuffle = shuffle
        self._part = part
        self._batches = len(indices) // batch if drop_last else -(-len(indices) // batch)

    def __len__(self):
        """The number of batches in an epoch."""
        return self._batches

    def epoch(self, number, start=0):
        """The batches of an epoch, from batch `start` on; both count from 0."""
        if number < 0 or not 0 <= start <= len(self):
            raise InvalidArgumentError(
                f"an epoch is 0 or more, its first batch in 0..{len(self)}, got epoch {number}, batch {start}"
            )
        return self._epoch(number, start)

    def forever(self, start=0):
        """The batches of epoch 0, 1, 2, ... without end, from the `start`-th of them all on.

        For validation batches beside training batches: after b steps, `forever(b)` goes on where it was.
        """
        if start < 0:
            raise InvalidArgumentError(f"the first batch is 0 or more, got {start}")
        return self._forever(start)

    def _epoch(self, number, start):
        order, draws = self._drawn(number)
        for first in range(start * self.batch, len(self) * self.batch, self.batch):
            count = min(self.batch, len(order) - first)
            begin, end = part_of(count, *self._part)
            chosen = slice(first + begin, first + end)
            places = order[chosen]
            images = self._pixels[places]
            yield self._augment(images, None if draws is None else draws[chosen]), self._labels[places]

    def _forever(self, start):
        number, batch = divmod(start, len(self))
        for epoch in count(number):
            yield from self._epoch(epoch, batch if epoch == number else 0)

    def _drawn(self, epoch):
        """The order of the images, int64 (N,), and their draws, in that order, both on the device."""
        (state,) = np.random.SeedSequence([self._seed, epoch]).generate_state(1)
        generator = torch.Generator().manual_seed(int(state))
        number, height, width, _ = self._pixels.shape
        order = torch.randperm(number, generator=generator) if self._shuffle else torch.arange(number)
        draws = None
        if self._augment.random:
            draws = self._augment.draw(number, height, width, generator).to(self.device)
        return order.to(self.device), draws


def part_of(count, part, parts):
    """Where the k-th of n parts of so many images begins and ends.

    >>> [part_of(10, k, 3) for k in range(3)]
    [(0, 3), (3, 6), (6, 10)]
    """
    return count * part // parts, count * (part + 1) // parts


def _positions(indices, images):
    """Positions of images, int64 (n,); InvalidArgumentError if they are none, or not among the images."""
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


def _device(name):
    """A device that is there; DeviceError if it is not."""
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
