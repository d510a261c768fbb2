"""Outputs appear whole or not at all."""

import hashlib

import pytest

from napari_copnet.errors import OutputError
from napari_copnet.files import check_writable, sha256, whole_file


def test_file_replaces_the_old_one_only_when_complete(tmp_path):
    path = tmp_path / "new" / "a.tif"
    with whole_file(path) as beside:
        assert beside.suffix == ".tif"
        beside.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one"
    with pytest.raises(ZeroDivisionError), whole_file(path) as beside:
        beside.write_text("two")
        raise ZeroDivisionError
    assert path.read_text() == "one"
    assert [p.name for p in path.parent.iterdir()] == ["a.tif"]


def test_a_file_where_a_folder_is_needed_is_said(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="there is a file where a folder is needed"):
        check_writable(tmp_path / "taken")
    with (
        pytest.raises(OutputError, match="Choose another folder"),
        whole_file(tmp_path / "taken" / "a"),
    ):
        pass


def test_checking_makes_nothing(tmp_path):
    check_writable(tmp_path / "new" / "deeper")
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_said_before_work_starts(tmp_path):
    with pytest.raises(OutputError, match="There is not enough space"):
        check_writable(tmp_path, bytes_needed=10**18)


def test_sha256_of_file_and_folder(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    before = sha256(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert sha256(tmp_path) != before
