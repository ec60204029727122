import subprocess
import sys

import pytest

import data


def test_every_public_name_is_there():
    assert {"Augment", "DataSet", "Images", "Loader", "load", "search_split"} <= set(data.__all__)
    assert all(getattr(data, name) is not None for name in data.__all__)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(AttributeError, match="data has no image; public names: Augment, .*, load, "):
        data.image  # noqa: B018


def test_torch_is_loaded_with_the_first_name_that_needs_it():
    code = "import sys, data; data.load, data.search_split; print('torch' in sys.modules)"
    code += "; data.Loader; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"]
