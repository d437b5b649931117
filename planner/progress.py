"""What a search tells while it runs, an event for each better plan, and how it is told to end.

A search asks `stop` between two slices of its work, from any thread, and then returns the best plan
that it has.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

Stop = Callable[[], bool]
"""Whether a search is to end now; once true it stays true."""


def never() -> bool:
    """Let a search spend its effort."""
    return False


@dataclass(frozen=True, slots=True)
class Progress:
    """A plan that is better than all before it.

    Args:
        objective: What it costs, in points.
        bound: No plan costs less, as far as it is known.
        seconds: CPU seconds of this process since the search began.
        solver: Who found it: "dispatch", "annealing", "tabu search" or "cp-sat".
    """

    objective: int
    bound: int
    seconds: float
    solver: str


def unheard(_progress: Progress) -> None:
    """Nobody listens."""


class Watch:
    """One search and whoever waits for it: it tells each better plan once, and asks whether to go on."""

    def __init__(self, on_better: Callable[[Progress], None] = unheard, stop: Stop = never) -> None:
        """Begin to count seconds."""
        self.stop = stop
        self._on_better = on_better
        self._began = time.process_time()
        self._bound = 0
        self._best: int | None = None

    def knows(self, bound: int) -> None:
        """No plan costs less than this."""
        self._bound = max(self._bound, bound)

    def met(self, solver: str, cost: int, bound: int = 0) -> None:
        """A solver has met a plan; it is told if it is better than all before."""
        self._bound = max(self._bound, bound)
        if self._best is not None and cost >= self._best:
            return
        self._best = cost
        seconds = round(time.process_time() - self._began, 3)
        self._on_better(Progress(cost, min(self._bound, cost), seconds, solver))


@contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """SIGINT (Ctrl-C) and SIGTERM make the yielded `stop` true; a second one ends the process as always.

    Only in the main thread. The signal is seen from any thread, also while the main thread is in
    compiled code, where no Python handler runs.
    """
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.settimeout(0.0)
    heard = False

    def stop() -> bool:
        nonlocal heard
        if not heard:
            try:
                heard = bool(ours.recv(1))
            except BlockingIOError:
                return False
        return heard

    def once(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, once) for number in numbers]
    fd = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(fd)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        ours.close()
        theirs.close()
