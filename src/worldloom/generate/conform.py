"""Footage from outside takes the model's size and rate, and new footage takes the source's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8

from worldloom.generate.size import Size

Frames = UInt8[np.ndarray, "_F _H _W 3"]
RESIZE_BATCH = 16  # frames resized at once: bounds the float copy to 16 frames whatever the clip's length


def stretch(frames: Frames, size: Size) -> Frames:
    """Return the frames at `size`, both sides scaled on their own (bicubic, antialiased); equal size: untouched."""
    if frames.shape[1:3] == (size.height, size.width):
        return frames
    nothing = np.zeros((0, size.height, size.width, 3), np.uint8)
    parts = [_resize(frames[i : i + RESIZE_BATCH], size) for i in range(0, len(frames), RESIZE_BATCH)]
    return np.concatenate([nothing, *parts])


def cover(frames: Frames, size: Size) -> Frames:
    """Return the frames scaled to cover `size` with their aspect kept, the overhang cut evenly on both sides."""
    height, width = frames.shape[1:3]
    scale = max(size.width / width, size.height / height)
    scaled = Size(max(size.width, round(width * scale)), max(size.height, round(height * scale)))
    left, top = (scaled.width - size.width) // 2, (scaled.height - size.height) // 2
    return stretch(frames, scaled)[:, top : top + size.height, left : left + size.width]


def to_video(
    frames: Frames, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Return uint8 frames [F, H, W, 3] as video [1, 3, F, H, W] in [-1, 1]."""
    video = torch.from_numpy(np.ascontiguousarray(frames)).to(device)
    return video.permute(3, 0, 1, 2)[None].to(dtype) / 127.5 - 1.0


def to_frames(video: torch.Tensor) -> Frames:
    """Return video [1, 3, F, H, W] in [-1, 1] as uint8 frames [F, H, W, 3], rounded to nearest."""
    scaled = (video[0].float() + 1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(1, 2, 3, 0).cpu().numpy())


def nearest_frame(number: int, fps: Fraction, native: Fraction) -> int:
    """Return which frame at rate `native` is shown as frame `number` at rate `fps`, frames 0 being together."""
    return int(number * native / fps + Fraction(1, 2))


def before_frames(count: int, fps: Fraction, native: Fraction, available: int) -> list[int]:
    """Return indexes of at most `count` frames `1/native` seconds apart that end in a clip's last frame."""
    back = [nearest_frame(i, native, fps) for i in range(count)]
    return [available - 1 - i for i in reversed(back) if i < available]


def after_frames(count: int, fps: Fraction, native: Fraction, available: int) -> list[int]:
    """Return indexes of at most `count` frames `1/native` seconds apart that begin with a clip's first frame."""
    return [i for i in (nearest_frame(i, native, fps) for i in range(count)) if i < available]


def retime(count: int, fps: Fraction, native: Fraction, before: bool, after: bool) -> list[int]:
    """Return which new frame at rate `native` is shown as each of `count` new frames at rate `fps`.

    `before` and `after` say whether given frames stand right before the first new frame and right after the last.
    At equal rates it is 0, 1, 2, ...; the highest entry plus one is how many frames must be painted.
    """
    if before and after:
        steps = max(2, nearest_frame(count + 1, fps, native))
        places = [int(Fraction(k * steps, count + 1) + Fraction(1, 2)) for k in range(1, count + 1)]
        return [min(max(place, 1), steps - 1) - 1 for place in places]
    if not before and not after:
        return [nearest_frame(k, fps, native) for k in range(count)]
    distances = [max(1, nearest_frame(k, fps, native)) for k in range(1, count + 1)]
    if before:
        return [distance - 1 for distance in distances]
    return [distances[-1] - distance for distance in reversed(distances)]


def pick(chunks: Iterable[Frames], indexes: Sequence[int]) -> Iterator[Frames]:
    """Yield the frames of a stream at `indexes` (never falling, repeats allowed), a chunk at a time."""
    start, position = 0, 0
    for chunk in chunks:
        inside = []
        while position < len(indexes) and indexes[position] < start + len(chunk):
            inside.append(indexes[position] - start)
            position += 1
        if inside:
            yield chunk[inside]
        start += len(chunk)
        if position == len(indexes):
            return
    assert position == len(indexes), f"the stream ended at frame {start}, wanted {indexes[position]}"


def _resize(frames: Frames, size: Size) -> Frames:
    images = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()
    resized = F.interpolate(
        images, (size.height, size.width), mode="bicubic", antialias=True, align_corners=False
    )
    return resized.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
