import os

import pytest

from nasbench.files import replacing


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "folder" / "file"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_block_that_wrote_nothing_is_an_error(tmp_path):
    def nothing():
        with replacing(tmp_path / "file"):
            pass

    with pytest.raises(FileNotFoundError):
        nothing()
    assert os.listdir(tmp_path) == []
