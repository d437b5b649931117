"""What would make a late order less late, and at what price: each way is tried on the plan itself.

The causes of its lateness say what to try: an hour more on a unit, another unit, another order after it, one
more person or tool, material sooner, a unit that runs again, a set-up less. The plan is timed again with
that; what the order gains and what all others lose by it is read off, nothing is estimated. What the way
itself costs is its minutes at a price (`RATES`), so that ways of different kinds can be compared. What
others gain is told beside the price and never taken off it: who stays an hour is paid for the hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode, proposal_of
from planner.explain import Cause, Explainer
from planner.objective import OrderPoints, points_by_order
from planner.problem import Alternative, Calendar, Crew, Operation, Problem, Window
from planner.promise import Overtime, after_shifts, overlap
from planner.schedule import Schedule
from planner.worktime import WorkTime, merged

TRIED = 5
"""So many causes of an order are looked at, the largest first."""

UNITS = 3
"""So many other units are tried for one step."""

FixCode = Literal[
    "overtime",  # unit: open longer after its shifts, by so many minutes in all
    "unit",  # unit: a step goes to this one, for so many minutes
    "before",  # order or maintenance: goes after this one on the unit that both need, or leads its batch
    "grouped",  # order: goes right after this one, which has the same set-up, so many minutes less of it
    "person",  # skill: one more, for so many minutes
    "tool",  # tool: one more, for so many minutes
    "sooner",  # material or what else is waited for: so many minutes sooner
    "repair",  # unit: runs at once, so many minutes sooner
]

RATES: Mapping[FixCode, int] = MappingProxyType({"person": 8, "tool": 5, "sooner": 1, "repair": 20})
"""Points for each of a way's minutes, beside a minute of overtime (`Weights.overtime`).

One more person costs less than overtime, which needs a unit, too; a tool is lent; freight that is a day
faster is worth about two hours of overtime; who repairs faster does it with two more people. Another turn or
another unit costs what it does to the plan: others' lateness, set-ups, moves.
"""


ELSEWHERE = frozenset(
    {"unit", "maintenance", "slow", "batch", "stop", "calendar", "break", "setup", "sequence", "work"}
)
"""Causes that another unit may take away."""


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to make an order less late.

    Args:
        subject: The unit, skill, tool, material or other order that it is about.
        minutes: How much of it is needed.
        saves: Minutes that the order is less late.
        price: Points that it costs: its minutes by `RATES`, and what each other order loses of the objective
            (lateness, set-ups, moves), with the order's own set-ups and moves that come to it.
        also_saves: Minutes that other orders are less late with it, all together.
    """

    code: FixCode
    subject: str
    minutes: int
    saves: int
    price: int
    also_saves: int


@dataclass(frozen=True)
class Remedy:
    """A way that was tried, with the plant and the plan in which the order is less late."""

    fix: Fix
    problem: Problem
    plan: Schedule


@dataclass(frozen=True)
class _Trial:
    """What is tried.

    Args:
        effort: How many minutes of it a plan with it needs.
    """

    code: FixCode
    subject: str
    problem: Problem
    turns: list[Choice]
    effort: Callable[[Schedule], int]


def fixes(problem: Problem, plan: Schedule, order: str) -> list[Fix]:
    """The ways that help, the cheapest first, then what saves most, the order and then others.

    There are none for an order in time.

    Args:
        plan: Times for all of `problem`, from the decoder.
    """
    return [remedy.fix for remedy in remedies(problem, plan, order)]


def remedies(problem: Problem, plan: Schedule, order: str) -> list[Remedy]:
    """The same, each with the plan that shows it."""
    causes = Explainer(problem, plan).why_late(order)[:TRIED]
    ours = [cause for cause in causes if cause.subject not in problem.subcontractors]
    late = _Late(problem, plan, order)
    trials = {(t.code, t.subject): t for cause in ours for t in late.trials(cause)}
    found = [remedy for trial in trials.values() if (remedy := late.tried(trial))]
    return sorted(found, key=lambda row: (row.fix.price, -row.fix.saves, -row.fix.also_saves))


