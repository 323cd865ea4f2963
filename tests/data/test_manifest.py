import json
import shutil

import pytest

from tests.moving_shapes import write_dataset
from worldloom.core.error import Failure, UsageError
from worldloom.data.manifest import Manifest, verify_shards


def test_index_is_read_whole(folder):
    samples = Manifest.load([folder]).samples
    assert len(samples) == 30
    assert {s.shape for s in samples} == {(9, 32, 48), (5, 32, 32), (1, 32, 32)}
    assert all(s.picture == (s.num_frames == 1) for s in samples)
    assert {s.member.rsplit(".")[-1] for s in samples} == {"mp4", "png"}


def test_several_folders_follow_each_other(folder, tmp_path):
    other = write_dataset(tmp_path / "more", [(5, 32, 32)], per_shape=3, seed=7)
    manifest = Manifest.load([folder, other])
    assert [s.folder for s in manifest.samples] == [folder] * 30 + [other] * 3
    assert {f: len(m.samples) for f, m in manifest.by_folder().items()} == {folder: 30, other: 3}


def test_split_keeps_a_scene_on_one_side(folder):
    manifest = Manifest.load([folder])
    training, heldout = manifest.split(300)
    assert len(training.samples) + len(heldout.samples) == 30
    assert 3 <= len(heldout.samples) <= 16
    assert not {s.seed for s in training.samples} & {s.seed for s in heldout.samples}
    assert manifest.split(0)[1].samples == ()


def test_folder_without_index_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"has no index\.jsonl"):
        Manifest.load([tmp_path])
    with pytest.raises(UsageError, match="no dataset folder"):
        Manifest.load([])


def test_broken_index_line_is_named(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    lines = (copy / "index.jsonl").read_text().splitlines()
    entry = json.loads(lines[2])
    del entry["width"]
    lines[2] = json.dumps(entry)
    (copy / "index.jsonl").write_text("\n".join(lines))
    with pytest.raises(Failure, match=r"line 3 of .*width"):
        Manifest.load([copy])


def test_flipped_bit_in_a_shard_is_found(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    verify_shards(copy)
    shard = copy / "shard-00001.tar"
    data = bytearray(shard.read_bytes())
    data[1000] ^= 1
    shard.write_bytes(data)
    with pytest.raises(Failure, match=r"shard-00001\.tar has SHA-256"):
        verify_shards(copy)
    shard.unlink()
    with pytest.raises(Failure, match="missing"):
        verify_shards(copy)
