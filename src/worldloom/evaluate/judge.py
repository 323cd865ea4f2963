"""The prompt-truth judge: which family of world a clip shows, and where its main objects are in which colour.

A small feature pyramid over single frames, trained on renders with the simulator's masks. Every cell of 4 x 4
pixels is background or a main object in one of the colours; a clip's family comes from features averaged over
its frames. "Main object" means every object with the noun of the take's first one:
of three bouncing balls no picture tells which the caption named first.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from worldloom.core.checkpoint import load_metadata, load_tensors, save_tensors
from worldloom.core.config import from_dict, to_dict
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import sha256_of

STRIDE = 16
"""Frame sides are padded to multiples of this, the coarsest grid of the network."""
CELL = 4
"""Pixels along the side of a cell of the map."""
MIN_AREA = 1 / 600
"""Share of a frame's cells from which an object counts as visible: two of a 128-pixel frame's 1,024."""
TRAINED_AREA = 128 * 128  # pixels
FRAMES_AT_ONCE = 16


@dataclass(frozen=True)
class JudgeConfig:
    """What the judge tells apart, and how wide it is."""

    families: tuple[str, ...]
    colours: tuple[str, ...]
    channels: tuple[int, ...] = (32, 64, 96)
    """Of the grids at 1/4, 1/8 and 1/16 of the frame."""


@dataclass(frozen=True)
class Verdict:
    """What the judge sees in one clip."""

    family: str
    family_probability: float
    areas: dict[str, np.ndarray]
    """By colour: share of each frame covered by main objects of that colour, float32 [F]."""

    @property
    def visible(self) -> np.ndarray:
        """Whether a main object is visible, bool [F]."""
        return np.sum(list(self.areas.values()), axis=0) >= MIN_AREA

    def colours(self, count: int = 1) -> list[str]:
        """The `count` colours of the main objects that cover most, the largest first; those never seen left out."""
        totals = {colour: float(area.sum()) for colour, area in self.areas.items()}
        seen = [colour for colour, area in self.areas.items() if area.max(initial=0.0) >= MIN_AREA]
        return sorted(seen, key=lambda colour: -totals[colour])[:count]


class Judge(nn.Module):
    """Frames to family logits and a map of main objects by colour."""

    def __init__(self, config: JudgeConfig):
        super().__init__()
        self.config = config
        widths = config.channels
        self.stem = nn.Conv2d(3, widths[0], 7, stride=CELL, padding=3)
        self.down = nn.ModuleList(
            _Block(before, after, stride=1 if level == 0 else 2)
            for level, (before, after) in enumerate(zip((widths[0], *widths[:-1]), widths, strict=True))
        )
        # On the way up a grid adds to its own features those of the coarser grid, at the bottom the whole frame's.
        self.whole = nn.Linear(widths[-1], widths[-1])
        self.across = nn.ModuleList(
            nn.Conv2d(coarse, fine, 1) for coarse, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.up = nn.ModuleList(_Block(fine, fine, stride=1) for fine in widths[-2::-1])
        self.map = nn.Conv2d(widths[0], 1 + len(config.colours), 1)
        self.family = nn.Sequential(
            nn.Linear(2 * widths[-1], widths[-1]), nn.SiLU(), nn.Linear(widths[-1], len(config.families))
        )

    def forward(
        self, frames: Float[Tensor, "B F 3 H W"]
    ) -> tuple[Float[Tensor, "B families"], Float[Tensor, "B F classes h w"]]:
        """Return family logits and, for every cell, logits of (background, each colour).

        `frames` are in [-1, 1], their sides multiples of 16.
        """
        grid = self.stem(frames.flatten(0, 1))
        skips = []
        for block in self.down:
            grid = block(grid)
            skips.append(grid)
        pooled = grid.mean((2, 3))
        clip = torch.cat([pooled, grid.amax((2, 3))], 1).unflatten(0, frames.shape[:2])
        grid = skips.pop() + self.whole(pooled)[:, :, None, None]
        for across, block in zip(self.across, self.up, strict=True):
            fine = skips.pop()
            grid = block(fine + F.interpolate(across(grid), size=fine.shape[-2:], mode="nearest"))
        return self.family(clip.mean(1)), self.map(grid).unflatten(0, frames.shape[:2])

    @torch.no_grad()
    def judge(self, clip: UInt8[np.ndarray, "F H W 3"]) -> Verdict:
        """Return the verdict on a clip of the 128-pixel class or larger."""
        if not len(clip):
            raise UsageError("there is nothing to judge: the clip has no frames")
        frames = to_frames(clip)
        pieces = [self(part[None]) for part in frames.split(FRAMES_AT_ONCE)]
        weights = torch.tensor([float(len(part)) for part in frames.split(FRAMES_AT_ONCE)])
        # The family head averages features, so the pieces of a long clip are averaged by their lengths.
        logits = (torch.cat([logit for logit, _ in pieces]) * weights[:, None]).sum(0) / weights.sum()
        classes = torch.cat([grid[0] for _, grid in pieces]).argmax(1)
        classes = classes[:, *cells_of(clip.shape[1], clip.shape[2])]
        shares = F.one_hot(classes, 1 + len(self.config.colours)).float().mean((1, 2)).numpy()
        best = int(logits.argmax())
        return Verdict(
            family=self.config.families[best],
            family_probability=float(logits.softmax(0)[best]),
            areas={colour: shares[:, 1 + index] for index, colour in enumerate(self.config.colours)},
        )

    def save(self, path: str | PathLike[str], report: dict[str, Any]) -> str:
        """Write weights (fp16), config and the report of held-out accuracy in one file; returns its SHA-256."""
        tensors = {name: tensor.half() for name, tensor in self.state_dict().items()}
        save_tensors(path, tensors, {"judge": to_dict(self.config), "report": report})
        return sha256_of(path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> tuple[Judge, dict[str, Any]]:
        """Return the judge in eval mode and its report, with the file's SHA-256 added as `sha256`."""
        metadata = load_metadata(path)
        if "judge" not in metadata:
            raise Failure(f"{path} holds no judge")
        judge = cls(from_dict(JudgeConfig, metadata["judge"]))
        expected = {name: tuple(tensor.shape) for name, tensor in judge.state_dict().items()}
        judge.load_state_dict({name: t.float() for name, t in load_tensors(path, expected).items()})
        return judge.eval(), {**metadata["report"], "sha256": sha256_of(Path(path))}


