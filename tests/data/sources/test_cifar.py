import shutil

import numpy as np
import pytest
from torchvision import datasets

from data.errors import DamagedFileError, DownloadError, MissingFileError, UnreadableFileError
from data.images import load
from data.statistics import PUBLISHED
from tests.data import archives


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A small CIFAR-10 in the official layout; {file: (pixels, labels)}."""
    return archives.write_cifar(tmp_path, datasets.CIFAR10, monkeypatch)


def test_cifar10_is_read_in_the_official_order(tmp_path, written):
    train, test = load("cifar10", tmp_path), load("cifar10", tmp_path, train=False)
    *batches, test_batch = written.values()
    np.testing.assert_array_equal(train.pixels, np.concatenate([pixels for pixels, _ in batches]))
    assert train.labels.tolist() == sum((labels for _, labels in batches), [])
    np.testing.assert_array_equal(test.pixels, test_batch[0])
    assert test.labels.tolist() == test_batch[1]
    assert list(train.classes) == archives.CIFAR10_CLASSES
    assert train.statistics == test.statistics == PUBLISHED["cifar10"]
    assert train.mirrors


def test_cifar100_has_fine_labels(tmp_path, monkeypatch):
    classes = [f"class {number}" for number in range(100)]
    archives.write_cifar(tmp_path, datasets.CIFAR100, monkeypatch, "fine_labels", classes, images=40)
    train = load("cifar100", str(tmp_path))
    assert train.pixels.shape == (40, 32, 32, 3)
    assert train.labels.tolist() == list(range(40))
    assert len(train.classes) == 100
    assert train.statistics == PUBLISHED["cifar100"]


def test_what_is_missing_is_named_with_what_would_do(tmp_path):
    with pytest.raises(MissingFileError) as error:
        load("cifar10", tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/cifar-10-batches-py/data_batch_1 (md5 c99cafc152244af753f735de768cd75f) is missing; put "
        "cifar-10-python.tar.gz (170,498,071 bytes, md5 c58f30108f718f92721af3b95e74349a) from "
        f"https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz into {tmp_path}, or use --download"
    )
    with pytest.raises(MissingFileError, match="cifar-100-python.tar.gz .169,001,437 bytes"):
        load("cifar100", tmp_path)


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_file_that_is_cut_is_named(tmp_path, written, name):
    path = tmp_path / "cifar-10-batches-py" / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DamagedFileError, match=rf"/{name} is damaged: its md5 is \w+, but \w+ is published"):
        load("cifar10", tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path, written):
    (tmp_path / "cifar-10-batches-py" / "data_batch_4").unlink()
    with pytest.raises(MissingFileError, match="/data_batch_4 .md5"):
        load("cifar10", tmp_path)


def test_a_pickle_that_carries_code_is_not_the_published_file(tmp_path, written):
    path = tmp_path / "cifar-10-batches-py" / "data_batch_1"
    path.write_bytes(archives.pickle.dumps(archives.Harmful(tmp_path / "made")))
    with pytest.raises(DamagedFileError, match="data_batch_1 is damaged"):
        load("cifar10", tmp_path)
    assert not (tmp_path / "made").exists()


def test_the_archive_is_unpacked_where_it_lies(tmp_path, written, monkeypatch):
    archives.pack_cifar(tmp_path, datasets.CIFAR10, monkeypatch, tmp_path / "new")
    np.testing.assert_array_equal(load("cifar10", tmp_path / "new").pixels, load("cifar10", tmp_path).pixels)
    assert (tmp_path / "new" / "cifar-10-batches-py" / "test_batch").exists()


def test_a_damaged_archive_is_not_unpacked(tmp_path, written, monkeypatch):
    path = archives.pack_cifar(tmp_path, datasets.CIFAR10, monkeypatch, tmp_path / "new")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DamagedFileError, match=r"tar.gz is damaged.*published file has 170,498,071.; rem"):
        load("cifar10", tmp_path / "new")
    assert not (tmp_path / "new" / "cifar-10-batches-py").exists()


def test_download(tmp_path, written, server, monkeypatch):
    folder, address = server
    path = archives.pack_cifar(tmp_path, datasets.CIFAR10, monkeypatch, folder)
    monkeypatch.setattr(datasets.CIFAR10, "url", address + path.name)
    images = load("cifar10", tmp_path / "new", download=True)
    np.testing.assert_array_equal(images.pixels, load("cifar10", tmp_path).pixels)


def test_a_download_that_fails_is_one_error(tmp_path, nobody, monkeypatch):
    monkeypatch.setattr(datasets.CIFAR10, "url", nobody + "cifar.tar.gz")
    with pytest.raises(DownloadError, match="cifar.tar.gz .*refused.*; put cifar-10-python"):
        load("cifar10", tmp_path, download=True)


def test_no_permission_to_read(tmp_path, written, unprivileged):
    def check(folder):
        (folder / "cifar-10-batches-py" / "data_batch_1").chmod(0)
        with pytest.raises(UnreadableFileError, match="data_batch_1: Permission denied"):
            load("cifar10", folder)

    def copied(folder):
        shutil.copytree(files, folder / "cifar-10-batches-py")
        check(folder)

    files = tmp_path / "cifar-10-batches-py"
    for path in [tmp_path, *tmp_path.parents][:4]:
        path.chmod(0o755)
    unprivileged(copied)
