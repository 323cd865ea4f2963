import pytest

from worldloom.evaluate.labels import Labels, labels_of, mirrored, says
from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.look import CAMERA_MOVES
from worldloom.worlds.stage import simulate

ROW = Labels("dominoes", "blue", "marble", 6, "orbit_right", "dominoes: all_fall")
CAR = Labels("drive", "blue", "metal", 2, "still", "drive: turns_left")


@pytest.mark.parametrize(
    ("prompt", "language", "labels", "said"),
    [
        ("A blue marble ball hits a row of six grey dominoes. Orbiting right.", "en", ROW, {"material", "count", "camera"}),
        ("a blue ball hits a row of six red, grey and pink dominoes on marble", "en", ROW, {"count"}),
        ("a blue ball hits a row of grey dominoes, all six fall", "en", ROW, set()),
        ("一个蓝色的大理石球撞上一排六张灰色骨牌。镜头向右环绕。", "zh", ROW, {"material", "count", "camera"}),
        ("一个蓝色球撞上一排灰色骨牌，大理石地面上", "zh", ROW, set()),
        ("a blue metallic car turns left near two traffic cones. A static shot.", "en", CAR, {"material", "count", "camera"}),
        ("a blue car turns left near a cone", "en", CAR, set()),
    ],
)  # fmt: skip
def test_a_clip_is_held_to_what_its_prompt_says(
    prompt: str, language: str, labels: Labels, said: set[str]
) -> None:
    assert says(prompt, language, "medium", labels) == {"family", "colour", "outcome"} | said


def test_a_short_line_of_a_bounce_leaves_the_end_open_and_counts_its_balls() -> None:
    ball = Labels("bounce", "red", "rubber", 1, "still", "bounce: rolls_away")
    assert says("a ball bounces", "en", "short", ball) == {"family", "count"}


def test_labels_are_read_from_truth_and_dense_captions_say_the_camera() -> None:
    truth = simulate("billiards", 2, num_frames=17)
    labels = labels_of(truth)
    assert labels.count == sum(thing["noun"] == "ball" for thing in truth["objects"])
    assert labels.outcome == f"billiards: {truth['facts']['outcome']}" and labels.camera in CAMERA_MOVES
    for language, lengths in caption_truth(truth, 1).items():
        assert {"colour", "camera", "outcome"} <= says(lengths["dense"][0], language, "dense", labels)


def test_a_shot_still_in_the_air_at_the_end_says_no_outcome() -> None:
    truth = simulate("basketball", 2, num_frames=17)
    truth["facts"]["details"]["undecided"] = True
    labels = labels_of(truth)
    assert labels.outcome is None
    assert "outcome" not in says("a ball is thrown at a hoop", "en", "dense", labels)


def test_left_and_right_change_places_in_a_mirror() -> None:
    assert mirrored("orbit_left") == "orbit_right" and mirrored("drive: turns_right") == "drive: turns_left"
    assert mirrored("handheld") == "handheld"
    assert {mirrored(move) for move in CAMERA_MOVES} == set(CAMERA_MOVES)
