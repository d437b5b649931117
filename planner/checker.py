"""Does a plan keep every rule of the plant? Asked of every plan before it is published.

Written to be read beside the problem, not to be fast, and sharing no code with the decoder:
it walks minutes where the decoder computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from planner.problem import Operation, Problem, Unit
from planner.schedule import Assignment, Schedule


class InfeasiblePlan(RuntimeError):
    """A plan breaks a rule; `faults` says which."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults[:10]))


def check(problem: Problem, schedule: Schedule) -> list[str]:
    """List what the plan breaks; empty when it is feasible."""
    return list(_faults(problem, schedule))


def require_feasible(problem: Problem, schedule: Schedule) -> None:
    """Raise on the first sign of a broken rule.

    Raises:
        InfeasiblePlan: The plan cannot be done on this plant.
    """
    faults = check(problem, schedule)
    if faults:
        raise InfeasiblePlan(faults)


def _faults(problem: Problem, schedule: Schedule) -> Iterator[str]:
    planned = [a.operation for a in schedule.assignments]
    if sorted(planned) != sorted(o.id for o in problem.operations):
        yield "not every operation is planned exactly once"
        return
    at = {a.operation: a for a in schedule.assignments}
    for operation in problem.operations:
        yield from _own_faults(problem, operation, at[operation.id])
        for link in operation.predecessors:
            started = at[operation.id].start
            if not operation.started and started < at[link.operation].end + link.lag:
                yield f"{operation.id} starts before {link.operation} has ended"
    for unit in problem.units:
        row = [a for a in schedule.assignments if a.unit == unit.id]
        yield from _unit_faults(problem, unit, row)
    yield from _people_faults(problem, schedule)


def is_open(problem: Problem, unit: Unit, minute: int) -> bool:
    """Whether the unit can work in this minute."""
    if minute >= problem.horizon:
        return True
    calendar = next(c for c in problem.calendars if c.id == unit.calendar)
    shift = any(w.start <= minute < w.end for w in calendar.windows)
    return shift and not any(s.start <= minute < s.end for s in unit.stops)


def worked(problem: Problem, a: Assignment, start: int, end: int) -> list[int]:
    """The minutes of [start, end) in which the assignment's unit works."""
    unit = next(u for u in problem.units if u.id == a.unit)
    return [m for m in range(start, end) if is_open(problem, unit, m)]


def _own_faults(problem: Problem, operation: Operation, a: Assignment) -> Iterator[str]:
    minutes = {x.unit: x.minutes for x in operation.alternatives}
    if a.unit not in minutes:
        yield f"{operation.id} is on {a.unit}, which cannot do it"
        return
    run = worked(problem, a, max(0, a.start), a.end)
    if len(run) != minutes[a.unit]:
        yield f"{operation.id} works {len(run)} minutes instead of {minutes[a.unit]}"
    elif run[-1] != a.end - 1:
        yield f"{operation.id} ends in closed time"
    elif operation.started:
        if (a.unit, a.start) != (operation.started.unit, operation.started.since):
            yield f"{operation.id} runs on {operation.started.unit} but is planned elsewhere"
    else:
        yield from _start_faults(problem, operation, a, run)
        yield from _promise_faults(operation, a)


def _start_faults(problem: Problem, operation: Operation, a: Assignment, run: list[int]) -> Iterator[str]:
    if run[0] != a.start:
        yield f"{operation.id} starts in closed time"
    if not operation.resumable and a.end - a.start != len(run):
        yield f"{operation.id} pauses but cannot"
    if a.setup_start < 0 or len(worked(problem, a, a.setup_start, a.start)) != a.setup:
        yield f"{operation.id} has no room for its set-up of {a.setup} minutes"
    if any(release.at > a.start for release in operation.releases):
        yield f"{operation.id} starts before it is released"


