from itertools import pairwise

import pytest

from worldloom.core.error import UsageError
from worldloom.training.schedule import Plan, ScheduleConfig, check, decay_start, learning_rate

COSINE = ScheduleConfig(steps=100, warmup_steps=10, decay_fraction=0.5, final_rate=0.1)


def test_rate_warms_up_holds_and_decays():
    rates = [learning_rate(s, 100, COSINE) for s in range(101)]
    assert rates[0] == 0.1 and rates[9] == 1.0
    assert set(rates[9:50]) == {1.0}
    assert all(a > b for a, b in pairwise(rates[50:]))
    assert rates[75] == pytest.approx(0.55) and rates[100] == pytest.approx(0.1)


def test_linear_decay_is_straight():
    config = ScheduleConfig(steps=100, warmup_steps=0, decay="linear", final_rate=0.0)
    assert [learning_rate(s, 100, config) for s in (50, 60, 75, 100)] == pytest.approx([1, 0.8, 0.5, 0])


def test_without_a_total_the_rate_holds():
    assert learning_rate(10_000, None, COSINE) == 1.0


def test_steps_are_planned_at_once_and_read_again(tmp_path):
    plan = Plan(COSINE, tmp_path / "schedule.json")
    plan.settle(0, None, 0.0)
    again = Plan(COSINE, tmp_path / "schedule.json")
    assert again.total(0) == 100 and not again.finished(99) and again.finished(100)
    assert not again.revise(50, 10.0, 1.0)


def test_time_budget_becomes_steps_that_a_resume_repeats(tmp_path):
    config = ScheduleConfig(minutes=10, warmup_steps=0)
    plan = Plan(config, tmp_path / "schedule.json")
    plan.settle(0, None, 0.0)
    assert plan.total(30) is None and plan.rate(30) == 1.0
    assert plan.revise(30, 60.0, 2.0)
    assert plan.total(30) == 30 + 270 and plan.total(29) is None
    assert plan.revise(60, 180.0, 4.0)  # the machine became slower
    rates = [plan.rate(s) for s in range(200)]
    resumed = Plan(config, tmp_path / "schedule.json")
    resumed.settle(10, 2.0, 20.0)
    assert not resumed.revise(40, 90.0, 1.0), "totals of steps already planned are not planned again"
    assert [resumed.rate(s) for s in range(200)] == rates
    assert resumed.total(59) == 300 and resumed.total(60) == 60 + 105


def test_last_steps_are_not_planned_again(tmp_path):
    plan = Plan(ScheduleConfig(minutes=10), tmp_path / "schedule.json")
    plan.settle(0, None, 0.0)
    assert plan.revise(100, 300.0, 3.0) and plan.total(100) == 200
    assert not plan.revise(199, 599.0, 9.0)
    assert plan.finished(200)


def test_steps_limit_a_time_budget(tmp_path):
    plan = Plan(ScheduleConfig(steps=50, minutes=10), tmp_path / "schedule.json")
    plan.settle(0, None, 0.0)
    plan.revise(10, 60.0, 1.0)
    assert plan.total(10) == 50


def test_changed_schedule_is_planned_from_where_the_run_is(tmp_path):
    plan = Plan(COSINE, tmp_path / "schedule.json")
    plan.settle(0, None, 0.0)
    longer = Plan(ScheduleConfig(steps=300, warmup_steps=10), tmp_path / "schedule.json")
    longer.settle(40, 1.0, 40.0)
    assert longer.total(39) == 100 and longer.total(40) == 300
    assert decay_start(300, longer.config) == 150


def test_schedule_without_an_end_is_refused():
    with pytest.raises(UsageError, match=r"steps and schedule\.minutes are both 0"):
        check(ScheduleConfig())
    with pytest.raises(UsageError, match=r"1\.5; allowed is 0 to 1"):
        check(ScheduleConfig(steps=1, decay_fraction=1.5))
