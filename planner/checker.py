"""Does a plan keep every rule of the plant? Asked of every plan before it is published.

Written to be read beside the problem, not to be fast, and sharing no code with the decoder:
it walks marked minutes where the decoder computes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate, groupby, pairwise

from planner.problem import Buffer, Link, Operation, Problem, Setup, Tool, Unit, Window
from planner.schedule import Assignment, Schedule

Stretch = tuple[int, int, str]
"""From a minute to a minute, somebody of a skill works."""

Union = tuple[str, ...]
"""Skills of which any will do, in the order of their names."""


class InfeasiblePlan(RuntimeError):
    """A plan breaks a rule; `faults` says which."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(faults)
        self.faults = faults

    def __str__(self) -> str:
        return "; ".join(self.faults[:10])


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
    at = {a.operation: a for a in schedule.assignments}
    operations = {o.id: o for o in problem.operations}
    if at.keys() != operations.keys() or len(at) != len(schedule.assignments):
        yield "not every operation is planned exactly once"
        return
    opening = _Opening(problem, max((a.end for a in schedule.assignments), default=0))
    rows: dict[str, list[Assignment]] = {unit.id: [] for unit in problem.units}
    for operation in problem.operations:
        a = at[operation.id]
        if a.unit in rows:
            rows[a.unit].append(a)
        yield from _own_faults(opening, operation, a)
        for link in () if operation.started else operation.predecessors:
            if link.sublots > 1:
                yield from _overlap_faults(opening, operations, link, a, at[link.operation])
            elif a.start < at[link.operation].end + link.lag:
                yield f"{operation.id} starts before {link.operation} has ended"
            yield from _late_faults(operations[link.operation], at[link.operation], link, a)
    riders: set[str] = set()
    for unit in problem.units:
        if unit.places is not None:
            riders |= _riders(rows[unit.id])
            yield from _batch_faults(problem, unit, rows[unit.id])
        if unit.subcontractor:
            riders |= {a.operation for a in rows[unit.id]}
            yield from (f"{a.operation} has a set-up at {unit.id}" for a in rows[unit.id] if a.setup)
        else:
            yield from _unit_faults(problem, unit, rows[unit.id], operations)
    yield from _people_faults(problem, opening, at, riders)
    yield from _tool_faults(problem, at, riders)
    yield from _material_faults(problem, at)
    yield from _buffer_faults(problem, at)


