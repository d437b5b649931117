"""What operations share minute by minute: people by skill, and tools by count.

People leave over a pause of the run, tools stay where they are: a run claims its people in its open
stretches, and its tools from the first of these to the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from planner.counter import Counter, steps_of
from planner.people import People
from planner.problem import Operation, Problem, Tool
from planner.worktime import WorkTime

Pieces = Sequence[tuple[int, int]]
"""The open stretches of a set-up and its run, in minutes."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A counter that an operation takes `count` from.

    Args:
        tool: The tool that is counted; None counts people.
    """

    counter: Counter
    count: int
    tool: str | None


@dataclass(slots=True)
class Shortage:
    """Something is missing until minute `until`: a tool, room in a buffer, or else somebody."""

    until: int
    tool: str | None
    buffer: str = ""


class Shared:
    """The counters of a problem, and which of them an operation draws on."""

    def __init__(self, problem: Problem, skills: Iterable[str] = ()) -> None:
        """Count everybody and everything as free.

        Args:
            skills: Skills to count beside those that the problem's operations need.
        """
        self.people = People(problem, skills)
        self.tools = {tool.id: Counter(_steps(tool, problem.horizon)) for tool in problem.tools}
        self._draws: dict[object, tuple[Draw, ...]] = {}

    def draws(self, operation: Operation) -> tuple[Draw, ...]:
        """What an operation draws on: the same for all of the same skill and tools."""
        key: object = operation.skill
        if operation.tools:
            key = operation.skill, *[(use.tool, use.count) for use in operation.tools]
        found = self._draws.get(key)
        if found is None:
            people = self.people.of_skill[operation.skill] if operation.skill is not None else ()
            tools = tuple(Draw(self.tools[use.tool], use.count, use.tool) for use in operation.tools)
            found = self._draws[key] = (*(Draw(counter, 1, None) for counter in people), *tools)
        return found

    def claim(self, operation: Operation, pieces: Pieces, sign: int = 1) -> None:
        """Take what an operation needs while it works through `pieces`; -1 gives it back."""
        for draw in self.draws(operation):
            for start, end in pieces if draw.tool is None else _whole(pieces):
                draw.counter.claim(start, end, sign * draw.count)

    def release(self, operation: Operation, pieces: Pieces) -> None:
        """Give back what `claim` took."""
        self.claim(operation, pieces, -1)

    def claim_where_free(self, operation: Operation, pieces: Pieces) -> None:
        """Work under way: it holds what it needs wherever that is free, and is a fact elsewhere.

        Its tools are on its unit since before minute 0, be that open or not.
        """
        draws = self.draws(operation)
        people = [draw for draw in draws if draw.tool is None]
        _claim_where_free(people, pieces)
        for draw in draws:
            if draw.tool is not None:
                _claim_where_free([draw], [(0, pieces[-1][1])])

    def shortage(self, operation: Operation, pieces: Pieces) -> Shortage | None:
        """What is missing longest of what an operation needs in `pieces`, or None."""
        longest: int | None = None
        tool: str | None = None
        for draw in self.draws(operation):
            for start, end in pieces if draw.tool is None else _whole(pieces):
                until = draw.counter.shortage(start, end, draw.count)
                if until is not None and (longest is None or until > longest):
                    longest, tool = until, draw.tool
        return None if longest is None else Shortage(longest, tool)


def _whole(pieces: Pieces) -> Pieces:
    """The minutes in which a run through `pieces` holds its tools."""
    return pieces if len(pieces) < 2 else [(pieces[0][0], pieces[-1][1])]


def _claim_where_free(group: Sequence[Draw], stretches: Pieces) -> None:
    """Take what a group draws where all its counters have it."""
    for start, end in stretches if group else ():
        cuts = sorted({start, end, *(m for draw in group for m in draw.counter.changes(start, end))})
        for one, two in pairwise(cuts):
            if all(draw.counter.free_at(one) >= draw.count for draw in group):
                for draw in group:
                    draw.counter.claim(one, two, draw.count)


def _steps(tool: Tool, horizon: int) -> list[tuple[int, int]]:
    changes = [
        (minute, count)
        for away in tool.away
        for minute, count in ((away.start, -away.count), (away.end, away.count))
    ]
    return steps_of(tool.count, changes, horizon)


def left_free(problem: Problem, times: Mapping[str, WorkTime], skills: Iterable[str] = ()) -> Shared:
    """What work under way leaves free.

    Args:
        times: Unit id -> its working time.
        skills: Skills to count beside those that the problem's operations need.
    """
    shared = Shared(problem, skills)
    running = set(problem.subcontractors)
    for operation in problem.operations:
        # a batch takes them once, a subcontractor has his own
        if operation.started and operation.started.unit not in running:
            running.add(operation.started.unit)
            minutes = operation.minutes_on(operation.started.unit)
            time = times[operation.started.unit]
            shared.claim_where_free(operation, time.pieces(0, minutes))
    return shared
