"""What would make a late order less late, and at what price: each way is tried on the plan itself.

The causes of its lateness say what to try: an hour more on a unit, another order after it, one more
person, material sooner, a unit that runs again. The plan is timed again with that; what the order gains
and what all others lose by it is read off, nothing is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from planner.decoder import Choice, LocksConflict, decode, proposal_of
from planner.explain import Cause, Explainer
from planner.objective import order_ends, score
from planner.problem import Crew, Operation, Problem, Window
from planner.promise import longer
from planner.schedule import Schedule
from planner.worktime import WorkTime

TRIED = 5
"""So many causes of an order are looked at, the largest first."""

TURNS = ("unit", "maintenance")
"""Causes that another turn on the unit may take away."""

FixCode = Literal[
    "overtime",  # unit: open longer after its shifts, by so many minutes in all
    "before",  # order or maintenance: goes after this one on the unit that both need
    "person",  # skill: one more, for so many minutes
    "sooner",  # material or what else is waited for: there at once, so many minutes sooner
    "repair",  # unit: runs at once, so many minutes sooner
]


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to make an order less late.

    Args:
        subject: The unit, skill, material or other order that it is about.
        minutes: How much of it is needed.
        saves: Minutes that the order is less late.
        price: Points of the objective that it costs: others' lateness, set-ups, and minutes of overtime.
    """

    code: FixCode
    subject: str
    minutes: int
    saves: int
    price: int


def fixes(problem: Problem, plan: Schedule, order: str) -> list[Fix]:
    """The ways that help, the cheapest for a saved minute first; none for an order in time.

    Args:
        plan: Times for all of `problem`, from the decoder.
    """
    choices = proposal_of(problem, plan)
    base = decode(problem, choices)
    causes = Explainer(problem, base).why_late(order)[:TRIED]
    ours = [cause for cause in causes if cause.subject not in problem.subcontractors]
    trials = {_key(cause): cause for cause in ours if _key(cause)}
    found = [fix for cause in trials.values() if (fix := _tried(problem, base, choices, order, cause))]
    return sorted(found, key=lambda fix: (fix.price / fix.saves, -fix.saves))


def _key(cause: Cause) -> tuple[str, str] | None:
    subject = cause.by if cause.code in TURNS else cause.subject
    known = {"calendar", *TURNS, "people", "material", "release", "stop"}
    return (cause.code, subject) if cause.code in known else None


def _tried(problem: Problem, base: Schedule, choices: list[Choice], order: str, cause: Cause) -> Fix | None:
    other = _changed(problem, order, cause)
    turns = _before(problem, choices, order, cause) if cause.code in TURNS else choices
    try:
        plan = decode(other, turns)
    except LocksConflict:
        return None
    due, weight = problem.order_by_id[order].due, problem.order_by_id[order].weight
    saves = max(0, order_ends(problem, base)[order] - due) - max(0, order_ends(other, plan)[order] - due)
    if saves <= 0:
        return None
    code, subject, minutes = _effort(problem, other, plan, order, cause)
    own = saves * weight * problem.weights.tardiness
    price = score(other, plan).total - score(problem, base).total + own
    if code == "overtime":
        price += minutes * problem.weights.overtime
    return Fix(code, subject, minutes, saves, max(0, price))


def _changed(problem: Problem, order: str, cause: Cause) -> Problem:
    match cause.code:
        case "calendar":
            return longer(problem, cause.subject, _skill(problem, order, cause.subject))
        case "people":
            more = Crew(f"one more {cause.subject}", (cause.subject,), (Window(0, problem.horizon),))
            return replace(problem, crews=(*problem.crews, more))
        case "stop":
            runs = tuple(replace(u, stops=()) if u.id == cause.subject else u for u in problem.units)
            return replace(problem, units=runs)
        case "material" | "release":
            rows = tuple(_sooner(o, cause.subject) if o.order == order else o for o in problem.operations)
            return replace(problem, operations=rows)
        case _:
            return problem


def _skill(problem: Problem, order: str, unit: str) -> str | None:
    """What the order needs people for on a unit."""
    mine = (o for o in problem.operations if o.order == order)
    return next((o.skill for o in mine if o.skill and unit in {a.unit for a in o.alternatives}), None)


def _sooner(operation: Operation, detail: str) -> Operation:
    releases = tuple(r for r in operation.releases if r.detail != detail)
    materials = tuple(use for use in operation.materials if use.material != detail)
    return replace(operation, releases=releases, materials=materials)


def _before(problem: Problem, choices: list[Choice], order: str, cause: Cause) -> list[Choice]:
    """The same turns, but the order's first step on the unit goes before the other order's."""
    of = {o.id: o.order for o in problem.operations}
    here = [c for c in choices if c.unit == cause.subject]
    mine = next((c for c in here if of[c.operation] == order), None)
    theirs = next((c for c in here if of[c.operation] == cause.by), None)
    if mine is None or theirs is None:
        return choices
    rest = [c for c in choices if c is not mine]
    at = rest.index(theirs)
    return [*rest[:at], mine, *rest[at:]]


def _effort(
    problem: Problem, other: Problem, plan: Schedule, order: str, cause: Cause
) -> tuple[FixCode, str, int]:
    """What is done, about whom, and how much of it."""
    match cause.code:
        case "calendar":
            return "overtime", cause.subject, _beyond(problem, other, plan, cause.subject)
        case "people":
            mine = [o for o in problem.operations if o.order == order and o.skill == cause.subject]
            return "person", cause.subject, sum(_minutes(o, plan) for o in mine)
        case "stop":
            return "repair", cause.subject, max(s.end for s in problem.unit_by_id[cause.subject].stops)
        case "unit" | "maintenance":
            return "before", cause.by, cause.minutes
        case _:
            at = [r.at for o in problem.operations if o.order == order for r in problem.releases_of(o)]
            return "sooner", cause.subject, max(at, default=0)


def _minutes(operation: Operation, plan: Schedule) -> int:
    return operation.minutes_on(plan.by_operation[operation.id].unit)


def _beyond(problem: Problem, other: Problem, plan: Schedule, unit: str) -> int:
    """Minutes that a unit works in `other` while it is closed in `problem`."""
    old = WorkTime.of(problem, problem.unit_by_id[unit])
    new = WorkTime.of(other, other.unit_by_id[unit])
    pieces = [
        piece
        for row in plan.by_unit.get(unit, ())
        for piece in new.pieces(new.work(max(0, row.setup_start)), new.work(row.end))
    ]
    return sum(end - start - (old.work(end) - old.work(start)) for start, end in pieces)
