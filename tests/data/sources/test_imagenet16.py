import pickle

import numpy as np
import pytest

from data import images
from data.errors import (
    DamagedFileError,
    DownloadError,
    MissingFileError,
    UnreadableFileError,
    UnsafePickleError,
)
from data.sources import imagenet16
from data.sources.imagenet16 import ImageNet16, Release
from tests.data import archives

TRAIN = [[1, 500, 120, 121], [1000, 7, 8, 9, 120], [300, 301]]
TEST = [5, 6, 700, 120]


@pytest.fixture
def written(tmp_path):
    """A small release and its pixels, a batch after the other."""
    return archives.write_imagenet16(tmp_path, TRAIN, TEST)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_first_120_classes_are_read_in_order(tmp_path, protocol):
    release, pixels = archives.write_imagenet16(tmp_path, TRAIN, TEST, protocol)
    train, test = (ImageNet16(tmp_path, release=release).read(part) for part in (True, False))
    assert train.labels.tolist() == [0, 119, 6, 7, 8, 119]
    expected = np.concatenate([pixels[0][[0, 2]], pixels[1][[1, 2, 3, 4]]])
    np.testing.assert_array_equal(train.pixels, expected)
    assert test.labels.tolist() == [4, 5, 119]
    np.testing.assert_array_equal(test.pixels, pixels[3][[0, 1, 3]])
    assert train.pixels.dtype == np.uint8
    assert train.classes == tuple(str(number) for number in range(1, 121))


def test_a_batch_that_python_2_wrote_is_read(tmp_path):
    """Protocol 2 of Python 2 writes an array's bytes as a short string."""
    pixels = archives.pixels(1, 16)
    body = b"".join(
        [
            b"\x80\x02}(U\x06labels]K\x05aU\x04data",
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
            b"(K\x01M\x01\x00M\x00\x03\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T\x00\x03\x00\x00" + archives.rows(pixels).tobytes() + b"tbu.",
        ]
    )
    (tmp_path / "val_data").write_bytes(body)
    release = Release((), (("val_data", archives.digest(tmp_path / "val_data")),), 0, 1)
    part = ImageNet16(tmp_path, release=release).read(False)
    np.testing.assert_array_equal(part.pixels, pixels)
    assert part.labels.tolist() == [4]


def test_the_batches_may_lie_in_a_folder_of_their_own(tmp_path):
    release, _ = archives.write_imagenet16(tmp_path / "ImageNet16", TRAIN, TEST)
    assert len(ImageNet16(tmp_path, release=release).read(True).labels) == 6


def test_the_release_is_what_is_loaded_by_name(tmp_path, written, monkeypatch):
    release, _ = written
    with pytest.raises(DamagedFileError, match="but 27846dcaa50de8e21a7d1a35f30f0e91 is published"):
        images.load("imagenet16-120", tmp_path)
    with pytest.raises(DamagedFileError, match="but 3410e3017fdaefba8d5073aaa65e4bd6 is published"):
        images.load("imagenet16-120", tmp_path, train=False)
    assert imagenet16.PUBLISHED.train_images == 151_700
    assert imagenet16.PUBLISHED.test_images == 6_000
    assert len(dict(imagenet16.PUBLISHED.train + imagenet16.PUBLISHED.test)) == 11


def test_what_is_missing_is_named_with_what_would_do(tmp_path):
    missing = r"ImageNet16/val_data .md5 3410e3017fdaefba8d5073aaa65e4bd6. is missing"
    with pytest.raises(MissingFileError, match=missing + "; unpack Imagenet16_train.zip"):
        images.load("imagenet16-120", tmp_path, train=False)
    with pytest.raises(DownloadError, match=missing + ", and it cannot be downloaded without a login"):
        images.load("imagenet16-120", tmp_path, train=False, download=True)


def test_a_batch_that_is_cut_is_named(tmp_path, written):
    path = tmp_path / "train_data_batch_2"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(
        DamagedFileError, match=r"train_data_batch_2 is damaged: its md5 is \w+, but \w+ is published"
    ):
        ImageNet16(tmp_path, release=written[0]).read(True)


def rewritten(folder, data):
    """A release whose test batch is `data`, with its digest, so that only reading it can fail."""
    (folder / "val_data").write_bytes(data)
    return Release((), (("val_data", archives.digest(folder / "val_data")),), 0, 3)


def test_a_pickle_that_carries_code_is_refused_by_name(tmp_path):
    entry = {"data": archives.rows(archives.pixels(1, 16)), "labels": [archives.Harmful(tmp_path / "made")]}
    release = rewritten(tmp_path, pickle.dumps(entry))
    with pytest.raises(UnsafePickleError, match=r"val_data needs the global posix.mkdir; refused"):
        ImageNet16(tmp_path, release=release).read(False)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "entry",
    [
        {"labels": [1]},
        {"data": None, "labels": [1]},
        {"data": np.zeros((1, 768), np.uint8), "labels": ["one"]},
        {"data": np.zeros((1, 768), np.uint8), "labels": [10**30]},
        {"data": np.zeros((1, 768), np.uint8), "labels": [1, 2]},
        {"data": np.zeros((1, 3072), np.uint8), "labels": [1]},
        {"data": np.zeros((1, 768)), "labels": [1]},
    ],
)
def test_what_is_no_batch_is_named(tmp_path, entry):
    with pytest.raises(DamagedFileError, match="val_data is not a batch of 16x16 images"):
        ImageNet16(tmp_path, release=rewritten(tmp_path, pickle.dumps(entry))).read(False)


def test_the_number_of_images_is_checked(tmp_path, written):
    release = Release(written[0].train, written[0].test, 7, 3)
    with pytest.raises(DamagedFileError, match="must hold 7 images of the first 120 classes, got 6"):
        ImageNet16(tmp_path, release=release).read(True)


def test_no_permission_to_read(unprivileged):
    def check(folder):
        release, _ = archives.write_imagenet16(folder, TRAIN, TEST)
        (folder / "val_data").chmod(0)
        with pytest.raises(UnreadableFileError, match="cannot read or write .*val_data: Permission denied"):
            ImageNet16(folder, release=release).read(False)

    unprivileged(check)
