"""What the command's words say: how hard to search, and in which measure."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

from planner.effort import Effort


def add_effort(command: argparse.ArgumentParser, otherwise: str) -> None:
    """The three measures of an effort, of which at most one is given, and what is the same for all.

    Args:
        otherwise: What holds when none is given.
    """
    measure = command.add_mutually_exclusive_group()
    about = "counted, about so long on two idle cores: the same plan on any machine"
    measure.add_argument("--seconds", type=span, help=about)
    measure.add_argument("--moves", type=count, help="counted, moves of each chain: the same plan, too")
    clock = "by the clock, CPU seconds of all threads together: a plan of its own each time"
    measure.add_argument("--cpu-seconds", type=span, help=f"{clock}; without any of the three: {otherwise}")
    command.add_argument("--workers", type=count, default=4, help="search strategies of CP-SAT (4)")
    command.add_argument("--seed", type=seed, default=1, help="0 to 2147483647 (1)")


def effort_of(options: argparse.Namespace, otherwise: Effort) -> Effort:
    """The effort that the words ask for; the other one where they name no measure."""
    effort = replace(otherwise, workers=options.workers, seed=options.seed)
    if options.moves is not None:
        return replace(effort, moves=options.moves, clocked=False)
    if options.cpu_seconds is not None:
        return replace(effort, seconds=options.cpu_seconds, clocked=True)
    if options.seconds is not None:
        return replace(effort, seconds=options.seconds, clocked=False)
    return effort


def span(word: str) -> float:
    """Seconds; with 0 the first plan is the answer.

    Raises:
        ArgumentTypeError: It is something else.
    """
    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{word} is no number of seconds from 0")
    return seconds


def count(word: str) -> int:
    """A whole number from 1.

    Raises:
        ArgumentTypeError: It is something else.
    """
    if not (word.isascii() and word.isdecimal() and int(word)):
        raise argparse.ArgumentTypeError(f"{word} is no whole number from 1")
    return int(word)


def seed(word: str) -> int:
    """A seed that CP-SAT takes.

    Raises:
        ArgumentTypeError: It is something else.
    """
    if not (word.isascii() and word.isdecimal() and int(word) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{word} is no whole number from 0 to {(1 << 31) - 1}")
    return int(word)
