"""New words for old pictures: captions of a rendered dataset made again from the truth it holds."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from worldloom.core.error import UsageError
from worldloom.core.file import read_json, sha256_of, whole_file, write_json
from worldloom.core.progress import progress
from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.dataset import add_member, shard_index_path


def recaption(folder: Path, wordings: int, *, quiet: bool = False) -> dict[str, Any]:
    """Writes every shard of `folder` anew with `wordings` captions per language and length; pixels stay as they are.

    Each shard is replaced whole, so a kill leaves some with old and some with new captions and no half shard.

    Raises:
        UsageError: no dataset there, or fewer than 1 wording.
    """
    if wordings < 1:
        raise UsageError(f"wordings must be at least 1, not {wordings}")
    if not (folder / "shards.json").is_file():
        raise UsageError(f"{folder} is no finished dataset folder: it has no shards.json")
    sums = read_json(folder / "shards.json")
    takes = 0
    with progress(sum(entry["samples"] for entry in sums.values()), "captioning", quiet, "takes") as bar:
        for number, name in enumerate(sorted(sums)):
            count = _rewrite(folder / name, wordings)
            update = {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size}
            sums[name] |= update
            index = shard_index_path(folder, number)
            write_json(index, read_json(index) | update)
            takes += count
            bar.advance(count)
    write_json(folder / "shards.json", sums)
    settings = read_json(folder / "dataset.json")
    write_json(folder / "dataset.json", settings | {"wordings": wordings})
    return {"takes": takes, "shards": len(sums), "wordings": wordings}


def _rewrite(shard: Path, wordings: int) -> int:
    count = 0
    with (
        whole_file(shard, force=True) as temporary,
        tarfile.open(shard) as old,
        tarfile.open(temporary, "w") as new,
    ):
        for member in old:
            file = old.extractfile(member)
            assert file is not None, f"{member.name} in {shard} is no file"
            content = file.read()
            if member.name.endswith(".json"):
                entry = json.loads(content)
                entry["captions"] = caption_truth(entry["truth"], wordings)
                content = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
                count += 1
            add_member(new, member.name, content)
    return count
