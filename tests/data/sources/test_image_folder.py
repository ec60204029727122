import io
import os
import tarfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.errors import DamagedFileError, MissingFileError, UnreadableFileError
from data.images import load
from data.statistics import PUBLISHED, measure
from tests.data import archives


def test_a_tree_is_read_in_the_order_of_names(tmp_path):
    written = archives.write_tree(tmp_path, ("cat", "ant", "bird"))
    train, test = load(f"folder:{tmp_path}"), load(f"folder:{tmp_path}", train=False)
    assert train.classes == test.classes == ("ant", "bird", "cat")
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    by_name = np.roll(written["train"].reshape(3, 3, 8, 8, 3), -1, axis=0)  # cat, written first, comes last
    np.testing.assert_array_equal(train.pixels, by_name.reshape(9, 8, 8, 3))
    assert len(test) == 9


def test_a_path_needs_no_prefix(tmp_path):
    archives.write_tree(tmp_path)
    assert len(load(str(tmp_path))) == 6


def test_images_need_not_be_square(tmp_path):
    for part, name in (("train", "a"), ("train", "b"), ("test", "a"), ("test", "b")):
        (tmp_path / part / name).mkdir(parents=True)
        Image.new("RGB", (6, 4)).save(tmp_path / part / name / "x.png")
    assert load(str(tmp_path)).pixels.shape == (2, 4, 6, 3)


def test_statistics_are_measured_on_the_training_images_or_asked_for(tmp_path):
    written = archives.write_tree(tmp_path)
    expected = measure(written["train"])
    test = load(str(tmp_path), train=False)
    assert test.statistics == load(str(tmp_path)).statistics == expected
    assert load(str(tmp_path), train=False, statistics=expected).statistics == expected
    assert load(str(tmp_path), statistics="cifar10").statistics == PUBLISHED["cifar10"]


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("L", 7, (7, 7, 7)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (1, 2, 3, 0), (1, 2, 3)),
        ("LA", (9, 0), (9, 9, 9)),
        ("P", 0, (0, 0, 0)),
    ],
)
def test_other_modes_of_8_bits_become_three_channels(tmp_path, mode, color, expected):
    archives.write_tree(tmp_path)
    Image.new(mode, (8, 8), color).save(tmp_path / "train" / "bird" / "0000.png")
    assert (load(str(tmp_path)).pixels[0] == expected).all()


def test_jpeg_is_read_as_pil_reads_it(tmp_path):
    archives.write_tree(tmp_path, suffix="jpg")
    path = tmp_path / "train" / "bird" / "0001.jpg"
    np.testing.assert_array_equal(load(str(tmp_path)).pixels[1], np.asarray(Image.open(path)))


def test_names_with_a_dot_in_front_are_passed_over(tmp_path):
    archives.write_tree(tmp_path)
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "train" / "cat" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "train" / "notes.txt").write_text("no class")
    assert load(str(tmp_path)).classes == ("bird", "cat")


