"""Renders a training set: WebDataset shards with an index and hashes, on all cores, resumable after a kill.

A shard is one unit of work: one process renders it whole, writes it under a temporary name and renames it, then its
index. What has both is done and is skipped when the command runs again; everything else is made anew.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import tarfile
import time
from multiprocessing.synchronize import Lock
from pathlib import Path
from typing import Any

from worldloom.core.error import UsageError
from worldloom.core.file import read_json, sha256_of, whole_file, write_json
from worldloom.core.picture import encode_picture
from worldloom.core.progress import Bar, progress
from worldloom.core.video_writer import encode_bytes
from worldloom.worlds.plan import DatasetPlan, SamplePlan
from worldloom.worlds.render import render_take
from worldloom.worlds.stage import FPS


def write_dataset(
    plan: DatasetPlan, folder: Path, *, workers: int | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Renders what is missing of `plan` into `folder`; returns {"takes", "frames", "shards", "bytes", "seconds"}.

    Raises:
        UsageError: the folder holds a dataset with other settings.
    """
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    settings = folder / "dataset.json"
    if settings.exists() and read_json(settings) != json.loads(json.dumps(plan.settings())):
        raise UsageError(
            f"{folder} holds a dataset with other settings (see {settings}); give another folder"
        )
    write_json(settings, plan.settings())
    for leftover in folder.glob(".*.part*"):
        leftover.unlink()
    todo = [shard for shard in range(plan.num_shards) if not shard_index_path(folder, shard).exists()]
    start = time.monotonic()
    with progress(plan.takes, "rendering", quiet, "takes") as bar:
        bar.jump(plan.takes - sum(len(_shard_range(plan, shard)) for shard in todo))
        _render_shards(plan, folder, todo, workers or len(os.sched_getaffinity(0)), bar)
    return {**_write_index(plan, folder), "seconds": round(time.monotonic() - start, 2)}


def _render_shards(plan: DatasetPlan, folder: Path, todo: list[int], workers: int, bar: Bar) -> None:
    if not todo:
        return
    context = multiprocessing.get_context("spawn")  # a forked OpenGL context does not work
    counter, lock = context.Value("q", 0), context.Lock()
    cores = sorted(os.sched_getaffinity(0))
    turn = context.Value("q", 0)
    pool = context.Pool(min(workers, len(todo)), _begin_worker, (cores, turn, lock, counter, os.getpid()))
    try:
        jobs = pool.imap_unordered(_render_shard, [(plan, str(folder), shard) for shard in todo])
        shown = finished = 0
        while finished < len(todo):
            try:
                jobs.next(timeout=0.5)
                finished += 1
            except multiprocessing.TimeoutError:
                pass  # nothing finished yet: only the bar moves
            bar.advance(counter.value - shown)
            shown = counter.value
        pool.close()
    finally:
        pool.terminate()
        pool.join()


_counter: Any = None
_parent = 0


def _begin_worker(cores: list[int], turn: Any, lock: Lock, counter: Any, parent: int) -> None:
    """Pins the worker to a core of its own: two unpinned software renderers often share one."""
    global _counter, _parent
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers
    _counter, _parent = counter, parent
    with lock:
        mine = cores[turn.value % len(cores)]
        turn.value += 1
    os.sched_setaffinity(0, {mine})


def _render_shard(job: tuple[DatasetPlan, str, int]) -> None:
    plan, folder, shard = job
    name = shard_name(shard)
    lines = []
    with whole_file(Path(folder) / name, force=True) as temporary, tarfile.open(temporary, "w") as tar:
        for index in _shard_range(plan, shard):
            if os.getppid() != _parent:
                os._exit(1)  # the command was killed; what this worker began is made anew by the next one
            lines.append(_write_sample(tar, plan, plan.sample(index)) | {"shard": name})
            with _counter.get_lock():
                _counter.value += 1
    path = Path(folder) / name
    entry = {"sha256": sha256_of(path), "samples": len(lines), "bytes": path.stat().st_size, "index": lines}
    write_json(shard_index_path(Path(folder), shard), entry)


def _write_sample(tar: tarfile.TarFile, plan: DatasetPlan, sample: SamplePlan) -> dict[str, Any]:
    take = render_take(
        sample.family,
        sample.seed,
        width=sample.width,
        height=sample.height,
        num_frames=sample.num_frames,
        supersample=plan.supersample,
        wordings=plan.wordings,
    )
    if sample.picture:
        add_member(tar, f"{sample.key}.png", encode_picture(take.frames[0]))
    else:
        add_member(tar, f"{sample.key}.mp4", encode_bytes(take.frames, FPS))
    text = {"family": sample.family, "seed": sample.seed, "captions": take.captions, "truth": take.truth}
    add_member(
        tar, f"{sample.key}.json", json.dumps(text, ensure_ascii=False, separators=(",", ":")).encode()
    )
    return {
        "key": sample.key,
        "family": sample.family,
        "seed": sample.seed,
        "width": sample.width,
        "height": sample.height,
        "num_frames": sample.num_frames,
        "fps": FPS,
        "picture": sample.picture,
    }


def add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _write_index(plan: DatasetPlan, folder: Path) -> dict[str, Any]:
    """index.jsonl and shards.json from the shards' own indices."""
    entries = {
        shard_name(shard): read_json(shard_index_path(folder, shard)) for shard in range(plan.num_shards)
    }
    lines = [line for entry in entries.values() for line in entry["index"]]
    with whole_file(folder / "index.jsonl", force=True) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))
    sums = {
        name: {key: entry[key] for key in ("sha256", "samples", "bytes")} for name, entry in entries.items()
    }
    write_json(folder / "shards.json", sums)
    return {
        "takes": len(lines),
        "frames": sum(line["num_frames"] for line in lines),
        "shards": len(entries),
        "bytes": sum(entry["bytes"] for entry in entries.values()),
    }


def shard_name(shard: int) -> str:
    return f"shard-{shard:05d}.tar"


def shard_index_path(folder: Path, shard: int) -> Path:
    return folder / "shards" / f"{shard:05d}.json"


def _shard_range(plan: DatasetPlan, shard: int) -> range:
    return range(shard * plan.shard_takes, min((shard + 1) * plan.shard_takes, plan.takes))
