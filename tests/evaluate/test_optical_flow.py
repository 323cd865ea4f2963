import numpy as np
import pytest
import torch

from tests.evaluate.clips import floor, rolling, still
from worldloom.evaluate.optical_flow import flow_of_clip, flow_of_frames, optical_flow, warp


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, 0.0), (2.3, -1.7), (-4.0, 3.0)])
def test_finds_the_shift_of_a_texture(shift: tuple[float, float]) -> None:
    large = torch.from_numpy(floor(128)).permute(2, 0, 1)[None].float()
    pushed = torch.tensor(shift).neg()[None, :, None, None].expand(1, 2, 128, 128)
    second = warp(large, pushed)
    first, second = (p[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy() for p in (large, second))
    flow = optical_flow(first[None, 24:104, 24:104], second[None, 24:104, 24:104])[0]
    inner = flow[12:-12, 12:-12]
    assert np.median(inner, axis=(0, 1)) == pytest.approx(shift, abs=0.15)
    assert np.abs(inner - np.array(shift)).mean() < 0.2


def test_only_what_moves_flows() -> None:
    flow = flow_of_clip(rolling(5, speed=2.0, start=20.0))
    assert flow.shape == (4, 64, 64, 2)
    disc = flow[1, 28:37, 17:28]  # at frame 1 its centre is at column 22
    assert disc[..., 0].mean() == pytest.approx(2.0, abs=0.7) and abs(disc[..., 1].mean()) < 0.5
    assert np.linalg.norm(flow[:, :8], axis=-1).max() < 0.1
    assert not flow_of_clip(still(3)).any()


def test_the_gap_is_between_the_frames() -> None:
    clip = np.stack([np.roll(still(1)[0], step, axis=1) for step in range(4)])
    assert flow_of_clip(clip, gap=2).shape[0] == 2
    assert np.median(flow_of_clip(clip, gap=2)[..., 0]) == pytest.approx(2, abs=0.15)


def test_frames_as_tensors_flow_alike() -> None:
    clip = rolling(4, speed=2.0, start=20.0)
    frames = torch.from_numpy(clip).permute(0, 3, 1, 2) / 255
    flow = flow_of_frames(frames).permute(0, 2, 3, 1).numpy()
    assert np.allclose(flow, flow_of_clip(clip), atol=1e-3)
    assert flow_of_frames(frames[:1]).shape == (0, 2, 64, 64)
