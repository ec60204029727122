from itertools import islice

import numpy as np
import pytest
import torch

from data.augment import Augment
from data.errors import DeviceError, InvalidArgumentError
from data.images import Images
from data.loader import Loader
from data.statistics import PUBLISHED, Statistics
from tests.data import archives

COUNT = 50
PLAIN = Augment(Statistics((0, 0, 0), (1, 1, 1)))  # leaves pixel values as they are


def made(count=COUNT):
    """Images whose first pixel is the image's position."""
    pixels = archives.pixels(count, 8)
    pixels[:, 0, 0, 0] = np.arange(count)
    return Images("made", pixels, np.arange(count) % 7, tuple("abcdefg"), PUBLISHED["cifar10"])


def loader(indices=None, **options):
    images = made()
    return Loader(images, indices, **{"batch": 8, "augment": Augment.training(images, cutout=4)} | options)


def positions(batches):
    return [x.item() for images, _ in batches for x in images[:, 0, 0, 0]]


def equal(found, expected):
    found, expected = list(found), list(expected)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])


def test_an_epoch_gives_each_image_once_with_its_label():
    batches = list(loader(augment=PLAIN).epoch(0))
    assert sorted(positions(batches)) == list(range(COUNT))
    labels = torch.cat([labels for _, labels in batches])
    assert labels.dtype == torch.int64
    assert labels.tolist() == [position % 7 for position in positions(batches)]
    assert [len(labels) for _, labels in batches] == [8] * 6 + [2]
    assert all(images.is_contiguous(memory_format=torch.channels_last) for images, _ in batches)


def test_pixels_are_those_of_the_images():
    images = made()
    batches = torch.cat([batch for batch, _ in loader(augment=PLAIN, shuffle=False).epoch(0)])
    np.testing.assert_array_equal(batches.permute(0, 2, 3, 1), images.pixels)


def test_a_last_batch_that_is_smaller_may_be_left_out():
    whole, cut = loader(seed=3), loader(seed=3, drop_last=True)
    assert (len(whole), len(cut)) == (7, 6)
    equal(cut.epoch(1), list(whole.epoch(1))[:6])
    assert len(loader(range(48))) == len(loader(range(48), drop_last=True)) == 6


def test_only_the_images_named_are_used():
    chosen = [40, 3, 17, 5, 3]
    assert positions(loader(chosen, batch=2, augment=PLAIN, shuffle=False).epoch(0)) == chosen
    assert sorted(positions(loader(np.array(chosen), batch=2, augment=PLAIN).epoch(0))) == sorted(chosen)


def test_orders_differ_between_epochs_and_seeds_and_follow_from_both():
    orders = {
        (seed, epoch): tuple(positions(loader(augment=PLAIN, seed=seed).epoch(epoch)))
        for seed in range(4)
        for epoch in range(4)
    }
    assert len(set(orders.values())) == 16
    again = loader(augment=PLAIN, seed=2)
    assert all(tuple(positions(again.epoch(epoch))) == orders[2, epoch] for epoch in (3, 0, 3))


def test_without_shuffling_the_order_is_that_of_the_indices_but_draws_differ():
    still = loader(shuffle=False)
    first, second = (list(still.epoch(epoch)) for epoch in (0, 1))
    assert all(torch.equal(ours[1], theirs[1]) for ours, theirs in zip(first, second, strict=True))
    assert not torch.equal(first[0][0], second[0][0])


def test_an_epoch_is_the_same_reached_directly_or_after_others():
    used = loader(seed=1)
    for epoch in range(3):
        list(used.epoch(epoch))
    equal(used.epoch(3), loader(seed=1).epoch(3))


@pytest.mark.parametrize("start", range(8))
def test_an_interrupted_epoch_goes_on_bit_for_bit(start):
    equal(loader().epoch(2, start), list(loader().epoch(2))[start:])


def test_two_epochs_may_be_under_way_at_once():
    both = loader()
    pairs = list(zip(both.epoch(0), both.epoch(1), strict=True))
    equal([first for first, _ in pairs], loader().epoch(0))
    equal([second for _, second in pairs], loader().epoch(1))