class _Opening:
    """The minutes in which units can work, one mark a minute up to the horizon.

    Args:
        last: Nobody ends after this minute: how much is worked is counted until then.
    """

    def __init__(self, problem: Problem, last: int) -> None:
        self.horizon = problem.horizon
        self.counted = max(0, min(last, problem.horizon))
        calendars = {c.id: c.windows for c in problem.calendars}
        made: dict[object, tuple[bytearray, list[int]]] = {}
        self.units: dict[str, tuple[bytearray, list[int]]] = {}
        for unit in problem.units:
            key = (unit.calendar, unit.stops)
            if key not in made:
                made[key] = _marks(calendars[unit.calendar], unit.stops, problem.horizon, self.counted)
            self.units[unit.id] = made[key]

    def is_open(self, unit: str, minute: int) -> bool:
        """Whether the unit can work in this minute."""
        return minute >= self.horizon or bool(self.units[unit][0][minute])

    def count(self, unit: str, start: int, end: int) -> int:
        """How many minutes of [start, end) the unit works."""
        until = self.units[unit][1]
        if start <= end <= self.counted:
            return until[end] - until[start]
        inside = until[min(end, self.counted)] - until[min(start, self.counted)]
        return inside + max(0, end - max(start, self.horizon))

    def worked(self, a: Assignment, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The stretches of [start, end) before the horizon in which the assignment's unit works."""
        marks, end = self.units[a.unit][0], min(end, self.horizon)
        while start < end and (begin := marks.find(1, start, end)) >= 0:
            shut = marks.find(0, begin, end)
            start = end if shut < 0 else shut
            yield begin, start


def _marks(
    windows: tuple[Window, ...], stops: tuple[Window, ...], horizon: int, counted: int
) -> tuple[bytearray, list[int]]:
    """One mark for each minute, and how many minutes are marked before each of those that are counted."""
    marks = bytearray(horizon)
    for window in windows:
        marks[window.start : window.end] = b"\1" * (window.end - window.start)
    for stop in stops:
        marks[stop.start : stop.end] = bytes(stop.end - stop.start)
    return marks, list(accumulate(marks[:counted], initial=0))


def _own_faults(opening: _Opening, operation: Operation, a: Assignment) -> Iterator[str]:
    for able in operation.alternatives:
        if able.unit == a.unit:
            minutes = able.minutes
            break
    else:
        yield f"{operation.id} is on {a.unit}, which cannot do it"
        return
    run = opening.count(a.unit, max(0, a.start), a.end)
    if run != minutes:
        yield f"{operation.id} works {run} minutes instead of {minutes}"
    elif not opening.is_open(a.unit, a.end - 1):
        yield f"{operation.id} ends in closed time"
    elif operation.started:
        if (a.unit, a.start) != (operation.started.unit, operation.started.since):
            yield f"{operation.id} runs on {operation.started.unit} but is planned elsewhere"
    else:
        yield from _start_faults(opening, operation, a, run)
        if operation.lock or operation.published:
            yield from _promise_faults(operation, a)


def _start_faults(opening: _Opening, operation: Operation, a: Assignment, run: int) -> Iterator[str]:
    if not opening.is_open(a.unit, a.start):
        yield f"{operation.id} starts in closed time"
    if not operation.resumable and a.end - a.start != run:
        yield f"{operation.id} pauses but cannot"
    if a.setup_start < 0 or opening.count(a.unit, a.setup_start, a.start) != a.setup:
        yield f"{operation.id} has no room for its set-up of {a.setup} minutes"
    if operation.releases and any(release.at > a.start for release in operation.releases):
        yield f"{operation.id} starts before it is released"


def _overlap_faults(
    opening: _Opening, operations: dict[str, Operation], link: Link, a: Assignment, before: Assignment
) -> Iterator[str]:
    """Whoever gets sub-lots has the first one when it starts, and is left the last one when all are made."""
    begun, until = max(0, before.start), min(before.end, a.start - link.lag)
    made = opening.count(before.unit, begun, until) if until > begun else 0
    left = opening.count(a.unit, max(a.start, before.end + link.lag), a.end)
    for row, minutes, what in ((before, made, "starts before the first"), (a, left, "ends with the last")):
        whole = [x.minutes for x in operations[row.operation].alternatives if x.unit == row.unit]
        if any(minutes * link.sublots < run for run in whole):
            yield f"{a.operation} {what} sub-lot of {before.operation} is made"


def _late_faults(before: Operation, done: Assignment, link: Link, a: Assignment) -> Iterator[str]:
    """A greatest lag is kept, but after a step that could not wait: it runs, is locked or is frozen."""
    if link.most is not None and not (before.started or before.lock or before.frozen):
        late = a.start - done.end - link.most
        if late > 0:
            yield f"{a.operation} starts {late} minutes too late after {before.id}"


def _promise_faults(operation: Operation, a: Assignment) -> Iterator[str]:
    lock, published = operation.lock, operation.published
    if lock and (a.unit, a.start) != (lock.unit, lock.start):
        yield f"{operation.id} is not where it is locked"
    elif published and not lock and a.unit != published.unit and (operation.frozen or operation.kept):
        yield f"{operation.id} is held but changes its unit"


def _unit_faults(
    problem: Problem, unit: Unit, row: list[Assignment], operations: dict[str, Operation]
) -> Iterator[str]:
    row = sorted(row, key=lambda a: (max(0, a.start), a.setup_start))
    family = unit.family
    setups: dict[str, list[Setup]] = {}
    for setup in next(center.setups for center in problem.work_centers if center.id == unit.work_center):
        setups.setdefault(setup.to_family, []).append(setup)
    for a in row:
        operation = operations[a.operation]
        if not operation.started:
            needed = _setup_needed(setups.get(operation.family or "", []), family, operation.family)
            if a.setup != needed:
                yield f"{a.operation} has {a.setup} minutes of set-up instead of {needed}"
        family = operation.family
    for one, two in pairwise(row):
        together = unit.places is not None and (_begin(one), one.end) == (_begin(two), two.end)
        if two.setup_start < one.end and not together:
            yield f"{one.operation} and {two.operation} overlap on {unit.id}"
    yield from _held_faults(unit, [(operations[a.operation], a) for a in row])


def _begin(a: Assignment) -> int:
    return max(0, a.start)


def _batches(row: list[Assignment]) -> list[list[Assignment]]:
    """What a unit with places does from the same minute to the same minute."""
    found: dict[tuple[int, int], list[Assignment]] = {}
    for a in sorted(row, key=lambda a: a.setup_start):
        found.setdefault((_begin(a), a.end), []).append(a)
    return list(found.values())


def _riders(row: list[Assignment]) -> set[str]:
    """Whoever needs no people and tools of his own: all of a batch but the one with the set-up."""
    return {a.operation for batch in _batches(row) for a in batch[1:]}


def _batch_faults(problem: Problem, unit: Unit, row: list[Assignment]) -> Iterator[str]:
    """A batch has one family, length and way of running, and no more in it than there are places."""
    operations = {o.id: o for o in problem.operations}
    alone = {order.id for order in problem.orders if order.kind == "maintenance"}
    for batch in _batches(row):
        first, *others = (operations[a.operation] for a in batch)
        if first.places + sum(o.places for o in others) > (unit.places or 0):
            yield f"too many places taken on {unit.id} at minute {batch[0].start}"
        for other in others:
            if _kind_on(unit.id, first) != _kind_on(unit.id, other) or first.order in alone:
                yield f"{first.id} and {other.id} cannot be in one batch on {unit.id}"


def _kind_on(unit: str, o: Operation) -> tuple[object, ...]:
    minutes = [a.minutes for a in o.alternatives if a.unit == unit]
    tools = {(use.tool, use.count) for use in o.tools}
    held = (o.started is not None, o.lock and (o.lock.unit, o.lock.start))
    return o.family, minutes, o.skill, tools, o.resumable, held


def _setup_needed(to: list[Setup], before: str | None, after: str | None) -> int:
    """Minutes of set-up between two families, of those that lead to the second."""
    if after is None or after == before:
        return 0
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
    if frozen:
        held, a = max(frozen, key=lambda place: place[1].start)
        for other, b in free:
            if not other.frozen and b.start < a.start:
                yield f"{other.id} goes before {held.id}, which is frozen on {unit.id}"


def _published(operation: Operation) -> int:
    return operation.published.start if operation.published else 0


def _order_faults(unit: Unit, held: list[tuple[Operation, Assignment]]) -> Iterator[str]:
    """Held operations in the order of their starts keep the order of their published starts."""
    in_turn = sorted(held, key=lambda place: (place[1].start, _published(place[0])))
    for (one, _), (two, _) in pairwise(in_turn):
        if one.published and two.published and one.published.start > two.published.start:
            yield f"{two.id} and {one.id} are held on {unit.id} but change their order"


def _tool_faults(problem: Problem, at: dict[str, Assignment], riders: set[str]) -> Iterator[str]:
    """A tool is held from the beginning of a set-up to the end of the run, pauses included."""
    users: dict[str, list[tuple[Assignment, int]]] = {tool.id: [] for tool in problem.tools}
    running: dict[str, list[tuple[int, int]]] = {tool.id: [] for tool in problem.tools}
    for operation in problem.operations:
        for use in operation.tools if operation.id not in riders else ():
            a = at[operation.id]
            if operation.started:
                running[use.tool].append((a.end, use.count))
            else:
                users[use.tool].append((a, use.count))
    for tool in problem.tools:
        taken = sum(away.count for away in tool.away) + sum(count for _, count in running[tool.id])
        crowded = _crowded(users[tool.id], problem.horizon, max(0, tool.count - taken))
        if crowded:
            yield from _tool_shortages(tool.id, crowded, _left(tool, running[tool.id], problem.horizon))


def _crowded(
    users: list[tuple[Assignment, int]], horizon: int, least: int
) -> list[tuple[int, int, int, str]]:
    """The stretches before the horizon in which more than `least` are held: from, to, how many, and who
    began last.
    """
    changes: dict[int, int] = {}
    begins: dict[int, str] = {}
    for a, count in users:
        begin, end = max(0, a.setup_start), min(a.end, horizon)
        if begin < end:
            changes[begin] = changes.get(begin, 0) + count
            changes[end] = changes.get(end, 0) - count
            begins[begin] = a.operation
    found: list[tuple[int, int, int, str]] = []
    held, last = 0, ""
    for minute, until in pairwise(sorted({*changes, horizon})):
        held += changes[minute]
        last = begins.get(minute, last)
        if held > least:
            found.append((minute, until, held, last))
    return found


def _left(tool: Tool, running: list[tuple[int, int]], horizon: int) -> list[int]:
    """How many of a tool are free in each minute, of what is away and held by work under way."""
    free = [tool.count] * horizon
    for away in tool.away:
        for minute in range(away.start, away.end):
            free[minute] -= away.count
    for end, count in running:
        for minute in range(min(end, horizon)):
            if free[minute] >= count:  # else a fact that the count does not explain
                free[minute] -= count
    return free


def _tool_shortages(tool: str, crowded: list[tuple[int, int, int, str]], free: list[int]) -> Iterator[str]:
    """Whoever began last when more of a tool were held than there are, in some minute of `free`."""
    for minute, until, held, last in crowded:
        if min(free[minute:until]) < held:
            short = next(m for m in range(minute, until) if free[m] < held)
            yield f"too few of {tool} for {last} at minute {short}"


def _material_faults(problem: Problem, at: dict[str, Assignment]) -> Iterator[str]:
    """Nobody starts with material that is not there; what runs already has its own."""
    flows = {
        material.id: [(receipt.at, 0, receipt.quantity, "") for receipt in material.receipts]
        for material in problem.materials
    }
    for operation in problem.operations:
        for use in operation.materials:
            when = -1 if operation.started else at[operation.id].start
            flows[use.material].append((when, 1, -use.quantity, operation.id))
    for material in problem.materials:
        left = material.stock
        for when, _, quantity, operation_id in sorted(flows[material.id]):
            left += quantity
            if left < 0 and 0 <= when < problem.horizon and operation_id:
                yield f"{operation_id} starts without {material.id}"
                break


def _buffer_faults(problem: Problem, at: dict[str, Assignment]) -> Iterator[str]:
    operations = {operation.id: operation for operation in problem.operations}
    for buffer in problem.buffers:
        yield from _crowd_faults(problem, buffer, operations, at)


def _crowd_faults(
    problem: Problem, buffer: Buffer, operations: dict[str, Operation], at: dict[str, Assignment]
) -> Iterator[str]:
    """Nobody begins whose place is not free; what runs, is locked, lay there or is for a lock has its own.

    A place is held from the set-up of whoever delivers to the start of whoever takes out. Whoever does both
    puts what it makes where its own work lay.
    """
    centers = {c.id for c in problem.work_centers if c.buffer == buffer.id}
    units = {unit.id for unit in problem.units if unit.work_center in centers}
    behind = [o for o in problem.operations if not o.started and at[o.id].unit in units]
    given = Counter(link.operation for o in behind for link in o.predecessors)
    taken = Counter({o.id: len(o.predecessors) + o.stored for o in behind})
    changes: list[tuple[int, int, str]] = []
    for operation in behind:
        a = at[operation.id]
        left = a.setup_start if operation.id in given else a.start
        for name in [link.operation for link in operation.predecessors] + [""] * operation.stored:
            is_fact = not name or operation.lock or _is_given(operations[name]) or given[name] <= taken[name]
            begun = max(0, at[name].setup_start) if name and not operations[name].started else 0
            if begun < left:
                changes += [(begun, 1, "" if is_fact else name), (left, -1, "")]
    held = 0
    for minute, turn in groupby(sorted(changes), key=lambda change: change[0]):
        rows = list(turn)
        held += sum(change for _, change, _ in rows)
        names = [name for _, _, name in rows if name]
        if held > buffer.places and names:
            yield f"{names[0]} begins at minute {minute}, when {buffer.id} is full"


def _is_given(operation: Operation) -> bool:
    return operation.started is not None or operation.lock is not None


def _people_faults(
    problem: Problem, opening: _Opening, at: dict[str, Assignment], riders: set[str]
) -> Iterator[str]:
    started: list[Stretch] = []
    planned: list[Stretch] = []
    for operation in problem.operations:
        if operation.skill is None or at[operation.id].unit not in opening.units or operation.id in riders:
            continue
        a = at[operation.id]
        busy = started if operation.started else planned
        for start, end in opening.worked(a, max(0, a.setup_start), a.end):
            busy.append((start, end, operation.skill))
    yield from _shortages(_Attendance(problem), started, planned)


def _shortages(attendance: _Attendance, started: list[Stretch], planned: list[Stretch]) -> Iterator[str]:
    """People can only be lacking from a minute in which more of a skill work than before, or somebody comes
    or goes.
    """
    told: set[Union] = set()
    changes = _net_changes(planned)
    facts = {*attendance.since, *(minute for start, end, _ in started for minute in (start, end))}
    running, given = Counter[str](), Counter[str]()
    for minute in sorted({*changes, *facts}):
        begins = minute in facts
        if begins:
            given = _explained(attendance, started, minute)
        for skill, change in changes.get(minute, ()):
            running[skill] += change
            if not running[skill]:
                del running[skill]
            begins = begins or change > 0
        for union in attendance.short(minute, running + given if given else running) if begins else ():
            if union not in told:
                told.add(union)
                yield f"too few people for {' or '.join(union)} at minute {minute}"


def _net_changes(planned: list[Stretch]) -> dict[int, list[tuple[str, int]]]:
    """Minute -> by how many more of each skill work from then on, or fewer."""
    rows: dict[str, dict[int, int]] = {}
    for start, end, skill in planned:
        row = rows.setdefault(skill, {})
        row[start] = row.get(start, 0) + 1
        row[end] = row.get(end, 0) - 1
    found: dict[int, list[tuple[str, int]]] = {}
    for skill, row in rows.items():
        for minute, change in row.items():
            if change:
                found.setdefault(minute, []).append((skill, change))
    return found


def _explained(attendance: _Attendance, started: list[Stretch], minute: int) -> Counter[str]:
    """What runs, as far as there are people for it; the rest is a fact that nobody's attendance explains."""
    given = Counter[str]()
    for start, end, skill in started:
        more = given + Counter({skill: 1})
        if start <= minute < end and not attendance.short(minute, more):
            given = more
    return given


class _Attendance:
    """Who is present when; answers are remembered, because most minutes are like the one before."""

    def __init__(self, problem: Problem) -> None:
        self.crews = [(frozenset(crew.skills), crew.count) for crew in problem.crews]
        changes = {m for crew in problem.crews for window in crew.windows for m in (window.start, window.end)}
        self.since = sorted({0, *changes})
        at = {minute: change for change, minute in enumerate(self.since)}
        present: list[list[int]] = [[] for _ in self.since]
        for number, crew in enumerate(problem.crews):
            for window in crew.windows:
                for change in range(at[window.start], at[window.end]):
                    present[change].append(number)
        self.present = [tuple(numbers) for numbers in present]
        self.there: dict[tuple[tuple[int, ...], tuple[str, ...]], _Unions] = {}

    def short(self, minute: int, running: Mapping[str, int]) -> list[Union]:
        """Unions of running skills that lack people, the smallest first."""
        key = self.present[bisect_right(self.since, minute) - 1], tuple(sorted(running))
        if key not in self.there:
            self.there[key] = _Unions([self.crews[number] for number in key[0]], key[1])
        return self.there[key].short(running)


LANE = 48
"""Bits for the count of one union: many more than there are people and operations."""


class _Unions:
    """All unions of some skills, and how many of the people who are there can do one of each.

    The counts of all unions lie side by side in one whole number, a lane for each, so that one subtraction
    compares them all. The highest bit of a lane is lent to it, and is gone where more run than are able.
    """

    def __init__(self, present: list[tuple[frozenset[str], int]], skills: tuple[str, ...]) -> None:
        self.rows = list(_able(present, skills))
        self.lent = sum(1 << (LANE * lane + LANE - 1) for lane in range(len(self.rows)))
        self.able = self.lent + sum(able << (LANE * lane) for lane, (_, able) in enumerate(self.rows))
        self.lanes = {
            skill: sum(1 << (LANE * lane) for lane, (union, _) in enumerate(self.rows) if skill in union)
            for skill in skills
        }

    def short(self, running: Mapping[str, int]) -> list[Union]:
        """Unions of which more run than are able, the smallest first."""
        left = self.able - sum(count * self.lanes[skill] for skill, count in running.items())
        if left & self.lent == self.lent:
            return []
        rows = enumerate(self.rows)
        lacking = [union for lane, (union, _) in rows if not left >> (LANE * lane + LANE - 1) & 1]
        return sorted(lacking, key=len)


def _able(present: list[tuple[frozenset[str], int]], skills: tuple[str, ...]) -> Iterator[tuple[Union, int]]:
    """How many people have one of the skills of each union, which grow skill by skill."""
    unions: list[Union] = [()]
    for skill in skills:
        unions += [(*union, skill) for union in unions]
    for union in unions:
        yield union, sum(count for able, count in present if not able.isdisjoint(union))
