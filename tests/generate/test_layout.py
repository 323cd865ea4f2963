"""A suffix is encoded as if it had a past, frame for frame where it stands."""

import numpy as np
import pytest
import torch

from tests.generate.conftest import moving_clip
from worldloom.generate.engine import Engine
from worldloom.generate.layout import encode_suffix


@pytest.mark.parametrize("offset", range(4))
def test_footage_whose_past_is_its_mirror_is_encoded_exactly(engine: Engine, offset: int) -> None:
    frames = moving_clip(25).frames
    (past,) = (
        count for count in range(16, 20) if (count + offset) % 4 == 1
    )  # `offset` begins a latent frame
    mirrored = np.concatenate([frames[past:0:-1], frames])
    whole = engine.encode(mirrored[: past + offset + 8])
    assert torch.equal(encode_suffix(engine, frames, offset, 8), whole[:, :, -2:])


def test_a_picture_is_held(engine: Engine) -> None:
    picture = moving_clip(1).frames
    held = encode_suffix(engine, picture, 0, 4)
    assert torch.equal(held, engine.encode(np.repeat(picture, 21, axis=0))[:, :, -1:])


def test_footage_shorter_than_the_suffix_is_held_at_its_end(engine: Engine) -> None:
    frames = moving_clip(3).frames
    held = np.concatenate([frames, np.repeat(frames[-1:], 7, axis=0)])
    mirror = np.pad(frames, ((17, 0), (0, 0), (0, 0), (0, 0)), mode="reflect")[:17]
    whole = engine.encode(np.concatenate([mirror, held[:8]]))
    assert torch.equal(encode_suffix(engine, frames, 0, 8), whole[:, :, -2:])
