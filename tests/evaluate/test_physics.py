import numpy as np
import pytest

from worldloom.core.error import UsageError
from worldloom.evaluate.judge import Judge, JudgeConfig
from worldloom.evaluate.physics import PhysicsSuite, path_error, run_physics
from worldloom.evaluate.rerun import GIVEN, run
from worldloom.evaluate.suite import Line, SuiteResult
from worldloom.evaluate.tracker import Track
from worldloom.worlds.families import FAMILIES

SUITE = PhysicsSuite(num=2, families=("bounce", "billiards"), width=64, height=64, num_frames=17)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(JudgeConfig(tuple(FAMILIES), channels=(8, 8, 16), hidden=16)).eval()


@pytest.fixture(scope="module")
def perfect(judge: Judge) -> SuiteResult:
    """A continuer that is the simulator, started again."""
    seen = []

    def go_on(given: np.ndarray, prompt: str, count: int, seed: int) -> np.ndarray:
        family = SUITE.families[len(seen)]
        seen.append(prompt)
        again = run(family, worlds[family], SUITE.width, SUITE.height, SUITE.num_frames, again=1)
        assert np.array_equal(again.film.frames[:GIVEN], given)
        return again.film.frames[GIVEN:]

    alone = run_physics(SUITE, judge, None, "none", quiet=True)
    worlds = {case["family"]: case["world_seed"] for case in alone.cases}
    result = run_physics(SUITE, judge, go_on, "perfect", quiet=True)
    assert all(not any(word in prompt for word in ("bounces", "hits", "camera")) for prompt in seen)
    return result


def line(result: SuiteResult, what: str) -> Line:
    return next(line for line in result.lines if line.what == what)


def test_a_second_run_scores_a_hundred_percent(perfect: SuiteResult) -> None:
    total = line(perfect, "physics score")
    assert total.model.value == pytest.approx(1.0) and total.met and total.model.count == 2
    assert total.real.value is not None and total.real.value > 0.6
    assert line(perfect, "bounce: score").model.value == pytest.approx(1.0)
    path = line(perfect, "distance from the true path")
    assert path.model.value is not None and path.model.value < 6


def test_a_frozen_clip_scores_next_to_nothing(judge: Judge) -> None:
    frozen = run_physics(
        SUITE,
        judge,
        lambda given, prompt, count, seed: np.repeat(given[-1:], count, axis=0),
        "frozen",
        quiet=True,
    )
    total = line(frozen, "physics score")
    assert total.model.value is not None and total.model.value < 0.05 and not total.met
    assert set(frozen.sheets) == {"bounce", "billiards"} and len(frozen.cases) == 2
    assert "tracker on the simulator's own frames" in frozen.notes[2]


def test_the_distance_from_a_path_is_taken_where_the_thing_is_really_seen() -> None:
    frames = np.arange(12.0)
    true = Track(np.stack([frames, frames], 1), np.full(12, 50.0), np.ones(12, bool))
    true.area[9:] = 3  # it leaves
    ours = Track(true.path + np.array([3.0, 4.0]), true.area, true.seen)
    ours.path[9:] += 100
    assert path_error(ours, true) == pytest.approx(5.0)
    true.area[GIVEN:] = 0
    assert path_error(ours, true) is None


def test_impossible_suites_are_refused() -> None:
    for wrong in ({"num": 0}, {"seed": -1}, {"families": ("tea",)}, {"num_frames": 9}):
        with pytest.raises(UsageError):
            PhysicsSuite(**wrong)
