import numpy as np
import pytest
import torch
import torch.nn.functional as F

from worldloom.evaluate.camera_move import TERMS, CameraReader, drift_of_frames, mirrored_drift

SIDE = 96


def footage(zoom: float = 1.0, across: float = 0.0, frames: int = 3, thing: bool = False) -> torch.Tensor:
    """A texture that grows and goes to the right (pixels) from frame to frame, with a bright thing that goes down."""
    rng = torch.Generator().manual_seed(3)
    ground = F.interpolate(torch.rand(1, 3, 24, 24, generator=rng), (4 * SIDE, 4 * SIDE), mode="bicubic")
    places = (2 * torch.arange(SIDE) + 1) / SIDE - 1
    shown = []
    for number in range(frames):
        x = (places - 2 * across * number / SIDE) / zoom**number / 4
        y = places / zoom**number / 4
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]
        frame = F.grid_sample(ground, grid, align_corners=False)[0]
        if thing:
            frame[:, 20 + 8 * number : 36 + 8 * number, 40:56] = 1
        shown.append(2 * frame - 1)
    return torch.stack(shown).clamp(-1, 1)


def test_a_picture_that_goes_to_the_right() -> None:
    drift = drift_of_frames(footage(across=4.0))
    assert drift.shape == (2, 2 * TERMS)
    assert drift[:, 0].numpy() == pytest.approx(4 / SIDE, rel=0.05)
    assert drift[:, 1:].abs().max() < 0.004


def test_a_picture_that_grows() -> None:
    drift = drift_of_frames(footage(zoom=1.05))
    assert drift[:, [1, TERMS + 2]].numpy() == pytest.approx(0.025, abs=0.003)
    assert drift[:, [0, TERMS]].abs().max() < 0.002


def test_what_moves_by_itself_does_not_count() -> None:
    assert drift_of_frames(footage(thing=True)).abs().max() < 0.003


def test_a_mirrored_clip_has_mirrored_drift() -> None:
    frames = footage(zoom=1.04, across=-3.0)
    assert drift_of_frames(frames.flip(-1)) == pytest.approx(
        mirrored_drift(drift_of_frames(frames)), abs=1e-4
    )


def test_frames_without_a_next_one_or_too_small_stand_still() -> None:
    assert drift_of_frames(torch.zeros(1, 3, 32, 32)).shape == (0, 2 * TERMS)
    assert drift_of_frames(torch.rand(4, 3, 16, 16)).equal(torch.zeros(3, 2 * TERMS))
    reader = CameraReader(4).eval()
    with torch.no_grad():
        assert reader(torch.zeros(2, 0, 2 * TERMS)).equal(reader(torch.zeros(2, 5, 2 * TERMS)))


def test_moves_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    clips = [
        (move, drift_of_frames(footage(zoom, across * float(rng.uniform(0.5, 2)), frames=5)))
        for move, (zoom, across) in enumerate([(1.0, 0.0), (1.0, 2.0), (1.0, -2.0), (1.03, 0.0)])
        for _ in range(4)
    ]
    right = torch.tensor([move for move, _ in clips])
    drift = torch.stack([drift for _, drift in clips])
    torch.manual_seed(0)
    reader = CameraReader(4, hidden=16)
    optimizer = torch.optim.Adam(reader.parameters(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(reader(drift), right).backward()
        optimizer.step()
    assert reader.eval()(drift).argmax(1).equal(right)
