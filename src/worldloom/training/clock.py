"""Wall time of a run over all its attempts, periodic chores, and interruption."""

import signal
import threading
import time
from collections import deque
from types import FrameType, TracebackType


class Clock:
    """Seconds of training so far (earlier attempts included) and the recent speed."""

    def __init__(self, seconds_before: float, step: int) -> None:
        self._began = time.monotonic() - seconds_before
        self._marks: deque[tuple[float, int]] = deque([(seconds_before, step)], maxlen=8)

    @property
    def seconds(self) -> float:
        """Wall time of the run up to now."""
        return time.monotonic() - self._began

    def mark(self, step: int) -> float:
        """Remember this moment; returns seconds per step, everything included, over the last few marks."""
        self._marks.append((self.seconds, step))
        (before, first), (now, last) = self._marks[0], self._marks[-1]
        return (now - before) / max(1, last - first)


class Chore:
    """Something due every so many steps, or else every so many minutes."""

    def __init__(self, minutes: float, steps: int) -> None:
        self.minutes, self.steps = minutes, steps
        self._last = time.monotonic()

    def due(self, step: int) -> bool:
        """Whether it is time; asking when it is starts the next interval."""
        if self.steps:
            return step % self.steps == 0
        if time.monotonic() - self._last < self.minutes * 60:
            return False
        self._last = time.monotonic()
        return True


class Interrupt:
    """While active, the first SIGINT or SIGTERM only sets `asked`; a second one acts as usual."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, signal.Handlers] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)  # type: ignore[assignment]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
