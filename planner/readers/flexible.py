"""Job shops: classic, flexible, and flexible with sequence-dependent set-ups.

Formats:
    JSP: number of jobs and machines; a line for each job with (machine, time) for each step.
    FJSP: number of jobs and machines (and the mean of alternatives); for each job the number of
    steps, for each step the number of alternatives and (machine, time) of each. Machines count from
    1, or from 0 where one is called 0. With set-ups: the same, then for each machine a square matrix
    of the set-up time from each operation to each, the first set-up on a machine being nought.

Sources:
    Taillard, EJOR 64 (1993); Brandimarte, Annals of Operations Research 41 (1993).
"""

from __future__ import annotations

from datetime import UTC, datetime

from planner.problem import (
    Alternative,
    Calendar,
    Link,
    Operation,
    Order,
    Problem,
    Setup,
    Unit,
    Weights,
    Window,
    WorkCenter,
)
from planner.readers.numbers import Numbers, refused, whole

ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
MAKESPAN = Weights(tardiness=0, setup=0, moved=0, shift=0, flow=0, makespan=1)

MOST_MACHINES = 100_000
"""Each of them is a unit of the problem, whether a step names it or not."""

Step = list[tuple[int, int]]
"""(machine, time) of each alternative."""


def read_jsp(text: str) -> Problem:
    """Read a classic job shop.

    Raises:
        InvalidProblem: The text is not in the format; names the line.
    """
    numbers = Numbers(text)
    jobs, machines = _head(numbers)
    rows = [(f"line {at}", line.split()) for at, line in enumerate(text.splitlines(), 1) if line.split()][1:]
    if len(rows) != jobs:
        what = f"announces {jobs} jobs where {len(rows)} follow"
        raise refused("line 1", what, "Check the first line, and that the file is complete")
    routes = [[[pair] for pair in _pairs(row, words)] for row, words in rows]
    return _problem(routes, machines, [row for row, _ in rows])


def _pairs(row: str, words: list[str]) -> list[tuple[int, int]]:
    values = whole(words, row)
    if len(values) % 2:
        what = f"has {len(values)} numbers where each machine has its time"
        raise refused(row, what, "Give two numbers for each step")
    return list(zip(values[::2], values[1::2], strict=True))


def read_fjsp(text: str) -> Problem:
    """Read a flexible job shop; whether machines count from 0 or from 1 shows in the numbers.

    Raises:
        InvalidProblem: The text is not in the format; names the line.
    """
    numbers = Numbers(text)
    jobs, machines = _head(numbers)
    routes, lines = _routes(numbers, jobs)
    numbers.finish()
    return _problem(routes, machines, lines)


def read_fjsp_with_setups(text: str) -> Problem:
    """Read a flexible job shop with set-ups.

    Raises:
        InvalidProblem: The text is not in the format; names the line.
    """
    numbers = Numbers(text)
    jobs, machines = _head(numbers)
    routes, lines = _routes(numbers, jobs)
    count = sum(len(route) for route in routes)
    setups = [
        tuple(
            Setup(str(after), numbers.next("a set-up time"), str(before))
            for before in range(count)
            for after in range(count)
        )
        for _ in range(machines)
    ]
    numbers.finish()
    return _problem(routes, machines, lines, setups)


def _head(numbers: Numbers) -> tuple[int, int]:
    """How many jobs and machines; the mean of alternatives behind them is not needed."""
    jobs, machines = numbers.next("the number of jobs"), numbers.next("the number of machines")
    if machines > MOST_MACHINES:
        what = f"announces {machines} machines"
        raise refused(f"line {numbers.line}", what, f"Give at most {MOST_MACHINES}")
    numbers.leave_line()
    return jobs, machines


def _routes(numbers: Numbers, jobs: int) -> tuple[list[list[Step]], list[str]]:
    """The steps of each job, and the line in which it begins."""
    routes: list[list[Step]] = []
    lines: list[str] = []
    for _ in range(jobs):
        steps = numbers.next("a number of steps")
        lines.append(f"line {numbers.line}")
        routes.append(
            [
                [
                    (numbers.next("a machine"), numbers.next("a time"))
                    for _ in range(numbers.next("a number of alternatives"))
                ]
                for _ in range(steps)
            ]
        )
    return routes, lines


def _problem(
    routes: list[list[Step]],
    machines: int,
    lines: list[str],
    setups: list[tuple[Setup, ...]] | None = None,
) -> Problem:
    """Every machine is a centre of its own; a step that somebody can do in no time is left out."""
    named = {machine for route in routes for step in route for machine, _ in step}
    first_machine = 0 if 0 in named else 1
    known = range(first_machine, first_machine + machines)
    for line, route in zip(lines, routes, strict=True):
        for machine in (machine for step in route for machine, _ in step):
            if machine not in known:
                what = f"machine {machine}, but the first line announces {machines} machines"
                span = f" ({known[0]} to {known[-1]})" if machines else ""
                raise refused(line, what + span, "Check the machine, and the first line")
    rows: list[Operation] = []
    number = 0
    for job, route in enumerate(routes):
        before = ""
        for step, choices in enumerate(route):
            able = tuple(Alternative(f"M{m - first_machine}", t) for m, t in choices)
            if able and all(choice.minutes for choice in able):
                name = f"J{job}-{step}"
                links = (Link(before),) if before else ()
                family = str(number) if setups else None
                rows.append(Operation(name, f"J{job}", able, links, family))
                before = name
            number += 1
    no_setup = tuple(Setup(str(i), 0, IDLE) for i in range(number)) if setups else ()
    return Problem(
        ORIGIN,
        1,
        (Calendar("always", (Window(0, 1),)),),
        tuple(WorkCenter(f"M{i}", (*setups[i], *no_setup) if setups else ()) for i in range(machines)),
        tuple(Unit(f"M{i}", f"M{i}", "always", IDLE if setups else None) for i in range(machines)),
        (),
        tuple(Order(f"J{job}", 0) for job in range(len(routes))),
        tuple(rows),
        MAKESPAN,
    )


IDLE = "idle"
"""What a machine is set up for before its first operation."""
