from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldloom.core.error import UsageError
from worldloom.data.bucket import BatchPlan

SHAPES = [(17, 8, 8)] * 23 + [(33, 8, 8)] * 11 + [(1, 8, 8)] * 40 + [(65, 64, 64)] * 2


def volume(shape):
    return shape[0] * shape[1] * shape[2]


def plan(seed=0):
    return BatchPlan(SHAPES, 17 * 64 * 4, volume, seed)


def test_a_batch_has_one_shape_and_keeps_the_budget():
    p = plan()
    for step in range(3 * p.batches_per_epoch):
        batch = p.batch(step)
        assert {SHAPES[i] for i in batch.indices} == {batch.shape}
        assert len(batch.indices) == p.batch_sizes[batch.shape]
        assert len(batch.indices) * volume(batch.shape) <= 17 * 64 * 4 or len(batch.indices) == 1


def test_an_epoch_shows_no_sample_twice():
    p = BatchPlan(SHAPES, 17 * 64 * 2, volume, 3)
    for epoch in range(2):
        steps = range(epoch * p.batches_per_epoch, (epoch + 1) * p.batches_per_epoch)
        seen = Counter(int(i) for s in steps for i in p.batch(s).indices)
        assert max(seen.values()) == 1
        assert len(seen) >= len(SHAPES) - sum(size - 1 for size in p.batch_sizes.values())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 5), st.lists(st.integers(0, 300), min_size=1, max_size=8))
def test_any_step_can_be_asked_for_in_any_order(seed, steps):
    p, fresh = plan(seed), plan(seed)
    for step in steps:
        a, b = p.batch(step), fresh.batch(step)
        assert a.shape == b.shape and a.epoch == b.epoch and np.array_equal(a.indices, b.indices)


def test_order_depends_on_seed_and_epoch():
    p = plan()
    first = [tuple(p.batch(s).indices) for s in range(p.batches_per_epoch)]
    second = [tuple(p.batch(s + p.batches_per_epoch).indices) for s in range(p.batches_per_epoch)]
    other = [tuple(plan(1).batch(s).indices) for s in range(p.batches_per_epoch)]
    assert first != second and first != other


def test_a_small_bucket_gives_a_small_batch():
    p = BatchPlan([(1, 8, 8)] * 3, 640, volume, 0)
    assert p.batches_per_epoch == 1
    assert sorted(p.batch(0).indices) == [0, 1, 2]


def test_no_samples_is_a_usage_error():
    with pytest.raises(UsageError, match="no sample"):
        BatchPlan([], 10, volume, 0)
