"""Why an order is late: its minutes by cause, which add up to its lateness.

The walk goes along the order's own chain of steps, from minute 0 to its end. Every minute on
that way is either the order's own work or waiting for something; each waiting minute has the
cause that held in it. The slack that the order had eats the earliest waits; what is left, and
the work that never fitted before the due date, is the lateness. The lead time of a subcontractor is
work, his closed hours are those of a unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from planner.buffers import Buffers
from planner.objective import order_ends
from planner.problem import Link, Operation, Problem
from planner.schedule import Assignment, Schedule
from planner.shared import Pieces, Shortage, left_free
from planner.worktime import WorkTime

CauseCode = Literal[
    "overdue",  # it was due before minute 0
    "work",  # its own steps take longer than the time until it is due
    "unit",  # by: its unit was busy with another order
    "slow",  # by: work under way on its unit, its own or another order's, takes longer than its standard
    "maintenance",  # by: its unit was maintained
    "batch",  # by: its batch waited for a step of that order
    "setup",  # unit: set-up
    "people",  # skill: nobody free
    "tool",  # tool: not free
    "buffer",  # buffer: full, so that it could not have delivered
    "calendar",  # unit: closed
    "break",  # unit: it closes before a run would be done that may not pause
    "stop",  # unit: stands still
    "material",  # detail: material not there
    "release",  # detail: not released
    "lag",  # drying or cooling
    "tied",  # the step named follows at a greatest lag, and cannot come sooner
    "sequence",  # unit: kept free for others, or a person's lock
]


@dataclass(frozen=True, slots=True)
class Cause:
    """Minutes of lateness, and what took them.

    Args:
        subject: The unit, skill, tool, buffer, material or operation that the cause speaks of.
        by: The order or maintenance that had the unit, the order that was waited for; "" where there is none.
    """

    code: CauseCode
    minutes: int
    subject: str = ""
    by: str = ""


class Explainer:
    """Answers for one plan; the occupation of units, people and tools is looked up once."""

    def __init__(self, problem: Problem, schedule: Schedule) -> None:
        self._problem, self._schedule = problem, schedule
        self._times = {unit.id: WorkTime.of(problem, unit) for unit in problem.units}
        self._ends = order_ends(problem, schedule)
        self._shared = left_free(problem, self._times)
        self._buffers = Buffers(problem)
        for row in schedule.assignments if self._buffers else ():
            self._buffers.times[row.operation] = max(0, row.setup_start), row.start
        self._steps: dict[str, list[Operation]] = {}
        for operation in problem.operations:
            self._steps.setdefault(operation.order, []).append(operation)
            row = schedule.by_operation[operation.id]
            if not (operation.started or self._is_outside(row.unit) or self._leader(row)):
                self._shared.claim(operation, self._worked(operation))

    def why_late(self, order: str) -> tuple[Cause, ...]:
        """The causes of an order's lateness, the largest first; empty when it is in time."""
        due = self._problem.order_by_id[order].due
        lateness = self._ends[order] - due
        if lateness <= 0:
            return ()
        chain = self._chain(order)
        untils = [*(ready for _, ready in chain[1:]), self._ends[order]]
        waits = [w for row, until in zip(chain, untils, strict=True) for w in self._waits(*row, until)]
        own = self._ends[order] - sum(wait.minutes for wait in waits)
        overdue = max(0, -due)
        causes = [Cause("overdue", overdue), Cause("work", max(0, own - max(0, due)))]
        slack = max(0, due - own)
        for wait in waits:
            eaten = min(slack, wait.minutes)
            slack -= eaten
            causes.append(Cause(wait.code, wait.minutes - eaten, wait.subject, wait.by))
        return _merged(causes)

    def _chain(self, order: str) -> list[tuple[Operation, int]]:
        """The steps that carry the order's end, first one first, each with when it was ready."""
        problem, at = self._problem, self._schedule.by_operation
        step: Operation | None = max(self._steps[order], key=lambda o: at[o.id].end)
        chain: list[tuple[Operation, int]] = []
        while step is not None:
            links = () if step.started else step.predecessors
            mine = at[step.id]
            before = max(links, key=lambda link: self._passed_on(link, mine, link.lag), default=None)
            ready = self._passed_on(before, mine, 0) if before else 0
            chain.append((step, ready))
            step = problem.operation_by_id[before.operation] if before else None
        return chain[::-1]

    def _passed_on(self, link: Link, row: Assignment, lag: int) -> int:
        """When a predecessor let a step start: its end, or when its sub-lots were made that the step got."""
        before = self._schedule.by_operation[link.operation]
        if link.sublots == 1:
            return before.end + lag
        theirs, mine = self._times[before.unit], self._times[row.unit]
        run = theirs.work(before.start)
        first = theirs.after(run + link.share(theirs.work(before.end) - run))
        minutes = mine.work(row.end) - mine.work(row.start)
        last = mine.work(before.end + lag) - minutes + link.share(minutes)
        return min(before.end + lag, max(first + lag, mine.at(max(0, last))))

    def _waits(self, operation: Operation, ready: int, until: int) -> Iterator[Cause]:
        """What the step waited for from `ready` on, in order.

        Args:
            until: Its end, or when the next step had what it needed of it.
        """
        row = self._schedule.by_operation[operation.id]
        if not operation.started:
            free = self._previous_end(row)
            for start, end in self._alike(operation, row, ready):
                yield replace(self._cause_at(operation, row, start, free), minutes=end - start)
        first = max(ready, 0 if operation.started else row.start)
        slow = min(until, max(first, self._slow_from(operation, row)))
        for start, end in self._times[row.unit].gaps(first, slow):
            yield from self._closed(row.unit, start, end)
        yield from self._slowly(operation, row.unit, slow, until)

    def _alike(self, operation: Operation, row: Assignment, ready: int) -> Iterator[tuple[int, int]]:
        """The stretches from `ready` to the start in which nothing changes that a step may wait for."""
        start = row.start
        if ready >= start:
            return
        releases = [release.at for release in self._problem.releases_of(operation)]
        lags = [self._passed_on(link, row, link.lag) for link in operation.predecessors]
        free = min(start, max([ready, *releases, *lags]))  # before that nothing else is asked
        cuts = {ready, free, start, *(m for m in (*releases, *lags) if ready < m < free)}
        if free < start:
            cuts |= {m for m in self._changes(operation, row, free) if free < m < start}
        yield from pairwise(sorted(cuts))

    def _changes(self, operation: Operation, row: Assignment, free: int) -> Iterator[int]:
        """The minutes from `free` to the start in which the unit, its people or tools change."""
        yield row.setup_start
        for start, end in self._times[row.unit].gaps(free, row.start):
            yield from (start, end)
            yield self._last_start(operation, row, max(free, start - 1)) + 1
        for stop in self._problem.unit_by_id[row.unit].stops:
            yield from (stop.start, stop.end)
        if self._is_outside(row.unit):
            return
        for other in self._schedule.by_unit[row.unit]:
            yield from (other.setup_start, other.end)
            yield self._slow_from(self._problem.operation_by_id[other.operation], other)
        for draw in self._shared.draws(operation):
            yield from draw.counter.changes(free, row.start)
        yield from self._buffers.changes(operation.id)

    def _slow_from(self, operation: Operation, row: Assignment) -> int:
        """When it would be over by its standard: its end, unless it runs and is slow."""
        slow = operation.started.slow if operation.started else 0
        time = self._times[row.unit]
        return row.end if not slow else time.at(max(0, time.work(row.end) - slow))

    def _slowly(self, operation: Operation, unit: str, slow: int, until: int) -> Iterator[Cause]:
        """What is beyond the standard of work under way, and the closed stretches in it."""
        for start, end in self._times[unit].gaps(slow, until):
            if slow < start:
                yield Cause("slow", start - slow, unit, operation.order)
            yield from self._closed(unit, start, end)
            slow = end
        if slow < until:
            yield Cause("slow", until - slow, unit, operation.order)

    def _previous_end(self, row: Assignment) -> int:
        rows = self._schedule.by_unit[row.unit]
        ends = [before.end for before in rows[: rows.index(row)] if before.end < row.end]
        return max(ends, default=0)

    def _is_outside(self, unit: str) -> bool:
        """Whether a unit is a subcontractor's: what else is there keeps nobody waiting."""
        return unit in self._problem.subcontractors

    def _leader(self, row: Assignment) -> str | None:
        """The operation that leads the batch of another one; None for that itself, and without a batch."""
        if self._problem.unit_by_id[row.unit].places is None:
            return None
        first = next(a for a in self._schedule.by_unit[row.unit] if a.end == row.end)
        return None if first is row else first.operation

    def _cause_at(self, operation: Operation, row: Assignment, minute: int, free: int) -> Cause:
        for release in self._problem.releases_of(operation):
            if minute < release.at:
                known: dict[str, CauseCode] = {"material": "material", "tied": "tied", "lag": "lag"}
                about = operation.id if release.cause == "lag" else release.detail
                return Cause(known.get(release.cause, "release"), 1, about)
        if any(minute < self._passed_on(link, row, link.lag) for link in operation.predecessors):
            return Cause("lag", 1, operation.id)
        if not self._is_open(row.unit, minute):
            return self._closed_at(row.unit, minute)
        if self._is_outside(row.unit):  # a lock, or a run that cannot pause and waits for a longer window
            return Cause("sequence" if operation.lock else "break", 1, row.unit)
        return self._occupied(operation, row, minute, free)

    def _occupied(self, operation: Operation, row: Assignment, minute: int, free: int) -> Cause:
        """What held in a minute in which the step was ready and its unit open."""
        busy, leader = self._busy_with(row.unit, minute), self._leader(row)
        if minute >= row.setup_start or (busy is not None and busy == leader):
            return Cause("setup", 1, row.unit)
        if busy is not None:
            return self._busy_at(busy, row.unit, minute)
        short = self._shared.shortage(operation, [(minute, minute + 1)])
        if leader is not None and short is None:
            return Cause("batch", 1, row.unit, self._problem.operation_by_id[leader].order)
        full = self._buffers.shortage(operation.id, minute, minute + 1)
        if full is not None and short is None:
            return Cause("buffer", 1, full[1])
        if short is None and minute > self._last_start(operation, row, minute):
            return Cause("break", 1, row.unit)
        return self._lacking(operation, row, short, free)

    def _busy_at(self, busy: str, unit: str, minute: int) -> Cause:
        """What the operation that has the unit then keeps others waiting with."""
        other, row = self._problem.operation_by_id[busy], self._schedule.by_operation[busy]
        order = self._problem.order_by_id[other.order]
        if minute >= self._slow_from(other, row):
            return Cause("slow", 1, unit, order.id)
        return Cause("unit" if order.kind == "work" else "maintenance", 1, unit, order.id)

    def _lacking(self, operation: Operation, row: Assignment, short: Shortage | None, free: int) -> Cause:
        """The person or tool that was missing, or else that others were put first."""
        lacked = row.reason.code if row.setup_start > free else "sequence"
        if short is not None:
            lacked = "people" if short.tool is None else "tool"
        if lacked == "tied":
            return Cause("tied", 1, str(row.reason.params["operation"]))
        if lacked == "people" and operation.skill:
            return Cause("people", 1, operation.skill)
        if lacked == "tool":
            name = short.tool if short and short.tool else row.reason.params["tool"]
            return Cause("tool", 1, str(name))
        return Cause("sequence", 1, row.unit)

    def _last_start(self, operation: Operation, row: Assignment, minute: int) -> int:
        """The last minute before the unit closes in which it could begin, where no break may interrupt it."""
        time, begin = self._times[row.unit], self._times[row.unit].work(minute)
        if operation.resumable or operation.lock:
            return row.start
        return minute + time.room(begin) - operation.minutes_on(row.unit) - row.setup

    def _is_open(self, unit: str, minute: int) -> bool:
        time = self._times[unit]
        return time.at(time.work(minute)) == minute

    def _closed_at(self, unit: str, minute: int) -> Cause:
        stops = self._problem.unit_by_id[unit].stops
        is_stopped = any(stop.start <= minute < stop.end for stop in stops)
        return Cause("stop" if is_stopped else "calendar", 1, unit)

    def _closed(self, unit: str, start: int, end: int) -> Iterator[Cause]:
        """What a closed stretch is closed for."""
        stops = self._problem.unit_by_id[unit].stops
        cuts = {m for stop in stops for m in (stop.start, stop.end) if start < m < end}
        for one, two in pairwise(sorted({start, end, *cuts})):
            yield replace(self._closed_at(unit, one), minutes=two - one)

    def _busy_with(self, unit: str, minute: int) -> str | None:
        for row in self._schedule.by_unit[unit]:
            if row.setup_start <= minute < row.end:
                return row.operation
        return None

    def _worked(self, operation: Operation) -> Pieces:
        row = self._schedule.by_operation[operation.id]
        time = self._times[row.unit]
        return time.pieces(time.work(row.setup_start), time.work(row.end))


def _merged(causes: list[Cause]) -> tuple[Cause, ...]:
    """Add up equal causes; the largest first, then in the order they came."""
    found: dict[tuple[CauseCode, str, str], int] = {}
    for cause in causes:
        key = (cause.code, cause.subject, cause.by)
        found[key] = found.get(key, 0) + cause.minutes
    rows = [Cause(code, minutes, subject, by) for (code, subject, by), minutes in found.items()]
    return tuple(sorted((c for c in rows if c.minutes), key=lambda c: -c.minutes))


def why_late(problem: Problem, schedule: Schedule) -> dict[str, tuple[Cause, ...]]:
    """Order id -> its causes, for every order of the plan that is late."""
    explainer = Explainer(problem, schedule)
    planned = dict.fromkeys(operation.order for operation in problem.operations)
    found = {order: explainer.why_late(order) for order in planned}
    return {order: causes for order, causes in found.items() if causes}


def reasons(problem: Problem, schedule: Schedule) -> dict[str, list[dict[str, Any]]]:
    """`why_late` as JSON."""
    why = why_late(problem, schedule)
    return {order: [asdict(cause) for cause in causes] for order, causes in why.items()}
