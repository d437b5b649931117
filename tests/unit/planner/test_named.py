"""People by name: skill, presence and one place at a time hold, checked without the code that names them."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from planner.cp.assignment import named, price
from planner.dispatch import best_dispatch
from planner.fault import InvalidProblem
from planner.named import Named, Turn, greedy, people_of, suggested, tasks_of
from planner.problem import Alternative, Crew, Problem, Window
from planner.schedule import Schedule
from tests.unit.planner.plants import HORIZON, plant, shifts, step


def crew(skills: str, *people: str, until: int = HORIZON, since: int = 0) -> Crew:
    return Crew(people[0], tuple(skills), (Window(since, until),), len(people), people)


def faults(problem: Problem, plan: Schedule, rows: tuple[Named, ...]) -> list[str]:
    """Walks every minute of every turn."""
    skills = {name: (set(c.skills), c.windows) for c in problem.crews for name in c.people}
    open_at = problem.calendars[0].windows
    busy: set[tuple[str, int]] = set()
    found = []
    for row in rows:
        place = plan.by_operation[row.operation]
        skill = problem.operation_by_id[row.operation].skill
        for turn in row.turns:
            able, windows = skills[turn.person]
            if skill not in able:
                found.append(f"{turn.person} cannot do {row.operation}")
            if not place.setup_start <= turn.start < turn.end <= place.end:
                found.append(f"{turn.person} is on {row.operation} when it is not done")
            for minute in range(turn.start, turn.end):
                if not any(w.start <= minute < w.end for w in open_at):
                    continue
                if not any(w.start <= minute < w.end for w in windows):
                    found.append(f"{turn.person} is not there at {minute}")
                if (turn.person, minute) in busy:
                    found.append(f"{turn.person} is in two places at {minute}")
                busy.add((turn.person, minute))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_nobody_is_named_who_cannot_be_there(seed: int) -> None:
    random = Random(seed)
    rows = []
    for order in range(4):
        for number in range(3):
            row = step(f"O{order}-{number}", 1, after=f"O{order}-{number - 1}" if number else "")
            on = tuple(Alternative(u, random.randint(3, 20)) for u in random.sample("MN", 2))
            rows.append(replace(row, alternatives=on, skill=random.choice("AB")))
    crews = (
        crew("A", "P1", until=random.randint(40, 200)),
        crew("AB", "P2", "P3"),
        crew("B", "P4", since=30),
    )
    problem = plant(*rows, crews=crews, named_until=80, **shifts((0, 25), (31, 70), (82, HORIZON)))
    plan = best_dispatch(problem)[1]
    found, quick = named(problem, plan), suggested(problem, plan)
    assert faults(problem, plan, found) == faults(problem, plan, quick) == []
    soon = {a.operation for a in plan.assignments if a.setup_start < 80}
    assert {row.operation for row in found} == {row.operation for row in quick} == soon


def test_the_only_tester_is_not_sent_packing_and_a_unit_keeps_its_person() -> None:
    rows = [step(f"A-{i}", 10, "M", skill="X", after=f"A-{i - 1}" if i else "") for i in range(3)]
    problem = plant(
        *rows, step("B-0", 25, "N", skill="Y"), crews=(crew("XY", "A1"), crew("X", "Z9")), named_until=100
    )
    plan = best_dispatch(problem)[1]
    by = {row.operation: [turn.person for turn in row.turns] for row in named(problem, plan)}
    assert by == {"A-0": ["Z9"], "A-1": ["Z9"], "A-2": ["Z9"], "B-0": ["A1"]}
    tasks, people = tasks_of(problem, plan), people_of(problem)
    chosen = {name: turns[0] for name, turns in by.items()}
    assert price(tasks, chosen) <= price(tasks, greedy(tasks, people, problem.horizon))


def test_two_take_turns_where_nobody_is_there_for_all_of_it() -> None:
    rows = crew("X", "EARLY", until=30), crew("X", "LATE", since=30)
    problem = plant(step("A-1", 50, skill="X"), crews=rows, named_until=10)
    (row,) = named(problem, best_dispatch(problem)[1])
    assert row.turns == (Turn("EARLY", 0, 30), Turn("LATE", 30, 50))


def test_names_are_as_many_as_people() -> None:
    with pytest.raises(InvalidProblem, match="names 2"):
        plant(crews=(replace(crew("X", "A", "B"), count=3),))
