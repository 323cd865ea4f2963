import numpy as np
import pytest

from worldloom.core.error import UsageError
from worldloom.evaluate.distribution import Variety, distance_lines, diversity_line, run_distribution
from worldloom.evaluate.footage import FootageSuite
from worldloom.evaluate.judge import Judge, JudgeConfig
from worldloom.worlds.families import FAMILIES

NAMES = np.array(["bounce"] * 20 + ["ramp"] * 20 + ["pour"] * 2)


def features(seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (len(NAMES), 4))


def test_what_is_far_is_told_from_what_is_near() -> None:
    sets = {"real": features(0), "second": features(1), "model": features(2, shift=1.0)}
    table = {line.what: line for line in distance_lines(sets, NAMES)}
    for name in ("MMD", "Frechet distance", "  MMD, bounce", "  MMD, ramp"):
        line = table[name]
        assert line.model.value > 2 * abs(line.real.value), name
        assert line.model.interval[0] < line.model.value < line.model.interval[1]
    assert table["MMD"].model.count == 42 and table["  MMD, ramp"].real.count == 20
    assert "  MMD, pour" not in table  # two clips say nothing
    assert table["Frechet distance"].model.value == pytest.approx(4, rel=0.35)


def test_without_a_model_the_ceiling_stands_alone() -> None:
    lines = distance_lines({"real": features(0), "second": features(1)}, NAMES)
    assert all(line.model.value is None and line.real.value is not None for line in lines)


def test_a_model_that_repeats_itself_has_no_diversity() -> None:
    sets = {"real": features(0), "second": features(1)}
    same, varied = np.ones((3, 4)), np.random.default_rng(3).normal(0, 1, (3, 4))
    assert diversity_line([same, same], sets, NAMES).model.value == 0
    line = diversity_line([varied], sets, NAMES)
    assert line.model.value > 0.5 and line.model.count == 1
    # The mean distance of two normal vectors of 4 dimensions, over their square root: 1.33.
    assert line.real.value == pytest.approx(1.33, rel=0.15) and line.real.count == 3


def test_real_renders_are_compared_from_end_to_end() -> None:
    judge = Judge(JudgeConfig(tuple(FAMILIES))).eval()
    suite = FootageSuite(takes=4, width=64, height=64, num_frames=9)
    result = run_distribution(suite, judge, None, quiet=True)
    assert len(result.cases) == 4 and result.lines[0].real.count == 4
    assert result.settings["features"].startswith("judge, ") and "prompts" not in result.settings


def test_refuses_what_has_no_spread() -> None:
    with pytest.raises(UsageError, match="2 seeds, not 13 and 1"):
        Variety(seeds=1)
    with pytest.raises(UsageError, match="at least 4 takes, not 3"):
        run_distribution(FootageSuite(takes=3), Judge(JudgeConfig(("bounce",))), None)
