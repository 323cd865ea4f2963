"""The judge: which world a clip shows, how the camera moves, how it ends, and where its main objects are.

A small feature pyramid over single frames, a net over pairs of them and the optical flow between, and a short net
over time, trained on renders with the simulator's truth; the camera's move is read from how the picture moves as a whole
(`camera_move.py`), since asked beside the rest it was "still" of whatever did not crane. "Main object" means every object with the noun of the take's
first one: of three bouncing balls no picture tells which the caption named first. Whether a cell of 4 x 4 pixels shows
one, and which colour the cell has, are two questions: asked as one, a net must learn every colour in every family anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
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
from worldloom.evaluate.camera_move import CameraReader, drift_of_frames
from worldloom.evaluate.labels import MOST, OUTCOMES
from worldloom.evaluate.optical_flow import flow_of_frames
from worldloom.worlds.look import CAMERA_MOVES, COLOURS, MATERIALS

STRIDE = 16
"""Frame sides are padded to multiples of this, the coarsest grid of the network."""
LOOKS = 9
"""Frames of a clip, evenly spread, that the judge sees when it judges the clip as a whole."""
CELL = 4
"""Pixels along the side of a cell of the map."""
PLACES = 4
"""Rows and columns in which the nets over time still know what is where."""
MIN_AREA = 1 / 600
"""Share of a frame's cells from which an object counts as visible: two of a 128-pixel frame's 1,024."""
TRAINED_AREA = 128 * 128  # pixels
FRAMES_AT_ONCE = 16
DROPOUT = 0.2
FLOW_SCALE = 10.0
"""Brings flow, some hundredths of a frame's width, to the size of other features."""
HEADS = ("family", "material", "count", "camera", "outcome")
"""Questions about a clip as a whole; the colour is read from the map."""
TOLD_HEADS = tuple(head for head in HEADS if head != "camera")
"""Those that the net over time answers."""