def _promise_faults(operation: Operation, a: Assignment) -> Iterator[str]:
    lock, published = operation.lock, operation.published
    if lock and (a.unit, a.start) != (lock.unit, lock.start):
        yield f"{operation.id} is not where it is locked"
    elif published and not lock and a.unit != published.unit and (operation.frozen or operation.kept):
        yield f"{operation.id} is held but changes its unit"


def _unit_faults(problem: Problem, unit: Unit, row: list[Assignment]) -> Iterator[str]:
    row = sorted(row, key=lambda a: max(0, a.start))
    operations = {o.id: o for o in problem.operations}
    family = unit.family
    for a in row:
        operation = operations[a.operation]
        if not operation.started:
            needed = _setup_needed(problem, unit, family, operation.family)
            if a.setup != needed:
                yield f"{a.operation} has {a.setup} minutes of set-up instead of {needed}"
        family = operation.family
    for one, two in pairwise(row):
        if two.setup_start < one.end:
            yield f"{one.operation} and {two.operation} overlap on {unit.id}"
    yield from _held_faults(unit, [(operations[a.operation], a) for a in row])


def _setup_needed(problem: Problem, unit: Unit, before: str | None, after: str | None) -> int:
    if after is None or after == before:
        return 0
    center = next(c for c in problem.work_centers if c.id == unit.work_center)
    to = [s for s in center.setups if s.to_family == after]
    for setup in to:
        if setup.from_family == before and before is not None:
            return setup.minutes
    if before is None:
        named = [s.minutes for s in to if s.from_family is None]
        return named[0] if named else max((s.minutes for s in to), default=0)
    return next((s.minutes for s in to if s.from_family is None), 0)


def _held_faults(unit: Unit, row: list[tuple[Operation, Assignment]]) -> Iterator[str]:
    free = [(o, a) for o, a in row if not (o.started or o.lock)]
    frozen = [(o, a) for o, a in free if o.frozen]
    yield from _order_faults(unit, frozen)
    yield from _order_faults(unit, [(o, a) for o, a in free if o.kept])
    for held, a in frozen:
        for other, b in free:
            if not other.frozen and b.start < a.start:
                yield f"{other.id} goes before {held.id}, which is frozen on {unit.id}"


def _order_faults(unit: Unit, held: list[tuple[Operation, Assignment]]) -> Iterator[str]:
    for (one, a), (two, b) in combinations(held, 2):
        if one.published and two.published and one.published.start != two.published.start:
            kept = (a.start < b.start) == (one.published.start < two.published.start)
            if not kept:
                yield f"{one.id} and {two.id} are held on {unit.id} but change their order"


def _people_faults(problem: Problem, schedule: Schedule) -> Iterator[str]:
    started: dict[int, list[str]] = {}
    planned: dict[int, list[str]] = {}
    at = {a.operation: a for a in schedule.assignments}
    for operation in problem.operations:
        if operation.skill is None:
            continue
        a = at[operation.id]
        busy = started if operation.started else planned
        for minute in worked(problem, a, max(0, a.setup_start), a.end):
            if minute < problem.horizon:
                busy.setdefault(minute, []).append(operation.skill)
    told: set[tuple[str, ...]] = set()
    for minute in sorted(planned):
        running: list[str] = []
        for skill in started.get(minute, []):
            if not any(_short(problem, minute, [*running, skill])):
                running.append(skill)  # else a fact that nobody's attendance explains
        for union in _short(problem, minute, running + planned[minute]):
            if union not in told:
                told.add(union)
                yield f"too few people for {' or '.join(union)} at minute {minute}"


def _short(problem: Problem, minute: int, running: list[str]) -> Iterator[tuple[str, ...]]:
    """Unions of running skills that lack people."""
    skills = sorted(set(running))
    present = [
        (set(crew.skills), crew.count)
        for crew in problem.crews
        if any(w.start <= minute < w.end for w in crew.windows)
    ]
    for size in range(1, len(skills) + 1):
        for union in combinations(skills, size):
            people = sum(count for able, count in present if able & set(union))
            if sum(skill in union for skill in running) > people:
                yield union
