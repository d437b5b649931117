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
    count, kinds = numbers.take(2, "the number of activities and of resources")
    resources = numbers.take(kinds, "how many there are of each resource")
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


def _section(lines: list[str], title: str) -> tuple[str, list[tuple[str, list[str]]]]:
    """The words behind a title that name the columns, and the rows of numbers: which line each is, its words.

    Raises:
        InvalidProblem: The section is not there, or ends with the file.
    """
    begin = next((i for i, line in enumerate(lines) if line.startswith(title)), None)
    if begin is None:
        raise refused(f"line {len(lines)}", f"ends without a section {title}", INCOMPLETE)
    columns = ""
    rows: list[tuple[str, list[str]]] = []
    for number, line in enumerate(lines[begin + 1 :], begin + 2):
        words = line.split()
        if words and words[0].startswith("***"):
            return columns, rows
        if words and not columns:
            columns = line
        elif words and not words[0].startswith("---"):
            rows.append((f"line {number}", words))
    if title != AVAILABILITIES:
        raise refused(f"line {len(lines)}", f"ends within the section {title}", INCOMPLETE)
    return columns, rows


AVAILABILITIES = "RESOURCEAVAILABILITIES"
"""The title of the last section."""

INCOMPLETE = "Check that the file is complete"


def _psplib(text: str) -> _Project:
    lines = text.splitlines()
    resources = _availabilities(lines)
    _, rows = _section(lines, "PRECEDENCE RELATIONS")
    needs = _requests(lines, len(resources))
    activities: dict[int, _Activity] = {}
    for row, words in rows:
        number, modes, count, *successors = _at_least(3, words, row)
        if modes != 1:
            raise refused(row, f"has {modes} modes", "Give every activity one mode")
        if len(successors) != count:
            what = f"announces {count} successors and names {len(successors)}"
            raise refused(row, what, "Give as many as are announced")
        if number in activities:
            raise refused(row, f"has activity {number} again", "Keep one row")
        if number not in needs:
            what = f"has activity {number}, of which no line says how long it takes"
            raise refused(row, what, INCOMPLETE)
        _, minutes, *used = needs[number]
        activities[number] = _Activity(minutes, tuple(used), tuple(successors))
    for number, (line, *_) in needs.items():
        if number not in activities:
            what = f"has activity {number}, of which no line names the successors"
            raise refused(f"line {line}", what, INCOMPLETE)
    _check_count(lines, len(activities))
    return _Project(activities, resources)


def _at_least(count: int, words: list[str], row: str) -> list[int]:
    """The whole numbers of a row that has so many columns or more."""
    if len(words) < count:
        raise refused(row, f"has {len(words)} numbers where there are {count} columns", INCOMPLETE)
    return whole(words, row)


def _check_count(lines: list[str], count: int) -> None:
    """Make sure that there are as many activities as the head of the file announces, if it does."""
    for number, line in enumerate(lines, 1):
        if line.startswith("jobs "):
            row = f"line {number}"
            if whole(line.rpartition(":")[2].split()[:1], row) not in ([], [count]):
                what = f"announces {line.split()[-1]} activities where {count} follow"
                raise refused(row, what, INCOMPLETE)


def _availabilities(lines: list[str]) -> tuple[int, ...]:
    """What there is of each resource; only renewable ones are known here."""
    title = AVAILABILITIES
    columns, rows = _section(lines, title)
    if any(name in {"N", "D"} for name in columns.split()):
        remedy = "Leave them out, or give the project renewable ones"
        raise refused(f"section {title}", "has resources that are used up", remedy)
    if len(rows) != 1:
        what = f"has {len(rows)} lines of numbers where one is due"
        raise refused(f"section {title}", what, "Check the format of the file")
    return tuple(whole(rows[0][1], rows[0][0]))


def _requests(lines: list[str], kinds: int) -> dict[int, tuple[int, ...]]:
    """Activity -> the line that says it, its duration, and what it needs of each resource."""
    found: dict[int, tuple[int, ...]] = {}
    for row, words in _section(lines, "REQUESTS/DURATIONS")[1]:
        number, _, *rest = _at_least(3, words, row)
        if len(rest) != kinds + 1:
            what = f"has {len(rest) - 1} requests where there are {kinds} resources"
            raise refused(row, what, "Give each activity one line with all its requests")
        if number in found:
            raise refused(row, f"has activity {number} again", "Keep one row")
        found[number] = (int(row.split()[1]), *rest)
    return found


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
