from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.evaluate.conftest import CONFIG, TRAINING
from tests.evaluate.shapes import drawn
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import sha256_of
from worldloom.evaluate.judge import (
    FRAMES_AT_ONCE,
    HEADS,
    MIN_AREA,
    Judge,
    JudgeConfig,
    Verdict,
    looks_of,
    story_of,
    to_frames,
)
from worldloom.evaluate.judge_training import (
    NONE,
    JudgeTraining,
    flipped,
    judge_result,
    make_judge,
    measure_judge,
    targets,
    train_judge,
)
from worldloom.evaluate.labels import Labels
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.look import COLOURS


def test_learns_what_and_where_and_is_measured_on_others(judge: Judge) -> None:
    report = measure_judge(judge, [drawn(number) for number in range(1000, 1036)])
    for name, least in (("family", 0.85), ("colour", 0.9), ("visible", 0.9), ("outcome", 0.7)):
        assert report[name]["right"] >= least * report[name]["of"], report
    assert report["family"]["of"] == report["colour"]["of"] == 36 and report["visible"]["of"] == 36 * 4
    assert report["count"]["of"] == 18  # bars are not counted
    assert report["overlap"] > 0.6
    assert set(report["families"]) == set(report["outcomes"]) == {"bounce", "ramp"}


def test_an_untrained_judge_is_measured_as_ignorant() -> None:
    report = measure_judge(Judge(CONFIG).eval(), [drawn(number) for number in range(1000, 1036)])
    assert report["family"]["right"] < 30 and report["overlap"] < 0.3


def test_training_repeats() -> None:
    examples = [drawn(number) for number in range(6)]
    training = JudgeTraining(map_steps=3, map_minutes=0, frames=2, steps=3, minutes=0, clips=2)
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
    assert verdict.visible.shape == (frames,) and set(verdict.scores) == set(HEADS)
    assert sum(np.exp(list(verdict.scores["family"].values()))) == pytest.approx(1, abs=1e-5)


def test_a_large_clip_is_judged_at_the_trained_size(judge: Judge) -> None:
    clip = drawn(1, side=48).frames
    large = clip.repeat(8, axis=1).repeat(8, axis=2)
    assert to_frames(large).shape == (4, 3, 128, 128)
    assert judge.judge(large).colours() == judge.judge(clip).colours()


def test_a_long_clip_is_judged_by_frames_spread_over_it(judge: Judge) -> None:
    clip = np.concatenate([drawn(number).frames for number in range(0, 30, 6)])
    assert len(clip) > FRAMES_AT_ONCE and looks_of(len(clip))[::8] == [0, len(clip) - 1]
    verdict = judge.judge(clip)
    frames = to_frames(clip[looks_of(len(clip))])
    with torch.no_grad():
        logits = judge.answer(story_of(frames, judge.see(frames), range(len(frames))))["family"]
    assert verdict.family == CONFIG.families[int(logits[0].argmax())]
    assert np.all(verdict.visible[:3])
    assert looks_of(1) == [0] and looks_of(4) == [0, 1, 2, 3]


def test_padding_does_not_count_as_picture(judge: Judge) -> None:
    item = drawn(1, side=48)
    cut = item.frames[:, :41, :41]
    verdict = judge.judge(cut)
    with torch.no_grad():
        sight = judge.see(to_frames(cut))
    cells = (sight.main > 0) & (sight.colour.argmax(1) == list(COLOURS).index(item.labels.colour))
    assert verdict.areas[item.labels.colour] == pytest.approx(cells[:, :11, :11].float().mean((1, 2)).numpy())


def test_saves_small_and_loads_equal(judge: Judge, tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    full = Judge(JudgeConfig(tuple(FAMILIES)))
    full.save(path, {})
    assert path.stat().st_size < 3_000_000
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
    verdict = Verdict({"family": {"bounce": -0.1, "ramp": -2.3}}, areas)
    assert verdict.colours(3) == ["blue", "red"] and verdict.colours() == ["blue"]
    assert verdict.visible.tolist() == [True, True]
    assert verdict.family == "bounce" and verdict.best("family", among=["ramp"]) == "ramp"
    faint = Verdict(verdict.scores, {"pink": areas["pink"]})
    assert not faint.visible.any() and faint.colours(3) == []


def test_a_mirrored_clip_has_mirrored_answers() -> None:
    config = JudgeConfig(tuple(FAMILIES))
    labels = Labels("drive", "red", "metal", 2, "pan_left", "drive: turns_right")
    right = targets(config, [labels, labels], [False, True])
    assert [config.cameras[i] for i in right["camera"]] == ["pan_left", "pan_right"]
    assert [config.outcomes[i] for i in right["outcome"]] == ["drive: turns_right", "drive: turns_left"]
    assert [config.counts[i] for i in right["count"]] == ["2", "2"]
    plain = Labels("ramp", "red", "metal", None, "still", "ramp: sticks")
    assert targets(config, [plain], [True])["count"].tolist() == [NONE]


def test_a_mirrored_story_moves_the_other_way(judge: Judge) -> None:
    frames = to_frames(np.ascontiguousarray(drawn(2).frames))
    looks = range(len(frames))
    with torch.no_grad():
        story, mirrored = (story_of(f, judge.see(f), looks) for f in (frames, frames.flip(-1)))
    turned = flipped(story)
    assert torch.equal(turned.halves, mirrored.halves)
    assert torch.allclose(turned.flow, mirrored.flow, atol=2e-3) and story.flow.abs().max() > 0.01
    assert not torch.allclose(story.flow, mirrored.flow, atol=2e-3)
    # The net over single frames is only nearly symmetrical: its steps of two begin at the left.
    assert torch.allclose(turned.object[:, :, 0], mirrored.object[:, :, 0], atol=0.1)


def test_makes_measures_and_keeps_a_judge(tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    training = JudgeTraining(map_steps=2, map_minutes=0, frames=2, steps=2, minutes=0, clips=2, views=1)
    result = make_judge(path, takes=2, held_out=2, training=training, cache=tmp_path, quiet=True)
    again = judge_result(path, 2, quiet=True)
    figures = {line.what: line.real for line in result.lines}
    assert figures["family"].count == 2 and figures["camera"].count == 2 and figures["visible"].count == 18
    # Saved weights are halves: an answer on the edge may turn, the questions may not.
    assert [(a.what, a.real.count) for a in again.lines] == [(b.what, b.real.count) for b in result.lines]
    assert again.settings["sha256"] == sha256_of(path)[:12]
    with pytest.raises(UsageError, match="exists already"):
        make_judge(path, takes=2, held_out=2, training=training, cache=tmp_path, quiet=True)
    with pytest.raises(UsageError, match="no judge at"):
        judge_result(tmp_path / "none.safetensors", 1)
