import math

import pytest

from worldloom.core.error import Failure
from worldloom.training.guard import Guard, GuardConfig


def settled(**changes):
    guard = Guard(GuardConfig(warmup_steps=20, **changes))
    assert all(guard.accepts(1.0, 0.5 + 0.01 * (i % 5)) for i in range(40))
    return guard


def test_nan_and_infinity_are_left_out():
    guard = settled()
    assert not guard.accepts(math.nan, 0.5)
    assert not guard.accepts(1.0, math.inf)
    assert guard.accepts(1.0, 0.5)
    assert guard.skipped == 2 and guard.in_a_row == 0


def test_a_spike_is_left_out_but_not_in_the_warm_up():
    assert not settled().accepts(1.0, 6.0)
    assert settled().accepts(1.0, 4.0)
    fresh = Guard(GuardConfig(warmup_steps=20))
    assert fresh.accepts(1.0, 1.0) and fresh.accepts(1.0, 100.0)


def test_too_many_in_a_row_stop_the_run():
    guard = settled(most_in_a_row=3)
    assert not guard.accepts(math.nan, 1.0) and not guard.accepts(math.nan, 1.0)
    with pytest.raises(Failure, match="3 steps in a row"):
        guard.accepts(math.nan, 1.0)


def test_state_goes_through_a_checkpoint():
    guard = settled()
    guard.accepts(math.nan, 1.0)
    other = Guard(guard.config)
    other.load_state(guard.state())
    assert other == guard
