"""Which coding keeps given frames as they are, found out by trying it on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from jaxtyping import Float64, UInt8

from worldloom.core.coding import FAITHFUL_420, FAITHFUL_444, PAINTED, Coding
from worldloom.core.video import decode_bytes
from worldloom.core.video_writer import encode_bytes, pad_to_even

KEPT = 40.0  # dB of PSNR that a file keeps of every given frame
MARGIN = 0.5  # dB that the trial may be better than the file, where the frames have other neighbours
BLOCK = 32  # frames tried at once, which bounds memory and stops early where 4:2:0 will not do

Chroma = Literal["auto", "420", "444"]
CHROMAS: tuple[Chroma, ...] = ("auto", "420", "444")


def choose_coding(given: Iterable[UInt8[np.ndarray, "_F H W 3"]], chroma: Chroma = "auto") -> Coding:
    """Return the coding for a file that holds the `given` clips among its frames.

    `auto` takes 4:2:0, which plays everywhere, unless that would leave a given frame below 40 dB; then 4:4:4, which
    keeps it. `420` and `444` decide it. A file without given frames is coded by the look.
    """
    clips = [frames for frames in given if len(frames)]
    if chroma == "auto":
        chroma = "420" if all(_keeps(frames, FAITHFUL_420) for frames in clips) else "444"
    if chroma == "444":
        return FAITHFUL_444
    return FAITHFUL_420 if clips else PAINTED


def psnr_of_frames(
    first: UInt8[np.ndarray, "F H W 3"], second: UInt8[np.ndarray, "F H W 3"]
) -> Float64[np.ndarray, " F"]:
    """Return 10 log10(255^2 / mean squared error) of each frame over all colours, in dB; infinite where equal."""
    difference = first.astype(np.float64) - second
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / np.square(difference).mean(axis=(1, 2, 3)))


def _keeps(frames: UInt8[np.ndarray, "F H W 3"], coding: Coding) -> bool:
    height, width = frames.shape[1:3]
    for start in range(0, len(frames), BLOCK):
        block = frames[start : start + BLOCK]
        back = decode_bytes(encode_bytes(pad_to_even(block), 16, coding))[:, :height, :width]
        if psnr_of_frames(block, back).min() < KEPT + MARGIN:
            return False
    return True
