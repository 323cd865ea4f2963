"""Batches prepared ahead of the training step by background threads, in a fixed order.

Decoding (PyAV) and memory-mapped reads release the interpreter lock, so threads are enough and nothing has to
be pickled. An error inside a thread is raised where the batch is asked for.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Prepared = TypeVar("Prepared")


class Loader(Generic[Prepared]):
    """Iterates `(step, prepare(step))` for steps from `start` on, without end; use as a context manager."""

    def __init__(self, prepare: Callable[[int], Prepared], start: int, threads: int = 1, ahead: int = 3):
        self._prepare = prepare
        self._next = start
        self._ahead = ahead
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="loader")
        self._waiting: deque[tuple[int, Future[Prepared]]] = deque()

    def __enter__(self) -> "Loader[Prepared]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[int, Prepared]]:
        while True:
            while len(self._waiting) < self._ahead:
                self._waiting.append((self._next, self._pool.submit(self._prepare, self._next)))
                self._next += 1
            step, future = self._waiting.popleft()
            yield step, future.result()

    def close(self) -> None:
        """Drop what was prepared ahead and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._waiting.clear()
