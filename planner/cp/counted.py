"""A limit on what runs at once, as a counter of free people or tools gives it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from planner.counter import PLENTY, Counter
from planner.cp.cp_sat import cp_model
from planner.cp.model import PlanModel

Run = tuple[cp_model.IntervalVar, int]
"""An interval, and how many it takes."""


def add_limit(model: PlanModel, counter: Counter, runs: Sequence[Run]) -> None:
    """Let the runs take no more at any time than the counter has free."""
    wanted = sum(count for _, count in runs)
    most, shortages = _capacity(model, counter, wanted)
    rows = [*runs, *shortages]
    if (runs and most < wanted) or shortages:
        model.cp.add_cumulative([interval for interval, _ in rows], [count for _, count in rows], most)


def _capacity(model: PlanModel, counter: Counter, wanted: int) -> tuple[int, list[Run]]:
    """The most at any time, and intervals that take away what is not there."""
    steps = [(at, min(max(0, free), wanted)) for at, free in counter.steps() if at < model.latest]
    most = max(free for _, free in steps)
    shortages = [
        (model.cp.new_fixed_size_interval_var(start, end - start, ""), most - free)
        for (start, free), (end, _) in pairwise([*steps, (model.latest, PLENTY)])
        if free < most
    ]
    return most, shortages