class _Late:
    """One late order in its plan, as people read it: what a way saves is counted from there."""

    def __init__(self, problem: Problem, plan: Schedule, order: str) -> None:
        self._problem, self._plan, self._order = problem, plan, order
        self._turns = proposal_of(problem, plan)
        self._steps = [o for o in problem.operations if o.order == order]
        self._points = points_by_order(problem, plan)
        again = decode(problem, self._turns)
        self._late_anyway = points_by_order(problem, again)[order].late

    def tried(self, trial: _Trial) -> Remedy | None:
        """Time the plan with it; None where it does not help."""
        try:
            plan = decode(trial.problem, trial.turns)
        except LocksConflict:
            return None
        then = points_by_order(trial.problem, plan)
        saves = self._points[self._order].late - then[self._order].late
        weights, minutes = self._problem.weights, trial.effort(plan)
        if saves <= 0 or minutes <= 0 or then[self._order].late >= self._late_anyway:
            return None  # timing a plan again may save something by itself
        rate = weights.overtime if trial.code == "overtime" else RATES.get(trial.code, 0)
        others = [(had, then[name]) for name, had in self._points.items() if name != self._order]
        also_saves = sum(max(0, had.late - has.late) for had, has in others)
        price = rate * minutes + self._lost(then, plan)
        return Remedy(Fix(trial.code, trial.subject, minutes, saves, price, also_saves), trial.problem, plan)

    def _lost(self, then: Mapping[str, OrderPoints], plan: Schedule) -> int:
        """Points that a plan takes from other orders, each for itself, and set-ups and moves of the order."""
        lost = sum(
            max(0, then[name].total - had.total) for name, had in self._points.items() if name != self._order
        )
        own = max(0, then[self._order].way - self._points[self._order].way)
        longer = max(0, _last(plan) - _last(self._plan))
        return lost + own + self._problem.weights.makespan * longer

    def trials(self, cause: Cause) -> Iterator[_Trial]:
        """What may help against one cause."""
        match cause.code:
            case "calendar" | "break":
                yield from self._overtime(cause.subject)
            case "people":
                yield self._person(cause.subject)
            case "tool":
                yield self._tool(cause.subject)
            case "stop":
                yield from self._repair(cause.subject)
            case "material" | "release":
                yield self._sooner(cause.subject)
            case "unit" | "maintenance" | "batch":
                yield from self._before(cause)
            case "setup":
                yield from self._grouped(cause.subject)
        if cause.code in ELSEWHERE:
            yield from self._elsewhere(cause)

    def _overtime(self, unit: str) -> Iterator[_Trial]:
        """The unit is open just for what it works up to the order's end, with one person who stays."""
        mine = [o for o in self._steps if self._plan.by_operation[o.id].unit == unit]
        skill = next((o.skill for o in mine if o.skill), None)
        until = max(self._plan.by_operation[o.id].end for o in self._steps)
        most = Overtime(unit, skill, after_shifts(self._problem, unit, until))
        windows = self._worked(most, mine)
        if windows:
            needed = Overtime(unit, skill, windows)
            other = _kept_open(self._problem, needed)
            yield _Trial("overtime", unit, other, self._turns, _always(needed.minutes))

    def _worked(self, most: Overtime, mine: list[Operation]) -> tuple[Window, ...]:
        """What the unit would work of overtime until it has done some steps."""
        other = _kept_open(self._problem, most)
        try:
            plan = decode(other, self._turns)
        except LocksConflict:
            return ()
        time = WorkTime.of(other, other.unit_by_id[most.unit])
        until = max((plan.by_operation[o.id].end for o in mine), default=0)
        pieces = [
            Window(*piece)
            for row in plan.by_unit.get(most.unit, ())
            if row.setup_start < until
            for piece in time.pieces(time.work(max(0, row.setup_start)), time.work(row.end))
        ]
        return merged(overlap(pieces, most.windows))

    def _person(self, skill: str) -> _Trial:
        problem = self._problem
        more = Crew(f"one more {skill}", (skill,), (Window(0, problem.horizon),))
        mine = [o for o in self._steps if o.skill == skill]
        other = replace(problem, crews=(*problem.crews, more))
        return _Trial("person", skill, other, self._turns, lambda plan: sum(_minutes(o, plan) for o in mine))

    def _tool(self, name: str) -> _Trial:
        problem = self._problem
        tools = tuple(replace(t, count=t.count + 1) if t.id == name else t for t in problem.tools)
        mine = [o for o in self._steps if any(use.tool == name for use in o.tools)]
        other = replace(problem, tools=tools)
        return _Trial("tool", name, other, self._turns, lambda plan: sum(_minutes(o, plan) for o in mine))

    def _repair(self, unit: str) -> Iterator[_Trial]:
        """The unit runs now; what it stands for later, it still does."""
        problem = self._problem
        stops = problem.unit_by_id[unit].stops
        now = [stop for stop in stops if stop.start <= 0 < stop.end]
        for stop in now:
            left = tuple(other for other in stops if other is not stop)
            units = tuple(replace(u, stops=left) if u.id == unit else u for u in problem.units)
            yield _Trial("repair", unit, replace(problem, units=units), self._turns, _always(stop.end))

    def _sooner(self, detail: str) -> _Trial:
        """What is waited for is there as soon as the plan then needs it."""
        problem = self._problem
        rows = tuple(_at_once(o, detail) if o.order == self._order else o for o in problem.operations)
        waits = [(o, r.at) for o in self._steps for r in problem.releases_of(o) if r.detail == detail]

        def minutes(plan: Schedule) -> int:
            return max((at - plan.by_operation[o.id].start for o, at in waits), default=0)

        return _Trial("sooner", detail, replace(problem, operations=rows), self._turns, minutes)

    def _before(self, cause: Cause) -> Iterator[_Trial]:
        """The same turns, but the order's first step on the unit goes before the other order's."""
        mine, theirs = self._first(self._order, cause.subject), self._first(cause.by, cause.subject)
        if mine and theirs and cause.by != self._order:
            rest = [c for c in self._turns if c is not mine]
            at = rest.index(theirs)
            turns = [*rest[:at], mine, *rest[at:]]
            yield _Trial("before", cause.by, self._problem, turns, _always(cause.minutes))

    def _grouped(self, unit: str) -> Iterator[_Trial]:
        """The same turns, but the order's first step on the unit goes right after the last of its family."""
        problem, mine = self._problem, self._first(self._order, unit)
        if mine is None:
            return
        family = problem.operation_by_id[mine.operation].family
        earlier = self._turns[: self._turns.index(mine)]
        alike = [
            c for c in earlier if c.unit == unit and problem.operation_by_id[c.operation].family == family
        ]
        if family is None or not alike:
            return
        after, rest = alike[-1], [c for c in self._turns if c is not mine]
        at = rest.index(after) + 1
        had = self._plan.by_operation[mine.operation].setup
        yield _Trial(
            "grouped",
            problem.operation_by_id[after.operation].order,
            problem,
            [*rest[:at], mine, *rest[at:]],
            lambda plan: had - plan.by_operation[mine.operation].setup,
        )

    def _elsewhere(self, cause: Cause) -> Iterator[_Trial]:
        """A step of the order on another unit than it has, at its turn; of its own work on a faster one."""
        for mine in self._turns:
            step = self._problem.operation_by_id[mine.operation]
            if step.order != self._order or step.fixed_unit or cause.subject not in {"", mine.unit}:
                continue
            has = step.minutes_on(mine.unit)
            others = [a for a in step.alternatives if a.unit != mine.unit]
            if cause.code == "work":
                others = [a for a in others if a.minutes < has]
            for other in sorted(others, key=self._free_from)[:UNITS]:
                turns = [replace(c, unit=other.unit) if c is mine else c for c in self._turns]
                yield _Trial("unit", other.unit, self._problem, turns, _always(other.minutes))

    def _free_from(self, alternative: Alternative) -> int:
        """When a unit has done the last of what it has, and this."""
        rows = self._plan.by_unit.get(alternative.unit, ())
        return max((row.end for row in rows), default=0) + alternative.minutes

    def _first(self, order: str, unit: str) -> Choice | None:
        of = self._problem.operation_by_id
        return next((c for c in self._turns if c.unit == unit and of[c.operation].order == order), None)


