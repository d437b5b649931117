"""A proposal holds while only time passes; what keeps it from being done is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from planner.checker import check
from planner.decoder.proposal import Choice, decode
from planner.dispatch import best_dispatch
from planner.material import Material, MaterialUse, Receipt
from planner.objective import order_ends
from planner.problem import Operation, Problem, Published, Release, Started, Unit, Window
from planner.schedule import Schedule
from planner.standing import Proposal, Retimed, retimed
from tests.properties.planner.strategies import problems
from tests.unit.planner.plants import people, plant, step

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


def told(problem: Problem, read: dict[str, Published], *late: str, age: int = 0) -> list[str]:
    found = retimed(problem, Proposal(read, frozenset(late), age))
    return [] if isinstance(found, Retimed) else [str(slip) for slip in found]


def starts(problem: Problem, read: dict[str, Published], *, age: int = 0) -> dict[str, tuple[str, int]]:
    """The units and starts of a proposal that holds."""
    found = retimed(problem, Proposal(read, frozenset(), age))
    assert isinstance(found, Retimed)
    assert check(found.problem, found.schedule) == []
    return {name: (row.unit, row.setup_start) for name, row in found.schedule.by_operation.items()}


@settings(deadline=None)
@given(problems())
def test_a_plan_that_was_just_made_holds(problem: Problem) -> None:
    _, plan = best_dispatch(problem)
    late = [name for name, end in order_ends(problem, plan).items() if end > problem.order_by_id[name].due]
    assert told(problem, places(plan), *late) == []


@pytest.mark.parametrize("age", [0, 10, 120])
def test_a_proposal_that_was_read_for_long_begins_now_in_its_order_and_on_its_units(age: int) -> None:
    assert starts(plant(*ROWS), later(age), age=age) == {"A-1": ("M", 0), "A-2": ("M", 20), "B-1": ("N", 0)}


def test_an_order_that_gets_late_while_people_read_is_named() -> None:
    due = {"A": 30, "B": 25}
    assert told(plant(*ROWS, due=due), later(5), age=5) == []
    past = {name: minute - 10 for name, minute in due.items()}
    assert told(plant(*ROWS, due=past), later(10), age=10) == [
        "A gets 10 minutes late",
        "B gets 5 minutes late",
    ]


def test_an_order_that_was_late_in_the_proposal_is_no_surprise() -> None:
    assert told(plant(*ROWS, due={"A": 20}), later(10), "A", age=10) == []


def test_an_order_that_the_proposal_does_not_know_goes_into_its_gaps() -> None:
    new = step("C-1", 20, "M", "N")
    known = {"A-1": ("M", 0), "A-2": ("M", 20), "B-1": ("N", 0)}
    assert starts(plant(*ROWS, new, due={"C": 5}), later(10), age=10) == {**known, "C-1": ("N", 20)}


def test_a_step_that_came_back_stays_on_its_unit() -> None:
    back = replace(ROWS[0], published=Published("N", -30))
    read = {"A-2": Published("M", 0), "B-1": Published("N", 0)}
    assert starts(plant(back, *ROWS[1:]), read)["A-1"][0] == "N"


def test_material_that_does_not_come_in_time_breaks_the_proposal() -> None:
    waits = replace(ROWS[2], releases=(Release(60, "material", "SEAL"),))
    assert told(plant(*ROWS[:2], waits), later(10), age=10) == ["B-1 starts 70 minutes later"]


def test_what_is_frozen_keeps_the_receipt_that_it_waits_for() -> None:
    """Freed from its place it would be served after an order that is due before."""
    seal = (MaterialUse("SEAL", 2),)
    held = replace(ROWS[0], published=Published("M", 0), frozen=True, materials=seal)
    other = replace(ROWS[2], materials=seal)
    receipts = (Receipt(90, 2),)
    whole = plant(held, ROWS[1], other, due={"A": 200, "B": 100}, materials=(Material("SEAL", 2, receipts),))
    _, made = best_dispatch(whole)
    assert told(whole, places(made), "B") == []


def test_what_has_become_frozen_meanwhile_keeps_its_place() -> None:
    """Whoever reads for an hour does not take away what people prepare by now."""
    frozen = replace(ROWS[0], published=Published("N", 0), frozen=True)
    new = step("C-1", 5, "N", published=Published("N", 20), frozen=True)
    whole = plant(frozen, *ROWS[1:], new)
    found = retimed(whole, Proposal(later(10), frozenset(), 10))
    assert isinstance(found, Retimed)
    assert check(whole, found.schedule) == []
    rows = {name: (row.unit, row.setup_start) for name, row in found.schedule.by_operation.items()}
    assert rows == {"A-1": ("N", 0), "C-1": ("N", 20), "A-2": ("M", 20), "B-1": ("N", 25)}


def test_a_frozen_job_that_the_proposal_would_make_late_is_named() -> None:
    frozen = replace(ROWS[0], published=Published("N", 0), frozen=True)
    whole = plant(frozen, *ROWS[1:], due={"B": 20})
    assert told(whole, proposed(*ROWS)) == ["B gets 20 minutes late"]


def test_somebody_who_left_breaks_the_proposal() -> None:
    rows = tuple(replace(row, skill="turning") for row in ROWS)
    left = plant(*rows, crews=(people(1, "turning"),))
    assert "B-1 starts 30 minutes later" in told(left, later(10), age=10)


def test_work_that_began_where_it_was_planned_breaks_nothing() -> None:
    running = replace(ROWS[0], started=Started("M", -5), alternatives=(ROWS[0].alternatives[0],))
    short = replace(running, alternatives=tuple(replace(a, minutes=15) for a in running.alternatives))
    free = step("B-1", 20, "M", "N")
    asked = {name: place for name, place in later(5).items() if name != "B-1"}
    assert told(plant(short, ROWS[1], free), asked, age=5) == []


def test_work_that_is_over_is_left_out() -> None:
    assert told(plant(step("A-2", 10), ROWS[2]), proposed(*ROWS)) == []


def test_a_machine_that_stands_breaks_the_proposal() -> None:
    stands = (Unit("M", "W", "always", stops=(Window(0, 60),)), Unit("N", "W", "always"))
    found = told(plant(*ROWS, units=stands), proposed(*ROWS))
    assert found == ["A-1 starts 60 minutes later", "A-2 starts 60 minutes later"]
    assert told(plant(*ROWS, units=stands), later(10), age=10)


def test_a_unit_that_cannot_do_it_any_more_is_named() -> None:
    assert told(plant(*ROWS[:2], step("B-1", 20, "M")), proposed(*ROWS)) == ["B-1 cannot be done on N"]
