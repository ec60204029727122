import numpy as np
import pytest
import torch

from data.images import Images, load
from data.splits import search_split
from data.statistics import PUBLISHED
from oneshot.errors import ConfigError
from oneshot.training import images
from oneshot.training.environment import Environment
from oneshot.training.images import RetrainImages, SearchImages
from tests.data import archives

HERE = Environment()
DIGITS = load("digits")


def pixels_of(batches):
    return torch.cat([images for images, _ in batches]).sum(dim=(1, 2, 3)).sort().values


def test_all_images_or_the_halves_of_a_search():
    feed = RetrainImages("digits", HERE, "full")
    assert feed.counts == (
        len(DIGITS),
        len(load("digits", train=False)),
    )
    half, searched = RetrainImages("digits", HERE, "half", seed=3), SearchImages("digits", HERE, seed=3)
    split = search_split("digits", len(DIGITS), 3)
    assert half.counts == (len(split.train), len(split.valid))
    torch.testing.assert_close(
        pixels_of(half.test(100, "cpu").epoch(0)),
        pixels_of(SearchImages("digits", HERE, seed=3).evaluation(721, "cpu")),
    )
    assert searched.facts()["sha256"] != half.facts()["sha256"] != feed.facts()["sha256"]
    assert RetrainImages("digits", HERE, "full").facts() == feed.facts()


def test_what_is_tested_comes_in_its_order_without_augmentation():
    labels = torch.cat(
        [labels for _, labels in RetrainImages("digits", HERE, "full").test(100, "cpu").epoch(0)]
    )
    assert labels.tolist() == load("digits", train=False).labels.tolist()
    assert len(RetrainImages("digits", HERE, "full").test(10_000, "cpu")) == 1  # a batch of them all


def test_what_is_trained_on_is_mixed_and_augmented_if_asked():
    feed = RetrainImages("digits", HERE, "full", seed=2)
    plain, cut = feed.train(1442, False, 0, "cpu"), feed.train(1442, False, 4, "cpu")
    moved = feed.train(1442, True, 0, "cpu")
    first, second = (next(plain.epoch(n)) for n in range(2))
    assert not torch.equal(first[1], second[1])
    torch.testing.assert_close(pixels_of([first]), pixels_of([second]))
    holes, whole = next(cut.epoch(0))[0], first[0]
    assert (holes == 0).flatten(1).sum(1).gt((whole == 0).flatten(1).sum(1)).float().mean() > 0.9
    assert not torch.equal(next(moved.epoch(0))[0], whole)
    assert [len(labels) for _, labels in feed.train(131, False, 0, "cpu").epoch(0)] == [131] * 11  # and one


def test_halves_of_test_images(monkeypatch):
    """CIFAR-100 and ImageNet16-120 are trained on all training images, and validated on test images."""
    made = {
        train: Images(
            "cifar100",
            archives.pixels(count, 8),
            np.arange(count) % 7,
            tuple("abcdefg"),
            PUBLISHED["cifar10"],
        )
        for train, count in ((True, 20), (False, 10_000))
    }
    fake = lambda name, folder, *, train=True, download=False: made[train]  # noqa: E731
    monkeypatch.setattr(images, "load", fake)
    half = RetrainImages("cifar100", HERE, "half")
    assert half.counts == (20, 5000)
    assert (RetrainImages("cifar100", HERE, "full").held_out_images.count, half.classes) == (10_000, 7)
    made[False] = Images("x", made[False].pixels, made[False].labels, tuple("abcdefgh"), PUBLISHED["cifar10"])
    with pytest.raises(
        ConfigError, match="test images of cifar100 differ from its training images in classes"
    ):
        RetrainImages("cifar100", HERE, "full")
