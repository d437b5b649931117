"""Who does what soon: people by name for the work that is about to start. A suggestion: the floor decides.

A plan counts people by unions of skills, so that there are enough of them in every minute; here each run gets
one of them. Where nobody is there for a whole run, two take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planner.problem import Operation, Problem, Unit
from planner.schedule import Assignment, Schedule
from planner.worktime import WorkTime


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, what he can do and when he is there: minutes, the ends not included."""

    id: str
    skills: frozenset[str]
    present: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A set-up and its run, in the open stretches of the unit."""

    operation: str
    unit: str
    order: str
    skill: str
    pieces: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """A person on an operation, from `start` to `end`."""

    person: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Named:
    """Who does an operation: one person, or several in turn; nobody in a stretch that no turn covers."""

    operation: str
    turns: tuple[Turn, ...]


def people_of(problem: Problem) -> list[Person]:
    """Everybody whose name the problem knows."""
    return [
        Person(name, frozenset(crew.skills), tuple((w.start, w.end) for w in crew.windows))
        for crew in problem.crews
        for name in crew.people
    ]


def tasks_of(problem: Problem, schedule: Schedule) -> list[Task]:
    """What starts before `named_until` and needs somebody, by its beginning; a batch needs him once."""
    found: list[tuple[int, Task]] = []
    for unit in problem.units:
        if not unit.subcontractor:
            time = WorkTime.of(problem, unit)
            for row in _alone(unit, schedule.by_unit.get(unit.id, ())):
                task = _task(problem.operation_by_id[row.operation], row, time)
                if task and row.setup_start < problem.named_until and task.pieces:
                    found.append((task.pieces[0][0], task))
    return [task for _, task in sorted(found, key=lambda pair: (pair[0], pair[1].operation))]


def _alone(unit: Unit, rows: Sequence[Assignment]) -> list[Assignment]:
    """The rows of a unit, of each batch the one that leads it."""
    if unit.places is None:
        return list(rows)
    leaders: dict[int, Assignment] = {}
    for row in rows:
        leaders.setdefault(row.end, row)
    return list(leaders.values())


def _task(operation: Operation, row: Assignment, time: WorkTime) -> Task | None:
    if operation.skill is None:
        return None
    first, last = time.work(max(0, row.setup_start)), time.work(row.end)
    pieces = tuple(time.pieces(first, last))
    return Task(operation.id, row.unit, operation.order, operation.skill, pieces)


def is_there(person: Person, start: int, end: int, horizon: int) -> bool:
    """Whether somebody is present from `start` to `end`; beyond the horizon everybody is."""
    end = min(end, horizon)
    return start >= end or any(a <= start and end <= b for a, b in person.present)


def able(task: Task, person: Person, horizon: int) -> bool:
    """Whether somebody can do a task from its beginning to its end."""
    return task.skill in person.skills and all(is_there(person, a, b, horizon) for a, b in task.pieces)


class Diary:
    """When people are busy."""

    def __init__(self, people: Sequence[Person]) -> None:
        self._busy: dict[str, list[tuple[int, int]]] = {person.id: [] for person in people}

    def is_free(self, person: str, start: int, end: int) -> bool:
        """Whether nothing holds somebody between two minutes."""
        return all(end <= a or b <= start for a, b in self._busy[person])

    def take(self, person: str, start: int, end: int) -> None:
        """Hold somebody."""
        self._busy[person].append((start, end))

    def load(self, person: str) -> int:
        """Minutes for which somebody is held."""
        return sum(b - a for a, b in self._busy[person])


def greedy(tasks: Sequence[Task], people: Sequence[Person], horizon: int) -> dict[str, str]:
    """Operation -> person: who was last on the unit or the order if he can, else who has least to do."""
    diary, last = Diary(people), dict[str, str]()
    found: dict[str, str] = {}
    for task in tasks:
        fit = [
            p.id
            for p in people
            if able(task, p, horizon) and all(diary.is_free(p.id, a, b) for a, b in task.pieces)
        ]
        if fit:
            before = (last.get(f"unit {task.unit}"), last.get(f"order {task.order}"))
            chosen = min(fit, key=lambda name: (name not in before, diary.load(name), name))
            found[task.operation] = last[f"unit {task.unit}"] = last[f"order {task.order}"] = chosen
            for start, end in task.pieces:
                diary.take(chosen, start, end)
    return found


def suggested(problem: Problem, schedule: Schedule) -> tuple[Named, ...]:
    """Who does what starts before `named_until`, without a search; empty where nobody is named."""
    people = people_of(problem)
    tasks = tasks_of(problem, schedule) if people else []
    return in_turn(tasks, people, problem.horizon, greedy(tasks, people, problem.horizon))


def in_turn(
    tasks: Sequence[Task], people: Sequence[Person], horizon: int, chosen: dict[str, str]
) -> tuple[Named, ...]:
    """The turns of everybody; whoever is free takes what nobody can do from its beginning to its end."""
    diary = Diary(people)
    rows: dict[str, tuple[Turn, ...]] = {}
    for task in tasks:
        if name := chosen.get(task.operation):
            for start, end in task.pieces:
                diary.take(name, start, end)
            rows[task.operation] = (Turn(name, task.pieces[0][0], task.pieces[-1][1]),)
    for task in tasks:
        if task.operation not in rows:
            rows[task.operation] = tuple(_shared_out(task, people, horizon, diary))
    return tuple(Named(task.operation, rows[task.operation]) for task in tasks)


def _shared_out(task: Task, people: Sequence[Person], horizon: int, diary: Diary) -> list[Turn]:
    """One after the other, each for as long as he can; a stretch that nobody can do is left out."""
    found: list[Turn] = []
    skilled = [p for p in people if task.skill in p.skills]
    for start, end in task.pieces:
        at = start
        while at < end:
            until = {p.id: _until(p, at, end, horizon, diary) for p in skilled}
            name = max(until, key=lambda n: (until[n], bool(found) and found[-1].person == n), default=None)
            if name is None or until[name] == at:
                at += 1
                continue
            diary.take(name, at, until[name])
            if found and found[-1].person == name:
                found[-1] = Turn(name, found[-1].start, until[name])
            else:
                found.append(Turn(name, at, until[name]))
            at = until[name]
    return found


def _until(person: Person, at: int, end: int, horizon: int, diary: Diary) -> int:
    """The minute up to which somebody can go on from `at`."""
    minute = at
    while (
        minute < end
        and is_there(person, minute, minute + 1, horizon)
        and diary.is_free(person.id, minute, minute + 1)
    ):
        minute += 1
    return minute
