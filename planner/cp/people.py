"""No more runs at once than there are people who can do them."""

from __future__ import annotations

from itertools import pairwise

from ortools.sat.python import cp_model

from planner.cp.model import PlanModel
from planner.people import PLENTY, Counter, staffed


def add(model: PlanModel) -> None:
    """Limit every union of skills that share people.

    A run that pauses frees its people meanwhile, which an interval cannot say; such runs are
    left to the decoder, so that the bound stays valid.
    """
    people = staffed(model.problem, model.times)
    for union, counter in people.counters.items():
        runs = [
            mode.interval
            for operation in model.problem.operations
            if operation.skill in union and not operation.started
            for mode in model.modes[operation.id]
            if not mode.pause
        ]
        most, shortages = _capacity(model, counter, len(runs))
        demands = [1] * len(runs) + [missing for _, missing in shortages]
        if (runs and most < len(runs)) or shortages:
            model.cp.add_cumulative([*runs, *(gap for gap, _ in shortages)], demands, most)


def _capacity(
    model: PlanModel, counter: Counter, runs: int
) -> tuple[int, list[tuple[cp_model.IntervalVar, int]]]:
    """The most people at any time, and intervals that take away those who are not there."""
    steps = [(at, min(max(0, free), runs)) for at, free in counter.steps() if at < model.latest]
    most = max(free for _, free in steps)
    shortages = [
        (model.cp.new_fixed_size_interval_var(start, end - start, ""), most - free)
        for (start, free), (end, _) in pairwise([*steps, (model.latest, PLENTY)])
        if free < most
    ]
    return most, shortages
