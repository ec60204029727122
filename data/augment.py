"""Random crop, flip, normalization and Cutout of whole batches, on the device of the images."""

from dataclasses import dataclass
from functools import lru_cache

import torch

from data.errors import InvalidArgumentError
from data.images import Images
from data.statistics import Statistics

_TOP, _LEFT, _MIRROR, _ROW, _COLUMN = range(5)  # columns of the draws


@dataclass(frozen=True)
class Augment:
    """Normalization and augmentation of batches.

    Images are converted from uint8 (B, H, W, 3) to float32 (B, 3, H, W) in channels_last memory.

    >>> import torch
    >>> from data import PUBLISHED
    >>> augment = Augment(PUBLISHED["cifar10"], pad=4, mirror=True, cutout=16)
    >>> images = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
    >>> augment(images, augment.draw(2, 32, 32, torch.Generator().manual_seed(0))).shape
    torch.Size([2, 3, 32, 32])

    Random numbers are sampled by `draw` on the CPU and are therefore identical on every device. The
    augmentation is the same as in DARTS (Liu et al. 2019):

    - Crop: `pad` black pixels are added on each side, and the image is cropped to its size at a uniformly
      random position. Normalization turns the black pixels into -mean/std.
    - Flip: left and right are exchanged with probability 1/2.
    - Cutout (DeVries & Taylor 2017): a square of `cutout` pixels is set to zero after normalization. It is
      centred on a uniformly random pixel and clipped at the borders. An odd `cutout` acts as `cutout - 1`.

    Parameters
    ----------
    statistics, pad, mirror, cutout
        See the attributes.

    Raises
    ------
    InvalidArgumentError
        If `pad` or `cutout` is not an integer >= 0, or the statistics cannot normalize pixels.

    References
    ----------
    Liu et al. 2019, arXiv:1806.09055. DeVries & Taylor 2017, arXiv:1708.04552.
    """

    #: mean and standard deviation of the channels, in pixel values 0..255
    statistics: Statistics
    #: pixels added on each side before the crop; 0 disables the crop
    pad: int = 0
    #: whether half of the images are flipped
    mirror: bool = False
    #: side of the hole in pixels; 0 disables Cutout
    cutout: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "statistics", Statistics(*self.statistics).checked())
        for name in ("pad", "cutout"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise InvalidArgumentError(f"{name} must be an integer >= 0, in pixels, got {value!r}")

    @classmethod
    def training(cls, images: Images, cutout: int = 0) -> "Augment":
        """Return the augmentation for training: crop, Cutout, and flips if they keep the class.

        The padding is an eighth of the height: 4 of CIFAR's 32 pixels and 2 of ImageNet16's 16, as published
        (Dong & Yang 2020, arXiv:2001.00326).

        Parameters
        ----------
        images
            The data set.
        cutout
            Side of the hole in pixels; 0 disables Cutout.
        """
        return cls(images.statistics, images.pixels.shape[1] // 8, images.mirrors, cutout)

    @classmethod
    def evaluation(cls, images: Images) -> "Augment":
        """Return the augmentation for evaluation of `images`, which is normalization only."""
        return cls(images.statistics)

    @property
    def random(self) -> bool:
        """Whether the augmentation is random."""
        return bool(self.pad or self.mirror or self.cutout)

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
        """Sample the random numbers of a batch.

        All columns are sampled, even if they are not used.

        Parameters
        ----------
        count
            Number of images.
        height, width
            Size of the images in pixels.
        generator
            Generator on the CPU.

        Returns
        -------
        Tensor
            Int64, shape ``(count, 5)``: row and column of the crop's corner in the padded image, whether to
            flip, row and column of the hole's centre.
        """
        ends = (2 * self.pad + 1, 2 * self.pad + 1, 2, height, width)
        return torch.stack([torch.randint(end, (count,), generator=generator) for end in ends], dim=1)

    def __call__(self, images: torch.Tensor, draws: torch.Tensor | None = None) -> torch.Tensor:
        """Augment and normalize a batch.

        Parameters
        ----------
        images
            Uint8, shape ``(B, H, W, 3)``.
        draws
            Random numbers from `draw`, int64, shape ``(B, 5)``, on the device of the images; None if the
            augmentation is not random.

        Returns
        -------
        Tensor
            Float32, shape ``(B, 3, H, W)``, in channels_last memory.

        Raises
        ------
        InvalidArgumentError
            If `draws` is missing or has another shape.
        """
        if not self.random:
            return self._normalized(images).permute(0, 3, 1, 2)
        if draws is None or draws.shape != (len(images), 5):
            shape = None if draws is None else tuple(draws.shape)
            raise InvalidArgumentError(
                f"{len(images)} images need draws of shape ({len(images)}, 5), got {shape}; use draw()"
            )
        batch = self._normalized(self._moved(images, draws) if self.pad or self.mirror else images)
        if self.cutout:
            batch.masked_fill_(self._holes(batch, draws)[..., None], 0)
        return batch.permute(0, 3, 1, 2)  # memory is unchanged: channels last

    def _moved(self, images: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        """Return the cropped and flipped images, with a single gather of pixels."""
        count, height, width, channels = images.shape
        rows = torch.arange(height, device=images.device) + draws[:, _TOP, None]  # (B, H)
        columns = torch.arange(width, device=images.device).expand(count, width)
        if self.mirror:
            columns = torch.where(draws[:, _MIRROR, None] == 1, width - 1 - columns, columns)
        columns = columns + draws[:, _LEFT, None]  # (B, W)
        padded = torch.nn.functional.pad(images, (0, 0, *(self.pad,) * 4))
        height, width = padded.shape[1:3]
        rows = (
            rows + height * torch.arange(count, device=images.device)[:, None]
        )  # rows of all images, stacked
        return padded.view(-1, channels)[rows[:, :, None] * width + columns[:, None, :]]  # (B, H, W, 3)

    def _normalized(self, images: torch.Tensor) -> torch.Tensor:
        """Return the images as float32, (value - mean) / std."""
        count, height, width, channels = images.shape
        mean, std = _row(self.statistics, width, images.device)
        batch = images.reshape(count * height, width * channels).to(torch.float32)
        return batch.sub_(mean).div_(std).view(count, height, width, channels)

    def _holes(self, batch: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        """Return a mask of the holes, bool (B, H, W)."""
        _, height, width, _ = batch.shape

        def within(length: int, centres: torch.Tensor) -> torch.Tensor:
            distance = torch.arange(length, device=batch.device) - centres[:, None]
            return (-(self.cutout // 2) <= distance) & (distance < self.cutout // 2)

        return within(height, draws[:, _ROW])[:, :, None] & within(width, draws[:, _COLUMN])[:, None, :]


@lru_cache(maxsize=16)
def _row(statistics: Statistics, width: int, device: torch.device) -> torch.Tensor:
    """Return mean and standard deviation of the values of a row of pixels, float32 (2, 3 * width).

    A whole row, because an inner loop over three values is slow; cached, because each copy to a GPU would
    synchronize with it.
    """
    return torch.tensor(statistics, dtype=torch.float32, device=device).repeat(1, width)
