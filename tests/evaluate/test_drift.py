"""Drift: each measure answers to its own change and to no other's; the table says how many runs hold."""

import numpy as np
import pytest

from tests.tiny import shared_checkpoint
from worldloom.core.error import UsageError
from worldloom.evaluate.drift import DriftSuite, find_drift, lines, look_of, run_drift
from worldloom.evaluate.studio import Painting, Studio


def textured(frames: int = 40, step: int = 1) -> np.ndarray:
    """Grey-blue grain that moves `step` pixels a frame."""
    grain = np.random.default_rng(0).integers(-20, 21, (24, 32, 1)) + np.array([90, 100, 130])
    return np.stack([np.roll(grain, step * number, axis=1) for number in range(frames)]).astype(np.uint8)


def changed(clip: np.ndarray, change) -> np.ndarray:
    """The clip with its second half changed."""
    half = len(clip) // 2
    return np.concatenate([clip[:half], np.clip(change(clip[half:].astype(float)), 0, 255).astype(np.uint8)])


def soften(frames: np.ndarray) -> np.ndarray:
    return (np.roll(frames, 1, axis=1) + frames + np.roll(frames, -1, axis=1)) / 3


def pale(frames: np.ndarray) -> np.ndarray:
    grey = frames.mean(axis=-1, keepdims=True)
    return grey + 0.5 * (frames - grey)


def flatten(frames: np.ndarray) -> np.ndarray:
    middle = frames.mean(axis=(1, 2), keepdims=True)
    return middle + 0.5 * (frames - middle)


def test_an_unchanged_clip_does_not_drift() -> None:
    ratios = find_drift(textured(), 16, 0.5)
    assert all(value == pytest.approx(1) for value in ratios.values())


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("brightness", lambda frames: frames + 20, 1.2),
        ("contrast", flatten, 0.5),
        ("saturation", pale, 0.5),
        ("sharpness", soften, (30 / 9 / 20) ** 0.5),  # of white grain, by the squared weights
    ],
)
def test_each_measure_sees_its_change(name: str, change, expected: float) -> None:
    ratios = find_drift(changed(textured(), change), 16, 0.5)
    assert ratios[name] == pytest.approx(expected, rel=0.1)
    if name in ("brightness", "saturation"):
        assert ratios["contrast"] == pytest.approx(1, abs=0.05)


def test_motion_that_stops_is_seen() -> None:
    clip = textured()
    clip[20:] = clip[20]
    assert find_drift(clip, 16, 0.5)["motion"] == 0
    assert look_of(clip[:20]).motion > 5


def test_the_table_counts_the_runs_that_hold() -> None:
    steady = dict.fromkeys(("brightness", "contrast", "saturation", "sharpness", "motion"), 1.0)
    rows = [steady, steady, steady, steady | {"sharpness": 0.85}]
    held, *ratios = lines(rows)
    assert held.model.value == 0.75 and held.met is False and held.model.count == 4
    assert lines(rows[:3])[0].met is True
    assert lines([steady | {"motion": 0.1, "saturation": 2.0}])[0].met is True  # told, not judged
    assert [line.what for line in ratios] == list(steady)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"runs": 0}, "not 0"), ({"end_seconds": 31}, "half"), ({"seed": -1}, "0 to 999")],
)
def test_wrong_settings_are_refused(wrong: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        DriftSuite(**wrong)


def test_a_run_paints_and_tells(tmp_path_factory: pytest.TempPathFactory) -> None:
    studio = Studio(str(shared_checkpoint(tmp_path_factory)), Painting(steps=1, guidance=1.0))
    result = run_drift(DriftSuite(runs=1, seconds=1.5, end_seconds=0.5), studio, quiet=True)
    assert result.cases[0]["family"] == "basketball" and result.cases[0]["prompt"]
    assert result.lines[0].model.count == 1 and result.sheets["runs"].ndim == 3
    assert result.lines[1].model.value == pytest.approx(result.cases[0]["brightness"])


def test_ends_longer_than_half_the_clip_are_refused() -> None:
    with pytest.raises(ValueError, match="ends of 21 frames"):
        find_drift(textured(), 21, 1.0)
