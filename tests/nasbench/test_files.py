import os

import pytest

from nasbench.files import open_locked, replacing, write_all, write_json


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


def test_a_file_is_open_to_one_at_a_time(tmp_path):
    path = tmp_path / "log"
    with open_locked(path, "x+b") as file:
        write_all(file, b"first")
        with pytest.raises(BlockingIOError):
            open_locked(path, "r+b")
    with open_locked(path, "r+b") as file:
        assert file.read() == b"first"


def test_json_is_written_whole(tmp_path):
    write_json(tmp_path / "value.json", {"a": [1, None]})
    assert (tmp_path / "value.json").read_text() == '{\n  "a": [\n    1,\n    null\n  ]\n}\n'
    with pytest.raises(TypeError):
        write_json(tmp_path / "value.json", object())
    assert [path.name for path in tmp_path.iterdir()] == ["value.json"]
