import threading
import time
from itertools import islice

import pytest

from worldloom.data.loader import Loader


def test_order_holds_with_several_threads():
    def prepare(step):
        time.sleep(0.002 * (step % 3))
        return step * step

    with Loader(prepare, start=5, threads=3, ahead=4) as loader:
        assert list(islice(loader, 20)) == [(s, s * s) for s in range(5, 25)]


def test_work_is_done_ahead_and_not_further():
    done = []
    ready = threading.Event()

    def prepare(step):
        done.append(step)
        if len(done) == 4:
            ready.set()
        return step

    with Loader(prepare, start=0, threads=1, ahead=3) as loader:
        steps = iter(loader)
        next(steps)
        next(steps)
        assert ready.wait(5)
        time.sleep(0.02)
        assert done == [0, 1, 2, 3]


def test_an_error_reaches_the_consumer_at_its_step():
    def prepare(step):
        if step == 2:
            raise ValueError("bad sample")
        return step

    with Loader(prepare, start=0) as loader:
        steps = iter(loader)
        assert next(steps)[0] == 0 and next(steps)[0] == 1
        with pytest.raises(ValueError, match="bad sample"):
            next(steps)