def _always(minutes: int) -> Callable[[Schedule], int]:
    return lambda _: minutes


def _at_once(operation: Operation, detail: str) -> Operation:
    releases = tuple(r for r in operation.releases if r.detail != detail)
    materials = tuple(use for use in operation.materials if use.material != detail)
    return replace(operation, releases=releases, materials=materials)


def _minutes(operation: Operation, plan: Schedule) -> int:
    return operation.minutes_on(plan.by_operation[operation.id].unit)


def _kept_open(problem: Problem, overtime: Overtime) -> Problem:
    """The plant with that overtime, as if it were agreed on."""
    unit = problem.unit_by_id[overtime.unit]
    name = f"{unit.calendar} and tried overtime of {unit.id}"
    windows = merged([*problem.calendar_by_id[unit.calendar].windows, *overtime.windows])
    stays = Crew(f"tried overtime {unit.id}", (overtime.skill,), overtime.windows) if overtime.skill else None
    return replace(
        problem,
        calendars=(*problem.calendars, Calendar(name, windows)),
        units=tuple(replace(u, calendar=name) if u.id == unit.id else u for u in problem.units),
        crews=(*problem.crews, stays) if stays and stays.windows else problem.crews,
    )


def _last(plan: Schedule) -> int:
    return max((row.end for row in plan.assignments), default=0)