class _Block(nn.Module):
    """A convolution that may halve the grid, and a residual one. Group norm: a verdict depends on its clip alone."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride=stride, padding=1) if stride > 1 else nn.Identity()
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.norm = nn.GroupNorm(8, after)

    def forward(self, grid: Tensor) -> Tensor:
        grid = self.first(grid)
        return grid + F.relu(self.norm(self.second(grid)))


def to_frames(clip: UInt8[np.ndarray, "F H W 3"]) -> Float[Tensor, "F 3 h w"]:
    """Return a clip as the network takes it, in [-1, 1].

    A clip far above the trained area is averaged down to it; sides are padded to multiples of 16 with the edge's
    pixels.
    """
    frames = torch.from_numpy(clip).permute(0, 3, 1, 2).float() / 127.5 - 1
    height, width = shown_size(*frames.shape[-2:])
    if (height, width) != frames.shape[-2:]:
        frames = F.interpolate(frames, size=(height, width), mode="area")
    return F.pad(frames, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")


def shown_size(height: int, width: int) -> tuple[int, int]:
    """Return the size in which the judge looks at a frame."""
    if height * width <= 1.5 * TRAINED_AREA:
        return height, width
    factor = (TRAINED_AREA / (height * width)) ** 0.5
    return max(1, round(height * factor)), max(1, round(width * factor))


def cells_of(height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns of the map that a frame covers, wholly or in part; the rest is padding."""
    height, width = shown_size(height, width)
    return slice(0, -(-height // CELL)), slice(0, -(-width // CELL))