@dataclass(frozen=True)
class JudgeConfig:
    """What the judge tells apart, and how wide it is."""

    families: tuple[str, ...]
    colours: tuple[str, ...] = tuple(COLOURS)
    materials: tuple[str, ...] = tuple(MATERIALS)
    counts: tuple[str, ...] = tuple(str(count) for count in range(MOST + 1))
    cameras: tuple[str, ...] = CAMERA_MOVES
    outcomes: tuple[str, ...] = OUTCOMES
    channels: tuple[int, int, int] = (48, 64, 96)
    """Of the grids at 1/4, 1/8 and 1/16 of the frame."""
    first: int = 24
    """Channels at half the frame's size."""
    hidden: int = 128
    """Width of the net over time."""

    def answers(self, head: str) -> tuple[str, ...]:
        return {
            "family": self.families, "material": self.materials, "count": self.counts,
            "camera": self.cameras, "outcome": self.outcomes,
        }[head]  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What the judge sees in one clip."""

    scores: dict[str, dict[str, float]]
    """By head: log-probability of every answer."""
    areas: dict[str, np.ndarray]
    """By colour: share of each frame covered by main objects of that colour, float32 [F]."""

    def best(self, head: str, among: Sequence[str] | None = None) -> str:
        """The most probable answer to a question, of all or among some."""
        scores = self.scores[head]
        return max(scores if among is None else among, key=lambda answer: scores[answer])

    @property
    def family(self) -> str:
        return self.best("family")

    @property
    def visible(self) -> np.ndarray:
        """Whether a main object is visible, bool [F]."""
        return np.sum(list(self.areas.values()), axis=0) >= MIN_AREA

    def colours(self, count: int = 1) -> list[str]:
        """The `count` colours of the main objects that cover most, the largest first; those never seen left out."""
        totals = {colour: float(area.sum()) for colour, area in self.areas.items()}
        seen = [colour for colour, area in self.areas.items() if area.max(initial=0.0) >= MIN_AREA]
        return sorted(seen, key=lambda colour: -totals[colour])[:count]


@dataclass(frozen=True)
class Sight:
    """Of single frames N: `main` [N, h, w] logits of a main object, `colour` [N, colours, h, w] logits, and what the
    net over time gets to know: `places` [N, C, 4, 4], the coarsest features, and `object` [N, D], what the main
    objects look like, where they are and how large."""

    main: Tensor
    colour: Tensor
    places: Tensor
    object: Tensor


@dataclass(frozen=True)
class Story:
    """What the net over time reads of clips B of F frames.

    `places` [B, F, C, 4, 4] and `object` [B, F, D] of a `Sight`; `halves` [B, F, 3, H/2, W/2], the frames at half
    their size; `flow` [B, F - 1, 2, H/4, W/4], the optical flow (x, y) in units of a frame's width.
    """

    places: Tensor
    object: Tensor
    halves: Tensor
    flow: Tensor
    drift: Tensor


class Judge(nn.Module):
    """Frames to a map of main objects and colours, and to answers about the clip."""

    def __init__(self, config: JudgeConfig):
        super().__init__()
        self.config = config
        fine, _, coarse = config.channels
        self.sight = _Sight(config)
        hidden, cells = config.hidden, PLACES * PLACES
        self.pairs = nn.Conv2d(6, 24, 6, stride=2, padding=2)
        self.motion = nn.Sequential(_Block(24 + 2, 48, stride=2), _Block(48, 64, stride=2))
        self.moved = nn.Linear(64 * cells, hidden)
        self.step = nn.Linear(coarse * cells + fine + 3 + hidden, hidden)
        self.time = nn.ModuleList([nn.Conv1d(hidden, hidden, 3, padding=1) for _ in range(2)])
        self.clip = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(3 * hidden, 2 * hidden), nn.SiLU())
        self.heads = nn.ModuleDict(
            {head: nn.Linear(2 * hidden, len(config.answers(head))) for head in TOLD_HEADS}
        )
        self.camera = CameraReader(len(config.cameras))

    def see(self, frames: Float[Tensor, "N 3 H W"]) -> Sight:
        """Look at single frames in [-1, 1], their sides multiples of 16."""
        return self.sight(frames)

    def answer(self, story: Story) -> dict[str, Float[Tensor, "B answers"]]:
        """Return logits of every head for clips."""
        clip = self.summary(story)
        return {head: layer(clip) for head, layer in self.heads.items()} | {
            "camera": self.camera(story.drift)
        }

    def summary(self, story: Story) -> Float[Tensor, "B D"]:
        """Return what the heads of the net over time read: the last layer before their answers."""
        seen = [story.places.flatten(2), story.object, self._movement(story)]
        steps = F.relu(self.step(torch.cat(seen, 2))).transpose(1, 2)
        for layer in self.time:
            steps = steps + F.relu(layer(steps))
        return self.clip(torch.cat([steps.mean(2), steps.amax(2), steps[:, :, -1]], 1))

    def _movement(self, story: Story) -> Tensor:
        """What changed since the frame before, [B, F, hidden]; nothing at the first one."""
        batch, count = story.halves.shape[:2]
        if count == 1:
            return story.halves.new_zeros(batch, 1, self.config.hidden)
        pairs = torch.cat([story.halves[:, :-1], story.halves[:, 1:]], 2).flatten(0, 1)
        grid = torch.cat([F.relu(self.pairs(pairs)), FLOW_SCALE * story.flow.flatten(0, 1)], 1)
        places = F.adaptive_avg_pool2d(self.motion(grid), PLACES).flatten(1)
        return F.pad(F.relu(self.moved(places)).unflatten(0, (batch, count - 1)), (0, 0, 1, 0))

    @torch.no_grad()
    def judge(self, clip: UInt8[np.ndarray, "F H W 3"]) -> Verdict:
        """Return the verdict on a clip of the 128-pixel class or larger."""
        if not len(clip):
            raise UsageError("there is nothing to judge: the clip has no frames")
        frames = to_frames(clip)
        rows, columns = cells_of(clip.shape[1], clip.shape[2])
        sight = self._see_all(frames)
        mains, colours = sight.main[:, rows, columns] > 0, sight.colour.argmax(1)[:, rows, columns]
        shares = [
            (mains & (colours == index)).float().mean((1, 2)).numpy()
            for index in range(len(self.config.colours))
        ]
        answers = self.answer(story_of(frames, sight, looks_of(len(clip))))
        scores = {
            head: dict(zip(self.config.answers(head), logits[0].log_softmax(0).tolist(), strict=True))
            for head, logits in answers.items()
        }
        return Verdict(scores, dict(zip(self.config.colours, shares, strict=True)))

    @torch.no_grad()
    def features(self, clip: UInt8[np.ndarray, "F H W 3"]) -> Float[np.ndarray, " D"]:
        """Return the clip's summary as a vector, for distances between sets of clips."""
        looks = to_frames(clip)[looks_of(len(clip))]
        story = story_of(looks, self._see_all(looks), range(len(looks)))
        return self.summary(story)[0].double().numpy()

    def _see_all(self, frames: Float[Tensor, "N 3 H W"]) -> Sight:
        """Look at any number of frames in bounded memory."""
        parts = [self.see(part) for part in frames.split(FRAMES_AT_ONCE)]
        return Sight(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Sight)))

    def save(self, path: str | PathLike[str], report: dict[str, Any]) -> str:
        """Write weights (fp16), config and the report of held-out accuracy in one file; returns its SHA-256."""
        tensors = {name: tensor.half().contiguous() for name, tensor in self.state_dict().items()}
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


