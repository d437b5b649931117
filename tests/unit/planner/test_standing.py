"""A proposal holds while nothing of it slips; what keeps it from being done is named."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from planner.decoder import Choice, decode
from planner.dispatch import best_dispatch
from planner.problem import Operation, Problem, Published, Started, Unit, Window
from planner.schedule import Schedule
from planner.standing import SLIP_MIN, slips
from tests.properties.planner.strategies import problems
from tests.unit.planner.plants import plant, step

ROWS = (step("A-1", 20, "M", "N"), step("A-2", 10, after="A-1"), step("B-1", 20, "M", "N"))


def places(plan: Schedule) -> dict[str, Published]:
    return {row.operation: Published(row.unit, row.setup_start) for row in plan.assignments}


def proposed(*rows: Operation) -> dict[str, Published]:
    """A-1 and A-2 on M, B-1 on N."""
    order = [Choice("A-1", "M"), Choice("A-2", "M"), Choice("B-1", "N")]
    return places(decode(plant(*rows), order))


def later(minutes: int) -> dict[str, Published]:
    """The same proposal, looked at so many minutes after it was made."""
    return {name: Published(place.unit, place.start - minutes) for name, place in proposed(*ROWS).items()}


def told(problem: Problem, read: dict[str, Published]) -> list[str]:
    return [str(slip) for slip in slips(problem, read)]


@settings(deadline=None)
@given(problems())
def test_a_plan_that_was_just_made_holds(problem: Problem) -> None:
    _, plan = best_dispatch(problem)
    assert slips(problem, places(plan)) == []


def test_a_proposal_may_be_read_for_some_minutes_and_no_longer() -> None:
    assert told(plant(*ROWS), later(SLIP_MIN)) == []
    assert told(plant(*ROWS), later(SLIP_MIN + 1)) == [
        "A-1 starts 4 minutes later",
        "B-1 starts 4 minutes later",
        "A-2 starts 4 minutes later",
    ]


def test_work_that_began_where_it_was_planned_breaks_nothing() -> None:
    running = replace(ROWS[0], started=Started("M", -5), alternatives=(ROWS[0].alternatives[0],))
    short = replace(running, alternatives=tuple(replace(a, minutes=15) for a in running.alternatives))
    free = step("B-1", 20, "M", "N")
    asked = {name: place for name, place in later(5).items() if name != "B-1"}
    assert told(plant(short, ROWS[1], free), asked) == []


def test_work_that_is_over_is_left_out() -> None:
    assert told(plant(step("A-2", 10), ROWS[2]), proposed(*ROWS)) == []


def test_a_machine_that_stands_breaks_the_proposal() -> None:
    stands = (Unit("M", "W", "always", stops=(Window(0, 60),)), Unit("N", "W", "always"))
    found = told(plant(*ROWS, units=stands), proposed(*ROWS))
    assert found == ["A-1 starts 60 minutes later", "A-2 starts 60 minutes later"]


def test_a_unit_that_cannot_do_it_any_more_is_named() -> None:
    assert told(plant(*ROWS[:2], step("B-1", 20, "M")), proposed(*ROWS)) == ["B-1 cannot be done on N"]
