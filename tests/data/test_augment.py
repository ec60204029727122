import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import transforms

from data.augment import Augment
from data.errors import InvalidArgumentError
from data.images import Images
from data.statistics import PUBLISHED
from tests.data import archives

STATISTICS = PUBLISHED["cifar10"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(augment, images, seed=0):
    return augment.draw(*images.shape[:3], generator(seed))


def slowly(augment, images, draws):
    """What Augment says it does, an image and a pixel at a time; float64 (B, 3, H, W)."""
    mean, std = (np.array(values) for values in augment.statistics)
    _, height, width, _ = images.shape
    results = []
    for image, (top, left, mirror, row, column) in zip(images.numpy(), draws.tolist(), strict=True):
        result = np.empty((height, width, 3))
        for y in range(height):
            for x in range(width):
                source_y, source_x = y + top - augment.pad, x + left - augment.pad
                inside = 0 <= source_y < height and 0 <= source_x < width
                result[y, x] = image[source_y, source_x] if inside else 0
        if augment.mirror and mirror:
            result = result[:, ::-1]
        result = (result - mean) / std
        if augment.cutout:
            reach = augment.cutout // 2
            top, left = max(row - reach, 0), max(column - reach, 0)
            result[top : min(row + reach, height), left : min(column + reach, width)] = 0
        results.append(result.transpose(2, 0, 1))
    return np.stack(results)


@given(
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 5),
    st.booleans(),
    st.integers(0, 12),
    st.integers(0, 10**6),
)
def test_it_does_what_the_slow_way_does(count, height, width, pad, mirror, cutout, seed):
    images = torch.from_numpy(archives.pixels(count, 9, seed)[:, :height, :width].copy())
    augment = Augment(STATISTICS, pad, mirror, cutout)
    draws = drawn(augment, images, seed)
    batch = augment(images, draws if augment.random else None)
    np.testing.assert_allclose(batch.numpy(), slowly(augment, images, draws), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("pad", "mirror"), [(4, False), (4, True), (0, True), (0, False)])
def test_it_does_what_torchvision_does(pad, mirror):
    """RandomCrop(32, padding), RandomHorizontalFlip, ToTensor, Normalize, with the same draws."""
    images = torch.from_numpy(archives.pixels(16))
    augment = Augment(STATISTICS, pad, mirror)
    draws = drawn(augment, images)
    batch = augment(images, draws)
    mean, std = ([value / 255 for value in values] for values in STATISTICS)
    normalize = transforms.Normalize(mean, std)
    for image, (top, left, flip, _, _), found in zip(images, draws.tolist(), batch, strict=True):
        theirs = transforms.functional.pad(image.permute(2, 0, 1), pad)
        theirs = transforms.functional.crop(theirs, top, left, 32, 32)
        theirs = transforms.functional.hflip(theirs) if mirror and flip else theirs
        torch.testing.assert_close(found, normalize(theirs / 255), rtol=1e-5, atol=1e-5)


def test_black_pixels_are_what_a_crop_brings_in():
    images = torch.full((1, 8, 8, 3), 255, dtype=torch.uint8)
    augment = Augment(STATISTICS, pad=2)
    corner = augment(images, torch.tensor([[0, 0, 0, 0, 0]]))[0, :, 0, 0]
    expected = [-mean / std for mean, std in zip(*STATISTICS, strict=True)]
    assert corner.tolist() == pytest.approx(expected)


def test_a_hole_is_clipped_at_the_borders():
    images = torch.full((3, 8, 8, 3), 255, dtype=torch.uint8)
    draws = torch.tensor([[0, 0, 0, 0, 0], [0, 0, 0, 7, 3], [0, 0, 0, 4, 4]])
    holes = (Augment(STATISTICS, cutout=4)(images, draws) == 0).all(dim=1)
    rows_and_columns = [((0, 1), (0, 1)), ((5, 7), (1, 4)), ((2, 5), (2, 5))]
    for hole, (rows, columns) in zip(holes, rows_and_columns, strict=True):
        y, x = torch.nonzero(hole, as_tuple=True)
        assert (y.min(), y.max(), x.min(), x.max()) == (*rows, *columns)
        assert len(y) == (rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1)


