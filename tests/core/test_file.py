"""Files that appear whole or not at all."""

import errno
import os

import pytest

from worldloom.core.error import Failure, UsageError
from worldloom.core.file import check_target, read_json, sha256_of, whole_file, write_json


def test_file_appears_only_at_the_end(tmp_path):
    target = tmp_path / "clip.mp4"
    with whole_file(target) as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".mp4")
        temporary.write_bytes(b"half")
        assert not target.exists()
        temporary.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), SystemExit(1)])
def test_any_exception_leaves_the_folder_as_it_was(tmp_path, error):
    target = tmp_path / "clip.mp4"
    target.write_bytes(b"old")
    with pytest.raises(type(error)), whole_file(target, force=True) as temporary:
        temporary.write_bytes(b"new")
        raise error
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_existing_file_needs_force(tmp_path):
    target = tmp_path / "clip.mp4"
    target.write_bytes(b"old")
    with pytest.raises(UsageError, match="exists already"), whole_file(target):
        pytest.fail("the block must not run")
    with whole_file(target, force=True) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"


def test_file_that_appeared_meanwhile_is_kept(tmp_path):
    target = tmp_path / "clip.mp4"
    with pytest.raises(UsageError, match="exists already"), whole_file(target) as temporary:
        temporary.write_bytes(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("code", "message"),
    [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "permission denied"), (errno.EROFS, "is read-only")],
)
def test_trouble_with_the_machine_is_a_failure(tmp_path, code, message):
    with pytest.raises(Failure, match=message), whole_file(tmp_path / "clip.mp4"):
        raise OSError(code, os.strerror(code))
    assert list(tmp_path.iterdir()) == []


def test_other_os_errors_stay_bugs(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "clip.mp4"):
        (tmp_path / "no such file").read_bytes()


def test_unwritable_places(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        check_target(tmp_path / "missing" / "clip.mp4")
    with pytest.raises(UsageError, match="it is a folder"):
        check_target(tmp_path)
    with pytest.raises(Failure, match="the name is too long"), whole_file(tmp_path / "clip.mp4") as temporary:
        temporary.with_name("x" * 300).touch()
    if os.geteuid() != 0:  # root may write anywhere
        tmp_path.chmod(0o500)
        with pytest.raises(Failure, match="Permission denied"), whole_file(tmp_path / "clip.mp4"):
            pytest.fail("the block must not run")


def test_folder_that_takes_no_files():
    """/proc refuses new files from everyone, root included."""
    with pytest.raises(Failure, match="cannot write"), whole_file("/proc/clip.mp4"):
        pytest.fail("the block must not run")


def test_json_round_trip(tmp_path):
    value = {"name": "红球", "list": [1, 2.5, None, True], "nested": {"a": "b"}}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value
    assert "红球" in (tmp_path / "value.json").read_text()
    write_json(tmp_path / "value.json", 1)
    with pytest.raises(UsageError, match="exists already"):
        write_json(tmp_path / "value.json", 2, force=False)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "nan.json", float("nan"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["value.json"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1,}', b"\xff\xfe\xfd"])
def test_damaged_json(tmp_path, content):
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(Failure, match="not valid JSON"):
        read_json(tmp_path / "bad.json")
    with pytest.raises(UsageError, match="does not exist"):
        read_json(tmp_path / "none.json")


def test_hash(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
