"""What is missing for a date: what a step needs and nothing that is known of the plant will give it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from planner.problem import Operation, Problem
from planner.promise import Quote
from planner.too_long import too_long_one
from planner.unmanned import unmanned_one
from planner.worktime import subtract

MissingCode = Literal[
    "material",  # material: too little is there and on order
    "calendar",  # unit: no working time any more, nor for those beside it
    "unit",  # work_center: none of its units is in service
    "window",  # unit, minutes, longest: no working time is as long as a step that no break may interrupt
    "people",  # skill: nobody is expected who has it
    "time",  # all of these are there, but taken
]


@dataclass(frozen=True, slots=True)
class Missing:
    """Why nobody can say when: a code for the pages to translate, and its parameters."""

    code: MissingCode
    params: Mapping[str, str]


def missing(problem: Problem, quote: Quote) -> Missing:
    """What the first step of a quote lacks that ends beyond the horizon.

    Args:
        quote: On a plan of `problem`; it ends at the horizon or later.
    """
    ends: dict[str, int] = {}
    for fit in quote.steps:
        step = fit.block.operation
        if fit.end >= problem.horizon:
            waits = [ends[link.operation] + link.lag for link in step.predecessors]
            return _missing(problem, step, max(waits, default=0))
        ends[step.id] = fit.end
    raise ValueError(quote.end)


def _missing(problem: Problem, step: Operation, ready: int) -> Missing:
    """What a step lacks from the minute on in which it is ready but for what it is made of."""
    for release in step.releases:
        if release.at >= problem.horizon:
            return Missing("material", {"material": release.detail})
    ready = max(ready, step.release)
    closed = _never_open(problem, step, ready)
    if closed is not None:
        return closed
    nobody = unmanned_one(problem, step, ready)
    return Missing("people", {"skill": nobody.skill}) if nobody else Missing("time", {})


def _never_open(problem: Problem, step: Operation, ready: int) -> Missing | None:
    """What the units of a step lack of working time; None where they have enough for it."""
    units = [problem.unit_by_id[alternative.unit] for alternative in step.alternatives]
    known = {unit.id: problem.calendar_by_id[unit.calendar].windows for unit in units}
    if not any(window.end > ready for windows in known.values() for window in windows):
        return Missing("calendar", {"unit": units[0].id})
    if not any(window.end > ready for unit in units for window in subtract(known[unit.id], unit.stops)):
        return Missing("unit", {"work_center": units[0].work_center})
    long = too_long_one(problem, step)
    if long is None:
        return None
    return Missing("window", {"unit": long.unit, "minutes": str(long.minutes), "longest": str(long.longest)})
