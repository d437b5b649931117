"""`python -m planner solve problem.json`: from the first moment on, Ctrl-C ends it without a word."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit code: Ctrl-C came before there was a plan to write. Source: what shells say, 128 + SIGINT."""


def main() -> int:
    """Run the command; returns its exit code, see `planner.command_line.run`, or 130."""
    try:
        with _interrupted_at_once():
            from planner.command_line import run
        return run()
    except KeyboardInterrupt:
        return INTERRUPTED


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Ctrl-C ends the process on the spot: an exception amid an import may come out as any other.

    Whoever starts us may have us ignore it.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(INTERRUPTED))
    yield
    signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    sys.exit(main())
