"""Resource-constrained projects (RCPSP): activities that need so many of some renewable resources.

Every activity has a unit of its own, which is always open, so that nothing but its predecessors and
the resources bind it; a resource is a tool with a count. Activities that take no time are left out,
and what waited for them waits for what they waited for.

Formats:
    PSPLIB (.sm): sections for precedence relations, for requests and durations, and for the resource
    availabilities. Patterson (.rcp): the number of activities and of resources, what there is of each,
    then for each activity its duration, what it needs of each resource, the number of its successors,
    and those, counted from 1.

Source:
    Kolisch, Sprecher, EJOR 96 (1996): PSPLIB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from planner.problem import (
    Alternative,
    Calendar,
    Link,
    Operation,
    Order,
    Problem,
    Tool,
    ToolUse,
    Unit,
    Window,
    WorkCenter,
)
from planner.readers.flexible import MAKESPAN, ORIGIN
from planner.readers.numbers import Numbers, refused, whole

PROJECT = "project"


@dataclass(frozen=True)
class _Activity:
    minutes: int
    needs: tuple[int, ...]
    successors: tuple[int, ...]


@dataclass(frozen=True)
class _Project:
    """Activities by number, and how many there are of each resource."""

    activities: dict[int, _Activity]
    resources: tuple[int, ...]


def read_rcpsp(text: str) -> Problem:
    """Read a project of activities with one mode each, in either format.

    Raises:
        InvalidProblem: The text is not in a format, or asks for what is not modelled; names the row.
    """
    project = _psplib(text) if "PRECEDENCE RELATIONS" in text else _patterson(text)
    return _problem(project)


# --- Patterson ----------------------------------------------------------------------------------


def _patterson(text: str) -> _Project:
    numbers = Numbers(text)
    count, kinds = numbers.take(2, "the number of activities and of resources", "line 1")
    resources = numbers.take(kinds, "how many there are of each resource", "line 2")
    activities = {}
    for activity in range(1, count + 1):
        row = f"activity {activity}"
        minutes = numbers.next("its duration", row)
        needs = numbers.take(kinds, "what it needs of each resource", row)
        behind = numbers.next("the number of its successors", row)
        activities[activity] = _Activity(minutes, needs, numbers.take(behind, "a successor", row))
    numbers.finish()
    return _Project(activities, resources)


# --- PSPLIB -------------------------------------------------------------------------------------


def _section(lines: list[str], title: str) -> Iterator[tuple[str, list[str]]]:
    """The rows of numbers behind a title: which line each is, and its words."""
    begin = next((i for i, line in enumerate(lines) if line.startswith(title)), None)
    if begin is None:
        raise refused("instance", f"has no section {title}", "Check that the file is complete")
    for i in range(begin + 1, len(lines)):
        words = lines[i].split()
        if words and words[0].startswith("***"):
            return
        if words and words[0].isdecimal():
            yield f"line {i + 1}", words


def _psplib(text: str) -> _Project:
    lines = text.splitlines()
    resources = _availabilities(lines)
    needs = dict(_requests(lines, len(resources)))
    activities = {}
    for row, words in _section(lines, "PRECEDENCE RELATIONS"):
        number, modes, count, *successors = whole(words, row) if len(words) > 2 else (0, 0, 0)
        if modes != 1:
            raise refused(row, f"has {modes} modes", "Give every activity one mode")
        if len(successors) != count or number not in needs:
            what = f"announces {count} successors and names {len(successors)}"
            raise refused(row, what, "Check the row, and that the activity has a duration")
        minutes, *used = needs[number]
        activities[number] = _Activity(minutes, tuple(used), tuple(successors))
    return _Project(activities, resources)


def _availabilities(lines: list[str]) -> tuple[int, ...]:
    """What there is of each resource; only renewable ones are known here."""
    title = "RESOURCEAVAILABILITIES"
    rows = list(_section(lines, title))
    names = lines[next(i for i, line in enumerate(lines) if line.startswith(title)) + 1].split()
    if any(name in {"N", "D"} for name in names):
        remedy = "Leave them out, or give the project renewable ones"
        raise refused(f"section {title}", "has resources that are used up", remedy)
    if len(rows) != 1:
        raise refused(f"section {title}", "is not one line of numbers", "Check the format of the file")
    return tuple(whole(rows[0][1], rows[0][0]))


def _requests(lines: list[str], kinds: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Activity -> its duration and what it needs of each resource."""
    for row, words in _section(lines, "REQUESTS/DURATIONS"):
        number, *rest = whole(words, row)
        if len(rest) != kinds + 2:
            what = f"has {len(rest) - 2} requests where there are {kinds} resources"
            raise refused(row, what, "Give each activity one line with all its requests")
        yield number, tuple(rest[1:])


# --- the problem --------------------------------------------------------------------------------


def _problem(project: _Project) -> Problem:
    waits = _waits(project)
    rows = [_operation(number, activity, waits) for number, activity in project.activities.items()]
    operations = tuple(row for row in rows if row is not None)
    horizon = 1 + sum(activity.minutes for activity in project.activities.values())
    return Problem(
        ORIGIN,
        horizon,
        (Calendar("always", (Window(0, horizon),)),),
        (WorkCenter(PROJECT),),
        tuple(Unit(row.id, PROJECT, "always") for row in operations),
        (),
        (Order(PROJECT, 0),),
        operations,
        MAKESPAN,
        tuple(Tool(f"R{i}", count) for i, count in enumerate(project.resources, 1) if count),
    )


def _operation(number: int, activity: _Activity, waits: dict[int, list[int]]) -> Operation | None:
    if not activity.minutes:
        return None
    name = f"A{number}"
    return Operation(
        name,
        PROJECT,
        (Alternative(name, activity.minutes),),
        tuple(Link(f"A{before}") for before in sorted(waits[number])),
        tools=tuple(ToolUse(f"R{i}", count) for i, count in enumerate(activity.needs, 1) if count),
    )


def _waits(project: _Project) -> dict[int, list[int]]:
    """Activity -> those that take time and must have ended, through any that take none."""
    before: dict[int, list[int]] = {number: [] for number in project.activities}
    for number, activity in project.activities.items():
        for after in activity.successors:
            if after not in before:
                remedy = "Name an activity of the file"
                raise refused(f"activity {number}", f"has the successor {after}, which is not there", remedy)
            before[after].append(number)
    return {number: _taking_time(project, before, number) for number in before}


def _taking_time(project: _Project, before: dict[int, list[int]], number: int) -> list[int]:
    found: dict[int, None] = {}
    seen: set[int] = set()
    stack = list(before[number])
    while stack:
        one = stack.pop()
        if one in seen:
            continue
        seen.add(one)
        if project.activities[one].minutes:
            found[one] = None
        else:
            stack += before[one]
    return list(found)
