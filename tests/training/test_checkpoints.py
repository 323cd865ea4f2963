import json

import pytest
import torch

from worldloom.core.error import Failure
from worldloom.training.checkpoints import Checkpoints


def tensors(value):
    return {name: {"w": torch.full((3,), float(value))} for name in ("model", "ema", "optimizer")}


def write_weights(folder):
    (folder / "weights.txt").write_text("averaged")


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path, keep=2)


def test_round_trip_and_pointers(checkpoints, tmp_path):
    assert checkpoints.newest() is None
    path = checkpoints.save(7, tensors(1), {"step": 7}, write_weights)
    assert checkpoints.newest() == path
    loaded, state = checkpoints.load(path)
    assert state == {"step": 7}
    assert all(torch.equal(loaded[n]["w"], torch.ones(3)) for n in loaded)
    assert (tmp_path / "latest").read_text().strip() == "step-00000007"
    assert (tmp_path / "ema" / "weights.txt").read_text() == "averaged"


def test_the_newest_two_are_kept(checkpoints, tmp_path):
    for step in (1, 2, 10, 30):
        checkpoints.save(step, tensors(step), {"step": step}, write_weights)
    assert sorted(p.name for p in checkpoints.folder.iterdir()) == ["step-00000010", "step-00000030"]
    assert (tmp_path / "ema").resolve().parent.name == "step-00000030"


def test_what_a_kill_left_behind_is_no_checkpoint_and_goes_away(checkpoints):
    checkpoints.save(1, tensors(1), {"step": 1}, write_weights)
    part = checkpoints.folder / ".step-00000002.part"
    part.mkdir()
    (part / "model.safetensors").write_text("half")
    assert checkpoints.newest().name == "step-00000001"
    checkpoints.save(2, tensors(2), {"step": 2}, write_weights)
    assert not part.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "state.json", "ema/weights.txt"])
def test_a_flipped_bit_is_named(checkpoints, name):
    path = checkpoints.save(1, tensors(1), {"step": 1}, write_weights)
    data = bytearray((path / name).read_bytes())
    data[-2] ^= 1
    (path / name).write_bytes(data)
    with pytest.raises(Failure, match=rf"step-00000001 is damaged .*{name}.*delete it"):
        checkpoints.load(path)


def test_a_missing_file_is_named(checkpoints):
    path = checkpoints.save(1, tensors(1), {"step": 1}, write_weights)
    (path / "optimizer.safetensors").unlink()
    with pytest.raises(Failure, match=r"optimizer\.safetensors is missing"):
        checkpoints.load(path)
    assert json.loads((path / "state.json").read_text())["step"] == 1
