"""Small files in the published formats, with artificial contents."""

import gzip
import hashlib
import os
import pickle
import tarfile

import numpy as np

from data.sources.imagenet16 import Release

CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def pixels(count, side=32, seed=0):
    """Return random pixels, uint8 (count, side, side, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def rows(images):
    """Return images as the archives store them: uint8 (count, 3 * side * side), channel by channel."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def digest(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


class Harmful:
    """An object whose pickle creates a folder if it is loaded without precautions."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def write_cifar(folder, reader, patch, label_key="labels", classes=CIFAR10_CLASSES, images=4):
    """Write the unpacked archive of `reader` (torchvision's CIFAR10 or CIFAR100) and patch its digests.

    `images` is the number of images per file. Return {name of the file: (pixels, labels)}.
    """
    base = folder / reader.base_folder
    base.mkdir(parents=True)
    written = {}

    def dump(name, entry):
        (base / name).write_bytes(pickle.dumps(entry, protocol=2))
        return [name, digest(base / name)]

    lists = {}
    for kind in ("train_list", "test_list"):
        lists[kind] = []
        for name, _ in getattr(reader, kind):
            images_of_file = pixels(images, seed=len(written))
            labels = [(3 * len(written) + i) % len(classes) for i in range(images)]
            written[name] = images_of_file, labels
            lists[kind].append(dump(name, {"data": rows(images_of_file), label_key: labels}))
    meta = dump(reader.meta["filename"], {reader.meta["key"]: list(classes)})
    patch.setattr(reader, "train_list", lists["train_list"])
    patch.setattr(reader, "test_list", lists["test_list"])
    patch.setattr(reader, "meta", {**reader.meta, "md5": meta[1]})
    return written


def pack_cifar(folder, reader, patch, where):
    """Write the archive of the unpacked files in `folder` to the folder `where`; return its path."""
    where.mkdir(parents=True, exist_ok=True)
    path = where / reader.filename
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder / reader.base_folder, reader.base_folder)
    patch.setattr(reader, "tgz_md5", digest(path))
    return path


def write_imagenet16(folder, train_labels, test_labels, protocol=2):
    """Write batches of ImageNet16 with labels (1..1000; one list each); return a Release and all pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []

    def batch(name, labels):
        images = pixels(len(labels), 16, seed=len(written))
        written.append(images)
        entry = {"data": rows(images), "labels": list(labels), "mean": rows(images).mean(axis=0)}
        (folder / name).write_bytes(pickle.dumps(entry, protocol))
        return name, digest(folder / name)

    train = tuple(batch(f"train_data_batch_{i}", labels) for i, labels in enumerate(train_labels, 1))
    test = (batch("val_data", test_labels),)
    chosen = [sum(label <= 120 for label in labels) for labels in (sum(train_labels, []), test_labels)]
    return Release(train, test, *chosen), written


def idx(array):
    """Return an array of bytes in the idx format."""
    lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes((0, 0, 8, array.ndim)) + lengths + array.tobytes()


def write_fashion_mnist(folder, count=20, packed=True, parts=("train", "t10k")):
    """Write the idx files of Fashion-MNIST; return {part: (grey pixels, labels)}."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for seed, part in enumerate(parts):
        rng = np.random.default_rng(seed)
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, count, dtype=np.uint8)
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (folder / name).write_bytes(idx(array))
        written[part] = images, labels
    return written


def write_tree(folder, classes=("bird", "cat"), images=3, side=8, suffix="png"):
    """Write a tree of images; return {part: pixels (N, side, side, 3), ordered by class, then name}."""
    from PIL import Image

    written = {}
    for part in ("train", "test"):
        written[part] = pixels(len(classes) * images, side, seed=len(written))
        for position, picture in enumerate(written[part]):
            name, number = divmod(position, images)
            path = folder / part / classes[name] / f"{number:04d}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    return written