@pytest.mark.parametrize("start", [0, 1, 6, 7, 8, 20])
def test_an_endless_stream_is_the_epochs_one_after_another(start):
    endless = loader()
    expected = [batch for epoch in range(5) for batch in endless.epoch(epoch)]
    equal(islice(loader().forever(start), 12), expected[start : start + 12])


def test_the_loader_keeps_pixels_of_its_own():
    images = made()
    kept = Loader(images, batch=8, augment=PLAIN)
    before = list(kept.epoch(0))
    images.pixels[:] = 0
    equal(kept.epoch(0), before)


def test_pixels_that_cannot_be_written_to_are_read():
    images = made()
    images.pixels.flags.writeable = images.labels.flags.writeable = False
    assert len(list(Loader(images, batch=8, augment=PLAIN).epoch(0))) == 7


def test_nothing_seeds_the_process():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    list(loader().epoch(0))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("batch", [0, -1, 51])
def test_a_batch_is_no_larger_than_the_data(batch):
    with pytest.raises(
        InvalidArgumentError, match=rf"batch must be between 1 and 50 \(all images\), got {batch}"
    ):
        loader(batch=batch)
    with pytest.raises(InvalidArgumentError, match=r"between 1 and 3 \(all images\), got 8"):
        loader([1, 2, 3])


@pytest.mark.parametrize("indices", [[], [[1, 2]], [0.5], [True, False], ["a"], 3])
def test_indices_are_positions(indices):
    with pytest.raises(InvalidArgumentError, match="indices must be a non-empty list of integers, got"):
        loader(indices)


@pytest.mark.parametrize(("indices", "got"), [([0, 50], "0, 50"), ([-1, 4], "-1, 4")])
def test_indices_are_among_the_images(indices, got):
    with pytest.raises(
        InvalidArgumentError, match=rf"indices must be in \[0, 49\] for 50 images, got values in \[{got}\]"
    ):
        loader(indices)


def test_a_seed_is_not_negative():
    with pytest.raises(InvalidArgumentError, match="seed must be >= 0, got -1"):
        loader(seed=-1)


@pytest.mark.parametrize(("epoch", "start"), [(-1, 0), (0, -1), (0, 8)])
def test_epochs_and_batches_count_from_0(epoch, start):
    with pytest.raises(
        InvalidArgumentError, match=rf"start in \[0, 7\], got number {epoch} and start {start}"
    ):
        loader().epoch(epoch, start)


def test_a_stream_starts_at_0_or_later():
    with pytest.raises(InvalidArgumentError, match="start must be >= 0, got -1"):
        loader().forever(-1)


def test_a_device_that_no_machine_has_is_refused():
    with pytest.raises(DeviceError, match="unknown device 'gpu'; try 'cpu' or 'cuda'"):
        loader(device="gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none_is_refused():
    with pytest.raises(DeviceError, match="the device cuda cannot be used here .*; try --device cpu"):
        loader(device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_batches():
    found = [(images.cpu(), labels.cpu()) for images, labels in loader(device="cuda").epoch(1)]
    equal(found, loader().epoch(1))


def test_the_parts_of_a_batch_are_the_batch():
    """Batches of 8, and a last one of 2, of which the first of three parts has none."""
    whole = list(loader(seed=3).epoch(2, start=4))
    parts = [list(loader(seed=3, part=(k, 3)).epoch(2, start=4)) for k in range(3)]
    assert [[len(labels) for _, labels in batches] for batches in parts] == [[2, 2, 0], [3, 3, 1], [3, 3, 1]]
    joined = [tuple(map(torch.cat, zip(*batches, strict=True))) for batches in zip(*parts, strict=True)]
    equal(joined, whole)


def test_a_part_that_there_is_not_is_an_error():
    for part in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(InvalidArgumentError, match=r"part must be \(k, n\) with 0 <= k < n, got"):
            loader(part=part)
