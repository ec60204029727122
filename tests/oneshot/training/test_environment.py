import pytest
import torch

from oneshot.errors import DeviceError
from oneshot.training.environment import Environment, get_device


def test_paths_are_the_same_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = Environment(folder="images", store="a.h5")
    assert (environment.folder, environment.store) == (f"{tmp_path}/images", f"{tmp_path}/a.h5")
    assert list(environment.record().items()) == [
        *(("device", None), ("folder", f"{tmp_path}/images"), ("store", f"{tmp_path}/a.h5"))
    ]


def test_what_is_given_now_wins_over_the_record():
    environment = Environment(device="cpu", folder="/a").updated(device=None, folder="/b", download=True)
    assert environment == Environment(device="cpu", folder="/b", download=True)


def test_a_device_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert get_device() == torch.device("cpu")
    for name in ("cuda", "cuda:1"):
        with pytest.raises(
            DeviceError, match=f"{name} is not available: this machine has no CUDA device; try --device cpu"
        ):
            get_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DeviceError, match=r"cuda:2 is not available: the CUDA devices are cuda:0 to cuda:1"):
        get_device("cuda:2")
    assert get_device("cuda:1") == torch.device("cuda", 1)
