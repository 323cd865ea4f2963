from pathlib import Path

import numpy as np
import pytest

from worldloom.evaluate.examples import (
    SEED_BASE,
    class_map,
    example,
    load_examples,
    main_objects,
    render_example,
    render_examples,
    save_examples,
)
from worldloom.worlds.look import COLOURS
from worldloom.worlds.render import render_take

TRUTH = {
    "objects": [
        {"noun": "ball", "colour": "red"},
        {"noun": "hoop", "colour": "blue"},
        {"noun": "ball", "colour": "green"},
    ]
}


def test_main_objects_share_the_first_ones_noun() -> None:
    assert main_objects(TRUTH) == {1: "red", 3: "green"}


def test_cells_hold_the_colour_of_main_objects() -> None:
    masks = np.zeros((1, 9, 12), np.uint8)
    masks[0, :4, :4] = 1
    masks[0, :4, 4:8] = 2  # the hoop is no main object
    masks[0, 4, 8:10] = 3  # two pixels are too few
    masks[0, 5:7, 1] = 1
    masks[0, 5:7, 2:4] = 3  # the green ball has more of this cell than the red one
    masks[0, 8, :4] = 3  # a cell cut off by the frame's edge
    red, green = (1 + list(COLOURS).index(name) for name in ("red", "green"))
    expected = np.array([[[red, 0, 0], [green, 0, 0], [green, 0, 0]]])
    assert np.array_equal(class_map(masks, TRUTH), expected)


def test_renders_the_same_example_again_and_keeps_it(tmp_path: Path) -> None:
    (item,) = render_examples(1, SEED_BASE + 5, families=("bounce",), quiet=True)
    again = render_example(("bounce", SEED_BASE + 5))
    assert item.family == "bounce" and item.colour in COLOURS
    assert item.frames.shape[0] == item.classes.shape[0] == 5
    assert item.frames.shape[1:3] == tuple(4 * side for side in item.classes.shape[1:])
    assert 1 + list(COLOURS).index(item.colour) in item.classes
    assert np.array_equal(item.frames, again.frames)
    save_examples([item], tmp_path / "examples.npz")
    (kept,) = load_examples(tmp_path / "examples.npz")
    assert (kept.family, kept.colour) == (item.family, item.colour)
    assert np.array_equal(kept.frames, item.frames) and np.array_equal(kept.classes, item.classes)


def test_seeds_are_beyond_any_training_set() -> None:
    # A training set counts up from its seed, and would need this many takes to get here.
    assert SEED_BASE > 10**18


def test_a_take_without_masks_is_no_example() -> None:
    with pytest.raises(ValueError, match="without masks"):
        example(render_take("bounce", 1, width=16, height=16, num_frames=1, wordings=0))
