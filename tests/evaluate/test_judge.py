from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.evaluate.conftest import CONFIG, TRAINING
from tests.evaluate.shapes import drawn
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import sha256_of
from worldloom.evaluate.judge import FRAMES_AT_ONCE, MIN_AREA, Judge, JudgeConfig, Verdict, to_frames
from worldloom.evaluate.judge_training import JudgeTraining, measure_judge, train_judge
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.look import COLOURS


def test_learns_family_colour_and_place_and_is_measured_on_others(judge: Judge) -> None:
    report = measure_judge(judge, [drawn(number) for number in range(1000, 1036)])
    for name, least in (("family", 0.9), ("colour", 0.95), ("visible", 0.95)):
        assert report[name]["right"] >= least * report[name]["of"], report
    assert report["family"]["of"] == report["colour"]["of"] == 36 and report["visible"]["of"] == 36 * 4
    assert report["overlap"] > 0.7
    assert set(report["families"]) == {"bounce", "ramp"}


def test_an_untrained_judge_is_measured_as_ignorant() -> None:
    report = measure_judge(Judge(CONFIG).eval(), [drawn(number) for number in range(1000, 1036)])
    assert report["family"]["right"] < 30 and report["overlap"] < 0.3


def test_training_repeats() -> None:
    examples = [drawn(number) for number in range(6)]
    training = JudgeTraining(steps=3, minutes=0, clips=2, frames=2)
    first, second = (train_judge(examples, CONFIG, training).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(UsageError, match="0 examples"):
        train_judge([], CONFIG, TRAINING)


@pytest.mark.parametrize(
    ("frames", "height", "width"), [(1, 128, 128), (3, 96, 160), (2, 160, 96), (2, 21, 35)]
)
def test_takes_any_size(judge: Judge, frames: int, height: int, width: int) -> None:
    clip = np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    verdict = judge.judge(clip)
    assert set(verdict.areas) == set(COLOURS)
    assert all(area.shape == (frames,) for area in verdict.areas.values())
    assert verdict.visible.shape == (frames,) and 0 < verdict.family_probability <= 1


def test_a_large_clip_is_judged_at_the_trained_size(judge: Judge) -> None:
    clip = drawn(1, side=48).frames
    large = clip.repeat(8, axis=1).repeat(8, axis=2)
    assert to_frames(large).shape == (4, 3, 128, 128)
    assert judge.judge(large).colours() == judge.judge(clip).colours()


def test_a_long_clip_is_judged_in_pieces_to_the_same_verdict(judge: Judge) -> None:
    clip = np.concatenate([drawn(number).frames for number in range(0, 30, 6)])
    assert len(clip) > FRAMES_AT_ONCE
    verdict = judge.judge(clip)
    with torch.no_grad():
        logits, _ = judge(to_frames(clip)[None])
    best = int(logits[0].argmax())
    assert verdict.family == CONFIG.families[best]
    assert np.all(verdict.visible[:3])


def test_padding_does_not_count_as_picture(judge: Judge) -> None:
    item = drawn(1, side=48)
    cut = item.frames[:, :41, :41]
    verdict = judge.judge(cut)
    _, grids = judge(to_frames(cut)[None])
    cells = grids[0].argmax(1)[:, :11, :11]
    assert verdict.areas[item.colour] == pytest.approx(
        (cells == 1 + list(COLOURS).index(item.colour)).float().mean((1, 2)).numpy()
    )


def test_saves_small_and_loads_equal(judge: Judge, tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    full = Judge(JudgeConfig(tuple(FAMILIES), tuple(COLOURS)))
    full.save(path, {})
    assert path.stat().st_size < 1_000_000
    sha256 = judge.save(path, {"examples": 3})
    again, report = Judge.load(path)
    assert report == {"examples": 3, "sha256": sha256} and sha256 == sha256_of(path)
    assert again.config == judge.config and not again.training
    for number in range(6):
        ours, theirs = judge.judge(drawn(number).frames), again.judge(drawn(number).frames)
        assert ours.family == theirs.family and ours.colours() == theirs.colours()


def test_refuses_what_is_no_clip_and_no_judge(judge: Judge, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no frames"):
        judge.judge(np.zeros((0, 8, 8, 3), np.uint8))
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(Failure, match="holds no judge"):
        Judge.load(tmp_path / "other.safetensors")


def test_verdict_orders_colours_and_needs_an_area() -> None:
    areas = {"red": np.array([0.1, 0.0]), "blue": np.array([0.3, 0.3]), "pink": np.array([MIN_AREA / 2, 0])}
    verdict = Verdict("bounce", 1.0, areas)
    assert verdict.colours(3) == ["blue", "red"] and verdict.colours() == ["blue"]
    assert verdict.visible.tolist() == [True, True]
    assert not Verdict("bounce", 1.0, {"pink": areas["pink"]}).visible.any()
    assert Verdict("bounce", 1.0, {"pink": areas["pink"]}).colours(3) == []
