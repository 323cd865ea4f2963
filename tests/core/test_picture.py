"""Pictures: exact pixels, orientation, transparency, metadata."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.core.footage import numbered, psnr
from worldloom.core.error import UsageError
from worldloom.core.video import probe, read_video, write_picture

RECORD = {"prompt": 'a red ball 红球 \\ "q"', "seed": 7}
SCENE = numbered(200)[199]


@pytest.mark.parametrize(("suffix", "quality"), [("png", np.inf), ("jpg", 35), ("JPEG", 35), ("webp", 35)])
@pytest.mark.parametrize("odd", [0, 1])
def test_round_trip_with_metadata(tmp_path, suffix, quality, odd):
    frame = SCENE[odd:, odd:]
    path = tmp_path / f"still.{suffix}"
    write_picture(path, frame, RECORD)
    info, video = probe(path), read_video(path)
    assert info.is_picture
    assert (info.height, info.width) == frame.shape[:2] == video.frames.shape[1:3]
    assert (info.num_frames, info.metadata, video.metadata) == (1, RECORD, RECORD)
    assert psnr(video.frames[0], frame) >= quality
    with pytest.raises(UsageError, match="exists already"):
        write_picture(path, frame)
    first = path.read_bytes()
    write_picture(path, frame, RECORD, force=True)
    assert path.read_bytes() == first


def test_other_suffix_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"allowed suffixes: \.png, \.jpg, \.jpeg, \.webp"):
        write_picture(tmp_path / "still.bmp", SCENE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    stored = Image.fromarray(SCENE)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored.save(tmp_path / "phone.png", exif=exif.tobytes())
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}
    upright = np.rot90(SCENE, turns[orientation])
    if orientation in (2, 4):
        upright = upright[:, ::-1]
    if orientation in (5, 7):
        upright = upright[::-1]
    video, info = read_video(tmp_path / "phone.png"), probe(tmp_path / "phone.png")
    assert (info.height, info.width) == upright.shape[:2]
    assert (video.frames[0] == upright).all()


@pytest.mark.parametrize(("background", "behind"), [("black", 0), ("white", 255)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_composited(tmp_path, mode, background, behind):
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[:, :3] = (90, 90, 90, 255)
    Image.fromarray(pixels).convert(mode).save(tmp_path / "sprite.png")
    if mode == "P":
        image = Image.fromarray(np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0).astype(np.uint8), "P")
        image.putpalette([90, 90, 90, 10, 20, 30])
        image.save(tmp_path / "sprite.png", transparency=1)
    frame = read_video(tmp_path / "sprite.png", background=background).frames[0]
    assert (frame[:, :3] == 90).all()
    assert (frame[:, 3:] == behind).all()
    assert probe(tmp_path / "sprite.png").has_alpha


def test_deep_gray_keeps_its_tones(tmp_path):
    gray = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(gray).save(tmp_path / "depth.png")
    frame = read_video(tmp_path / "depth.png").frames[0]
    assert (frame == (gray >> 8).astype(np.uint8)[..., None]).all()


def test_content_decides_not_the_name(tmp_path):
    write_picture(tmp_path / "still.png", SCENE)
    (tmp_path / "still.png").rename(tmp_path / "still.mp4")
    assert probe(tmp_path / "still.mp4").is_picture
    assert (read_video(tmp_path / "still.mp4").frames[0] == SCENE).all()


@pytest.mark.parametrize(
    "comment", ["", "a note", "[1]", '{"worldloom": 3}', '{"worldloom": {"a": 1}, "width": "x"}']
)
def test_comments_of_strangers_do_no_harm(tmp_path, comment):
    from PIL import PngImagePlugin

    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("comment", comment)
    Image.fromarray(SCENE).save(tmp_path / "theirs.png", pnginfo=chunks)
    assert probe(tmp_path / "theirs.png").metadata == ({"a": 1} if '"a"' in comment else {})
