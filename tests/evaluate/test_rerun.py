import numpy as np
import pytest

from worldloom.core.seed import numpy_generator
from worldloom.evaluate.rerun import GIVEN, UNCERTAIN, run, still_seeds, velocity_error
from worldloom.worlds.look import draw_look


def test_a_second_run_shares_the_given_frames_and_then_goes_its_own_way() -> None:
    (seed,) = still_seeds("bounce", 1, 0)
    first, second = (run("bounce", seed, 48, 48, 17, again) for again in range(2))
    assert np.array_equal(first.film.frames[:GIVEN], second.film.frames[:GIVEN])
    assert not np.array_equal(first.film.frames[-1], second.film.frames[-1])
    paths = [np.array(one.truth["objects"][0]["position"]) for one in (first, second)]
    apart = np.linalg.norm(paths[0] - paths[1], axis=1) * first.pixels_per_metre
    assert (
        apart[:GIVEN].max() == 0 < apart[-1] < 6 * UNCERTAIN * 12
    )  # velocity off by a few errors for 12 frames
    again = run("bounce", seed, 48, 48, 17, 1)
    assert np.array_equal(second.film.frames, again.film.frames)


def test_the_error_of_a_velocity_is_that_of_a_fitted_line() -> None:
    rng = np.random.default_rng(0)
    times = np.arange(GIVEN) / 16
    slopes = [np.polyfit(times, rng.normal(0, UNCERTAIN / 40, GIVEN), 1)[0] for _ in range(4000)]
    assert velocity_error(40.0) == pytest.approx(np.std(slopes), rel=0.05)


def test_the_camera_of_the_seeds_stands_still() -> None:
    seeds = still_seeds("ramp", 4, 100)
    moves = {
        seed: draw_look(numpy_generator("look", "ramp", seed)).camera_move
        for seed in range(100, seeds[-1] + 1)
    }
    assert [seed for seed, move in moves.items() if move == "still"] == seeds
