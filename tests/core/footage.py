"""Footage for the tests: pictures whose frame number can be read back, and files as awkward as the wild has them."""

from fractions import Fraction

import av
import numpy as np

BLOCK = 8


def numbered(count, width=64, height=48):
    """Return frames uint8 [F, H, W, 3] that carry their number as eight black or white blocks in the top row."""
    rows = np.linspace(40, 200, height)[:, None, None]
    frames = np.broadcast_to(rows, (count, height, width, 3)).astype(np.uint8).copy()
    for index in range(count):
        for bit in range(8):
            value = 255 if index >> bit & 1 else 0
            frames[index, :BLOCK, bit * width // 8 : (bit + 1) * width // 8] = value
    return frames


def numbers(frames):
    """Read the numbers back."""
    width = frames.shape[2]
    centers = [(2 * bit + 1) * width // 16 for bit in range(8)]
    bits = frames[:, BLOCK // 2, centers].mean(-1) > 127
    return [int(sum(1 << bit for bit in range(8) if row[bit])) for row in bits]


def write(
    path, frames, times=None, time_base=Fraction(1, 1000), rate=25, codec="libx264", pix_fmt="yuv420p", **more
):
    """Write frames through PyAV alone, at `times` (in ticks of `time_base`) or at a constant `rate`.

    Further: `format`, `options` (of the container), `rotation`, `array_format`, `codec_options`.
    """
    with av.open(
        str(path), "w", format=more.get("format"), container_options=more.get("options", {})
    ) as container:
        stream = container.add_stream(codec, rate=rate, options=more.get("codec_options", {}))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        if more.get("rotation"):
            stream.set_display_rotation(more["rotation"])
        if times is not None:
            stream.codec_context.time_base = time_base
        for index, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(array, format=more.get("array_format", "rgb24"))
            if times is not None:
                frame.pts, frame.time_base = times[index], time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_sound(path):
    """Write a file with a sound track and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def psnr(first, second):
    """Return 10 log10(255^2 / mean squared error) in dB."""
    error = np.mean((np.asarray(first, np.float64) - np.asarray(second, np.float64)) ** 2)
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)
