"""Between codec frames and RGB arrays: colour matrix, range, alpha and orientation."""

from __future__ import annotations

from typing import Literal

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from jaxtyping import UInt8

Background = Literal["black", "white"]

# Bilinear chroma, the default, costs 1.2 dB on small saturated objects against bicubic (35.0 and 36.2 dB
# after 4:2:0, 128x128, 2026-11); 4:4:4 keeps 43 dB in the same bytes.
SCALING = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
HD_HEIGHT = 720  # from here on players take an untagged file for BT.709, below for BT.601


def to_rgb(frame: av.VideoFrame, background: Background = "black") -> UInt8[np.ndarray, "H W 3"]:
    """Return a decoded frame as RGB; straight alpha is composited on `background`."""
    source = None
    if frame.colorspace == UNSPECIFIED and not frame.format.is_rgb:
        source = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
    alpha = has_alpha(frame.format)
    target = "rgba" if alpha else "rgb24"
    plain = frame.reformat(
        format=target, src_colorspace=source, interpolation=SCALING, threads=1
    ).to_ndarray()
    return composite(plain, background) if alpha else plain


def composite(
    rgba: UInt8[np.ndarray, "H W 4"], background: Background = "black"
) -> UInt8[np.ndarray, "H W 3"]:
    """Return `rgb * a + background * (1 - a)`, rounded, of straight alpha."""
    alpha = rgba[..., 3:].astype(np.uint32)
    behind = (255 if background == "white" else 0) * (255 - alpha)
    return ((rgba[..., :3] * alpha + behind + 127) // 255).astype(np.uint8)


def has_alpha(pixel_format: av.VideoFormat) -> bool:
    """Return whether a pixel format carries transparency (a palette may)."""
    return pixel_format.has_palette or any(component.is_alpha for component in pixel_format.components)


def to_codec(array: UInt8[np.ndarray, "H W 3"], pixel_format: str) -> av.VideoFrame:
    """Return an RGB array as a codec frame in BT.709, limited range."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")
    return frame.reformat(
        format=pixel_format,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=SCALING,
        threads=1,
    )


def tag_stream(stream: av.VideoStream) -> None:
    """Write into the stream what `to_codec` does, so that no player has to guess."""
    stream.codec_context.colorspace = Colorspace.ITU709
    stream.codec_context.color_range = ColorRange.MPEG
    stream.codec_context.color_primaries = ColorPrimaries.BT709
    stream.codec_context.color_trc = ColorTrc.BT709


def turn(array: UInt8[np.ndarray, "H W 3"], degrees: int) -> UInt8[np.ndarray, "h w 3"]:
    """Return the frame turned counter-clockwise by a multiple of 90 degrees, as its metadata asks."""
    return np.rot90(array, k=round(degrees / 90) % 4)
