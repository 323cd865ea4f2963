"""The verbs suite on drawn takes: where it looks, what it makes of a good and of a bad output, and its table."""

import numpy as np
import pytest

from tests.evaluate.clips import floor, rolling, still
from tests.tiny import shared_checkpoint
from worldloom.core.error import UsageError
from worldloom.evaluate.studio import Painting, Studio
from worldloom.evaluate.verb_cases import GIVEN, VERBS, WHOLE, Case, Task, VerbSuite, make_case
from worldloom.evaluate.verbs import lines, measure, moved_share, psnr, run_verbs

TAKE = rolling(WHOLE, speed=1.0, side=64)


def case(number: int = 0, whole: np.ndarray = TAKE) -> Case:
    other = still(WHOLE, side=whole.shape[1], seed=3)
    return Case(number, "bounce", 1, 7, "a red ball rolls", "a blue ball rolls", False, whole, whole, other)


@pytest.mark.parametrize("verb", VERBS)
def test_a_take_that_goes_on_as_it_did_is_perfect(verb: str) -> None:
    task = VERBS[verb](case())
    figures = measure(task.in_truth(TAKE), TAKE[: task.num_frames])
    if task.given:
        assert figures["kept"] and figures["in_file"] > 30
    if task.joins:
        assert max(figures["difference"]) < 1.3 and max(figures["brightness"]) < 0.005
        assert len(figures["difference"]) == len(figures["jump"]) == len(task.joins)
    else:
        assert figures["moved"] > 0.05


def test_joins_are_where_given_frames_end_and_begin() -> None:
    for verb in ("extend forward", "extend backward", "connect", "recut", "storyboard"):
        task = VERBS[verb](case())
        edges = {at for first, frames in task.given for at in (first, first + len(frames))}
        assert set(task.joins) == edges - {0, WHOLE}, verb
    assert VERBS["loop"](case()).joins == (0, GIVEN) and VERBS["loop"](case()).loop


def test_frames_that_changed_and_seams_are_found() -> None:
    task = VERBS["extend forward"](case())
    output = TAKE.copy()
    output[GIVEN:] = (floor(64, seed=9) * 1.1).clip(0, 255).astype(np.uint8)
    figures = measure(task, output)
    assert figures["kept"] and figures["difference"][0] > 3 and figures["brightness"][0] > 0.02
    output[3, 0, 0, 0] ^= 1
    assert not measure(task, output)["kept"]
    with pytest.raises(ValueError, match="30 frames, not 33"):
        measure(task, output[:30])


def test_connect_joins_two_takes_in_every_second_pair() -> None:
    same, apart = VERBS["connect"](case(0)), VERBS["connect"](case(2))
    assert np.array_equal(same.given[1][1], TAKE[-12:])
    assert np.array_equal(apart.given[1][1], still(12, seed=3))


@pytest.mark.parametrize("number", [0, 2])
def test_an_edit_is_held_to_its_mask(number: int) -> None:
    task = VERBS["edit with mask"](case(number))
    assert task.region is not None and task.region.shape == (GIVEN, 64, 64)
    assert (task.region[0] == task.region[-1]).all() == (number == 0)  # the other one moves
    output = TAKE[:GIVEN].copy()
    output[task.region] = 30
    figures = measure(task, output)
    assert figures["kept"] and figures["rim"] > 1.5
    output[0, 0, 0] ^= 1
    assert not measure(task, output)["kept"]


def test_a_still_clip_does_not_move() -> None:
    assert moved_share(still(9)) == 0
    # The disc is 15 wide and rolls 20: about 15 x 35 of 64 x 64 pixels, its whole path and its first place.
    assert 0.07 < moved_share(rolling(21, speed=1.0, start=20.0)) < 0.14


def test_psnr_is_in_levels() -> None:
    clip = still(2).astype(np.int16)
    assert psnr(clip, clip) == 99
    assert psnr(clip, clip + 2) == pytest.approx(20 * np.log10(255 / 2))


def row(verb: str, **model: object) -> dict:
    return {"verb": verb, "model": model, "real": {"difference": [1.0], "kept": True, "in_file": 41.0}}


def test_the_table_says_what_is_met() -> None:
    rows = [
        row("extend forward", difference=[1.2], brightness=[0.001], kept=True, in_file=45.0),
        row("extend forward", difference=[1.9], brightness=[0.03], kept=True, in_file=39.0),
        row("image to video", moved=0.3, first_frame=36.0, kept=True, in_file=42.0),
        row("edit with mask", kept=False, inside_change=12.0, rim=None, in_file=44.0),
    ]
    table = {line.what: line for line in lines(rows)}
    kept = table["given frames, outside of masks: to the bit"]
    assert kept.model.value == 0.75 and kept.real.value == 1.0 and kept.met is False
    seams = table["extend forward: seams within 1.5 x"]
    assert seams.model.value == 0.5 and seams.model.count == 2 and seams.met is False
    assert table["image to video: first frame"].met is True
    assert table["edit with mask: outside to the bit"].met is False
    assert table["  rim"].model.value is None and table["  rim"].met is None
    assert table["loop: seams within 1.5 x"].met is None


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_called_as_the_pipeline_takes_it(
    verb: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    studio = Studio(str(shared_checkpoint(tmp_path_factory)), Painting(steps=1, guidance=1.0))
    task: Task = VERBS[verb](case(whole=rolling(WHOLE, side=32, radius=5.0)))
    frames = studio.paint(task.verb, *task.sources, seed=7, **task.how)
    assert len(frames) == task.num_frames
    for at, given in task.given:
        outside = np.ones(given.shape[:3], bool) if task.region is None else ~task.region
        assert np.array_equal(frames[at : at + len(given)][outside], given[outside])


def test_real_renders_alone_are_a_whole_run() -> None:
    result = run_verbs(VerbSuite(takes=1), None, quiet=True)
    assert result.model == "none" and len(result.cases) == len(VERBS) and not result.sheets
    by_name = {line.what: line for line in result.lines}
    assert by_name["extend forward: seams within 1.5 x"].real.count == 1
    assert all(line.model.value is None and line.met is None for line in result.lines)


def test_cases_are_those_of_their_number() -> None:
    one, again = (make_case(VerbSuite(), 1, None) for _ in range(2))
    assert np.array_equal(one.whole, again.whole) and one.seed == again.seed
    assert one.prompt != one.changed_prompt and not one.generated
    assert one.whole.shape == one.other.shape and not np.array_equal(one.whole, one.other)


@pytest.mark.parametrize("settings", [{"takes": 0}, {"seed": 1000}])
def test_refuses_a_suite_that_cannot_be(settings: dict) -> None:
    with pytest.raises(UsageError):
        VerbSuite(**settings)
