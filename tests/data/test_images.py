import importlib
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest

from data import images
from data.errors import InvalidArgumentError, MissingDependencyError, MissingFileError, UnknownDataSetError
from data.images import Images, default_folder, load
from data.statistics import PUBLISHED, Statistics
from tests.data import archives


def made(**changes):
    fields = {
        "name": "made",
        "pixels": archives.pixels(4, 8),
        "labels": np.array([0, 1, 2, 0]),
        "classes": ("a", "b", "c"),
        "statistics": PUBLISHED["cifar10"],
    }
    return Images(**fields | changes)


def test_images_say_what_they_are():
    assert repr(made(pixels=archives.pixels(4, 8)[:, :, :6])) == "Images('made', 4 of 6x8 pixels, 3 classes)"
    assert len(made()) == 4
    assert made().mirrors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"pixels": np.zeros((4, 8, 8, 3))},
            r"pixels must be uint8 of shape \(N, H, W, 3\) and not empty, got float64 ",
        ),
        ({"pixels": np.zeros((4, 3, 8, 8), np.uint8)}, r"got uint8 \(4, 3, 8, 8\)"),
        ({"pixels": np.zeros((4, 8, 3), np.uint8)}, r"got uint8 \(4, 8, 3\)"),
        ({"pixels": np.zeros((0, 8, 8, 3), np.uint8)}, r"got uint8 \(0, 8, 8, 3\)"),
        ({"labels": np.zeros(3, int)}, r"labels must be int64 \(4,\), one per image, got int64 \(3,\)"),
        ({"labels": np.zeros(4)}, r"got float64 \(4,\)"),
        (
            {"labels": np.array([0, 1, 2, 3])},
            r"labels must be in \[0, 2\] for 3 classes, got values in \[0, 3\]",
        ),
        ({"labels": np.array([0, 1, 2, -1])}, r"got values in \[-1, 2\]"),
        ({"statistics": ((1, 2), (1, 2))}, "three means"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(changes, message):
    with pytest.raises(InvalidArgumentError, match=message):
        made(**changes)


@pytest.mark.parametrize("name", ["cifar", "", "folder:", "CIFAR10"])
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    expected = "a data set must be cifar10, cifar100, imagenet16-120, fashion-mnist, digits, or folder:PATH"
    with pytest.raises(UnknownDataSetError, match=expected):
        load(name)


@pytest.mark.parametrize("name", images.NAMES)
def test_every_name_is_known(tmp_path, name):
    with suppress(MissingFileError):
        load(name, tmp_path)


def test_statistics_may_be_chosen():
    chosen = Statistics((1, 2, 3), (4, 5, 6))
    assert load("digits", statistics=chosen).statistics == chosen
    assert load("digits", statistics="cifar100").statistics == PUBLISHED["cifar100"]
    with pytest.raises(
        UnknownDataSetError, match="statistics are published for cifar10, .*, got 'digits'; omit"
    ):
        load("digits", statistics="digits")


def test_the_default_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NASBENCH_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "images"
    written = archives.write_fashion_mnist(tmp_path / "images")
    np.testing.assert_array_equal(load("fashion-mnist").pixels[..., 0], written["train"][0])
    monkeypatch.delenv("NASBENCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_folder().name == "images"
    assert "nas-toolkit" in default_folder().parts


@pytest.mark.parametrize(
    ("name", "package", "said"),
    [
        ("cifar10", "torchvision", "torchvision"),
        ("fashion-mnist", "torchvision", "torchvision"),
        ("folder:/nowhere", "PIL", "pillow"),
    ],
)
def test_a_package_that_is_not_there_is_named_with_what_installs_it(
    tmp_path, monkeypatch, name, package, said
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingDependencyError, match=rf"need {said}, which is not installed .*pip install '.\[one"
    ):
        load(name, tmp_path, download=True)


def test_digits_without_scikit_learn_name_it(monkeypatch):
    importlib.import_module("data.sources.digits")
    monkeypatch.setattr(sys, "path", [])  # where installed packages are looked for
    with pytest.raises(MissingDependencyError, match=r"need scikit-learn, which .*pip install '.\[one"):
        load("digits")


def test_importing_loads_nothing_heavy():
    code = (
        "import data, data.images, data.splits, sys; print(set(sys.modules) & {'torch', 'torchvision', 'PIL',"
    )
    code += " 'sklearn', 'tqdm', 'nasbench', 'oneshot', 'blackbox'})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
