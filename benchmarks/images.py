"""Batches of augmented images, compared with torchvision (`python -m benchmarks.images`)."""

from collections.abc import Callable

import numpy as np
import torch
import torchvision
from PIL import Image
from torchvision import transforms

from benchmarks.timing import in_turn, print_conditions, print_times
from data.augment import Augment
from data.images import Images
from data.loader import Loader
from data.statistics import PUBLISHED

RUNS = 7
COUNT = 3200
BATCH = 64


def main() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
    names = tuple("0123456789")
    images = Images("made", pixels, np.arange(COUNT) % 10, names, PUBLISHED["cifar10"])
    plain = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.25,) * 3),
        ]
    )

    def batches(cutout: int) -> Callable[[], object]:
        loader = Loader(images, batch=BATCH, augment=Augment.training(images, cutout=cutout))
        return lambda: [None for _ in loader.epoch(0)]

    def one_by_one() -> None:
        for start in range(0, COUNT, BATCH):
            torch.stack([plain(Image.fromarray(each)) for each in pixels[start : start + BATCH]])

    print_conditions(RUNS, torch=torch.__version__, torchvision=torchvision.__version__)
    print(f"A 32x32 image, randomly cropped and flipped, in batches of {BATCH}; one process")
    tasks = {"data": batches(0), "data, with Cutout 16": batches(16), "torchvision": one_by_one}
    print_times(in_turn(tasks, RUNS), "us", per=COUNT, against="torchvision")


if __name__ == "__main__":
    main()
