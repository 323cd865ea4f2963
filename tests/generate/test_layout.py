"""A suffix is encoded as if it had a past, frame for frame where it stands."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.generate.conftest import moving_clip
from worldloom.generate import layout
from worldloom.generate.conform import Frames
from worldloom.generate.detail import Neighbour, restore
from worldloom.generate.dissolve import dissolve
from worldloom.generate.engine import Engine
from worldloom.generate.folder import PACKAGED
from worldloom.generate.layout import encode_suffix
from worldloom.generate.stream import Stream
from worldloom.generate.window import Window
from worldloom.vae.autoencoder import Autoencoder


def held(frames: Frames, before: int) -> Frames:
    return np.concatenate([np.repeat(frames[:1], before, axis=0), frames])


@pytest.mark.parametrize("offset", range(4))
def test_footage_that_stood_still_before_is_encoded_exactly(engine: Engine, offset: int) -> None:
    after = moving_clip(12).frames
    window = Window(frames=17, new=9 - offset, offset=offset, suffix=8)
    whole = engine.encode(held(after, 9 - offset)[:17])
    assert torch.equal(encode_suffix(engine, after, window), whole[:, :, -2:])


@pytest.mark.parametrize("offset", [0, -1, -3])
def test_a_picture_is_held(engine: Engine, offset: int) -> None:
    picture = moving_clip(1).frames
    window = Window(frames=9, new=5 - offset, offset=offset, suffix=4)
    whole = engine.encode(np.repeat(picture, 9, axis=0))
    assert torch.equal(encode_suffix(engine, picture, window), whole[:, :, -1:])


def test_footage_shorter_than_the_suffix_is_held_at_its_end(engine: Engine) -> None:
    after = moving_clip(3).frames
    window = Window(frames=17, new=9, suffix=8)
    whole = engine.encode(held(np.concatenate([after, np.repeat(after[-1:], 5, axis=0)]), 9))
    assert torch.equal(encode_suffix(engine, after, window), whole[:, :, -2:])


@pytest.fixture(scope="module")
def trained(engine: Engine) -> Engine:
    """The toy engine with the package's trained autoencoder."""
    return replace(engine, vae=Autoencoder.load(PACKAGED / "tiny" / "vae"))


def gliding(frames: int) -> Frames:
    """A red square over a shaded floor, a pixel a frame, 64 x 64."""
    return moving_clip(frames, 64, 64).frames


def test_trained_latents_of_a_suffix_are_near_those_behind_its_real_past(trained: Engine) -> None:
    clip = gliding(17)
    real = trained.encode(clip)[:, :, -2:]

    def error(latents: torch.Tensor) -> float:
        return float((latents - real).square().mean() / real.square().mean()) ** 0.5

    without = error(trained.encode(clip[8:])[:, :, -2:])  # as a clip of its own
    behind = error(encode_suffix(trained, clip[9:], Window(frames=17, new=9, suffix=8)))
    assert behind < 0.35 and behind < without / 2


def test_trained_latents_of_a_prefix_are_those_of_the_whole(trained: Engine) -> None:
    clip = gliding(17)
    assert torch.allclose(trained.encode(clip[:9]), trained.encode(clip)[:, :, :3], atol=1e-4)


def test_a_still_scene_goes_on_in_the_colours_given(trained: Engine) -> None:
    """Whatever the model paints, where it paints the same there is no step from given to new frames."""
    clip = np.repeat(gliding(1), 17, axis=0)
    decoded = np.concatenate(list(trained.decode(trained.encode(clip))))
    plain = np.abs(decoded[9].astype(float) - clip[8]).mean()
    left = Neighbour(clip[8], 8)
    restored = np.concatenate(list(restore(trained.decode(trained.encode(clip)), slice(9, 17), left, None)))
    assert np.abs(restored[0].astype(float) - clip[8]).mean() < plain / 2


@pytest.mark.parametrize(
    ("paint", "met"),
    [
        (lambda s, clip: s.extend(clip, num_frames=60, steps=1), "b--"),
        (lambda s, clip: s.extend(clip, num_frames=60, backward=True, steps=1), "a--"),
        (lambda s, clip: s.loop(clip, num_frames=60, steps=1), "b-a"),
        (lambda s, clip: s.generate("a red box", num_frames=60, steps=1), "---"),
    ],
)
def test_only_given_footage_is_met(stream: Stream, monkeypatch: pytest.MonkeyPatch, paint, met: str) -> None:
    """Windows in between go on from the model's own frames; what dissolves again and again leaves ghosts."""
    edges: list[str] = []

    def witness(chunks, count, before, after):
        edges.append(("b" if before else "") + ("a" if after else "") or "-")
        return dissolve(chunks, count, before, after)

    monkeypatch.setattr(layout, "dissolve", witness)
    paint(stream, moving_clip(17)).clip()
    assert edges[0] == met[0] and edges[-1] == met[-1] and set(edges[1:-1]) == {"-"}, edges


def test_long_footage_is_not_drawn_to_itself(stream: Stream) -> None:
    def frames(stillness: float) -> np.ndarray:
        how = {"num_frames": 60, "seed": 3, "steps": 2, "stillness": stillness}
        return stream.generate("a red box", **how).clip().frames

    assert np.array_equal(frames(2.0), frames(0.0))
