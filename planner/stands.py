"""The plan in force to the minute, where an order of its steps says less than their times.

A promise may have a step between two that follow each other at a greatest lag, or leave a batch to others;
a step whose set-up begins before the step that it waits for has its person from then on. Whoever places the
steps anew, one after the other, does not find that again.
"""

from __future__ import annotations

from planner.checker import check
from planner.decoder.fitting import Decoder
from planner.problem import Operation, Problem, Published
from planner.schedule import Assignment, Reason, Schedule


def says_less(problem: Problem) -> bool:
    """Whether a plan of this plant may be more than the order of its steps."""
    takes_others = bool(problem.buffers) or any(o.skill or o.tools for o in problem.operations)
    return bool(problem.ties.chains) or problem.has_batches or takes_others


def to_the_minute(problem: Problem, like: Schedule) -> Schedule | None:
    """All work at its published minute; None where the plant does not let it be so any more.

    Args:
        problem: What runs, is locked or is published, and nothing else.
        like: The same work timed anew: what begins in the same minute does so for the same reason.
    """
    decoder = Decoder(problem)
    places = {o.id: o.published for o in problem.operations if o.published and not decoder.is_placed(o.id)}
    if len(places) < sum(not decoder.is_placed(o.id) for o in problem.operations):
        return None
    for _, name in sorted((place.start, name) for name, place in places.items()):
        row = _kept(decoder, problem.operation_by_id[name], places[name])
        if row is None:
            return None
        again = like.by_operation[name]
        is_same = (again.unit, again.start) == (row.unit, row.start)
        decoder.keep(again if is_same else row)
    plan = decoder.schedule()
    return None if check(problem, plan) else plan


def _kept(decoder: Decoder, operation: Operation, place: Published) -> Assignment | None:
    """Where an operation is that begins its run then; None where it is closed then, or should have begun."""
    line = decoder.lines[place.unit]
    if place.start < 0 or line.time.at(line.time.work(place.start)) != place.start:
        return None
    run = line.time.work(place.start)
    family = line.family_before(sum(block.run < run for block in line.blocks))
    setup = 0 if line.outside else decoder.problem.setup_minutes(place.unit, family, operation.family)
    if setup > run:
        return None
    begin = line.time.at(run - setup) if setup else place.start
    end = line.time.after(run + operation.minutes_on(place.unit))
    return Assignment(
        operation.id, place.unit, begin, place.start, end, setup, Reason("sequence", {"unit": place.unit})
    )
