"""Where an operation fits: as early as its unit, set-up, calendar, people, tools and buffers allow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from planner.buffers import FULL
from planner.decoder.line import Block, Fit, Line, begin_of
from planner.decoder.locks import place_locked, refuse_early, stuck
from planner.decoder.placed import Placed
from planner.decoder.reasons import Cause, closed, lacking, queued, told
from planner.problem import Alternative, Operation, Problem
from planner.schedule import Assignment, Reason, Schedule
from planner.shared import Pieces, Shortage
from planner.worktime import WorkTime

ROOM = 0, ""
"""From minute 0 on there is room in every buffer."""


class Decoder(Placed):
    """A plan under construction; `place` what `fit` found, then ask for the `schedule`."""

    def __init__(self, problem: Problem, skills: Iterable[str] = (), *, locks_first: bool = True) -> None:
        """Place started and locked work.

        Args:
            skills: Skills of work that is not in the problem but will be asked for.
            locks_first: Without, locked work is placed in its turn by `fit_lock`.

        Raises:
            LocksConflict: Locks that no plan can keep; names the operation and the remedy.
        """
        super().__init__(problem, skills)
        locked = [(o.lock.start, o, o.lock) for o in problem.operations if o.lock and locks_first]
        for _, operation, lock in sorted(locked, key=lambda row: (row[0], row[1].id)):
            place_locked(self, operation, lock)

    def fit(self, operation: Operation, unit: str, *, gaps: bool = False) -> Fit:
        """Find the earliest place for an operation whose predecessors are placed.

        Args:
            gaps: Look into every gap behind frozen work, else only behind what the running
                proposal has placed on this unit.
        """
        line = self.lines[unit]
        since = self.ready_on(operation, unit, self.ready(operation))
        room = None if gaps else self.buffers.free_from(operation.id) if self.is_bounded else ROOM
        if line.outside:
            return self._fit_outside(line, operation, since, room)
        first = line.floor
        if gaps:
            first = line.first_gap(line.time.work(since[0]), operation.minutes_on(unit))
        for position in range(first, len(line.blocks) + 1):
            fit = self._fit_gap(line, position, operation, since, room)
            if fit is not None:
                return fit
        raise AssertionError(unit)  # the last gap never ends

    def earliest(self, operation: Operation) -> Fit:
        """The earliest end in any gap of any unit that can do it; of equal ones the least set-up."""
        best: Fit | None = None
        ready = self.ready(operation)
        for alternative in operation.alternatives:
            end = best.end if best else WorkTime.FOREVER
            fit = self._fit_until(operation, alternative, ready, end)
            if fit and (best is None or (fit.end, fit.setup) < (best.end, best.setup)):
                best = fit
        if best is None:
            raise AssertionError(operation.id)  # the last gap never ends
        return best

    def _fit_until(
        self, operation: Operation, on: Alternative, since: tuple[int, Cause], end: int
    ) -> Fit | None:
        """The earliest place in a gap, or None when it cannot be done by minute `end`."""
        line, minutes = self.lines[on.unit], on.minutes
        blocks, last = line.blocks, line.time.work(end) - minutes
        ready = self.ready_on(operation, on.unit, since)
        if line.outside:
            return self._fit_outside(line, operation, ready)
        earliest = line.time.work(ready[0])
        if earliest > last:
            return None
        first = line.first_gap(earliest, minutes)
        free = max(earliest, blocks[first - 1].end if first else 0)
        for position in range(first, len(blocks)):
            if free > last and line.places is None:
                return None
            behind = blocks[position]
            if behind.begin - free >= minutes or line.places is not None:
                fit = self._fit_gap(line, position, operation, ready)
                if fit is not None:
                    return fit
            free = behind.end
        if free > last and line.places is None:
            return None
        fit = self._fit_gap(line, len(blocks), operation, ready)
        if fit is not None:
            return fit
        raise AssertionError(on.unit)  # the last gap never ends

    def _fit_outside(
        self,
        line: Line,
        operation: Operation,
        since: tuple[int, Cause],
        room: tuple[int, str] | None = None,
    ) -> Fit:
        """The place at a subcontractor: from when he has it, in his working time; see `_fit_gap`."""
        (ready, cause), time, minutes = since, line.time, operation.minutes_on(line.unit)
        run, full = _let_in(time, time.work(ready), room)
        while True:
            if not operation.resumable and time.room(run) < minutes:
                run += time.room(run)
                continue
            short = self._overfull(time, operation, run, run + minutes) if room is None else None
            if short is None:
                break
            run, full = time.work(short.until), short.buffer
        start = time.at(run)
        if full:
            why = Reason("buffer", {"buffer": full})
        elif start > ready:
            why = closed(self.problem, line.unit, start)
        else:
            why = told(cause)
        block = Block(run, run, run + minutes, operation, why)
        position = bisect_right(line.blocks, run, key=begin_of)
        return Fit(line.unit, position, block, start, time.after(run + minutes), 0)

    def _fit_gap(
        self,
        line: Line,
        position: int,
        operation: Operation,
        since: tuple[int, Cause],
        room: tuple[int, str] | None = None,
    ) -> Fit | None:
        """The place in the gap before a position, if it is wide enough.

        Args:
            since: When it is ready, and why then.
            room: From when there is room in the buffer that it waits for, by the order of placement; None
                looks into the buffers by the clock.
        """
        ready, cause = since
        joined = self._joining(line, position, operation, ready, room) if line.places is not None else None
        if joined is not None:
            return joined
        time, minutes = line.time, operation.minutes_on(line.unit)
        arrived = time.work(ready)
        before = line.blocks[position - 1] if position else None
        family = before.operation.family if before else line.family
        setup = self.problem.setup_minutes(line.unit, family, operation.family)
        limit = self._limit(line, position, operation)
        free = before.end if before else 0
        earliest, full = _let_in(time, max(free, arrived - setup), room)
        if earliest + setup + minutes > limit:
            return None
        begin, pieces, lacked = self._supplied(
            time, operation, earliest, setup, minutes, by_clock=room is None
        )
        run = begin + setup
        if run + minutes > limit:
            return None
        start = time.at(run) if setup else pieces[0][0]
        if lacked:
            why = lacking(operation, lacked)
        elif begin > earliest:
            why = closed(self.problem, line.unit, start)
        elif full:
            why = Reason("buffer", {"buffer": full})
        elif before and free + setup > arrived:
            why = queued(self.problem, line, before, setup, start)
        elif setup and setup > arrived:
            why = Reason("setup", {"unit": line.unit, "minutes": setup})
        elif start > ready:
            why = closed(self.problem, line.unit, start)
        else:
            why = told(cause)
        block = Block(begin, run, run + minutes, operation, why)
        return Fit(line.unit, position, block, start, pieces[-1][1], setup, pieces)

    def _joining(
        self, line: Line, position: int, operation: Operation, ready: int, room: tuple[int, str] | None
    ) -> Fit | None:
        """The place in the batch before a position, where an operation can still go into that."""
        batch = line.batch_before(position)
        if not batch or not self.has_room(line, batch, operation):
            return None
        leader, time = batch[0], line.time
        start = time.at(leader.run)
        held = self.problem.kept_order.get(operation.id, ())
        if start < max([ready, *(self.ends[name] for name in held)]):
            return None
        if self.is_bounded and self._is_crowded(operation, start, time.after(leader.end), room):
            return None
        why = Reason("batch", {"unit": line.unit, "operation": leader.operation.id})
        block = Block(leader.run, leader.run, leader.end, operation, why)
        return Fit(line.unit, position, block, start, time.after(leader.end), 0)

    def _is_crowded(self, operation: Operation, begin: int, end: int, room: tuple[int, str] | None) -> bool:
        """Whether an operation that begins then finds no place for what it delivers."""
        if room is not None:
            return room[0] > begin
        return self.buffers.shortage(operation.id, begin, end) is not None

    def _limit(self, line: Line, position: int, operation: Operation) -> int:
        """The working minute at which the gap before `position` ends; -1 if it is no use."""
        if position == len(line.blocks):
            return WorkTime.FOREVER
        behind = line.blocks[position]
        change = self.problem.setup_minutes(line.unit, operation.family, behind.operation.family)
        return behind.begin if change <= behind.run - behind.begin else -1

    def _supplied(
        self, time: WorkTime, operation: Operation, begin: int, setup: int, minutes: int, *, by_clock: bool
    ) -> tuple[int, Pieces, Shortage | None]:
        """Move `begin` on until the run may pause where it must, and people and tools are there.

        Returns the new begin, the open stretches from then on, and what was the last to be waited for.

        Args:
            by_clock: There must also be room in the buffers from its begin to its end.
        """
        lacked: Shortage | None = None
        while True:
            if not operation.resumable and (room := time.room(begin + setup)) < minutes:
                begin, lacked = begin + room, None
                continue
            pieces = time.pieces(begin, begin + setup + minutes)
            short = self.shared.shortage(operation, pieces)
            if short is None and by_clock and self.is_bounded:
                short = self._overfull(time, operation, begin, begin + setup + minutes)
            if short is None:
                return begin, pieces, lacked
            begin, lacked = time.work(short.until), short

    def _overfull(self, time: WorkTime, operation: Operation, begin: int, end: int) -> Shortage | None:
        """The buffer that is too full for an operation in its working minutes."""
        found = self.buffers.shortage(operation.id, time.at(begin), time.after(end))
        if found is None:
            return None
        if found[0] >= FULL:
            raise stuck(operation, found[1])
        return Shortage(found[0], None, found[1])

    def schedule(self) -> Schedule:
        """The finished plan.

        Raises:
            LocksConflict: A locked operation comes before what it waits for can be done.
            ValueError: Operations are missing.
        """
        missing = [o.id for o in self.problem.operations if o.id not in self.ends]
        if missing:
            names = ", ".join(missing[:5])
            raise ValueError(f"{len(missing)} operations have no place: {names}")
        rows = [row for line in self.lines.values() for row in self.assignments(line)]
        for operation in self.problem.operations:
            if operation.lock:
                refuse_early(self, operation, operation.lock)
        return Schedule(tuple(sorted(rows, key=_turn)))


def _turn(row: Assignment) -> tuple[int, str, int, bool, str]:
    """The order of a schedule: of a batch, whoever leads it is first."""
    return row.start, row.unit, -row.setup, row.reason.code == "batch", row.operation


def _let_in(time: WorkTime, begin: int, room: tuple[int, str] | None) -> tuple[int, str]:
    """The working minute at which a set-up can begin, and the buffer that it waits for until then."""
    if room is None or not room[0] or time.work(room[0]) <= begin:
        return begin, ""
    return time.work(room[0]), room[1]
