"""The motion suite: its table from rows, and a whole run over real renders with a judge that knows nothing."""

import numpy as np
import pytest

from worldloom.core.error import UsageError
from worldloom.core.seed import numpy_generator
from worldloom.evaluate.footage import SECOND_SET, FootageSuite, orbits, render_piece, world_of
from worldloom.evaluate.judge import Judge, JudgeConfig
from worldloom.evaluate.motion import lines, run_motion
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.look import draw_look

SMALL = FootageSuite(takes=2, width=64, height=64, num_frames=13)


def row(flicker: float, losses: int, **more: object) -> dict:
    vanished = [{"kind": "vanishes", "frame": 3, "place": (1.0, 2.0)}] * losses
    return {"flicker": flicker, "losses": vanished, "followed": 2, "still": 0.5, **more}


def test_the_table_compares_with_real_renders() -> None:
    rows = [
        {"model": row(0.6, 1), "real": row(0.0, 0), "coded": {"flicker": 0.4}, "erased": True},
        {"model": row(0.2, 0), "real": row(0.5, 0), "coded": {"flicker": 0.2}, "erased": None},
        {"model": {"floor_residual": 0.5, "floor_motion": 3.0}, "real": {"floor_residual": None}},
    ]
    table = {line.what: line for line in lines(rows)}
    assert table["flicker in still regions"].model.value == pytest.approx(0.4)
    over = table["  over real renders', or 0.25 levels"]
    assert over.model.value == pytest.approx(0.4 / 0.375) and over.met is True
    assert table["  real renders through the autoencoder"].real.value == pytest.approx(0.3)
    lost = table["clips with objects vanishing or appearing"]
    assert lost.model.value == 0.5 and lost.real.value == 0 and lost.met is False
    assert table["  vanishing"].model.value == 0.5 and table["  appearing"].model.value == 0
    assert table["  erased from real renders, found"].real.value == 1
    assert table["floor under orbit: off the plane"].model.count == 1
    assert table["floor under orbit: off the plane"].real.value is None


def test_real_renders_are_measured_from_end_to_end() -> None:
    judge = Judge(JudgeConfig(tuple(FAMILIES))).eval()
    result = run_motion(SMALL, judge, None, quiet=True)
    assert len(result.cases) == 3 and result.settings["orbits"] == 1
    assert result.cases[-1]["camera"].startswith("orbit") and "floor_cells" in result.cases[-1]["real"]
    assert all(line.model.value is None for line in result.lines)


def test_pieces_are_those_of_their_number() -> None:
    one, again = (render_piece(SMALL, 3, masks=False) for _ in range(2))
    assert np.array_equal(one.take.frames, again.take.frames) and one.prompt == again.prompt
    assert one.clip is None and one.take.family == list(FAMILIES)[3]
    assert world_of(SMALL, SECOND_SET + 3)[0] == one.take.family  # the second set goes through families alike


def test_orbits_are_told_before_they_are_rendered() -> None:
    numbers = list(orbits(SMALL, 4))
    assert len(set(numbers)) == 4 and min(numbers) >= SMALL.takes
    for number in numbers:
        look = draw_look(numpy_generator("look", *world_of(SMALL, number)))
        assert look.camera_move.startswith("orbit")


@pytest.mark.parametrize("settings", [{"takes": 0}, {"seed": -1}, {"num_frames": 5}])
def test_refuses_a_suite_that_cannot_be(settings: dict) -> None:
    with pytest.raises(UsageError):
        FootageSuite(**settings)
