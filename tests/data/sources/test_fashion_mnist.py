import gzip

import numpy as np
import pytest
from torchvision import datasets

from data.errors import DamagedFileError, DownloadError, MissingFileError, UnreadableFileError
from data.sources.fashion_mnist import CLASSES, DEBIAN, FashionMNIST, read_idx
from tests.data import archives


def reader(folder, **options):
    return FashionMNIST(folder, elsewhere=(), **options)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("place", ["", "FashionMNIST/raw"])
def test_either_packing_is_read_in_either_place(tmp_path, packed, place):
    written = archives.write_fashion_mnist(tmp_path / place, packed=packed)
    for train, part in ((True, "train"), (False, "t10k")):
        found = reader(tmp_path).read(train)
        images, labels = written[part]
        np.testing.assert_array_equal(found.pixels, np.stack([images] * 3, axis=-1))
        assert found.labels.tolist() == labels.tolist()
        assert found.labels.dtype == np.int64
        assert found.classes == CLASSES


def test_torchvision_reads_the_same(tmp_path):
    archives.write_fashion_mnist(tmp_path / "FashionMNIST" / "raw", packed=False)
    theirs = datasets.FashionMNIST(tmp_path, train=True)
    ours = reader(tmp_path).read(True)
    np.testing.assert_array_equal(ours.pixels[..., 0], theirs.data.numpy())
    assert ours.labels.tolist() == theirs.targets.tolist()
    assert list(ours.classes) == theirs.classes


def test_other_places_come_last(tmp_path):
    archives.write_fashion_mnist(tmp_path / "debian", count=3)
    source = FashionMNIST(tmp_path, elsewhere=(tmp_path / "debian",))
    assert len(source.read(True).labels) == 3
    archives.write_fashion_mnist(tmp_path, count=4)
    assert len(source.read(True).labels) == 4


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_debians_files(tmp_path):
    assert FashionMNIST(tmp_path).read(True).pixels.shape == (60_000, 28, 28, 3)


def test_what_is_missing_is_named_with_what_would_do(tmp_path):
    archives.write_fashion_mnist(tmp_path, parts=("train",))
    with pytest.raises(MissingFileError) as error:
        reader(tmp_path).read(False)
    message = str(error.value)
    assert message.startswith(
        "t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz are not both in any of "
    )
    assert f"{tmp_path}, {tmp_path}/FashionMNIST/raw; put them there" in message
    assert message.endswith("Debian's package dataset-fashion-mnist, or use --download")


def test_download(tmp_path, server, monkeypatch):
    folder, address = server
    written = archives.write_fashion_mnist(folder)
    files = [(path.name, archives.digest(path)) for path in folder.iterdir()]
    monkeypatch.setattr(datasets.FashionMNIST, "resources", files)
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [address])
    found = reader(tmp_path / "new", download=True).read(True)
    np.testing.assert_array_equal(found.pixels[..., 0], written["train"][0])


def test_a_download_that_fails_is_one_error_of_one_line(tmp_path, nobody, monkeypatch):
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [nobody])
    with pytest.raises(DownloadError, match="cannot download Fashion-MNIST: Error downloading") as error:
        reader(tmp_path, download=True).read(True)
    assert "\n" not in str(error.value)


def test_images_and_labels_are_to_be_as_many(tmp_path):
    archives.write_fashion_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(archives.idx(np.zeros(19, np.uint8))))
    with pytest.raises(DamagedFileError, match="holds 20 images, but .*labels.* 19 labels"):
        reader(tmp_path).read(True)


@pytest.mark.parametrize("length", [0, 10, 100, -1])
def test_a_packed_file_that_is_cut_is_named(tmp_path, length):
    archives.write_fashion_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedFileError, match="train-images-idx3-ubyte.gz"):
        reader(tmp_path).read(True)


def test_a_packed_file_with_a_wrong_byte_is_named(tmp_path):
    archives.write_fashion_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match="train-images-idx3-ubyte.gz is truncated or damaged"):
        reader(tmp_path).read(True)


@pytest.mark.parametrize("change", [-1, 1])
def test_an_idx_file_of_another_length_is_refused(tmp_path, change):
    data = archives.idx(np.zeros((2, 3, 3), np.uint8))
    (tmp_path / "x").write_bytes(data[:-1] if change < 0 else data + b"\0")
    with pytest.raises(DamagedFileError, match=rf"has the shape \[2, 3, 3\], but {18 + change} bytes"):
        read_idx(tmp_path / "x", 3)


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\x08\x01\0\0\0\0", b"\0\0\x0d\x03" + bytes(12), b"GIF89a" + bytes(12)]
)
def test_what_is_no_idx_file_is_refused(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(DamagedFileError, match="x is not an idx file of bytes with 3 axes"):
        read_idx(tmp_path / "x", 3)


@pytest.mark.parametrize("name", ["x", "x.gz"])
def test_a_file_that_unpacks_to_more_than_all_images_is_refused(tmp_path, name):
    data = bytes(65 << 20)
    (tmp_path / name).write_bytes(gzip.compress(data, 1) if name == "x.gz" else data)
    with pytest.raises(DamagedFileError, match="holds more than 67,108,864 bytes"):
        read_idx(tmp_path / name, 3)


def test_no_permission_to_read(unprivileged):
    def check(folder):
        archives.write_fashion_mnist(folder)
        (folder / "train-labels-idx1-ubyte.gz").chmod(0)
        with pytest.raises(UnreadableFileError, match="train-labels-idx1-ubyte.gz: Permission denied"):
            reader(folder).read(True)

    unprivileged(check)


def test_no_permission_to_download(unprivileged):
    def check(folder):
        folder.chmod(0o500)
        with pytest.raises(UnreadableFileError, match="FashionMNIST: Permission denied"):
            reader(folder, download=True).read(True)

    unprivileged(check)
