"""A plan under construction: what is placed on each unit, and when that lets others begin."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable

from planner.buffers import Buffers
from planner.decoder.line import Block, Fit, Line, begin_of
from planner.decoder.reasons import NOTHING, Cause
from planner.problem import Link, Operation, Problem, Started
from planner.schedule import Assignment, Reason
from planner.shared import left_free
from planner.worktime import WorkTime, working_times


class Placed:
    """What of a plan is placed, and when that lets others begin."""

    def __init__(self, problem: Problem, skills: Iterable[str] = ()) -> None:
        """Place started work.

        Args:
            skills: Skills of work that is not in the problem but will be asked for.
        """
        self.problem = problem
        times = working_times(problem)
        self.shared = left_free(problem, times, skills)
        self.lines = {u.id: Line(u, times[u.id]) for u in problem.units}
        self.buffers = Buffers(problem)
        self.is_bounded = bool(problem.buffers)
        self.ends: dict[str, int] = {}
        self.runs: dict[str, tuple[WorkTime, int, int]] = {}  # on which axis, run and end there
        self.least_ends = dict(problem.ties.limits)
        for operation in problem.operations:
            if operation.started:
                self._place_started(operation, operation.started)

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
            end = (self.first_made(link) if link.sublots > 1 else self.ends[link.operation]) + link.lag
            if end > minute:
                minute, cause = end, link
        return minute, cause

    def first_made(self, link: Link) -> int:
        """The minute at which a predecessor has worked a sub-lot's share of its run."""
        time, run, end = self.runs[link.operation]
        return time.after(run + link.share(end - run))

    def last_made(self, link: Link, operation: Operation, unit: str) -> int:
        """The minute from which a run on `unit` begins its last sub-lot's share when that is made."""
        time, minutes = self.lines[unit].time, operation.minutes_on(unit)
        run = time.work(self.ends[link.operation] + link.lag) - minutes + link.share(minutes)
        return time.at(max(0, run))

    def ready_on(self, operation: Operation, unit: str, since: tuple[int, Cause]) -> tuple[int, Cause]:
        """As `ready`, which is `since`, with what is waited for on one unit: the last sub-lots."""
        for link in operation.predecessors:
            if link.sublots > 1:
                minute = self.last_made(link, operation, unit)
                if minute > since[0]:
                    since = minute, link
        if operation.id in self.least_ends:
            end, behind = self.least_ends[operation.id]
            time = self.lines[unit].time
            minute = time.at(max(0, time.work(end - 1) - operation.minutes_on(unit) + 1))
            if minute > since[0]:
                since = minute, Reason("tied", {"operation": behind})
        return since

    def arrival(self, operation: Operation, units: Iterable[str]) -> int:
        """The first minute at which all that comes before lets it start on one of the units."""
        since = self.ready(operation)
        return min(self.ready_on(operation, unit, since)[0] for unit in units)

    def has_room(self, line: Line, batch: list[Block], operation: Operation) -> bool:
        """Whether an operation may be in a batch by its recipe and its places."""
        taken, first = sum(block.operation.places for block in batch), batch[0].operation
        recipe = self.problem.recipe
        return (
            taken + operation.places <= (line.places or 0)
            and first.may_share(operation)
            and recipe(first, line.unit) == recipe(operation, line.unit)
        )

    def place(self, fit: Fit) -> None:
        """Keep what `fit` found."""
        line, block = self.lines[fit.unit], fit.block
        line.blocks.insert(fit.position, block)
        line.floor = max(line.floor, fit.position) + 1
        line.hold(block)
        if fit.pieces:
            self.shared.claim(block.operation, fit.pieces)
        self.note(line, block, fit.end)
        if self.is_bounded:
            self.buffers.pass_on(block.operation.id, fit.start)

    def note(self, line: Line, block: Block, end: int) -> None:
        """Remember when a block in its line ends, for those that wait for it."""
        self.ends[block.operation.id] = end
        self.runs[block.operation.id] = line.time, block.run, block.end
        if self.is_bounded:
            begun = block.operation.started is not None  # it has its places while its unit is closed, too
            times = (0, 0) if begun else (line.time.at(block.begin), line.time.at(block.run))
            self.buffers.times[block.operation.id] = times

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
        if self.is_bounded:
            self.buffers.take_back(block.operation.id)

    def lift(self, line: Line, block: Block) -> None:
        """Take out what is placed, for as long as others look for a place."""
        line.blocks.remove(block)
        line.floor -= 1
        if not line.outside:
            self.shared.release(block.operation, line.time.pieces(block.begin, block.end))
        self._forget(block.operation.id)

    def put_back(self, line: Line, block: Block, end: int) -> None:
        """Undo `lift`."""
        insort(line.blocks, block, key=begin_of)
        line.floor += 1
        if not line.outside:
            self.shared.claim(block.operation, line.time.pieces(block.begin, block.end))
        self.note(line, block, end)

    def keep(self, assignment: Assignment, other: Operation | None = None) -> None:
        """Put an operation where a plan has it.

        Args:
            other: The operation, where it is none of the problem's.
        """
        line = self.lines[assignment.unit]
        operation = other or self.problem.operation_by_id[assignment.operation]
        run, end = line.time.work(assignment.start), line.time.work(assignment.end)
        block = Block(run - assignment.setup, run, end, operation, assignment.reason)
        position = bisect_right(line.blocks, block.begin, key=begin_of)
        line.blocks.insert(position, block)
        line.floor += 1
        line.hold(block)
        if not line.is_served(position):
            self.shared.claim(operation, line.time.pieces(block.begin, block.end))
        self.note(line, block, assignment.end)

    def _place_started(self, operation: Operation, started: Started) -> None:
        line = self.lines[started.unit]
        minutes = operation.minutes_on(started.unit)
        line.blocks.append(Block(0, 0, minutes, operation, Reason("started")))
        line.hold(line.blocks[-1])
        line.floor += 1
        self.note(line, line.blocks[-1], line.time.after(minutes))

    def assignments(self, line: Line) -> Iterable[Assignment]:
        """What a plan says of one unit's blocks, with the set-ups that they need in this order."""
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
