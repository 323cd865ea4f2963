"""Dense optical flow between frames: coarse-to-fine Lucas-Kanade.

Lucas and Kanade 1981, with Bouguet's pyramid: in a window around every pixel, the shift that best explains the change
under constant brightness, refined by warping, from a coarse picture to the full one. A few dozen lines in place of a
package of 60 MB; on smooth textures it is right to 0.15 pixels for shifts of several.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

WINDOW = 9  # pixels along the side
ITERATIONS = 3  # at each size
COARSEST = 20  # pixels along the shorter side at the top of the pyramid
STIFFNESS = 4e-6  # squared gradient (of values in 0..1) below which a shift is not believed
BATCH = 32  # pairs at once
LUMA = torch.tensor([0.299, 0.587, 0.114])  # BT.601


@torch.inference_mode()
def optical_flow(
    first: UInt8[np.ndarray, "N H W 3"], second: UInt8[np.ndarray, "N H W 3"]
) -> Float[np.ndarray, "N H W 2"]:
    """Return for every pixel of `first` how far (x, y) in pixels its content has moved in `second`."""
    pairs = zip(_grey(first).split(BATCH), _grey(second).split(BATCH), strict=True)
    return torch.cat([_flow(one, two) for one, two in pairs]).permute(0, 2, 3, 1).numpy()


def flow_of_clip(clip: UInt8[np.ndarray, "F H W 3"], gap: int = 1) -> Float[np.ndarray, "G H W 2"]:
    """Return the flow from every frame to the one `gap` later, [F - gap, H, W, 2]."""
    return optical_flow(clip[:-gap], clip[gap:])


def coarse_flow(clip: UInt8[np.ndarray, "F H W 3"]) -> Float[np.ndarray, "G h w 2"]:
    """Return the flow of a clip seen at half its size, in its own pixels: a quarter of the work."""
    frames = torch.from_numpy(clip).permute(0, 3, 1, 2).float()
    halved = F.avg_pool2d(frames, 2, ceil_mode=True).round().byte().permute(0, 2, 3, 1).numpy()
    return 2 * flow_of_clip(halved)


@torch.no_grad()
def flow_of_frames(frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "G 2 H W"]:
    """Return the flow from every frame to the next, [F - 1, 2, H, W], of frames in 0..1."""
    grey = (frames * LUMA[:, None, None]).sum(1, keepdim=True)
    if len(grey) < 2:
        return frames.new_zeros(0, 2, *frames.shape[-2:])
    pairs = zip(grey[:-1].split(BATCH), grey[1:].split(BATCH), strict=True)
    return torch.cat([_flow(one, two) for one, two in pairs])


def _grey(frames: UInt8[np.ndarray, "N H W 3"]) -> Float[Tensor, "N 1 H W"]:
    return (torch.from_numpy(np.ascontiguousarray(frames)).float() @ LUMA)[:, None] / 255


def _flow(first: Float[Tensor, "N 1 H W"], second: Float[Tensor, "N 1 H W"]) -> Float[Tensor, "N 2 H W"]:
    pyramid = [(first, second)]
    while min(pyramid[-1][0].shape[-2:]) >= 2 * COARSEST:
        pyramid.append((F.avg_pool2d(pyramid[-1][0], 2), F.avg_pool2d(pyramid[-1][1], 2)))
    flow = torch.zeros(len(first), 2, *pyramid[-1][0].shape[-2:])
    for one, two in reversed(pyramid):
        if flow.shape[-2:] != one.shape[-2:]:
            scale = torch.tensor([one.shape[-1] / flow.shape[-1], one.shape[-2] / flow.shape[-2]])
            flow = F.interpolate(flow, one.shape[-2:], mode="bilinear", align_corners=False)
            flow = flow * scale[:, None, None]
        for _ in range(ITERATIONS):
            flow = flow + _step(one, warp(two, flow), flow)
        flow = _smooth(flow)
    return flow


def _step(one: Tensor, warped: Tensor, flow: Tensor) -> Tensor:
    """Solve each window's 2 x 2 least squares for the shift that is left between `one` and `warped`.

    The stiffness pulls the whole flow towards 0, so that a flat region does not keep what a coarser window saw.
    """
    x, y = _gradient((one + warped) / 2)
    change = one - warped
    products = torch.cat([x * x, y * y, x * y, x * change, y * change], dim=1)
    xx, yy, xy, xt, yt = _window(products).unbind(1)
    xt, yt = xt - STIFFNESS * flow[:, 0], yt - STIFFNESS * flow[:, 1]
    xx, yy = xx + STIFFNESS, yy + STIFFNESS
    determinant = xx * yy - xy * xy
    shift = torch.stack([yy * xt - xy * yt, xx * yt - xy * xt], dim=1) / determinant[:, None]
    return shift.clamp(-1.5, 1.5)  # the linear model holds for about a pixel


def _gradient(picture: Tensor) -> tuple[Tensor, Tensor]:
    padded = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return x, y


def _window(values: Tensor) -> Tensor:
    return F.avg_pool2d(values, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)


def _smooth(flow: Tensor) -> Tensor:
    """A 3 x 3 median: a window that slid off to a neighbour's texture is outvoted."""
    padded = F.pad(flow, (1, 1, 1, 1), mode="replicate")
    height, width = flow.shape[-2:]
    around = [padded[..., i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return torch.stack(around).median(dim=0).values


def warp(picture: Float[Tensor, "N C H W"], flow: Float[Tensor, "N 2 H W"]) -> Float[Tensor, "N C H W"]:
    """Return the picture read at every pixel's place plus its flow, bilinear, the edge held."""
    height, width = picture.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    across = (columns + flow[:, 0] + 0.5) * (2 / width) - 1
    down = (rows + flow[:, 1] + 0.5) * (2 / height) - 1
    places = torch.stack([across, down], dim=-1)
    return F.grid_sample(picture, places, mode="bilinear", padding_mode="border", align_corners=False)
