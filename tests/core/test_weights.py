"""Weights one by one: shards as one set, parts of a tensor, streaming writes, and every kind of damage named."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from worldloom.core.error import Failure, UsageError
from worldloom.core.weights import DTYPES, TensorInfo, Weights, find_weights, write_tensors

INDEX = "model.safetensors.index.json"


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(0)
    return {f"blocks.{i}.weight": torch.randn(6, 2, generator=generator) for i in range(4)}


@pytest.fixture
def sharded(tmp_path, tensors):
    """A folder with the tensors in two shards and an index."""
    places = {}
    for number in (1, 2):
        names = list(tensors)[number - 1 :: 2]
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: tensors[name] for name in names}, tmp_path / file)
        places |= dict.fromkeys(names, file)
    (tmp_path / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return tmp_path


def test_shards_read_as_one_file(sharded, tensors):
    assert find_weights(sharded) == sharded / INDEX
    weights = Weights(sharded / INDEX)
    weights.check(dict.fromkeys(tensors, (6, 2)))
    for name, tensor in tensors.items():
        assert torch.equal(weights.read(name), tensor)
        assert torch.equal(weights.read(name, part=1, parts=3), tensor[2:4])


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_written_tensors_are_what_safetensors_reads(tmp_path, dtype):
    sources = {"scalar": torch.tensor(1), "odd": torch.arange(3) % 2, "none": torch.zeros(0, 4)}
    sources = {name: tensor.to(dtype) for name, tensor in sources.items()}
    info = {name: TensorInfo(tuple(tensor.shape), dtype) for name, tensor in sources.items()}
    told = []
    write_tensors(tmp_path / "a.safetensors", info, sources.__getitem__, {"z": "1"}, on_bytes=told.append)
    read = load_file(tmp_path / "a.safetensors")
    assert {name: t.dtype for name, t in read.items()} == dict.fromkeys(sources, dtype)
    assert all(read[name].tolist() == tensor.tolist() for name, tensor in sources.items())
    assert sum(told) == 4 * dtype.itemsize


def test_writing_changes_the_number_format(tmp_path, tensors):
    info = {name: TensorInfo((6, 2), torch.bfloat16) for name in tensors}
    write_tensors(tmp_path / "a.safetensors", info, tensors.__getitem__, {})
    assert torch.equal(
        load_file(tmp_path / "a.safetensors")["blocks.1.weight"], tensors["blocks.1.weight"].bfloat16()
    )


def test_one_tensor_is_held_at_a_time(tmp_path):
    """The source is asked for a tensor only when the one before it is on disk."""
    sizes = []

    def read(name):
        part = next(tmp_path.glob(".a.*.part.safetensors"))
        sizes.append(part.stat().st_size)
        return torch.zeros(1 << 20, dtype=torch.uint8)

    info = {name: TensorInfo((1 << 20,), torch.uint8) for name in "abc"}
    write_tensors(tmp_path / "a.safetensors", info, read, {})
    assert [size >> 20 for size in sizes] == [0, 1, 2]


def drop_shard(folder):
    (folder / "model-00002-of-00002.safetensors").unlink()


def cut_shard(folder):
    os.truncate(folder / "model-00002-of-00002.safetensors", 90)


def double(folder):
    save_file(
        {"blocks.0.weight": torch.ones(6, 2), "blocks.1.weight": torch.ones(6, 2)},
        folder / "model-00002-of-00002.safetensors",
    )


def shift(folder):
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["blocks.0.weight"] = "model-00002-of-00002.safetensors"
    (folder / INDEX).write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (drop_shard, "model-00002-of-00002.safetensors of 2 shards is missing"),
        (cut_shard, "model-00002-of-00002.safetensors is damaged or cut off"),
        (double, "blocks.0.weight is in both model-00001"),
        (shift, "blocks.0.weight are not where it says"),
        (lambda folder: (folder / INDEX).write_text("[]"), "holds no 'weight_map'"),
        (lambda folder: (folder / INDEX).write_text("{,"), "not valid JSON"),
        (lambda folder: (folder / INDEX).write_text('{"weight_map": {"a": "../b.safetensors"}}'), "outside"),
    ],
)
def test_damaged_shards_are_named(sharded, damage, says):
    damage(sharded)
    with pytest.raises(Failure, match=says):
        Weights(sharded / INDEX)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([], "holds no weights"),
        (["model.pth"], "pickle model.pth, which can run any code"),
        (["a.safetensors", "b.safetensors"], "several sets of weights, a.safetensors, b.safetensors"),
    ],
)
def test_a_folder_without_one_set_of_weights(tmp_path, files, says):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=says):
        find_weights(tmp_path)
