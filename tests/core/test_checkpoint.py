"""Weights: exact round trips, equal bytes for equal content, and every kind of damage named."""

import pytest
import torch

from worldloom.core.checkpoint import (
    MANIFEST_NAME,
    check_hashes,
    hash_folder,
    load_metadata,
    load_tensors,
    save_tensors,
    verify_manifest,
    write_manifest,
)
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import sha256_of

SHAPES = {"a.weight": (3, 4), "a.bias": (3,), "count": ()}


@pytest.fixture
def weights():
    generator = torch.Generator().manual_seed(0)
    return {
        "a.weight": torch.randn(3, 4, generator=generator).to(torch.bfloat16),
        "a.bias": torch.randn(3, generator=generator),
        "count": torch.tensor(7),
    }


@pytest.fixture
def path(tmp_path, weights):
    save_tensors(tmp_path / "model.safetensors", weights, {"step": 3, "name": "tiny", "text": 'a "q"\n红'})
    return tmp_path / "model.safetensors"


def test_round_trip(path, weights):
    loaded = load_tensors(path, SHAPES)
    assert loaded.keys() == weights.keys()
    for name, tensor in weights.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)
    assert load_metadata(path) == {"step": 3, "name": "tiny", "text": 'a "q"\n红'}


def test_transposed_and_gradient_carrying_tensors_are_saved(tmp_path, weights):
    turned = weights["a.weight"].t().requires_grad_()
    save_tensors(tmp_path / "turned.safetensors", {"w": turned})
    assert torch.equal(load_tensors(tmp_path / "turned.safetensors")["w"], turned)


def test_equal_content_gives_equal_bytes(tmp_path, weights):
    """safetensors itself orders its metadata anew at every call."""
    digests = set()
    for _ in range(16):
        save_tensors(tmp_path / "again.safetensors", weights, {"z": 1, "y": 2})
        digests.add(sha256_of(tmp_path / "again.safetensors"))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (SHAPES | {"b.weight": (1,)}, "lacks the tensors b.weight"),
        ({"a.weight": (3, 4), "a.bias": (3,)}, "has the unknown tensors count"),
        ({"other": (1,)}, "lacks the tensors other and has the unknown tensors a.bias, a.weight, count"),
        (SHAPES | {"a.bias": (4,)}, r"a.bias has the shape \(3,\); it must be \(4,\)"),
        ({f"t{i}": () for i in range(9)}, "t0, t1, t2, t3, t4 and 4 more"),
    ],
)
def test_other_tensors_than_expected(path, expected, message):
    with pytest.raises(Failure, match=message):
        load_tensors(path, expected)


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_cut_off_file(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    for read in (load_tensors, load_metadata):
        with pytest.raises(Failure, match="damaged or cut off"):
            read(path)


@pytest.mark.parametrize("name", ["model.pt", "model.bin", "model.CKPT", "model.pth", "model.pkl"])
def test_pickles_are_refused_unread(tmp_path, weights, name):
    torch.save(weights, tmp_path / name)
    with pytest.raises(UsageError, match="is a pickle"):
        load_tensors(tmp_path / name)
    with pytest.raises(UsageError, match="is a pickle"):
        save_tensors(tmp_path / name, weights)


def test_missing_file(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        load_tensors(tmp_path / "model.safetensors")


def test_manifest_finds_every_flipped_bit(tmp_path, path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "config.json").write_text("{}")
    write_manifest(tmp_path)
    verify_manifest(tmp_path)
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(bytes(damaged))
        with pytest.raises(Failure, match=r"model\.safetensors is changed"):
            verify_manifest(tmp_path)


def test_manifest_names_missing_and_extra_files(tmp_path, path):
    (tmp_path / "config.json").write_text("{}")
    write_manifest(tmp_path)
    path.unlink()
    (tmp_path / "new.txt").touch()
    with pytest.raises(Failure, match=r"model\.safetensors is missing, new\.txt is not expected"):
        verify_manifest(tmp_path)


def test_hidden_and_skipped_files_do_not_count(tmp_path, path):
    hashes = hash_folder(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "note").touch()
    (tmp_path / "worldloom.json").touch()
    check_hashes(tmp_path, hashes, skip=["worldloom.json"])
    with pytest.raises(Failure, match=r"worldloom\.json is not expected"):
        check_hashes(tmp_path, hashes)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"sha256": 3}'])
def test_damaged_manifest(tmp_path, path, content):
    if content is not None:
        (tmp_path / MANIFEST_NAME).write_text(content)
    with pytest.raises(Failure):
        verify_manifest(tmp_path)
