from pathlib import Path

import numpy as np

from worldloom.evaluate.examples import (
    MAIN,
    SEED_BASE,
    Example,
    class_map,
    dataset_examples,
    load_examples,
    main_objects,
    render_example,
    render_examples,
    save_examples,
)
from worldloom.evaluate.judge import LOOKS
from worldloom.worlds.dataset import write_dataset
from worldloom.worlds.look import COLOURS
from worldloom.worlds.plan import DatasetPlan

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
    masks[0, :4, 4:8] = 2  # the hoop is an object, but no main one
    masks[0, 4, 8:10] = 3  # two pixels are too few
    masks[0, 5:7, 1] = 1
    masks[0, 5:7, 2:4] = 3  # the green ball has more of this cell than the red one
    masks[0, 8, :4] = 3  # a cell cut off by the frame's edge
    red, green = (MAIN + 1 + list(COLOURS).index(name) for name in ("red", "green"))
    blue = 1 + list(COLOURS).index("blue")
    expected = np.array([[[red, blue, 0], [green, 0, 0], [green, 0, 0]]])
    assert np.array_equal(class_map(masks, TRUTH), expected)


def test_renders_the_same_example_again_and_keeps_it(tmp_path: Path) -> None:
    (item,) = render_examples(1, SEED_BASE + 5, families=("bounce",), quiet=True)
    again = render_example(("bounce", SEED_BASE + 5))
    assert item.labels.family == "bounce" and item.labels.colour in COLOURS and item.classes is not None
    assert item.frames.shape[0] == item.classes.shape[0] == LOOKS
    assert item.frames.shape[1:3] == tuple(4 * side for side in item.classes.shape[1:])
    assert MAIN + 1 + list(COLOURS).index(item.labels.colour) in item.classes
    assert np.array_equal(item.frames, again.frames)
    bare = Example(item.labels, item.frames[:2], None)
    save_examples([item, bare], tmp_path / "examples.npz")
    kept, empty = load_examples(tmp_path / "examples.npz")
    assert kept.labels == empty.labels == item.labels and empty.classes is None
    assert np.array_equal(kept.frames, item.frames) and np.array_equal(kept.classes, item.classes)


def test_a_training_set_gives_examples_without_masks(tmp_path: Path) -> None:
    plan = DatasetPlan(2, families=("ramp",), pictures=0.0, long=0.0, supersample=1, wordings=1)
    write_dataset(plan, tmp_path, workers=1, quiet=True)
    examples = dataset_examples([tmp_path], quiet=True)
    assert [len(item.frames) for item in examples] == [LOOKS] * 2
    assert all(item.classes is None and item.labels.family == "ramp" for item in examples)


def test_seeds_are_beyond_any_training_set() -> None:
    # A training set counts up from its seed, and would need this many takes to get here.
    assert SEED_BASE > 10**18
