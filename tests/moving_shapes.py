"""A dataset folder of coloured squares that move, in the format of `worldloom worlds dataset`, for tests."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np

from worldloom.core.coding import by_look
from worldloom.core.picture import encode_picture
from worldloom.core.video import encode_bytes

CODING = by_look(12, "veryfast", "yuv444p")

COLORS = {"red": (210, 40, 40), "green": (40, 180, 60), "blue": (50, 70, 220), "white": (240, 240, 240)}
NAMES_ZH = {"red": "红色", "green": "绿色", "blue": "蓝色", "white": "白色"}


def square_clip(seed: int, frames: int, height: int, width: int) -> tuple[np.ndarray, str]:
    """(uint8 [F, H, W, 3], colour) of one square moving right over a shaded floor."""
    generator = np.random.default_rng(seed)
    color = list(COLORS)[int(generator.integers(len(COLORS)))]
    side = int(generator.integers(height // 6, height // 3))
    y, x = int(generator.integers(0, height - side)), int(generator.integers(0, width // 2))
    floor = np.linspace(60, 120, height, dtype=np.float32)[:, None, None] * np.ones((1, width, 3))
    clip = np.repeat(floor[None].astype(np.uint8), frames, axis=0)
    for f in range(frames):
        left = min(width - side, x + 2 * f)
        clip[f, y : y + side, left : left + side] = COLORS[color]
    return clip, color


def captions(color: str) -> dict:
    """Two wordings per language and length."""
    english = [f"a {color} square moves", f"a {color} block slides right"]
    chinese = [f"{NAMES_ZH[color]}方块移动", f"一个{NAMES_ZH[color]}方块向右滑"]
    lengths = ("short", "medium", "dense")
    return {
        "en": {n: [f"{c}{' over the floor' * i}" for c in english] for i, n in enumerate(lengths)},
        "zh": {n: [f"{c}{'在地板上' * i}" for c in chinese] for i, n in enumerate(lengths)},
    }


def truth(color: str, clip: np.ndarray) -> dict:
    """What a take's truth says of one square, seen from 1 m by a camera whose picture is 2 m high."""
    height, width = clip.shape[1:3]
    floor = np.linspace(60, 120, height, dtype=np.float32).astype(np.uint8)[:, None, None]
    places = []
    for frame in clip:
        rows, columns = np.nonzero((frame != floor).any(-1))
        right, up = 2 * (columns.mean() + 0.5) / height - width / height, 1 - 2 * (rows.mean() + 0.5) / height
        places.append([right, 0.0, up])
    view = {"centre": [0.0, 0.0, 0.0], "distance": 1.0, "azimuth": 90.0, "elevation": 0.0, "fov": 90.0}
    return {
        "camera": [view] * len(clip),
        "family": "square",
        "look": {"floor": "shaded", "mood": "noon", "camera_move": "still"},
        "objects": [
            {"noun": "square", "colour": color, "material": "matte", "moving": True, "position": places}
        ],
        "facts": {"outcome": "moved"},
    }


def write_dataset(
    folder: Path, shapes: list[tuple[int, int, int]], per_shape: int, per_shard: int = 8, seed: int = 0
) -> Path:
    """Write `per_shape` samples of each (frames, height, width); one frame means a picture."""
    folder.mkdir(parents=True)
    index, shards = [], {}
    jobs = [(shape, n) for n in range(per_shape) for shape in shapes]
    for first in range(0, len(jobs), per_shard):
        name = f"shard-{first // per_shard:05d}.tar"
        with tarfile.open(folder / name, "w") as tar:
            for number, (shape, _) in enumerate(jobs[first : first + per_shard], start=first):
                index.append(_add_sample(tar, name, number, shape, seed * 100_000 + number))
        data = (folder / name).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        shards[name] = {"sha256": digest, "samples": len(jobs[first : first + per_shard]), "bytes": len(data)}
    (folder / "dataset.json").write_text(json.dumps({"maker": "moving shapes", "seed": seed}))
    (folder / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in index))
    (folder / "shards.json").write_text(json.dumps(shards))
    return folder


def _add_sample(
    tar: tarfile.TarFile, shard: str, number: int, shape: tuple[int, int, int], seed: int
) -> dict:
    frames, height, width = shape
    key = f"square-{seed:08d}"
    clip, color = square_clip(seed, *shape)
    data = encode_picture(clip[0]) if frames == 1 else encode_bytes(clip, 16, CODING)
    meta = {"family": "square", "seed": seed, "captions": captions(color), "truth": truth(color, clip)}
    _add(tar, f"{key}.{'png' if frames == 1 else 'mp4'}", data)
    _add(tar, f"{key}.json", json.dumps(meta, ensure_ascii=False).encode())
    return {
        "key": key,
        "shard": shard,
        "family": "square",
        "seed": seed,
        "width": width,
        "height": height,
        "num_frames": frames,
        "fps": 16,
        "picture": frames == 1,
    }


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