@pytest.mark.parametrize("augment", [Augment(STATISTICS), Augment(STATISTICS, 4, True, 16)])
@pytest.mark.parametrize("count", [1, 5])
def test_batches_are_float32_in_channels_last_memory(augment, count):
    images = torch.from_numpy(archives.pixels(count))
    batch = augment(images, drawn(augment, images))
    assert batch.dtype == torch.float32
    assert batch.shape == (count, 3, 32, 32)
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_the_images_are_left_as_they_are():
    images = torch.from_numpy(archives.pixels(4))
    before = images.clone()
    for augment in (Augment(STATISTICS), Augment(STATISTICS, 4, True, 16)):
        augment(images, drawn(augment, images))
        assert torch.equal(images, before)


def test_draws_are_uniform_and_in_range():
    augment = Augment(STATISTICS, 4, True, 16)
    draws = augment.draw(90_000, 32, 24, generator())
    assert draws.shape == (90_000, 5)
    for column, values in zip(draws.T, (9, 9, 2, 32, 24), strict=True):
        counts = torch.bincount(column)
        expected = 90_000 / values
        assert len(counts) == values
        assert (abs(counts - expected) < 6 * expected**0.5).all()


def test_draws_follow_from_the_generator():
    augment = Augment(STATISTICS, 4, True, 16)
    assert torch.equal(augment.draw(9, 8, 8, generator(1)), augment.draw(9, 8, 8, generator(1)))
    assert not torch.equal(augment.draw(9, 8, 8, generator(1)), augment.draw(9, 8, 8, generator(2)))


@pytest.mark.parametrize(("side", "pad"), [(32, 4), (28, 3), (16, 2), (8, 1)])
def test_training_pads_an_eighth(side, pad):
    images = Images("made", archives.pixels(2, side), np.array([0, 1]), ("a", "b"), STATISTICS)
    assert Augment.training(images) == Augment(STATISTICS, pad, mirror=True)
    assert Augment.training(images, cutout=16).cutout == 16
    assert Augment.evaluation(images) == Augment(STATISTICS)
    assert not Augment.evaluation(images).random


def test_digits_are_not_mirrored():
    images = Images("made", archives.pixels(2, 8), np.array([0, 1]), ("a", "b"), STATISTICS, mirrors=False)
    assert not Augment.training(images).mirror


@pytest.mark.parametrize(("name", "value"), [("pad", -1), ("cutout", -2), ("pad", 1.5), ("cutout", None)])
def test_lengths_are_whole_pixels(name, value):
    with pytest.raises(InvalidArgumentError, match=f"{name} must be an integer >= 0, in pixels, got {value}"):
        Augment(STATISTICS, **{name: value})


def test_statistics_are_checked():
    with pytest.raises(InvalidArgumentError, match="three means"):
        Augment(((1, 2, 3), (0, 0, 0)))


def test_draws_that_are_missing_or_not_of_the_images_are_refused():
    images = torch.from_numpy(archives.pixels(2))
    augment = Augment(STATISTICS, pad=4)
    with pytest.raises(
        InvalidArgumentError, match=r"2 images need draws of shape \(2, 5\), got None; use draw"
    ):
        augment(images)
    with pytest.raises(InvalidArgumentError, match=r"got \(3, 5\)"):
        augment(images, augment.draw(3, 32, 32, generator()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_batch():
    images = torch.from_numpy(archives.pixels(8))
    augment = Augment(STATISTICS, 4, True, 16)
    draws = drawn(augment, images)
    assert torch.equal(augment(images.cuda(), draws.cuda()).cpu(), augment(images, draws))
