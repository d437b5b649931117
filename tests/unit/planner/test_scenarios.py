"""A scenario's changes become another plant, row by row; two plans beside each other say what differs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from mes.dispatching.model import PlanMasterOperation, PlanNeed, PlanningSnapshot, PlanStock
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, MaterialId
from mes.kernel.settings import Planner
from planner.command_line import report
from planner.effort import Effort
from planner.problem import Problem, Window
from planner.reading import Reading
from planner.replan import replan
from planner.scenarios import changes as of
from planner.scenarios.changes import changed, changes_from_json, changes_to_json, check, contents_of
from planner.scenarios.compare import Side, comparison
from planner.solve import solve
from tests.unit.planner.snapshots import at, job, snapshot

POLICY = Planner(frozen_min=0)
SEAL = MaterialId("SEAL")
MASTER = PlanMasterOperation(
    operation=10,
    name="Turn",
    work_center=EquipmentId("MC"),
    skill="MACHINING",
    family="40",
    run_s=Decimal(60),
    setup_s=Decimal(0),
    components=(),
)


def plant() -> PlanningSnapshot:
    """WO-1 runs and is half done; WO-2 waits; both due within two hours."""
    running = {"status": "Running", "equipment": "CNC-1", "started_at": at(-5), "remaining": Decimal(2)}
    needs = (PlanNeed(material=SEAL, quantity=Decimal(4)),)
    stock = (PlanStock(material=SEAL, quantity=Decimal(100)),)
    return snapshot(job("WO-1", 10, **running), job("WO-2", 10, components=needs), stock=stock)


def problem(*rows: dict[str, Any]) -> Problem:
    """The plant with changes, as a problem."""
    before = plant()
    read = changes_from_json(list(rows))
    check(read, contents_of(before))
    assert changes_from_json(changes_to_json(read)) == read
    after = changed(before, read, {"PUMP-40": (MASTER,)})
    assert before == plant()
    return Reading(after.snapshot, POLICY, after.stops).problem


def period(start: float, end: float) -> dict[str, str]:
    return {"from": at(start).isoformat(), "to": at(end).isoformat()}


def test_an_order_gets_another_date_priority_and_quantity() -> None:
    due = {"kind": "due-date", "work_order": "WO-2", "due_at": at(30).isoformat()}
    rush = {"kind": "priority", "work_order": "WO-2", "priority": 1}
    more = {"kind": "quantity", "work_order": "WO-2", "quantity": "40"}
    found = problem(due, rush, more)
    assert (found.order_by_id["WO-2"].due, found.order_by_id["WO-2"].weight) == (30, 8)
    assert found.operation_by_id["WO-2-10"].minutes_on("CNC-1") == 14
    assert found.operation_by_id["WO-1-10"] == problem().operation_by_id["WO-1-10"]
    (changed_job,) = [
        row for row in changed(plant(), changes_from_json([more]), {}).snapshot.job_orders
        if row.work_order == "WO-2"
    ]  # fmt: skip
    assert [need.quantity for need in changed_job.components] == [40]


def test_an_order_is_added_and_another_taken_out() -> None:
    wish = {"material": "PUMP-40", "quantity": "3", "due_at": at(60).isoformat()}
    found = problem(
        {"kind": "add-order", "work_order": "RUSH", **wish, "priority": 2},
        {"kind": "remove-order", "work_order": "WO-2"},
    )
    assert {order.id: order.weight for order in found.orders} == {"WO-1": 1, "RUSH": 4}
    assert found.operation_by_id["RUSH-10"].minutes_on("CNC-2") == 3


def test_a_unit_stands_still_from_to_beside_what_is_known() -> None:
    found = problem(
        {"kind": "unit-down", "equipment": "CNC-2", **period(-30, 20)},
        {"kind": "unit-down", "equipment": "CNC-2", **period(60, 90)},
    )
    assert found.unit_by_id["CNC-2"].stops == (Window(0, 20), Window(60, 90))
    assert found.unit_by_id["CNC-1"].stops == ()


def test_overtime_opens_units_and_keeps_people() -> None:
    found = problem(
        {"kind": "overtime", "equipment": ["CNC-1"], "people": ["E-1"], **period(480, 540)},
        {"kind": "overtime", "equipment": ["CNC-2"], **period(600, 660)},
    )
    assert found.calendar_by_id["CNC-1"].windows[-1] == Window(250, 540)
    assert found.calendar_by_id["CNC-2"].windows[-1] == Window(600, 660)
    assert {(crew.id, crew.windows) for crew in found.crews} == {
        ("E-1", (Window(0, 540),)),
        ("E-2", (Window(0, 480),)),
    }


def test_somebody_is_absent_for_a_while() -> None:
    found = problem({"kind": "absence", "person": "E-2", **period(60, 120)})
    assert {(crew.id, crew.windows) for crew in found.crews} == {
        ("E-1", (Window(0, 480),)),
        ("E-2", (Window(0, 60), Window(120, 480))),
    }


REFUSED: list[tuple[dict[str, Any], type[PlantError]]] = [
    ({"kind": "priority", "work_order": "WO-9", "priority": 1}, of.ScenarioOrderUnknown),
    ({"kind": "remove-order", "work_order": "WO-1"}, of.ScenarioOrderBegun),
    ({"kind": "quantity", "work_order": "WO-1", "quantity": "2"}, of.ScenarioQuantityTooSmall),
    (
        {"kind": "add-order", "work_order": "WO-2", "material": "PUMP-40", "quantity": "1",
         "due_at": at(60).isoformat()},
        of.ScenarioOrderThere,
    ),
    ({"kind": "unit-down", "equipment": "CNC-9", **period(0, 10)}, of.ScenarioEquipmentUnknown),
    ({"kind": "unit-down", "equipment": "CNC-1", **period(10, 10)}, of.ScenarioPeriodNotPossible),
    ({"kind": "absence", "person": "E-9", **period(0, 10)}, of.ScenarioPersonUnknown),
    ({"kind": "absence", "person": "E-1", **period(-90, -60)}, of.ScenarioPeriodNotPossible),
    (
        {"kind": "overtime", "equipment": ["CNC-1"], "people": ["E-9"], **period(0, 10)},
        of.ScenarioPersonUnknown,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("row", "error"), REFUSED, ids=[f"{e.__name__}-{r['kind']}" for r, e in REFUSED])
def test_what_is_not_there_is_refused_with_its_row(row: dict[str, Any], error: type[PlantError]) -> None:
    fine = {"kind": "priority", "work_order": "WO-2", "priority": 1}
    with pytest.raises(error) as refused:
        check(changes_from_json([fine, row]), contents_of(plant()))
    assert refused.value.params["row"] == 2


def test_a_change_may_name_what_one_before_it_added_and_not_what_one_took_out() -> None:
    wish = {"material": "PUMP-40", "quantity": "3", "due_at": at(60).isoformat()}
    added = {"kind": "add-order", "work_order": "RUSH", **wish}
    rush = {"kind": "priority", "work_order": "RUSH", "priority": 1}
    assert problem(added, rush).order_by_id["RUSH"].weight == 8
    with pytest.raises(of.ScenarioOrderUnknown):
        problem(added, {"kind": "remove-order", "work_order": "RUSH"}, rush)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"kind": "weather"}, "kind"),
        ({"kind": "priority", "work_order": "WO-1", "priority": 12}, "priority"),
        ({"kind": "unit-down", "equipment": "CNC-1", "from": "2026-11-02T06:00:00", "to": "soon"}, "from"),
        ({"kind": "remove-order", "work_order": "WO-1", "why": "x"}, "why"),
    ],
)
def test_what_has_not_the_form_of_a_change_is_refused_with_its_field(row: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        changes_from_json([row])


def side(found: Problem) -> Side:
    return Side(found, report(found, solve(found, Effort(seconds=0))))


def test_two_plans_beside_each_other_say_what_is_late_saved_added_and_why() -> None:
    calm = problem()
    down = [{"kind": "unit-down", "equipment": name, **period(0, 200)} for name in ("CNC-1", "CNC-2")]
    wish = {"material": "PUMP-40", "quantity": "3", "due_at": at(400).isoformat()}
    worse = problem(*down, {"kind": "add-order", "work_order": "RUSH", **wish})
    found = comparison(side(calm), side(worse))
    assert (found["before"]["late_orders"], found["after"]["late_orders"]) == (0, 2)
    assert found["after"]["late_min"] == sum(shift["late_after_min"] for shift in found["late"])
    assert {shift["work_order"] for shift in found["late"]} == {"WO-1", "WO-2"}
    for shift in found["late"]:
        assert sum(cause["minutes"] for cause in shift["why"]) == shift["late_after_min"]
    assert sum(cause["after_min"] for cause in found["causes"]) == found["after"]["late_min"]
    assert "stop" in {cause["cause"] for cause in found["causes"]}
    assert (found["added"], found["removed"], found["saved"]) == (["RUSH"], [], [])
    back = comparison(side(worse), side(calm))
    assert {shift["work_order"] for shift in back["saved"]} == {"WO-1", "WO-2"}
    assert (back["added"], back["removed"], back["late"]) == ([], ["RUSH"], [])
    assert datetime.fromisoformat(found["after"]["end"]) > datetime.fromisoformat(found["before"]["end"])


def test_an_order_that_ends_where_no_calendar_reaches_is_named() -> None:
    wish = {"material": "PUMP-40", "quantity": "5000", "due_at": at(9000).isoformat()}
    found = comparison(side(problem()), side(problem({"kind": "add-order", "work_order": "BIG", **wish})))
    assert found["undated"] == ["BIG"]
    assert comparison(side(problem()), side(problem()))["undated"] == []


def test_what_moves_is_told_of_the_work_that_both_plans_have() -> None:
    places = {
        "WO-2": {"equipment": "CNC-2", "planned_start": at(0)},
        "WO-3": {"equipment": "CNC-2", "planned_start": at(4)},
    }
    before = snapshot(*(job(name, 10, **place) for name, place in places.items()))
    away = changes_from_json([{"kind": "unit-down", "equipment": "CNC-2", **period(0, 400)}])
    after = changed(before, away, {})
    calm = Reading(before, POLICY).problem
    in_force = Side(calm, report(calm, replan(calm, Effort(seconds=0)).kept))
    found = comparison(in_force, side(Reading(after.snapshot, POLICY, after.stops).problem))
    assert {
        (move["job_order"], move["from"]["equipment"], move["to"]["equipment"]) for move in found["moved"]
    } == {
        ("WO-2-10", "CNC-2", "CNC-1"),
        ("WO-3-10", "CNC-2", "CNC-1"),
    }
