"""Files that are not what they say: each is refused in one sentence, and none costs more than its header's reading."""

import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

from tests.core.footage import numbered, write, write_sound
from worldloom.core.error import UsageError
from worldloom.core.limits import Limits
from worldloom.core.video import probe, read_frames, read_video, write_picture

SHARP = {"crf": "1"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Return the bytes of a sound mp4 whose index stands in front."""
    path = tmp_path_factory.mktemp("sound") / "clip.mp4"
    options = {"movflags": "faststart"}
    return write(path, numbered(30, 160, 120), options=options, codec_options=SHARP).read_bytes()


def refusal(path, limits=Limits()):
    """Return the one sentence with which all three readers refuse a file."""
    sentences = set()
    for reader in (probe, read_video, lambda *a: list(read_frames(*a))):
        with pytest.raises(UsageError) as caught:
            reader(path, limits)
        sentences.add(str(caught.value))
    assert len(sentences) == 1, sentences
    sentence = sentences.pop()
    assert path.name in sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    "content",
    [
        b"a text file\n" * 500,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/clip.ts\n",
        b"ffconcat version 1.0\nfile clip.mp4\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        b"<?xml version='1.0'?><MPD><Period/></MPD>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        bytes(range(256)) * 40,
        b"\x89PNG\r\n\x1a\n" + b"nonsense" * 20,
        b"\xff\xd8\xff\xe0" + b"nonsense" * 20,
    ],
)
@pytest.mark.parametrize("name", ["upload.mp4", "upload.png"])
def test_content_that_is_no_video(tmp_path, clip, content, name):
    (tmp_path / "clip.mp4").write_bytes(clip)  # what the playlists point at is there
    path = tmp_path / name
    path.write_bytes(content)
    assert "not a whole video or picture" in refusal(path) or "damaged picture" in refusal(path)


def test_no_file(tmp_path):
    assert "does not exist" in refusal(tmp_path / "missing.mp4")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "empty.mp4").touch()
    assert "is empty" in refusal(tmp_path / "empty.mp4")


def test_address_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="not a local file"):
        probe("http://127.0.0.1:9/clip.mp4")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["plain.mp4", "front.mp4", "clip.mkv", "clip.avi", "clip.mov"])
def test_cut_off(tmp_path, kind, share):
    options = {"movflags": "faststart"} if kind == "front.mp4" else {}
    whole = write(tmp_path / kind, numbered(30, 160, 120), options=options, codec_options=SHARP).read_bytes()
    path = tmp_path / f"cut-{kind}"
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "cut off" in refusal(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_picture_cut_off(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    write_picture(tmp_path / f"whole.{suffix}", noise)
    whole = (tmp_path / f"whole.{suffix}").read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match=r"damaged|cut off"):
        read_video(path)


def test_flipped_bits_in_the_frames(tmp_path, clip):
    data = bytearray(clip)
    for position in range(len(data) // 3, len(data), 401):
        data[position] ^= 0xFF
    path = tmp_path / "flipped.mp4"
    path.write_bytes(bytes(data))
    # Where the flips fall in the decoder's view of the stream, frames are refused one by one or none is left.
    with pytest.raises(UsageError, match=r"damaged|holds no video frames"):
        read_video(path)


def test_sound_alone(tmp_path):
    assert "holds no video, only audio" in refusal(write_sound(tmp_path / "song.mp4"))


def test_animated_webp(tmp_path):
    from PIL import Image

    pages = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (0, 100, 200)]
    pages[0].save(tmp_path / "moving.webp", save_all=True, append_images=pages[1:], duration=100)
    assert "animated WEBP; convert it" in refusal(tmp_path / "moving.webp")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(file_bytes=1000), "at most 1000 are allowed"),
        (Limits(pixels=160 * 120 - 1), "160x120, 19200 pixels; at most 19199 are allowed"),
        (Limits(frames=29), "30 frames; at most 29 are allowed"),
        (Limits(seconds=1.0), "lasts 1.2 s; at most 1 s are allowed"),
        (Limits(decoders=("vp9",)), "coded as h264; allowed: vp9"),
    ],
)
def test_limits(tmp_path, clip, limits, message):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip)
    assert message in refusal(path, limits)


def test_memory_limit(tmp_path, clip):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip)
    with pytest.raises(UsageError, match="decodes to 1728000 bytes"):
        read_video(path, Limits(decoded_bytes=1_000_000))
    with pytest.raises(UsageError, match="decodes to"):
        read_video(path, Limits(decoded_bytes=2_000_000), fps=100)


def test_frame_limit_does_not_trust_the_header(tmp_path):
    options = {"movflags": "frag_keyframe+empty_moov"}  # a header that declares no frames at all
    path = write(tmp_path / "pieces.mp4", numbered(50), options=options)
    assert "at least 21 frames; at most 20" in refusal(path, Limits(frames=20))


def png_header(width, height):
    """Return a PNG that declares a size and holds nearly nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = [
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (body, data)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def with_declared_size(data, width, height):
    """Return an mp4 whose sample entry declares another size than its frames have."""
    patched = bytearray(data)
    start = patched.index(b"avc1", patched.index(b"stsd")) + 4 + 24
    patched[start : start + 4] = struct.pack(">HH", width, height)
    return bytes(patched)


@pytest.mark.parametrize("size", [(100_000, 100_000), (100_000, 95), (2**31 - 1, 2**31 - 1), (8192, 8192)])
def test_huge_picture_header(tmp_path, size):
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(*size))
    assert "are allowed" in refusal(path)


def test_frames_larger_than_the_header_says(tmp_path):
    big = write(tmp_path / "big.mp4", numbered(3, 640, 480)).read_bytes()
    path = tmp_path / "lying.mp4"
    path.write_bytes(with_declared_size(big, 64, 48))
    limits = Limits(pixels=10_000)
    for reader in (probe, read_video):
        with pytest.raises(UsageError):
            reader(path, limits)


def test_huge_video_is_refused_without_memory(tmp_path):
    """Opening it as FFmpeg would costs 158 MB; refusing it may cost a tenth."""
    black = np.zeros((1, 4096, 8192), np.uint8)
    fast = {"preset": "ultrafast"}
    path = write(tmp_path / "huge.mp4", black, array_format="gray", codec_options=fast)
    program = """
import resource, sys
from worldloom.core.error import UsageError
from worldloom.core.video import probe
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    probe(sys.argv[1])
except UsageError as error:
    print(error)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    sentence, kibibytes = done.stdout.splitlines()
    assert "8192x4096, 33554432 pixels; at most 9437184 are allowed" in sentence
    assert int(kibibytes) < 16 * 1024


def test_file_that_may_not_be_read(tmp_path, clip):
    path = tmp_path / "secret.mp4"
    path.write_bytes(clip)
    limited = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert limited[0] > 16  # the readers below leave none open: a leak would show here
    for _ in range(40):
        with pytest.raises(UsageError):
            probe(path, Limits(frames=1))
    assert probe(path).num_frames == 30
