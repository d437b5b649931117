"""Work that a person has put in its place, and what keeps it from being there."""

from __future__ import annotations

from bisect import bisect_right, insort

from planner.contradiction import Contradiction
from planner.decoder.line import Block, Fit, Line, begin_of
from planner.decoder.placed import Placed
from planner.problem import Lock, Operation, Problem
from planner.schedule import Reason
from planner.shared import Pieces
from planner.worktime import WorkTime


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


def place_locked(placed: Placed, operation: Operation, lock: Lock) -> None:
    """Put a locked operation where a person wants it, before any proposal is placed.

    Raises:
        LocksConflict: Its unit is closed or busy, or people or tools are lacking.
    """
    line = placed.lines[lock.unit]
    time, minutes = line.time, operation.minutes_on(lock.unit)
    run = time.work(lock.start)
    _refuse_closed(placed.problem, operation, lock, time, run)
    batch = line.batch_before(len(line.blocks))
    joins = batch and batch[0].run == run and placed.has_room(line, batch, operation)
    if joins or line.outside:
        block = Block(run, run, run + minutes, operation, Reason("lock"))
        insort(line.blocks, block, key=begin_of)
        placed.note(line, block, time.after(block.end))
        return
    before = line.blocks[-1] if line.blocks else None
    free = before.end if before else 0
    family = line.family_before(len(line.blocks))
    setup = placed.problem.setup_minutes(lock.unit, family, operation.family)
    _refuse_busy(line, operation, lock, free + setup)
    lead = max(setup, min(run - free, _longest_setup(placed.problem, lock.unit, operation)))
    if placed.shared.shortage(operation, time.pieces(run - lead, run + minutes)):
        lead = setup
    _refuse_short(placed, operation, lock, time.pieces(run - lead, run + minutes))
    block = Block(run - lead, run, run + minutes, operation, Reason("lock"))
    line.blocks.append(block)
    placed.shared.claim(operation, time.pieces(block.begin, block.end))
    placed.note(line, block, time.after(block.end))


def fit_lock(placed: Placed, operation: Operation, lock: Lock) -> Fit:
    """The place of a locked operation behind all that its unit does, with the set-up that it needs there.

    Raises:
        LocksConflict: What was placed before leaves it no room.
    """
    line = placed.lines[lock.unit]
    time, minutes, position = line.time, operation.minutes_on(lock.unit), len(line.blocks)
    run = time.work(lock.start)
    _refuse_closed(placed.problem, operation, lock, time, run)
    refuse_early(placed, operation, lock)
    batch = line.batch_before(position)
    joins = batch and batch[0].run == run and placed.has_room(line, batch, operation)
    if joins or line.outside:
        block = Block(run, run, run + minutes, operation, Reason("lock"))
        if line.outside:
            position = bisect_right(line.blocks, run, key=begin_of)
        return Fit(lock.unit, position, block, lock.start, time.after(block.end), 0)
    free = line.blocks[-1].end if line.blocks else 0
    family = line.family_before(position)
    setup = placed.problem.setup_minutes(lock.unit, family, operation.family)
    _refuse_busy(line, operation, lock, free + setup)
    block = Block(run - setup, run, run + minutes, operation, Reason("lock"))
    pieces = time.pieces(block.begin, block.end)
    _refuse_short(placed, operation, lock, pieces)
    return Fit(lock.unit, position, block, lock.start, pieces[-1][1], setup, pieces)


def _refuse_busy(line: Line, operation: Operation, lock: Lock, free: int) -> None:
    """Refuse a lock before working minute `free`, when its unit can begin the run."""
    if free > line.time.work(lock.start):
        after = f" after {line.blocks[-1].operation.id}" if line.blocks else ""
        what = f"is locked at minute {lock.start} on {lock.unit}, which is not free{after}"
        raise LocksConflict(operation.id, what, f"Move the lock to minute {line.time.at(free)} or later")


def _refuse_short(placed: Placed, operation: Operation, lock: Lock, pieces: Pieces) -> None:
    short = placed.shared.shortage(operation, pieces)
    if short is None:
        return
    lacks, help_out = f"nobody free can do {operation.skill}", "give the shift one more person"
    if short.tool is not None:
        lacks, help_out = f"the tool {short.tool} is not free", "give the plant one more of it"
    what = f"is locked at minute {lock.start}, when {lacks}"
    remedy = f"Move the lock to minute {short.until} or later, or {help_out}"
    raise LocksConflict(operation.id, what, remedy)


def _refuse_closed(problem: Problem, operation: Operation, lock: Lock, time: WorkTime, run: int) -> None:
    if time.at(run) != lock.start:
        what = f"is locked at minute {lock.start}, when {lock.unit} is closed"
        remedy = f"Move the lock to minute {time.at(run)}"
        raise LocksConflict(operation.id, what, remedy)
    room = time.room(run)
    if not operation.resumable and room < operation.minutes_on(lock.unit):
        what = f"is locked at minute {lock.start}, but {lock.unit} closes before it ends"
        remedy = f"Move the lock to minute {time.at(run + room)} or later"
        raise LocksConflict(operation.id, what, remedy)
    released = problem.release_of(operation)
    if released > lock.start:
        what = f"is locked at minute {lock.start}, before it is released"
        raise LocksConflict(operation.id, what, f"Move the lock to minute {released}")


def refuse_early(placed: Placed, operation: Operation, lock: Lock) -> None:
    """Refuse a lock before the minute at which all that it waits for, which is placed, lets it start."""
    for link in operation.predecessors:
        ready = placed.ends[link.operation] + link.lag
        if link.sublots > 1:
            ready = max(placed.first_made(link) + link.lag, placed.last_made(link, operation, lock.unit))
        if ready > lock.start:
            what = f"is locked at minute {lock.start}, before {link.operation} can be done"
            raise LocksConflict(operation.id, what, f"Move the lock to minute {ready} or later")


def _longest_setup(problem: Problem, unit: str, operation: Operation) -> int:
    table = problem.setup_tables[unit]
    return max((m for (_, to), m in table.items() if to == operation.family), default=0)


def stuck(operation: Operation, buffer: str) -> LocksConflict:
    """The refusal of an operation for which a buffer is full for ever."""
    what = f"finds no place in {buffer}: those who have one wait for others that get none"
    return LocksConflict(operation.id, what, "Free held work, or give the buffer one more place")
