"""Which tokens show the things of a take, of which colour, and where what they show goes, from its truth.

What a clip is about covers a twentieth of its picture.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from worldloom.data.dataset import ClipDataset, Window
from worldloom.data.manifest import Manifest, Sample
from worldloom.training.masking import Grid
from worldloom.worlds.look import COLOURS
from worldloom.worlds.sight import on_floor, on_screen

REACH = 0.8
"""Deviation, in tokens, of the bell around a thing's centre: the truth has no sizes."""
SPREAD = 0.09
"""Deviation of the bell around the centre of a thing that moves, in heights of the picture."""
NAMED = 0.5
"""How much a token must show of a thing to be called by its colour."""
VIEW = ("distance", "azimuth", "elevation", "fov")
"""What a camera's view is told by, after the point it looks at."""
NOTHING = 0
"""The colour of tokens that show no thing; those of `COLOURS` follow in their order."""


class MovingThings:
    """Where the centres of the things that move are, in every frame of all takes."""

    def __init__(self, manifest: Manifest) -> None:
        self.samples = manifest.samples
        self.paths = [
            paths(truth, sample)[:, [thing["moving"] for thing in truth["objects"]]]
            for truth, sample in zip(_truths(manifest), manifest.samples, strict=True)
        ]

    def near(self, index: int, window: Window) -> Float[np.ndarray, "F H W"]:
        """How near each pixel of a window is to a thing that moves: 1 at its centre, 0 far away."""
        frames, rows, columns = window
        height, width = self.samples[index].height, self.samples[index].width
        centres = self.paths[index][frames] * np.array([height, width], np.float32) - 0.5
        down = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - centres[:, None, :, 0]
        across = np.arange(columns.start, columns.stop, dtype=np.float32)[:, None] - centres[:, None, :, 1]
        down, across = (np.nan_to_num(np.exp(-0.5 * (d / (SPREAD * height)) ** 2)) for d in (down, across))
        near = np.zeros((len(centres), down.shape[1], across.shape[1]), np.float32)
        for thing in range(centres.shape[1]):
            np.maximum(near, down[:, :, None, thing] * across[:, None, :, thing], out=near)
        return near


class Subjects:
    """Where the centres of all things of all takes are in every frame, their colours, and from where they are seen."""

    def __init__(self, manifest: Manifest) -> None:
        truths = _truths(manifest)
        self.paths = [paths(truth, sample) for truth, sample in zip(truths, manifest.samples, strict=True)]
        self.views = [
            np.array(
                [[*view["centre"], *(view[key] for key in VIEW)] for view in truth["camera"]], np.float32
            )
            for truth in truths
        ]
        numbers = {name: number for number, name in enumerate(COLOURS, start=1)}
        self.colours = [
            np.array([numbers[thing["colour"]] for thing in truth["objects"]], np.int64) for truth in truths
        ]

    def shown(self, index: int, frames: int, grid: Grid) -> Float[Tensor, "f h w"]:
        """How much each token of a sample's first `frames` frames shows of things, 0 to 1.

        A latent frame after the first stands for as many frames as fit, and shows what any of them does.
        """
        return self._near(index, frames, grid).amax(-1)

    def named(self, index: int, frames: int, grid: Grid) -> Int[Tensor, "f h w"]:
        """The colour of what each token of a sample's first `frames` frames shows most of, or `NOTHING`."""
        near, thing = self._near(index, frames, grid).max(-1)
        return torch.where(near > NAMED, torch.from_numpy(self.colours[index])[thing], NOTHING)

    def moved(self, index: int, frames: int, grid: Grid) -> Float[Tensor, "f h w 2"]:
        """How far, in tokens down and across, what each token shows has come in the frames it stands for.

        Things by their centres, everything else as if it were the floor, which moves when the camera does. The first
        frame goes where the latent frame after it came from.
        """
        near, thing = self._near(index, frames, grid).max(-1)
        stride = (frames - 1) // max(1, grid[0] - 1)
        ends = np.maximum(np.arange(grid[0]), 1) * stride
        centres = self.paths[index] * np.array(grid[1:])
        things = torch.from_numpy(centres[ends] - centres[ends - stride])
        own = things[torch.arange(grid[0])[:, None, None], thing]
        carried = np.stack([self._carried(index, end - stride, end, grid) for end in ends.tolist()])
        return torch.where((near > NAMED)[..., None], own, torch.from_numpy(carried)).nan_to_num().float()

    def _carried(self, index: int, before: int, after: int, grid: Grid) -> Float[np.ndarray, "h w 2"]:
        """How far, in tokens down and across, the camera's move carries the floor under each token."""
        past, present = (_view(self.views[index][frame]) for frame in (before, after))
        rows, columns = grid[1:]
        aspect = columns / rows
        up = 1 - (2 * np.arange(rows) + 1) / rows
        right = ((2 * np.arange(columns) + 1) / columns - 1) * aspect
        screen = np.stack(np.broadcast_arrays(right, up[:, None]), -1)
        came = screen - on_screen(past, on_floor(present, screen))
        return np.stack([-came[..., 1] * rows / 2, came[..., 0] * columns / (2 * aspect)], -1)

    def _near(self, index: int, frames: int, grid: Grid) -> Float[Tensor, "f h w things"]:
        """How much each token shows of each thing in any of its frames, 0 to 1."""
        centres = self.paths[index][:frames] * np.array(grid[1:]) - 0.5
        rows = np.arange(grid[1])[:, None, None] - centres[:, None, None, :, 0]
        columns = np.arange(grid[2])[:, None] - centres[:, None, None, :, 1]
        near = np.nan_to_num(np.exp(-(rows**2 + columns**2) / (2 * REACH**2)))
        stride = (frames - 1) // max(1, grid[0] - 1)
        later = near[1:].reshape(grid[0] - 1, stride, *near.shape[1:]).max(1, initial=0.0)
        return torch.from_numpy(np.concatenate([near[:1], later])).float()


def _truths(manifest: Manifest) -> list[dict]:
    dataset = ClipDataset(manifest)
    truths = [dataset.meta(index)["truth"] for index in range(len(manifest.samples))]
    dataset.close()
    return truths


def paths(truth: dict, sample: Sample) -> Float[np.ndarray, "F things 2"]:
    """Centres of a take's things as (row, column) in shares of the picture's height and width, float32.

    Things behind the camera have none (nan); those beside the picture lie beyond 0 and 1.
    """
    places = np.array([thing["position"] for thing in truth["objects"]], np.float64)
    seen = [on_screen(view, places[:, frame]) for frame, view in enumerate(truth["camera"])]
    right, up = np.moveaxis(np.stack(seen), -1, 0)
    column = 0.5 + right / 2 * sample.height / sample.width
    return np.stack([0.5 - up / 2, column], -1).astype(np.float32)


def _view(numbers: Float[np.ndarray, " 7"]) -> dict[str, Any]:
    """The camera's view of a frame, as the truth tells it."""
    return {"centre": numbers[:3], **dict(zip(VIEW, map(float, numbers[3:]), strict=True))}