def test_what_is_missing_is_said(tmp_path):
    archives.write_tree(tmp_path / "tree")
    with pytest.raises(
        MissingFileError, match="nowhere has no folder 'train' .it does not exist.; a tree of"
    ):
        load(f"folder:{tmp_path}/nowhere")
    with pytest.raises(
        MissingFileError, match="has no folder 'train' .it holds bird, cat.; a tree of images must have"
    ):
        load(f"folder:{tmp_path}/tree/train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFileError, match="it holds nothing"):
        load(f"folder:{tmp_path}/empty")
    (tmp_path / "tree" / "test").rename(tmp_path / "tree" / "val")
    with pytest.raises(MissingFileError, match="has no folder 'test' .it holds train, val."):
        load(f"folder:{tmp_path}/tree", train=False)
    for name in "uvwx":
        (tmp_path / "many" / name).mkdir(parents=True)
    with pytest.raises(MissingFileError, match="it holds u, v, w, ...."):
        load(f"folder:{tmp_path}/many")


def test_one_class_is_too_few(tmp_path):
    archives.write_tree(tmp_path, ("cat",))
    with pytest.raises(MissingFileError, match="train must have at least two folders, one per class, got 1"):
        load(str(tmp_path))


def test_a_class_without_images_is_named(tmp_path):
    archives.write_tree(tmp_path)
    (tmp_path / "train" / "dog").mkdir()
    with pytest.raises(MissingFileError, match="train/dog holds no images; add some or remove it"):
        load(str(tmp_path))


def test_classes_are_to_be_the_same_in_both_parts(tmp_path):
    archives.write_tree(tmp_path)
    (tmp_path / "test" / "cat").rename(tmp_path / "test" / "kat")
    with pytest.raises(
        DamagedFileError, match="different classes in train and test; only in one of them: cat, kat"
    ):
        load(str(tmp_path), train=False)


@pytest.mark.parametrize("name", ["train/bird/0000.png", "train/cat/0001.png"])
def test_an_image_of_another_size_is_named(tmp_path, name):
    archives.write_tree(tmp_path)
    Image.new("RGB", (9, 8)).save(tmp_path / name)
    with pytest.raises(
        DamagedFileError, match=r"\.png has .x8 pixels, but .*bird/0000.png has .x8; all images"
    ):
        load(str(tmp_path))


@pytest.mark.parametrize("length", [0, 20, 100])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("name", ["bird/0000", "cat/0002"])
def test_a_damaged_image_is_named(tmp_path, suffix, name, length):
    archives.write_tree(tmp_path, suffix=suffix)
    path = tmp_path / "train" / f"{name}.{suffix}"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedFileError, match=rf"train/{name}.{suffix} cannot be read as an image"):
        load(str(tmp_path))


def test_an_image_of_more_than_8_bits_is_named(tmp_path):
    archives.write_tree(tmp_path)
    deep = Image.fromarray(np.full((8, 8), 40_000, np.uint16))
    deep.save(tmp_path / "train" / "cat" / "0001.png")
    with pytest.raises(
        DamagedFileError,
        match="cat/0001.png has mode 'I;16', but pixels must have 8 bits per channel; convert",
    ):
        load(str(tmp_path))


def test_progress_is_shown_on_a_terminal_only(tmp_path, monkeypatch, capfd):
    archives.write_tree(tmp_path)
    load(str(tmp_path))
    assert capfd.readouterr() == ("", "")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    load(str(tmp_path))
    assert "6/6" in terminal.getvalue() or "0/6" in terminal.getvalue()


def test_no_permission_to_read(unprivileged):
    def check(folder):
        archives.write_tree(folder)
        path = folder / "train" / "cat" / "0001.png"
        path.chmod(0)
        with pytest.raises(UnreadableFileError, match="cat/0001.png: Permission denied"):
            load(str(folder))
        path.chmod(0o600)
        (folder / "train" / "cat").chmod(0)
        with pytest.raises(UnreadableFileError, match="train/cat: Permission denied"):
            load(str(folder))
        (folder / "train" / "cat").chmod(0o700)

    unprivileged(check)


def test_real_images(tmp_path):
    """The first JPEG files of the CIFAR-10 tree in $NASBENCH_SAMPLES."""
    sample = Path(os.environ.get("NASBENCH_SAMPLES", "/nowhere")) / "cifar10-jpeg.tar.xz"
    if not sample.exists():
        pytest.skip("NASBENCH_SAMPLES names no folder with cifar10-jpeg.tar.xz")
    with tarfile.open(sample, "r|xz") as archive:
        for member in islice(archive, 42):  # two folders, and 40 airplanes
            archive.extract(member, tmp_path, filter="data")
    (tmp_path / "train" / "zebra").mkdir()  # the tree has two classes at least
    (tmp_path / "train" / "airplane" / "0039.jpg").rename(tmp_path / "train" / "zebra" / "0039.jpg")
    train = load(f"folder:{tmp_path}", statistics="cifar10")
    assert train.classes == ("airplane", "zebra")
    assert train.labels.tolist() == [0] * 39 + [1]
    assert train.pixels.shape == (40, 32, 32, 3)
    assert len(np.unique(train.pixels)) > 200
    assert 110 < train.pixels.mean() < 190  # airplanes are mostly sky
