"""A search that stops when this process has used its CPU seconds, or when it is told to.

CP-SAT knows the clock and a deterministic time of its own; on a busy machine neither says how much
of the machine a search had.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from planner.progress import Stop, never

LOOK_S = 0.02

UNLIMITED = float("inf")


@contextmanager
def stop_after(cpu_seconds: float, stop: Callable[[], None], told: Stop = never) -> Iterator[None]:
    """Call `stop` again and again once this process has used so much CPU, or `told` says so.

    Args:
        cpu_seconds: `UNLIMITED` waits for `told` alone.
    """
    ended = Event()
    began = time.process_time()

    def watch() -> None:
        while not ended.wait(LOOK_S):
            if time.process_time() - began >= cpu_seconds or told():
                stop()

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