class _Sight(nn.Module):
    """The pyramid over single frames."""

    def __init__(self, config: JudgeConfig):
        super().__init__()
        fine, middle, coarse = config.channels
        first = nn.Conv2d(3, config.first, 4, stride=2, padding=1)
        self.stem = nn.Sequential(first, nn.ReLU(), _Block(config.first, fine, stride=2))
        self.down = nn.ModuleList([_Block(fine, middle, stride=2), _Block(middle, coarse, stride=2)])
        self.deep = _Block(coarse, coarse)
        # On the way up a grid adds to its own features those of the coarser grid, and the whole frame's.
        self.whole = nn.ModuleList([nn.Linear(coarse, coarse), nn.Linear(coarse, fine)])
        self.across = nn.ModuleList([nn.Conv2d(coarse, middle, 1), nn.Conv2d(middle, fine, 1)])
        self.up = nn.ModuleList([_Block(middle, middle), _Block(fine, fine)])
        self.main = nn.Conv2d(fine, 1, 1)
        self.colour = nn.Sequential(
            nn.Conv2d(fine + 3, 48, 1), nn.ReLU(), nn.Conv2d(48, len(config.colours), 1)
        )

    def forward(self, frames: Tensor) -> Sight:
        finest = self.stem(frames)
        middle = self.down[0](finest)
        coarse = self.deep(self.down[1](middle))
        frame = coarse.mean((2, 3))
        deep, broad = (layer(frame)[:, :, None, None] for layer in self.whole)
        grid = self.up[0](middle + _enlarged(self.across[0](coarse + deep), middle))
        grid = self.up[1](finest + _enlarged(self.across[1](grid), finest) + broad)
        main = self.main(grid)[:, 0]
        colour = self.colour(torch.cat([grid, F.avg_pool2d(frames, CELL)], 1))
        return Sight(main, colour, F.adaptive_avg_pool2d(coarse, PLACES), _object(grid, main))


def _enlarged(grid: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(grid, size=like.shape[-2:], mode="nearest")


def _object(grid: Tensor, main: Tensor) -> Tensor:
    """Column and row (-1 to 1), size and features of the main objects: [N, 3 + fine]."""
    weight = main.sigmoid()
    rows, columns = (torch.linspace(-1, 1, size).to(weight) for size in weight.shape[-2:])
    share = weight / (weight.sum((1, 2), keepdim=True) + 1)
    place = [(share * columns).sum((1, 2)), (share * rows[:, None]).sum((1, 2)), weight.mean((1, 2)).sqrt()]
    return torch.cat([torch.stack(place, 1), (grid * share[:, None]).sum((2, 3))], 1)


class _Block(nn.Module):
    """A convolution that may halve the grid, and a residual one. Group norm: a verdict depends on its clip alone."""

    def __init__(self, before: int, after: int, stride: int = 1):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride=stride, padding=1) if stride > 1 else nn.Identity()
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.norm = nn.GroupNorm(8, after)

    def forward(self, grid: Tensor) -> Tensor:
        grid = self.first(grid)
        return grid + F.relu(self.norm(self.second(grid)))


def story_of(frames: Float[Tensor, "N 3 H W"], sight: Sight, looks: Sequence[int]) -> Story:
    """Return what the net over time reads of one clip of which the frames `looks` have been seen."""
    chosen = list(looks)
    halves = F.avg_pool2d(frames[chosen], 2)
    seen = sight.places[chosen], sight.object[chosen], halves, _flow(halves), drift_of_frames(frames[chosen])
    return Story(*(part[None] for part in seen))


def _flow(halves: Float[Tensor, "F 3 h w"]) -> Float[Tensor, "G 2 h2 w2"]:
    flow = flow_of_frames((halves + 1) / 2)
    return F.avg_pool2d(flow, 2) / halves.shape[-1]


def looks_of(count: int) -> list[int]:
    """Return the numbers of the frames, evenly spread over `count`, that stand for a clip."""
    return np.unique(np.linspace(0, count - 1, LOOKS).round().astype(int)).tolist()


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
