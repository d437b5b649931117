"""The one exact decoder: the only place that gives operations their times.

Whoever proposes a plan (a dispatch rule, CP-SAT, a person) proposes an order of operations and
a unit for each. The decoder places them one after the other, each as early as its unit, its
set-up, its predecessors, its releases, the calendar, people and tools allow, and notes which of
these was the last to let it start. Started and locked work is placed first.

On a unit with places an operation goes into the batch of the one before it when both are of one
recipe, there is room, and it is ready when that batch starts. Who comes last therefore leads a batch
that waits for him, and nobody's times change when another one joins.

At a subcontractor an operation begins when it is ready and he is open; what else is there does not matter.

Steps between which a greatest lag holds are placed together, at the turn of the first: it begins so
late that those behind it come in time (`planner.ties`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from planner.buffers import FULL, Buffers
from planner.contradiction import Contradiction
from planner.problem import Alternative, Link, Lock, Operation, Problem, Published, Release, Started, Unit
from planner.rings import Rings
from planner.schedule import Assignment, Reason, ReasonCode, Schedule
from planner.shared import Pieces, Shortage, left_free
from planner.ties import further, in_chains
from planner.worktime import WorkTime, working_times


class LocksConflict(ValueError):
    """Locked operations cannot all be where a person put them, or held ones never get out of one another's
    way.

    Args:
        contradiction: The locks at fault, where somebody looked for them (`planner.keeping`).
    """

    def __init__(
        self, operation: str, what: str, remedy: str, contradiction: Contradiction | None = None
    ) -> None:
        self.operation, self.what, self.remedy = operation, what, remedy
        self.contradiction = contradiction
        super().__init__(f"operations {operation}: {what}. {remedy}.")


@dataclass(frozen=True, slots=True)
class Choice:
    """A proposal: do this operation next, on this unit."""

    operation: str
    unit: str


@dataclass(slots=True)
class Block:
    """What a unit does, in its working minutes: set-up from `begin`, run in [run, end)."""

    begin: int
    run: int
    end: int
    operation: Operation
    reason: Reason


@dataclass(slots=True)
class Fit:
    """Where an operation fits on a unit: the block it would be, and its place in the row.

    Args:
        pieces: The open stretches in which it claims people and tools; none where its batch has them, or the
            subcontractor.
    """

    unit: str
    position: int
    block: Block
    start: int
    end: int
    setup: int
    pieces: Pieces = ()


_begin, _run = attrgetter("begin"), attrgetter("run")

Cause = Reason | Link | Release
"""What lets an operation begin no sooner: most are never told, because its unit is busy for longer."""

NOTHING: Cause = Reason("now")
"""Nothing keeps an operation from beginning at once."""

ROOM = 0, ""
"""From minute 0 on there is room in every buffer."""


class _Line:
    """A unit's blocks in order; those before `floor` were placed by the running proposal.

    The blocks of a subcontractor may overlap.
    """

    __slots__ = ("blocks", "family", "floor", "frozen_until", "outside", "places", "time", "unit")

    def __init__(self, unit: Unit, time: WorkTime) -> None:
        self.unit, self.family, self.time = unit.id, unit.family, time
        self.places = unit.places
        self.outside = unit.subcontractor
        self.blocks: list[Block] = []
        self.floor = 0
        self.frozen_until = 0  # working minute at which the last frozen block ends

    def first_gap(self, ready: int, minutes: int) -> int:
        """The first position behind frozen work whose gap, or the batch before it, takes a run of so many
        minutes from working minute `ready` on.
        """
        first = bisect_left(self.blocks, max(ready + minutes, self.frozen_until), key=_begin)
        if self.places is None:
            return first
        joined = bisect_left(self.blocks, ready, key=_run) + 1
        return max(bisect_left(self.blocks, self.frozen_until, key=_begin), min(first, joined))

    def is_served(self, position: int) -> bool:
        """Whether a block needs no people and tools: its batch has them, or the subcontractor."""
        return self.outside or self.is_joined(position)

    def is_joined(self, position: int) -> bool:
        """Whether a block is in the batch of the one before it: they end together."""
        return position > 0 and self.blocks[position - 1].end == self.blocks[position].end

    def shares(self, block: Block) -> bool:
        """Whether a block is in a batch with others."""
        return self.places is not None and sum(other.end == block.end for other in self.blocks) > 1

    def batch_before(self, position: int) -> list[Block]:
        """The batch that ends at a position, the one that leads it first; [] where none is or it goes on."""
        if self.places is None or not position:
            return []
        if position < len(self.blocks) and self.is_joined(position):
            return []
        first = position - 1
        while self.is_joined(first):
            first -= 1
        return self.blocks[first:position]

    def hold(self, block: Block) -> None:
        """Remember where frozen work ends."""
        if block.operation.frozen and not block.operation.lock:
            self.frozen_until = max(self.frozen_until, block.end)

    def family_before(self, position: int) -> str | None:
        return self.blocks[position - 1].operation.family if position else self.family


class Decoder:
    """A plan under construction; `place` what `fit` found, then ask for the `schedule`."""

    def __init__(self, problem: Problem, skills: Iterable[str] = (), *, locks_first: bool = True) -> None:
        """Place started and locked work.

        Args:
            skills: Skills of work that is not in the problem but will be asked for.
            locks_first: Without, locked work is placed in its turn by `fit_lock`.

        Raises:
            LocksConflict: Locks that no plan can keep; names the operation and the remedy.
        """
        self.problem = problem
        times = working_times(problem)
        self.shared = left_free(problem, times, skills)
        self.lines = {u.id: _Line(u, times[u.id]) for u in problem.units}
        self.buffers = Buffers(problem)
        self._is_bounded = bool(problem.buffers)
        self.ends: dict[str, int] = {}
        self.runs: dict[str, tuple[WorkTime, int, int]] = {}  # on which axis, run and end there
        self._least_ends = dict(problem.ties.limits)
        for operation in problem.operations:
            if operation.started:
                self._place_started(operation, operation.started)
        locked = [(o.lock.start, o, o.lock) for o in problem.operations if o.lock and locks_first]
        for _, operation, lock in sorted(locked, key=lambda row: (row[0], row[1].id)):
            self._place_locked(operation, lock)

    def is_placed(self, operation: str) -> bool:
        return operation in self.ends

    def free_at(self, unit: str) -> int:
        """The minute from which `unit` has no proposed work behind it."""
        line = self.lines[unit]
        return line.time.at(0 if line.outside or not line.floor else line.blocks[line.floor - 1].end)

    def family_of(self, unit: str) -> str | None:
        """The family `unit` is set up for after its proposed work."""
        line = self.lines[unit]
        return line.family_before(line.floor)

    def ready(self, operation: Operation) -> tuple[int, Cause]:
        """When releases and (placed) predecessors let it start, and which of them is last."""
        minute, cause = 0, NOTHING
        for release in self.problem.releases_of(operation):
            if release.at > minute:
                minute, cause = release.at, release
        for link in operation.predecessors:
            end = (self._first_made(link) if link.sublots > 1 else self.ends[link.operation]) + link.lag
            if end > minute:
                minute, cause = end, link
        return minute, cause

    def _first_made(self, link: Link) -> int:
        """The minute at which a predecessor has worked a sub-lot's share of its run."""
        time, run, end = self.runs[link.operation]
        return time.after(run + link.share(end - run))

    def _last_made(self, link: Link, operation: Operation, unit: str) -> int:
        """The minute from which a run on `unit` begins its last sub-lot's share when that is made."""
        time, minutes = self.lines[unit].time, operation.minutes_on(unit)
        run = time.work(self.ends[link.operation] + link.lag) - minutes + link.share(minutes)
        return time.at(max(0, run))

    def _ready_on(self, operation: Operation, unit: str, since: tuple[int, Cause]) -> tuple[int, Cause]:
        """As `ready`, which is `since`, with what is waited for on one unit: the last sub-lots."""
        for link in operation.predecessors:
            if link.sublots > 1:
                minute = self._last_made(link, operation, unit)
                if minute > since[0]:
                    since = minute, link
        if operation.id in self._least_ends:
            end, behind = self._least_ends[operation.id]
            time = self.lines[unit].time
            minute = time.at(max(0, time.work(end - 1) - operation.minutes_on(unit) + 1))
            if minute > since[0]:
                since = minute, Reason("tied", {"operation": behind})
        return since

    def arrival(self, operation: Operation, units: Iterable[str]) -> int:
        """The first minute at which all that comes before lets it start on one of the units."""
        since = self.ready(operation)
        return min(self._ready_on(operation, unit, since)[0] for unit in units)

    def fit(self, operation: Operation, unit: str, *, gaps: bool = False) -> Fit:
        """Find the earliest place for an operation whose predecessors are placed.

        Args:
            gaps: Look into every gap behind frozen work, else only behind what the running
                proposal has placed on this unit.
        """
        line = self.lines[unit]
        since = self._ready_on(operation, unit, self.ready(operation))
        room = None if gaps else self.buffers.free_from(operation.id) if self._is_bounded else ROOM
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

    def settle(self, operations: Sequence[Operation]) -> list[Fit]:
        """Place operations in gaps, each after those that it waits for, and as early as the next ones allow.

        A step whose place in a buffer others need before its next one starts is put behind them.

        Raises:
            LocksConflict: A buffer is full for ever.
        """
        chains, fits = list(in_chains(operations)), list[list[Fit]]()
        mine = {operation.id for operation in operations}
        self.buffers.floors.clear()
        while len(fits) < len(chains):
            fits.append([])
            evicted = self._settle_chain(chains[len(fits) - 1], fits[-1], mine)
            if evicted is None:
                continue
            self.buffers.floors[evicted[0]] = evicted[1]
            first = next(i for i, row in enumerate(fits) if evicted[0] in {f.block.operation.id for f in row})
            for fit in reversed([fit for placed in fits[first:] for fit in placed]):
                self.take_back(fit)
            del fits[first:]
        return [fit for placed in fits for fit in placed]

    def _settle_chain(
        self, chain: Sequence[Operation], placed: list[Fit], mine: Container[str]
    ) -> tuple[str, int] | None:
        """Place a chain in gaps; who of `mine` must begin later, and when, because others need his place
        before one of the chain starts.

        Args:
            placed: Filled with what has its place.
        """
        found: tuple[str, int] | None = None
        for fit in self.earliest_chain(chain):
            evicted = self.buffers.evicted(fit.block.operation, fit.start) if self.buffers else None
            if found is None and evicted is not None and evicted[0] in mine:
                found = evicted
            self.place(fit)
            placed.append(fit)
        return found

    def _fit_until(
        self, operation: Operation, on: Alternative, since: tuple[int, Cause], end: int
    ) -> Fit | None:
        """The earliest place in a gap, or None when it cannot be done by minute `end`."""
        line, minutes = self.lines[on.unit], on.minutes
        blocks, last = line.blocks, line.time.work(end) - minutes
        ready = self._ready_on(operation, on.unit, since)
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
        line: _Line,
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
            why = self._closed(line.unit, start)
        else:
            why = _told(cause)
        block = Block(run, run, run + minutes, operation, why)
        position = bisect_right(line.blocks, run, key=_begin)
        return Fit(line.unit, position, block, start, time.after(run + minutes), 0)

    def fit_chain(self, chain: Sequence[Operation], find: Callable[[Operation, int], Fit]) -> list[Fit]:
        """Find places for steps between which greatest lags hold, and keep none of them.

        Who comes too late shifts the one before it, and that perhaps the one before that.

        Args:
            chain: Each with its greatest lag after the one before; whatever else they wait for is placed.
            find: Finds the place of one, best by the given minute, while those before it have theirs.
        """
        found: list[Fit] = []
        floors: list[tuple[int, int]] = []
        ends, rounds = dict(self._least_ends), 0
        while len(found) < len(chain):
            operation = chain[len(found)]
            most = _most_after(operation, chain[len(found) - 1]) if found else WorkTime.FOREVER
            latest = found[-1].end + most if found else WorkTime.FOREVER
            fit = find(operation, latest)
            if fit.start > latest:
                before = self._take_away(found, floors)
                end = max(fit.start - most, before.end + further(rounds))
                self._least_ends[before.block.operation.id] = end, operation.id
                rounds += 1
                continue
            line = self.lines[fit.unit]
            floors.append((line.floor, line.frozen_until))
            found.append(fit)
            self.place(fit)
        placed = list(found)
        while found:
            self._take_away(found, floors)
        self._least_ends = ends
        return placed

    def _take_away(self, found: list[Fit], floors: list[tuple[int, int]]) -> Fit:
        """Undo the last one."""
        fit = found.pop()
        self.take_back(fit)
        line = self.lines[fit.unit]
        line.floor, line.frozen_until = floors.pop()
        return fit

    def find_chain(
        self,
        chain: Sequence[Operation],
        units_of: Callable[[Operation], Iterable[str]],
        *,
        gaps: bool = False,
    ) -> list[Fit]:
        """As `fit_chain`, each where it ends first of the units that it may go to, in time if it can be."""

        def find(operation: Operation, latest: int) -> Fit:
            fits = [self.fit(operation, unit, gaps=gaps) for unit in units_of(operation)]
            return min(fits, key=lambda fit: (max(0, fit.start - latest), fit.end, fit.setup))

        return self.fit_chain(chain, find)

    def earliest_chain(self, chain: Sequence[Operation]) -> list[Fit]:
        """As `earliest`, for all of a chain."""
        if len(chain) == 1:
            return [self.earliest(chain[0])]
        return self.find_chain(chain, lambda o: [a.unit for a in o.alternatives], gaps=True)

    def _fit_gap(
        self,
        line: _Line,
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
            why = _lacking(operation, lacked)
        elif begin > earliest:
            why = self._closed(line.unit, start)
        elif full:
            why = Reason("buffer", {"buffer": full})
        elif before and free + setup > arrived:
            why = self._queued(line, before, setup, start)
        elif setup and setup > arrived:
            why = Reason("setup", {"unit": line.unit, "minutes": setup})
        elif start > ready:
            why = self._closed(line.unit, start)
        else:
            why = _told(cause)
        block = Block(begin, run, run + minutes, operation, why)
        return Fit(line.unit, position, block, start, pieces[-1][1], setup, pieces)

    def _joining(
        self, line: _Line, position: int, operation: Operation, ready: int, room: tuple[int, str] | None
    ) -> Fit | None:
        """The place in the batch before a position, where an operation can still go into that."""
        batch = line.batch_before(position)
        if not batch or not self._has_room(line, batch, operation):
            return None
        leader, time = batch[0], line.time
        start = time.at(leader.run)
        held = self.problem.kept_order.get(operation.id, ())
        if start < max([ready, *(self.ends[name] for name in held)]):
            return None
        if self._is_bounded and self._is_crowded(operation, start, time.after(leader.end), room):
            return None
        why = Reason("batch", {"unit": line.unit, "operation": leader.operation.id})
        block = Block(leader.run, leader.run, leader.end, operation, why)
        return Fit(line.unit, position, block, start, time.after(leader.end), 0)

    def _is_crowded(self, operation: Operation, begin: int, end: int, room: tuple[int, str] | None) -> bool:
        """Whether an operation that begins then finds no place for what it delivers."""
        if room is not None:
            return room[0] > begin
        return self.buffers.shortage(operation.id, begin, end) is not None

    def _has_room(self, line: _Line, batch: list[Block], operation: Operation) -> bool:
        """Whether an operation may be in a batch by its recipe and its places."""
        taken, first = sum(block.operation.places for block in batch), batch[0].operation
        recipe = self.problem.recipe
        return (
            taken + operation.places <= (line.places or 0)
            and first.may_share(operation)
            and recipe(first, line.unit) == recipe(operation, line.unit)
        )

    def _limit(self, line: _Line, position: int, operation: Operation) -> int:
        """The working minute at which the gap before `position` ends; -1 if it is no use."""
        if position == len(line.blocks):
            return WorkTime.FOREVER
        behind = line.blocks[position]
        change = self.problem.setup_minutes(line.unit, operation.family, behind.operation.family)
        return behind.begin if change <= behind.run - behind.begin else -1

    def _queued(self, line: _Line, before: Block, setup: int, start: int) -> Reason:
        if setup:
            return Reason("setup", {"unit": line.unit, "minutes": setup})
        if start > line.time.after(before.end):
            return self._closed(line.unit, start)
        order = self.problem.order_by_id.get(before.operation.order)
        code: ReasonCode = "maintenance" if order and order.kind == "maintenance" else "unit"
        return Reason(code, {"unit": line.unit, "operation": before.operation.id})

    def _closed(self, unit: str, opens: int) -> Reason:
        stops = self.problem.unit_by_id[unit].stops
        stopped = any(stop.start < opens <= stop.end for stop in stops)
        return Reason("stop" if stopped else "calendar", {"unit": unit})

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
            if short is None and by_clock and self._is_bounded:
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
            raise _stuck(operation, found[1])
        return Shortage(found[0], None, found[1])

    def place(self, fit: Fit) -> None:
        """Keep what `fit` found."""
        line, block = self.lines[fit.unit], fit.block
        line.blocks.insert(fit.position, block)
        line.floor = max(line.floor, fit.position) + 1
        line.hold(block)
        if fit.pieces:
            self.shared.claim(block.operation, fit.pieces)
        self._note(line, block, fit.end)
        if self._is_bounded:
            self.buffers.pass_on(block.operation.id, fit.start)

    def _note(self, line: _Line, block: Block, end: int) -> None:
        self.ends[block.operation.id] = end
        self.runs[block.operation.id] = line.time, block.run, block.end
        if self._is_bounded:
            self.buffers.times[block.operation.id] = line.time.at(block.begin), line.time.at(block.run)

    def _forget(self, name: str) -> None:
        del self.ends[name]
        self.buffers.times.pop(name, None)

    def take_back(self, fit: Fit) -> None:
        """Undo `place`; the last placed goes first."""
        line, block = self.lines[fit.unit], fit.block
        self.shared.release(block.operation, fit.pieces)
        line.blocks.pop(fit.position)
        line.floor -= 1
        self._forget(block.operation.id)
        if self._is_bounded:
            self.buffers.take_back(block.operation.id)

    def lift(self, line: _Line, block: Block) -> None:
        """Take out what is placed, for as long as others look for a place."""
        line.blocks.remove(block)
        line.floor -= 1
        if not line.outside:
            self.shared.release(block.operation, line.time.pieces(block.begin, block.end))
        self._forget(block.operation.id)

    def put_back(self, line: _Line, block: Block, end: int) -> None:
        """Undo `lift`."""
        insort(line.blocks, block, key=_begin)
        line.floor += 1
        if not line.outside:
            self.shared.claim(block.operation, line.time.pieces(block.begin, block.end))
        self._note(line, block, end)

    def keep(self, assignment: Assignment, other: Operation | None = None) -> None:
        """Put an operation where a plan has it.

        Args:
            other: The operation, where it is none of the problem's.
        """
        line = self.lines[assignment.unit]
        operation = other or self.problem.operation_by_id[assignment.operation]
        run, end = line.time.work(assignment.start), line.time.work(assignment.end)
        block = Block(run - assignment.setup, run, end, operation, assignment.reason)
        position = bisect_right(line.blocks, block.begin, key=_begin)
        line.blocks.insert(position, block)
        line.floor += 1
        line.hold(block)
        if not line.is_served(position):
            self.shared.claim(operation, line.time.pieces(block.begin, block.end))
        self._note(line, block, assignment.end)

    def _place_started(self, operation: Operation, started: Started) -> None:
        line = self.lines[started.unit]
        minutes = operation.minutes_on(started.unit)
        line.blocks.append(Block(0, 0, minutes, operation, Reason("started")))
        line.hold(line.blocks[-1])
        line.floor += 1
        self._note(line, line.blocks[-1], line.time.after(minutes))

    def fit_lock(self, operation: Operation, lock: Lock) -> Fit:
        """The place of a locked operation behind all that its unit does, with the set-up that it needs there.

        Raises:
            LocksConflict: What was placed before leaves it no room.
        """
        line = self.lines[lock.unit]
        time, minutes, position = line.time, operation.minutes_on(lock.unit), len(line.blocks)
        run = time.work(lock.start)
        self._refuse_closed(operation, lock, time, run)
        self._refuse_early(operation, lock)
        batch = line.batch_before(position)
        joins = batch and batch[0].run == run and self._has_room(line, batch, operation)
        if joins or line.outside:
            block = Block(run, run, run + minutes, operation, Reason("lock"))
            if line.outside:
                position = bisect_right(line.blocks, run, key=_begin)
            return Fit(lock.unit, position, block, lock.start, time.after(block.end), 0)
        free = line.blocks[-1].end if line.blocks else 0
        family = line.family_before(position)
        setup = self.problem.setup_minutes(lock.unit, family, operation.family)
        self._refuse_busy(line, operation, lock, free + setup)
        block = Block(run - setup, run, run + minutes, operation, Reason("lock"))
        pieces = time.pieces(block.begin, block.end)
        self._refuse_short(operation, lock, pieces)
        return Fit(lock.unit, position, block, lock.start, pieces[-1][1], setup, pieces)

    def _place_locked(self, operation: Operation, lock: Lock) -> None:
        line = self.lines[lock.unit]
        time, minutes = line.time, operation.minutes_on(lock.unit)
        run = time.work(lock.start)
        self._refuse_closed(operation, lock, time, run)
        batch = line.batch_before(len(line.blocks))
        joins = batch and batch[0].run == run and self._has_room(line, batch, operation)
        if joins or line.outside:
            block = Block(run, run, run + minutes, operation, Reason("lock"))
            insort(line.blocks, block, key=_begin)
            self._note(line, block, time.after(block.end))
            return
        before = line.blocks[-1] if line.blocks else None
        free = before.end if before else 0
        family = line.family_before(len(line.blocks))
        setup = self.problem.setup_minutes(lock.unit, family, operation.family)
        self._refuse_busy(line, operation, lock, free + setup)
        lead = max(setup, min(run - free, self._longest_setup(lock.unit, operation)))
        if self.shared.shortage(operation, time.pieces(run - lead, run + minutes)):
            lead = setup
        self._refuse_short(operation, lock, time.pieces(run - lead, run + minutes))
        block = Block(run - lead, run, run + minutes, operation, Reason("lock"))
        line.blocks.append(block)
        self.shared.claim(operation, time.pieces(block.begin, block.end))
        self._note(line, block, time.after(block.end))

    def _refuse_busy(self, line: _Line, operation: Operation, lock: Lock, free: int) -> None:
        """Refuse a lock before working minute `free`, when its unit can begin the run."""
        if free > line.time.work(lock.start):
            after = f" after {line.blocks[-1].operation.id}" if line.blocks else ""
            what = f"is locked at minute {lock.start} on {lock.unit}, which is not free{after}"
            raise LocksConflict(operation.id, what, f"Move the lock to minute {line.time.at(free)} or later")

    def _refuse_short(self, operation: Operation, lock: Lock, pieces: Pieces) -> None:
        short = self.shared.shortage(operation, pieces)
        if short is None:
            return
        lacks, help_out = f"nobody free can do {operation.skill}", "give the shift one more person"
        if short.tool is not None:
            lacks, help_out = f"the tool {short.tool} is not free", "give the plant one more of it"
        what = f"is locked at minute {lock.start}, when {lacks}"
        remedy = f"Move the lock to minute {short.until} or later, or {help_out}"
        raise LocksConflict(operation.id, what, remedy)

    def _refuse_closed(self, operation: Operation, lock: Lock, time: WorkTime, run: int) -> None:
        if time.at(run) != lock.start:
            what = f"is locked at minute {lock.start}, when {lock.unit} is closed"
            remedy = f"Move the lock to minute {time.at(run)}"
            raise LocksConflict(operation.id, what, remedy)
        room = time.room(run)
        if not operation.resumable and room < operation.minutes_on(lock.unit):
            what = f"is locked at minute {lock.start}, but {lock.unit} closes before it ends"
            remedy = f"Move the lock to minute {time.at(run + room)} or later"
            raise LocksConflict(operation.id, what, remedy)
        released = self.problem.release_of(operation)
        if released > lock.start:
            what = f"is locked at minute {lock.start}, before it is released"
            raise LocksConflict(operation.id, what, f"Move the lock to minute {released}")

    def _longest_setup(self, unit: str, operation: Operation) -> int:
        table = self.problem.setup_tables[unit]
        return max((m for (_, to), m in table.items() if to == operation.family), default=0)

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
        rows = [row for line in self.lines.values() for row in self._assignments(line)]
        for operation in self.problem.operations:
            if operation.lock:
                self._refuse_early(operation, operation.lock)
        return Schedule(tuple(sorted(rows, key=_turn)))

    def _refuse_early(self, operation: Operation, lock: Lock) -> None:
        for link in operation.predecessors:
            ready = self.ends[link.operation] + link.lag
            if link.sublots > 1:
                ready = max(self._first_made(link) + link.lag, self._last_made(link, operation, lock.unit))
            if ready > lock.start:
                what = f"is locked at minute {lock.start}, before {link.operation} can be done"
                raise LocksConflict(operation.id, what, f"Move the lock to minute {ready} or later")

    def _assignments(self, line: _Line) -> Iterable[Assignment]:
        time, family = line.time, line.family
        for block in line.blocks:
            operation, setup = block.operation, 0
            if operation.started:
                start = operation.started.since
            else:
                start = time.at(block.run)
                if operation.family != family:
                    setup = self.problem.setup_minutes(line.unit, family, operation.family)
            family = operation.family
            began = time.at(block.run - setup) if setup else start
            end = self.ends[operation.id]
            yield Assignment(operation.id, line.unit, began, start, end, setup, block.reason)


def _most_after(operation: Operation, before: Operation) -> int:
    """The greatest lag of an operation after another one."""
    found = [link.most for link in operation.predecessors if link.operation == before.id]
    return min((most for most in found if most is not None), default=WorkTime.FOREVER)


def _turn(row: Assignment) -> tuple[int, str, int, bool, str]:
    """The order of a schedule: of a batch, whoever leads it is first."""
    return row.start, row.unit, -row.setup, row.reason.code == "batch", row.operation


def _told(cause: Cause) -> Reason:
    """What an operation waits for, as the pages tell it."""
    if isinstance(cause, Reason):
        return cause
    if isinstance(cause, Link):
        code: ReasonCode = "overlap" if cause.sublots > 1 else "lag" if cause.lag else "predecessor"
        return Reason(code, {"operation": cause.operation})
    if cause.cause == "tied":
        return Reason("tied", {"operation": cause.detail})
    return Reason("release", {"cause": cause.cause, "detail": cause.detail})


def _let_in(time: WorkTime, begin: int, room: tuple[int, str] | None) -> tuple[int, str]:
    """The working minute at which a set-up can begin, and the buffer that it waits for until then."""
    if room is None or not room[0] or time.work(room[0]) <= begin:
        return begin, ""
    return time.work(room[0]), room[1]


def _stuck(operation: Operation, buffer: str) -> LocksConflict:
    what = f"finds no place in {buffer}: those who have one wait for others that get none"
    return LocksConflict(operation.id, what, "Free held work, or give the buffer one more place")


def _lacking(operation: Operation, short: Shortage) -> Reason:
    if short.buffer:
        return Reason("buffer", {"buffer": short.buffer})
    if short.tool is not None:
        return Reason("tool", {"tool": short.tool})
    return Reason("people", {"skill": operation.skill or ""})


def in_turn(problem: Problem, places: Mapping[str, Published]) -> list[str]:
    """Operations in the order of their places; of those in one batch the one that comes last leads."""
    arrivals = _arrivals(problem, places) if problem.has_batches else dict.fromkeys(places, 0)
    names = sorted(places, key=lambda name: (places[name].start, -arrivals[name], name))
    units = {name: place.unit for name, place in places.items()}
    return problem.ties.in_sequence(problem, names, units)


def _arrivals(problem: Problem, places: Mapping[str, Published]) -> dict[str, int]:
    """When each operation would be there if all that it waits for kept its place."""
    times = working_times(problem)

    def end(link: Link) -> int:
        before, place = problem.operation_by_id[link.operation], places.get(link.operation)
        if place is None or before.started or place.unit not in {a.unit for a in before.alternatives}:
            return 0
        time = times[place.unit]
        return time.after(time.work(place.start) + before.minutes_on(place.unit)) + link.lag

    rows = [o for o in problem.operations if o.id in places]
    return {o.id: max([problem.release_of(o), *map(end, o.predecessors)]) for o in rows}


def first_in_line(problem: Problem) -> list[str]:
    """The operations that every proposal places before the rest.

    Frozen ones in their published order, then those that follow held or complete ones at a greatest lag, the
    most pressing first, then whatever these or locked ones wait for.
    Where one of them finds its buffer full, also whoever leaves it a place goes first.

    Raises:
        LocksConflict: No order lets them all into their buffers.
    """
    entries = (choice.operation for choice in _first_places(problem))
    return [name for name in entries if name not in problem.ties.head_of] or _held_first(problem)


def units_of_first(problem: Problem) -> dict[str, str]:
    """Operation id -> its unit, of free ones that go first where frozen ones need places in buffers.

    Raises:
        LocksConflict: No order lets them all into their buffers.
    """
    known = problem.operation_by_id
    first = _first_places(problem)
    return {choice.operation: choice.unit for choice in first if known[choice.operation].fixed_unit is None}


def _first_places(problem: Problem) -> list[Choice]:
    """What goes first where there are buffers, so that all find their places; else nothing."""
    return _let_in_first(problem) if problem.buffers and _held_first(problem) else []


@lru_cache(maxsize=2)
def _let_in_first(problem: Problem) -> list[Choice]:
    held = set(_held_first(problem))
    published = {o.id: o.published for o in problem.operations if o.published and not o.started}
    order = placed_order(problem, [Choice(n, published[n].unit) for n in in_turn(problem, published)])
    last = max((row for row, choice in enumerate(order) if choice.operation in held), default=-1)
    return order[: last + 1]


def _held_first(problem: Problem) -> list[str]:
    frozen = {
        o.id: o.published
        for o in problem.operations
        if o.frozen and o.published and not o.started and not o.lock
    }
    first = dict.fromkeys(in_turn(problem, frozen))
    pressing = _pressing(problem)
    first |= dict.fromkeys(pressing)
    locked = sorted((o.lock.start, o.id) for o in problem.operations if o.lock)
    ties, known = problem.ties, problem.operation_by_id
    for name in [*pressing, *(name for _, name in locked)]:
        waiting = [name]
        while waiting:
            chain = ties.chain(known[waiting.pop()])
            for link in (link for operation in chain for link in operation.predecessors):
                before, head = known[link.operation], ties.head(link.operation)
                if head not in first and not before.started and not before.lock:
                    first[head] = None
                    waiting.append(head)
    return _behind_their_own(problem, first) if pressing else list(first)


def _behind_their_own(problem: Problem, names: Iterable[str]) -> list[str]:
    """Entries of a plan in their order, but each behind all that it waits for, kept ones on its unit, too."""
    ties, known = problem.ties, problem.operation_by_id
    found: dict[str, None] = {}
    for name in names:
        stack = [name]
        while stack:
            chain = ties.chain(known[stack[-1]])
            waits = [link.operation for operation in chain for link in operation.predecessors]
            waits += [before for operation in chain for before in problem.kept_order.get(operation.id, ())]
            free = (
                ties.head(before) for before in waits if not (known[before].started or known[before].lock)
            )
            missing = [head for head in free if head != stack[-1] and head not in found]
            stack += missing
            if not missing:
                found[stack.pop()] = None
    return list(found)


KEPT_FREE = 60
"""Minutes for which a unit may be kept free for who follows a complete step: whoever must still dry for
longer, or gets his material too late to come in time, holds up nobody."""


def _pressing(problem: Problem) -> list[str]:
    """Operations that follow held or complete ones at a greatest lag, by when they should begin."""

    def deadline(operation: Operation, link: Link) -> tuple[int, str]:
        before, start = problem.operation_by_id[link.operation], 0
        if before.lock or (before.published and not before.started):
            start = before.lock.start if before.lock else before.published.start if before.published else 0
        minutes = before.minutes_on(before.fixed_unit or before.alternatives[0].unit)
        return start + minutes + (link.most or 0), operation.id

    behind_held = [deadline(*row) for row in problem.ties.urgent]
    behind_complete = [
        (minute, operation.id)
        for operation, minute in problem.ties.pressing
        if problem.release_of(operation) <= max(0, min(minute, KEPT_FREE))
    ]
    return [name for _, name in sorted([*behind_held, *behind_complete])]


class InOrder:
    """Hands out operations in a given order, each after what must be placed before it.

    Of a chain only the head is handed out, after what all of the chain wait for.
    """

    def __init__(self, problem: Problem, decoder: Decoder) -> None:
        self._ties = problem.ties
        self._followers: dict[str, tuple[str, ...]] = dict(problem.successors)
        for after, held in problem.kept_order.items():
            for before in held:
                self._followers[before] += (after,)
        if self._ties.chains:
            self._followers = self._of_heads()
        self._missing = dict.fromkeys(self._followers, 0)
        for name, followers in self._followers.items():
            if not decoder.is_placed(name):
                for follower in followers:
                    self._missing[follower] += 1
        self._waiting: set[str] = set()

    def is_ready(self, name: str) -> bool:
        """Whether `name` can be placed; if not, it is handed out when its last one is."""
        if self._missing[name]:
            self._waiting.add(name)
            return False
        return name not in self._ties.head_of

    def _of_heads(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {name: [] for name in self._followers}
        for before, names in self._followers.items():
            head = self._ties.head(before)
            heads = [self._ties.head(name) for name in names]
            found[head] += [name for name in heads if name != head]
        return {name: tuple(heads) for name, heads in found.items()}

    def placed(self, name: str) -> list[str]:
        """Tell that `name` was placed; returns the held-back ones that now can be."""
        freed = []
        for successor in self._followers[name]:
            self._missing[successor] -= 1
            if not self._missing[successor] and successor in self._waiting:
                self._waiting.discard(successor)
                freed.append(successor)
        return freed


def decode(problem: Problem, proposal: Iterable[Choice]) -> Schedule:
    """Time a proposal. Operations it leaves out go last, on their first unit.

    Locked work has its place before all others; where that leaves no plan, and the proposal says when its
    turn is, it is placed in its turn.

    A step whose buffer is full is held back until another one has left a place. If all that is left is held
    back, the orders go one after the other.

    Raises:
        LocksConflict: Locks that no plan, or not this proposal, can keep.
    """
    choices = list(proposal)
    try:
        return _decoded(problem, choices)[0].schedule()
    except LocksConflict as conflict:
        if {o.id for o in problem.operations if o.lock} - {choice.operation for choice in choices}:
            raise
        try:
            return _decoded(problem, choices, locks_first=False)[0].schedule()
        except LocksConflict:
            raise conflict from None


def placed_order(problem: Problem, proposal: Iterable[Choice]) -> list[Choice]:
    """The order in which `decode` places what is neither started nor locked, and where.

    Raises:
        LocksConflict: As `decode`.
    """
    fits = _decoded(problem, list(proposal))[1]
    return [Choice(fit.block.operation.id, fit.unit) for fit in fits]


def _decoded(
    problem: Problem, proposal: list[Choice], *, locks_first: bool = True
) -> tuple[Decoder, list[Fit]]:
    """All operations placed, and their order."""
    units = {choice.operation: choice.unit for choice in proposal}
    held = _held_first(problem) if locks_first else []
    names = list(dict.fromkeys([*held, *units, *(o.id for o in problem.operations)]))
    tried = _in_line(Decoder(problem, locks_first=locks_first), names, units)
    if tried[2]:
        decoder = Decoder(problem, locks_first=locks_first)
        tried = _in_line(decoder, names, units, rings=Rings(problem, decoder.buffers.flows))
    for other in (_as_published, _one_by_one) if tried[2] else ():
        if tried[2]:
            decoder = Decoder(problem, locks_first=locks_first)
            tried = _in_line(decoder, other(problem, names), units, elsewhere=True)
    decoder, order, left = tried
    if left:
        waits = problem.operation_by_id[left[0]]
        raise _stuck(waits, decoder.buffers.full(problem.ties.chain(waits)) or "")
    return decoder, order


def _in_line(
    decoder: Decoder,
    names: Iterable[str],
    units: Mapping[str, str],
    *,
    elsewhere: bool = False,
    rings: Rings | None = None,
) -> tuple[Decoder, list[Fit], list[str]]:
    """Place operations in an order; also the order that came of it, and who found no place in a buffer.

    Args:
        elsewhere: They may go to other units where frozen work that is held back has theirs.
        rings: Nobody goes into one of these who would keep others in it for ever.
    """
    problem = decoder.problem
    order = InOrder(problem, decoder)
    frozen = _Frozen(problem, decoder)
    known, has_buffers = problem.operation_by_id, bool(problem.buffers)
    found: list[Fit] = []
    held_back: list[str] = []
    for name in dict.fromkeys(names):
        stack = [name] if not decoder.is_placed(name) and order.is_ready(name) else []
        while stack:
            operation, on = known[stack.pop()], None
            if has_buffers:
                chain = problem.ties.chain(operation)
                on = frozen.units(chain, units, elsewhere=elsewhere)
                waits = on is None or decoder.buffers.full(chain)
                if rings and not waits:
                    waits = rings.strands(chain, decoder.buffers.free(), decoder.is_placed)
                if not operation.lock and waits:
                    held_back.append(operation.id)
                    continue
            for fit in _fits(decoder, operation, {**units, **on} if on else units):
                decoder.place(fit)
                found.append(fit)
            stack += reversed(order.placed(operation.id))
            if held_back and (operation.frozen or decoder.buffers.leaves(problem.ties.chain(operation))):
                stack += reversed(held_back)
                held_back.clear()
    return decoder, found, held_back


class _Frozen:
    """Whose turn it is on each unit while frozen work waits for places in buffers."""

    def __init__(self, problem: Problem, decoder: Decoder) -> None:
        self._decoder = decoder
        self._rows: dict[str, list[str]] = {}
        for name in _held_first(problem) if problem.buffers else ():
            row = problem.operation_by_id[name]
            if row.frozen and row.fixed_unit is not None:
                self._rows.setdefault(row.fixed_unit, []).append(name)

    def units(
        self, chain: Iterable[Operation], units: Mapping[str, str], *, elsewhere: bool
    ) -> dict[str, str] | None:
        """Other units for those of a chain before which frozen work goes; None where it has to wait for that.

        Args:
            units: Where they go by the proposal.
            elsewhere: Whether they may go to others.
        """
        found: dict[str, str] = {}
        for operation in chain if self._rows else ():
            unit, name = _unit_of(operation, units), operation.id
            if self._bars(name, unit):
                able = [a.unit for a in operation.alternatives] if operation.fixed_unit is None else []
                other = next((a for a in able if elsewhere and not self._bars(name, a)), None)
                if other is None:
                    return None
                found[name] = other
        return found

    def _bars(self, operation: str, unit: str) -> bool:
        """Whether frozen work of a unit goes before an operation there, and has no place yet."""
        left = (name for name in self._rows.get(unit, ()) if not self._decoder.is_placed(name))
        return next(left, operation) != operation


def _as_published(problem: Problem, names: list[str]) -> list[str]:
    """What is held first, in its published order, then the rest as it is."""
    held = {o.id: o.published for o in problem.operations if o.published and (o.frozen or o.kept)}
    return [*in_turn(problem, held), *names]


def _one_by_one(problem: Problem, names: list[str]) -> list[str]:
    """One order after the other; first those whose work lies in buffers or is under way."""
    begun = {o.order for o in problem.operations if o.stored or o.started}
    rows = [problem.operation_by_id[name] for name in names]
    turn = {
        order: (order not in begun, row) for row, order in enumerate(dict.fromkeys(o.order for o in rows))
    }
    return [*_held_first(problem), *(o.id for o in sorted(rows, key=lambda o: turn[o.order]))]


def _fits(decoder: Decoder, operation: Operation, units: Mapping[str, str]) -> list[Fit]:
    """Where an operation of a proposal fits, and all of its chain."""
    if operation.id in decoder.problem.ties.chains:
        chain = decoder.problem.ties.chain(operation)
        return decoder.find_chain(chain, lambda other: (_unit_of(other, units),))
    if operation.lock:
        return [decoder.fit_lock(operation, operation.lock)]
    return [decoder.fit(operation, _unit_of(operation, units))]


def _unit_of(operation: Operation, units: Mapping[str, str]) -> str:
    return operation.fixed_unit or units.get(operation.id, operation.alternatives[0].unit)


def proposal_of(problem: Problem, schedule: Schedule) -> list[Choice]:
    """The order and the units of a plan, to be timed again."""
    units = {a.operation: a.unit for a in schedule.assignments}
    names = problem.ties.in_sequence(problem, list(units), units)
    return [Choice(name, units[name]) for name in names]
