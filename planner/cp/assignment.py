"""People by name for the work that starts soon: as few changes as can be, and nobody much more than others.

Beside the greedy answer, which stands where the search brings nothing better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from planner.cp.cp_sat import cp_model
from planner.named import Named, Person, Task, able, greedy, in_turn, people_of, tasks_of
from planner.problem import Problem
from planner.schedule import Schedule

NOBODY, CHANGE, LOAD = 10_000, 30, 1
"""Points for a run that no one person can do, for another person on a unit or an order, and for a minute that
who works most does."""

MOST_TASKS = 200
"""Runs above which the greedy answer is all there is."""

BUDGET = 0.5
"""Deterministic time: a few seconds of one core at most."""

Chosen = Mapping[tuple[str, str], cp_model.IntVar]


def named(problem: Problem, schedule: Schedule) -> tuple[Named, ...]:
    """Who does what starts before `named_until`; empty where the problem names nobody."""
    people, tasks = people_of(problem), tasks_of(problem, schedule)
    if not people or not tasks:
        return ()
    chosen = greedy(tasks, people, problem.horizon)
    if len(tasks) <= MOST_TASKS:
        found = _searched(tasks, people, problem.horizon, chosen)
        chosen = min(chosen, found, key=lambda one: price(tasks, one))
    return in_turn(tasks, people, problem.horizon, chosen)


def price(tasks: Sequence[Task], chosen: Mapping[str, str]) -> int:
    """What an assignment costs, in the points of the search."""
    load: dict[str, int] = {}
    for task in tasks:
        if name := chosen.get(task.operation):
            load[name] = load.get(name, 0) + _minutes(task)
    nobody = sum(task.operation not in chosen for task in tasks)
    changes = sum(chosen.get(a.operation) != chosen.get(b.operation) for a, b in _neighbours(tasks))
    return NOBODY * nobody + CHANGE * changes + LOAD * max(load.values(), default=0)


def _minutes(task: Task) -> int:
    return sum(end - start for start, end in task.pieces)


def _neighbours(tasks: Sequence[Task]) -> list[tuple[Task, Task]]:
    """Runs that follow one another on a unit, or in an order."""
    rows: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        rows.setdefault(("unit", task.unit), []).append(task)
        rows.setdefault(("order", task.order), []).append(task)
    return [pair for row in rows.values() for pair in pairwise(row)]


def _searched(
    tasks: Sequence[Task], people: Sequence[Person], horizon: int, known: Mapping[str, str]
) -> dict[str, str]:
    model = cp_model.CpModel()
    chosen = {
        (t.operation, p.id): model.new_bool_var("") for t in tasks for p in people if able(t, p, horizon)
    }
    for (operation, name), variable in chosen.items():
        model.add_hint(variable, known.get(operation) == name)
    costs: list[cp_model.LinearExprT] = []
    for task in tasks:
        nobody = model.new_bool_var("")
        own = [chosen[task.operation, p.id] for p in people if (task.operation, p.id) in chosen]
        model.add_exactly_one([nobody, *own])
        costs.append(NOBODY * nobody)
    most = model.new_int_var(0, sum(map(_minutes, tasks)), "")
    costs.append(LOAD * most)
    for person in people:
        _add_person(model, tasks, person.id, chosen, most)
    costs += [CHANGE * changed for changed in _changes(model, tasks, people, chosen)]
    model.minimize(cp_model.LinearExpr.sum(costs))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = BUDGET
    if solver.solve(model) not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return dict(known)
    return {operation: name for (operation, name), v in chosen.items() if solver.boolean_value(v)}


def _add_person(
    model: cp_model.CpModel, tasks: Sequence[Task], name: str, chosen: Chosen, most: cp_model.IntVar
) -> None:
    """Nobody is in two places at once."""
    own = [(task, chosen[task.operation, name]) for task in tasks if (task.operation, name) in chosen]
    model.add_no_overlap(
        model.new_optional_fixed_size_interval_var(start, end - start, literal, "")
        for task, literal in own
        for start, end in task.pieces
    )
    literals = [literal for _, literal in own]
    minutes = [_minutes(task) for task, _ in own]
    model.add(cp_model.LinearExpr.weighted_sum(literals, minutes) <= most)


def _changes(
    model: cp_model.CpModel, tasks: Sequence[Task], people: Sequence[Person], chosen: Chosen
) -> list[cp_model.IntVar]:
    """A literal for each pair of neighbours, true where another person does the second."""
    found: list[cp_model.IntVar] = []
    for one, two in _neighbours(tasks):
        changed = model.new_bool_var("")
        for person in people:
            before, after = chosen.get((one.operation, person.id)), chosen.get((two.operation, person.id))
            if before is not None and after is not None:
                model.add_bool_or([~before, after, changed])
            elif before is not None:
                model.add_implication(before, changed)
        found.append(changed)
    return found
