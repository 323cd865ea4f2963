import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from worldloom.core.error import Failure
from worldloom.data.shard import Shard, Shelf


def test_members_equal_what_tarfile_reads(folder):
    path = folder / "shard-00000.tar"
    shard = Shard(path)
    with tarfile.open(path) as tar:
        names = tar.getnames()
        assert sorted(shard.ranges) == sorted(names)
        for name in reversed(names):
            assert shard.read(name) == tar.extractfile(name).read()
    shard.close()


def test_threads_read_one_shard_at_once(folder):
    shelf = Shelf()
    path = folder / "shard-00000.tar"
    names = list(Shard(path).ranges)
    alone = [shelf.read(path, n) for n in names]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda n: shelf.read(path, n), names * 20))
    assert together == alone * 20
    shelf.close()


def test_missing_and_truncated_are_named(folder, tmp_path):
    with pytest.raises(Failure, match=r"no member nothing\.mp4"):
        Shard(folder / "shard-00000.tar").read("nothing.mp4")
    with pytest.raises(Failure, match="cannot be read"):
        Shard(tmp_path / "absent.tar")
    with pytest.raises(Failure, match="cannot be read"):
        path = tmp_path / "text.tar"
        path.write_text("no tar at all, " * 100)
        Shard(path)
    cut = tmp_path / "cut.tar"
    cut.write_bytes((folder / "shard-00000.tar").read_bytes()[:700])
    with pytest.raises(Failure, match=r"ends inside member|cannot be read"):
        shard = Shard(cut)
        [shard.read(name) for name in shard.ranges]
