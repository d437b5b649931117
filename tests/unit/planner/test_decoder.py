"""When operations start, and what binds them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from planner.checker import check
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode, proposal_of
from planner.difference import difference
from planner.dispatch import best_dispatch
from planner.explain import Cause, why_late
from planner.fixes import fixes
from planner.material import Material, MaterialUse, Receipt
from planner.objective import score
from planner.problem import (
    Alternative,
    Away,
    Buffer,
    Calendar,
    Link,
    Lock,
    Operation,
    Order,
    Problem,
    Published,
    Release,
    Started,
    Tool,
    ToolUse,
    Unit,
    Window,
    WorkCenter,
)
from planner.promise import Desk
from planner.replan import as_published, repair
from planner.schedule import Assignment, Reason, Schedule
from tests.unit.planner.plants import (
    ALWAYS,
    FAMILIES,
    hardening,
    oven,
    people,
    plant,
    shifts,
    step,
    store,
    through,
)

MOULD = (ToolUse("MOULD"),)


def placed(problem: Problem, *order: str, unit: str = "M") -> dict[str, Assignment]:
    plan = decode(problem, [Choice(name, unit) for name in order])
    assert check(problem, plan) == []
    return plan.by_operation


def test_an_empty_plant_has_an_empty_plan() -> None:
    _, plan = best_dispatch(plant())
    assert plan.assignments == ()


def test_a_free_unit_starts_now() -> None:
    row = placed(plant(step("A-1")), "A-1")["A-1"]
    assert (row.start, row.end, row.reason.code) == (0, 10, "now")


def test_a_busy_unit_binds_the_next_operation() -> None:
    row = placed(plant(step("A-1"), step("B-1")), "A-1", "B-1")["B-1"]
    assert (row.start, row.reason.code, row.reason.params["operation"]) == (10, "unit", "A-1")


def test_a_successor_waits_for_its_predecessor_and_the_lag() -> None:
    problem = plant(
        step("A-1"), step("A-2", 5, "N", after="A-1"), step("A-3", 5, "M", predecessors=(Link("A-2", 7),))
    )
    plan = decode(problem, [])
    assert check(problem, plan) == []
    assert plan.by_operation["A-2"].reason.code == "predecessor"
    assert (plan.by_operation["A-3"].start, plan.by_operation["A-3"].reason.code) == (22, "lag")


def overlapping(first: int, second: int, sublots: int, lag: int = 0, **changes: Any) -> Problem:
    """A step on M that passes on sub-lots to one on N."""
    link = Link("A-1", lag, sublots)
    return plant(step("A-1", first), step("A-2", second, "N", predecessors=(link,)), **changes)


def test_sub_lots_let_a_step_start_before_the_one_before_it_ends() -> None:
    row = placed(overlapping(100, 200, 4), "A-1")["A-2"]
    assert (row.start, row.end, row.reason.code) == (25, 225, "overlap")
    row = placed(overlapping(100, 200, 4, lag=7), "A-1")["A-2"]
    assert row.start == 32


def test_a_step_that_is_quicker_does_not_run_dry_at_its_end() -> None:
    row = placed(overlapping(100, 20, 4), "A-1")["A-2"]
    assert (row.start, row.end, row.reason.code) == (85, 105, "overlap")
    row = placed(overlapping(100, 20, 4, lag=7), "A-1")["A-2"]
    assert (row.start, row.end) == (92, 112)


def test_shares_of_sub_lots_are_rounded_up_and_pause_with_their_units() -> None:
    assert placed(overlapping(10, 100, 3), "A-1")["A-2"].start == 4
    problem = overlapping(40, 100, 4, **shifts((0, 5), (50, 500)))
    assert placed(problem, "A-1")["A-2"].start == 55
    problem = overlapping(40, 20, 4, **shifts((0, 30), (50, 60), (80, 500)))
    row = placed(problem, "A-1")["A-2"]
    assert (row.start, row.end) == (25, 85)  # 15 of its minutes before the break in which A-1 has ended


def test_whoever_gets_sub_lots_too_soon_is_found_out() -> None:
    for first, second in ((100, 200), (100, 20)):
        apart = decode(overlapping(first, second, 8), [])
        assert len(check(overlapping(first, second, 4), apart)) == 1
    at_once = decode(overlapping(4, 200, 4), [])
    assert len(check(overlapping(4, 200, 4, lag=5), at_once)) == 1


def test_what_remains_of_work_under_way_is_passed_on_in_sub_lots() -> None:
    problem = overlapping(40, 100, 4)
    begun = replace(problem.operations[0], started=Started("M", -20))
    row = placed(replace(problem, operations=(begun, problem.operations[1])))["A-2"]
    assert row.start == 10


def test_a_lock_before_the_last_sub_lot_is_made_names_the_first_minute() -> None:
    problem = overlapping(100, 20, 4)
    for minute in (84, 85):
        late = replace(problem.operations[1], lock=Lock("N", minute))
        locked = replace(problem, operations=(problem.operations[0], late))
        if minute == 85:
            assert placed(locked, "A-1")["A-2"].start == 85
        else:
            with pytest.raises(LocksConflict, match="Move the lock to minute 85 or later"):
                decode(locked, [])


def maintained(minutes: int, earliest: int, limit: int, *rows: Operation, **due: int) -> Problem:
    """Maintenance P of M in a window, and other work."""
    upkeep = step("P-1", minutes, releases=(Release(earliest, "maintenance"),))
    orders = (Order("P", limit, kind="maintenance"), *(Order(name, at) for name, at in due.items()))
    return plant(upkeep, *rows, orders=orders)


def test_maintenance_lets_orders_pass_as_long_as_its_window_does() -> None:
    problem = maintained(30, 0, 200, step("A-1", 40), step("B-1", 40), A=40, B=80)
    _, plan = best_dispatch(problem)
    assert plan.by_operation["P-1"].start == 80
    assert score(problem, plan).total == 40 + 80  # only orders flow
    problem = maintained(30, 10, 70, step("A-1", 40), step("B-1", 40), A=100, B=200)
    _, plan = best_dispatch(problem)
    assert plan.by_operation["P-1"].end <= 70
    assert check(problem, plan) == []


def test_maintenance_beyond_its_limit_is_late_and_binds_who_waits_for_it() -> None:
    problem = maintained(30, 0, 20, step("A-1", 40), A=40)
    plan = decode(problem, [Choice("P-1", "M")])
    assert score(problem, plan).tardiness == 10 + 30
    row = plan.by_operation["A-1"]
    assert (row.start, row.reason.code, row.reason.params["operation"]) == (30, "maintenance", "P-1")
    assert why_late(problem, plan)["A"] == (Cause("maintenance", 30, "M", "P"),)
    (fix,) = fixes(problem, plan, "A")
    assert (fix.code, fix.subject, fix.saves) == ("before", "P", 30)
    assert fix.price == 40 * problem.weights.tardiness


def test_maintenance_before_its_window_is_found_out() -> None:
    plan = decode(maintained(30, 0, 200), [])
    assert check(maintained(30, 10, 200), plan) == ["P-1 starts before it is released"]


def test_an_order_that_overlaps_is_dispatched_when_it_can_run() -> None:
    problem = overlapping(100, 20, 4)
    other = step("B-1", 50, "N")
    _, plan = best_dispatch(plant(*problem.operations, other, due={"A": 110, "B": 60}))
    assert (plan.by_operation["B-1"].start, plan.by_operation["A-2"].start) == (0, 85)


def test_a_resumable_run_pauses_in_the_break_and_another_waits() -> None:
    first = plant(step("A-1", 20), **shifts((0, 10), (15, 100)))
    row = placed(first, "A-1")["A-1"]
    assert (row.start, row.end) == (0, 25)
    second = plant(step("A-1", 20, resumable=False), **shifts((0, 10), (15, 100)))
    row = placed(second, "A-1")["A-1"]
    assert (row.start, row.end, row.reason.code) == (15, 35, "calendar")


def test_a_stop_binds_like_a_calendar_but_is_named() -> None:
    problem = plant(step("A-1"), units=(Unit("M", "W", "always", stops=(Window(0, 30),)),))
    row = placed(problem, "A-1")["A-1"]
    assert (row.start, row.reason.code) == (30, "stop")


def test_a_family_change_takes_its_set_up_before_the_run() -> None:
    problem = plant(step("A-1", family="40"), step("B-1", family="65"), **FAMILIES)
    rows = placed(problem, "A-1", "B-1")
    assert (rows["A-1"].setup_start, rows["A-1"].start) == (0, 10)
    assert (rows["B-1"].setup_start, rows["B-1"].start, rows["B-1"].reason.code) == (20, 30, "setup")


def test_a_set_up_is_done_ahead_while_the_part_is_on_its_way() -> None:
    problem = plant(step("A-1", 30, "N"), step("A-2", 10, "M", after="A-1", family="65"), **FAMILIES)
    row = decode(problem, []).by_operation["A-2"]
    assert (row.setup_start, row.start, row.reason.code) == (20, 30, "predecessor")


def test_people_who_can_do_two_things_do_one_at_a_time() -> None:
    problem = plant(
        step("A-1", 10, "M", skill="TESTING"),
        step("B-1", 10, "N", skill="PACKING"),
        crews=(people(1, "PACKING", "TESTING"),),
    )
    plan = decode(problem, [Choice("A-1", "M"), Choice("B-1", "N")])
    assert check(problem, plan) == []
    row = plan.by_operation["B-1"]
    assert (row.start, row.reason.code, row.reason.params["skill"]) == (10, "people", "PACKING")


def test_work_without_people_is_planned_beyond_the_horizon() -> None:
    problem = plant(step("A-1", skill="WELDING"))
    assert placed(problem, "A-1")["A-1"].start == problem.horizon


def test_a_tool_is_in_one_place_at_a_time() -> None:
    rows = [step("A-1", 10, "M", tools=MOULD), step("B-1", 10, "N", tools=MOULD)]
    problem = plant(*rows, tools=(Tool("MOULD"),))
    plan = decode(problem, [Choice("A-1", "M"), Choice("B-1", "N")]).by_operation
    assert (plan["B-1"].start, plan["B-1"].reason.code) == (10, "tool")
    assert plan["B-1"].reason.params == {"tool": "MOULD"}
    two = plant(*rows, tools=(Tool("MOULD", 2),))
    assert decode(two, [Choice("A-1", "M"), Choice("B-1", "N")]).by_operation["B-1"].start == 0


def test_a_tool_stays_on_its_unit_over_a_break_and_people_leave() -> None:
    rows = [step("A-1", 10, "M"), step("B-1", 4, "N")]
    hours: dict[str, Any] = {
        "calendars": (Calendar("always", ALWAYS), Calendar("day", (Window(0, 5), Window(50, 90)))),
        "units": (Unit("M", "W", "day"), Unit("N", "W", "always")),
    }
    choices = [Choice("A-1", "M"), Choice("B-1", "N")]
    needy = [replace(row, tools=MOULD) for row in rows]
    assert decode(plant(*needy, tools=(Tool("MOULD"),), **hours), choices).by_operation["B-1"].start == 55
    staffed = [replace(row, skill="TURN") for row in rows]
    crew = people(1, "TURN")
    assert decode(plant(*staffed, crews=(crew,), **hours), choices).by_operation["B-1"].start == 5


def test_a_shared_tool_goes_where_more_is_still_to_do() -> None:
    rows = [
        step("A-1", 10, "M", tools=MOULD),
        step("B-1", 10, "N", tools=MOULD),
        step("B-2", 50, "N", after="B-1"),
    ]
    name, plan = best_dispatch(plant(*rows, tools=(Tool("MOULD"),), due={"A": 500, "B": 60}))
    assert name == "longest way first"
    assert (plan.by_operation["B-1"].start, plan.by_operation["A-1"].start) == (0, 10)


def test_work_under_way_has_its_tool_from_the_beginning() -> None:
    """Also while its unit is closed."""
    rows = [step("A-1", 5, "M", tools=MOULD, started=Started("M")), step("B-1", 5, "N", tools=MOULD)]
    units = (Unit("M", "W", "day"), Unit("N", "W", "always"))
    day = (Calendar("always", ALWAYS), Calendar("day", (Window(30, 90),)))
    problem = plant(*rows, tools=(Tool("MOULD"),), units=units, calendars=day)
    assert placed(problem, "B-1", unit="N")["B-1"].start == 35


def test_a_tool_that_is_away_is_waited_for() -> None:
    problem = plant(step("A-1", 10, tools=MOULD), tools=(Tool("MOULD", 1, (Away(5, 30),)),))
    row = placed(problem, "A-1")["A-1"]
    assert (row.start, row.reason.code) == (30, "tool")


def in_line(problem: Problem, *order: str) -> Schedule:
    """A plan in this order, each step on its only unit."""
    units = {o.id: o.alternatives[0].unit for o in problem.operations}
    plan = decode(problem, [Choice(name, units[name]) for name in order])
    assert check(problem, plan) == []
    return plan


def three_through(places: int, **changes: Any) -> Problem:
    """Three orders of 10 minutes on M and 30 on N."""
    return plant(*(row for name in "ABC" for row in through(name, 10, 30)), **store(places), **changes)


IN_LINE = ("A-1", "A-2", "B-1", "B-2", "C-1", "C-2")


def test_a_step_waits_for_a_place_in_the_buffer_behind_it() -> None:
    rows = in_line(three_through(1), *IN_LINE).by_operation
    assert [rows[name].start for name in ("A-1", "B-1", "C-1")] == [0, 10, 40]
    assert rows["C-1"].reason == Reason("buffer", {"buffer": "RACK"})
    rows = in_line(three_through(2), *IN_LINE).by_operation
    assert [rows[name].start for name in ("A-1", "B-1", "C-1")] == [0, 10, 20]


def test_a_step_that_finds_its_buffer_full_is_held_back() -> None:
    out_of_turn = ("C-1", "B-1", "A-1", "A-2", "B-2", "C-2")
    problem = three_through(1)
    rows = in_line(problem, *out_of_turn).by_operation
    assert [rows[name].start for name in ("C-1", "C-2", "B-1", "A-1")] == [0, 10, 10, 40]


def test_a_set_up_begins_when_there_is_a_place() -> None:
    centers = (*FAMILIES["work_centers"], WorkCenter("P", buffer="RACK"))
    rows = [row for name in "AB" for row in through(name, 10, 30)]
    problem = plant(*rows, *through("C", 10, 30, family="65"), **(store(1) | {"work_centers": centers}))
    found = in_line(problem, *IN_LINE).by_operation["C-1"]
    assert (found.setup_start, found.start) == (40, 50)


def test_of_a_batch_whoever_finds_the_buffer_full_stays_behind() -> None:
    """A-1 and B-1 fit into M together, but there is one place in the rack."""
    rows = [row for name in "AB" for row in through(name, 10, 30, skill="X")]
    units = (Unit("M", "W", "always", places=2), Unit("N", "P", "always"))
    problem = plant(*rows, **(store(1) | {"units": units}), crews=(people(2, "X"),))
    plan = best_dispatch(problem)[1]
    assert check(problem, plan) == []
    assert [plan.by_operation[name].start for name in ("A-1", "B-1")] == [0, 10]


def test_what_lies_in_the_buffer_has_its_place_until_it_is_begun() -> None:
    lying = (step("S-1", 50, "N", stored=True), step("T-1", 50, "N", stored=True))
    for places, first in ((3, 0), (2, 0), (1, 50)):
        problem = plant(*lying, *through("A", 10, 30), **store(places))
        assert in_line(problem, "S-1", "T-1", "A-1").by_operation["A-1"].start == first


def test_a_begun_or_locked_step_that_delivers_has_its_place() -> None:
    begun, after = through("A", 10, 30)
    for held in (replace(begun, started=Started("M", -5)), replace(begun, lock=Lock("M", 20))):
        problem = plant(held, after, *through("B", 10, 30), **store(1))
        rows = in_line(problem, "A-2", "B-1").by_operation
        assert rows["B-1"].start == rows["A-2"].start


def test_two_buffers_in_a_ring_go_one_order_after_the_other() -> None:
    """A goes from M to N, B from N to M: begun at once, each has the place that the other waits for."""
    both = {**store(1), "buffers": (Buffer("RACK", 1), Buffer("BACK", 1))}
    both["work_centers"] = (WorkCenter("W", buffer="BACK"), WorkCenter("P", buffer="RACK"))
    there = ("A-1", "A-2", "A-3")
    rows = [
        step(f"{order}-{i}", 10, unit, after=f"{order}-{i - 1}" if i > 1 else "")
        for order, units in (
            ("A", "MNM"),
            ("B", "NMN"),
            ("C", "MNM"),
            ("D", "NMN"),
        )
        for i, unit in enumerate(units, 1)
    ]
    problem = plant(*rows, **both)
    plan = decode(problem, [Choice(o.id, o.alternatives[0].unit) for o in problem.operations])
    assert check(problem, plan) == []
    assert check(problem, best_dispatch(problem)[1]) == []
    assert [plan.by_operation[name].start for name in there] == [0, 10, 20]


def test_orders_overlap_in_a_ring_as_far_as_it_can_be_emptied() -> None:
    ring: dict[str, Any] = {
        "buffers": tuple(Buffer(f"B{unit}", 1) for unit in "MNO"),
        "work_centers": tuple(WorkCenter(f"W{unit}", buffer=f"B{unit}") for unit in "MNO"),
        "units": tuple(Unit(unit, f"W{unit}", "always") for unit in "MNO"),
    }
    rows = [
        step(f"{order}-{i}", 10, unit, after=f"{order}-{i - 1}" if i > 1 else "")
        for order, units in (("A", "MNO"), ("B", "NOM"), ("C", "OMN"))
        for i, unit in enumerate(units, 1)
    ]
    plan = in_line(plant(*rows, **ring), *sorted((o.id for o in rows), key=lambda name: name[1:]))
    assert max(row.end for row in plan.assignments) == 60


def test_a_route_through_one_buffer_twice_does_not_block_itself() -> None:
    rows = (step("A-1", 10, "M"), step("A-2", 10, "N", after="A-1"), step("A-3", 10, "N", after="A-2"))
    assert in_line(plant(*rows, **store(1)), "A-1").by_operation["A-3"].end == 30


def test_a_frozen_order_that_never_gets_in_is_refused() -> None:
    lying = step("S-1", 50, "N", stored=True, published=Published("N", 60), kept=True)
    first, second = through("A", 10, 30)
    ahead = replace(second, published=Published("N", 20), kept=True)
    with pytest.raises(LocksConflict, match="operations A-1: finds no place in RACK"):
        decode(plant(lying, first, ahead, **store(1)), [])


def test_whoever_begins_without_a_place_is_found_out() -> None:
    roomy = in_line(three_through(2), *IN_LINE)
    assert check(three_through(1), roomy) == ["C-1 begins at minute 20, when RACK is full"]


def test_a_full_buffer_is_a_cause_of_lateness() -> None:
    plan = in_line(three_through(1, due={"C": 60}), *IN_LINE)
    assert why_late(three_through(1, due={"C": 60}), plan)["C"] == (
        Cause("buffer", 20, "RACK"),
        Cause("unit", 20, "N", "B"),
    )


def test_a_promise_finds_a_place_between_others_or_goes_behind_them() -> None:
    rows = [row for name in "AB" for row in through(name, 10, 30)]
    later = step("L-1", 10, "M", releases=(Release(200),)), step("L-2", 10, "N", after="L-1")
    problem = plant(*rows, *later, **store(1))
    plan = in_line(problem, "A-1", "A-2", "B-1", "B-2", "L-1", "L-2")
    quick = Desk(problem, plan).accept(through("NEW", 10, 30))
    assert [fit.start for fit in quick.steps] == [40, 70]
    assert Desk(problem, plan).accept(through("NEW", 10, 141)).end == 220 + 141


def test_a_batch_takes_what_is_of_one_family_while_there_is_room() -> None:
    problem = plant(*(step(name, 10, family="40") for name in ("A-1", "B-1", "C-1")), **oven(2))
    rows = placed(problem, "A-1", "B-1", "C-1")
    assert [(rows[n].start, rows[n].reason.code) for n in rows] == [(0, "now"), (0, "batch"), (10, "unit")]
    assert rows["B-1"].reason.params == {"unit": "M", "operation": "A-1"}
    large = plant(step("A-1", 10), step("B-1", 10, places=2), step("C-1", 10, places=2), **oven(4))
    assert [row.start for row in placed(large, "A-1", "B-1", "C-1").values()] == [0, 0, 10]


@pytest.mark.parametrize(
    "other",
    [{"family": "65"}, {"minutes": 9}, {"skill": "HEAT"}, {"resumable": False}, {"tools": MOULD}],
)
def test_another_recipe_goes_into_a_batch_of_its_own(other: dict[str, Any]) -> None:
    second = step("B-1", other.pop("minutes", 10), **{"family": "40", **other})
    more: dict[str, Any] = {"crews": (people(1, "HEAT"),), "tools": (Tool("MOULD"),)}
    problem = plant(step("A-1", 10, family="40"), second, **more, **oven(2))
    assert placed(problem, "A-1", "B-1")["B-1"].start == 10


def test_whoever_comes_last_and_goes_first_lets_a_batch_wait() -> None:
    late = step("B-1", 10, releases=(Release(6),))
    problem = plant(step("A-1", 10), late, **oven(2))
    waits = placed(problem, "B-1", "A-1")
    assert [(row.start, row.end) for row in waits.values()] == [(6, 16), (6, 16)]
    goes = placed(problem, "A-1", "B-1")
    assert [row.start for row in goes.values()] == [0, 10]
    again = decode(problem, proposal_of(problem, decode(problem, [Choice("B-1", "M"), Choice("A-1", "M")])))
    assert again.by_operation == waits


def test_a_batch_waits_when_that_is_worth_it() -> None:
    def shop(release: int) -> Problem:
        rows = (step("A-1", 100), step("B-1", 100, releases=(Release(release),)))
        return plant(*rows, due={"A": 110, "B": 110}, **oven(2))

    name, plan = best_dispatch(shop(5))
    assert (name, plan.by_operation["A-1"].start) == ("edd wait=0.5", 5)
    _, plan = best_dispatch(shop(95))
    assert plan.by_operation["A-1"].start == 0


def test_who_is_stopped_has_the_plan_of_the_first_rule() -> None:
    rows = (step("A-1", 10, tools=MOULD), step("B-1", 10))
    problem = plant(*rows, tools=(Tool("MOULD"),), due={"A": 50, "B": 60})
    asked = iter((False, False, True))
    for name, plan in (best_dispatch(problem, lambda: True), best_dispatch(problem, lambda: next(asked))):
        assert name == "edd"
        assert len(plan.assignments) == 2


def test_a_batch_needs_its_person_and_its_tool_once() -> None:
    rows = [step(name, 10, skill="HEAT", tools=MOULD) for name in ("A-1", "B-1")]
    shop: dict[str, Any] = {"crews": (people(1, "HEAT"),), "tools": (Tool("MOULD"),), **oven(2)}
    assert [row.start for row in placed(plant(*rows, **shop), "A-1", "B-1").values()] == [0, 0]
    beside = step("C-1", 10, "N", skill="HEAT")
    plan = decode(plant(*rows, beside, **shop), [Choice("A-1", "M"), Choice("B-1", "M"), Choice("C-1", "N")])
    assert plan.by_operation["C-1"].start == 10


def test_a_set_up_is_made_once_for_a_batch() -> None:
    problem = plant(*(step(name, 10, family="40") for name in ("A-1", "B-1")), **FAMILIES, **oven(2))
    rows = placed(problem, "A-1", "B-1")
    assert [(r.setup_start, r.start, r.setup) for r in rows.values()] == [(0, 10, 10), (10, 10, 0)]


def test_nobody_opens_a_door_behind_which_work_runs_or_that_a_person_has_locked() -> None:
    running = [step(name, 10, started=Started("M", -3)) for name in ("A-1", "B-1")]
    rows = placed(plant(*running, step("C-1", 10), **oven(3)), "C-1")
    assert [rows[name].end for name in ("A-1", "B-1", "C-1")] == [10, 10, 20]
    held = [step(name, 10, lock=Lock("M", 20)) for name in ("A-1", "B-1")]
    rows = placed(plant(*held, step("C-1", 15), **oven(3)), "C-1")
    assert [rows[name].start for name in ("A-1", "B-1", "C-1")] == [20, 20, 0]
    full = [replace(row, places=2) for row in held]
    with pytest.raises(LocksConflict, match="not free after A-1"):
        decode(plant(*full, **oven(3)), [])


def test_a_published_batch_stays_together() -> None:
    """Whoever comes last leads it, by its published place and not by its name."""
    rows = [
        step("A-1", 10, published=Published("M", 30)),
        step("B-1", 30, "N", published=Published("N", 0)),
        step("B-2", 10, published=Published("M", 30), after="B-1"),
        step("C-1", 10, published=Published("M", 40)),
    ]
    states: list[dict[str, Any]] = [{}, {"kept": True}, {"frozen": True}]
    for state in states:
        problem = plant(*(replace(row, **state) for row in rows), **oven(2))
        for plan in (as_published(problem), *([repair(problem)] if "frozen" in state else [])):
            assert check(problem, plan) == []
            starts = [plan.by_operation[name].start for name in ("A-1", "B-2", "C-1")]
            assert starts == [30, 30, 40]


def test_a_new_order_may_go_into_a_batch_that_has_room() -> None:
    problem = plant(step("A-1", 10, releases=(Release(20),)), step("B-1", 300), **oven(2))
    plan = decode(problem, [Choice("A-1", "M"), Choice("B-1", "M")])
    asked = step("NEW-1", 10, releases=(Release(15),))
    desk = Desk(problem, plan)
    quote = desk.accept((asked,))
    assert (quote.end, quote.binding.code) == (30, "batch")
    assert desk.quote((replace(asked, id="NEW-2"),)).end == 340


def test_why_an_order_waited_for_its_batch_is_said() -> None:
    rows = (step("A-1", 10), step("B-1", 10, releases=(Release(6),)))
    problem = plant(*rows, due={"A": 10}, **oven(2))
    plan = decode(problem, [Choice("B-1", "M"), Choice("A-1", "M")])
    assert why_late(problem, plan)["A"] == (Cause("batch", 6, "M", "B"),)


def outside(
    name: str, minutes: int = 100, *units: str, after: str = "", lag: int = 0, **changes: Any
) -> Operation:
    links = (Link(after, lag),) if after else ()
    return step(name, minutes, *(units or ("H",)), predecessors=links, **changes)


def test_a_subcontractor_takes_whatever_comes_in_any_order() -> None:
    rows = (
        *(step("A-1", 10), step("B-1", 10), step("B-3", 10, after="B-2")),
        *(outside("A-2", after="A-1", lag=30), outside("B-2", 40, after="B-1", lag=30)),
    )
    orders = (("A-1", "B-1", "A-2", "B-2"), ("A-1", "B-1", "B-2", "A-2"))
    for problem in (plant(*rows, **hardening()), plant(*rows, due={"A": 0}, **hardening())):
        for order in orders:
            plan = decode(problem, [Choice(n, "H" if n.endswith("2") else "M") for n in order])
            assert check(problem, plan) == []
            found = {name: (row.start, row.end) for name, row in plan.by_operation.items()}
            assert found["A-2"] == (40, 140)
            assert (found["B-2"], found["B-3"]) == ((50, 90), (90, 100))
            assert plan.by_operation["B-2"].reason.code == "lag"


def test_a_subcontractor_needs_neither_our_people_nor_our_tools_and_keeps_his_hours() -> None:
    held: dict[str, Any] = {"skill": "X", "tools": MOULD}
    rows = (outside("A-1", 20, **held), outside("B-1", 20, resumable=False, **held), step("C-1", 20, **held))
    problem = plant(*rows, crews=(people(1, "X"),), tools=(Tool("MOULD"),), **hardening((15, 30)))
    plan = decode(problem, [Choice("A-1", "H"), Choice("B-1", "H"), Choice("C-1", "M")])
    assert check(problem, plan) == []
    found = {name: (row.start, row.end, row.reason.code) for name, row in plan.by_operation.items()}
    assert found == {"A-1": (0, 35, "now"), "B-1": (30, 50, "stop"), "C-1": (0, 20, "now")}


def test_what_is_under_way_locked_or_held_at_a_subcontractor_keeps_nobody_waiting() -> None:
    rows = (
        outside("A-1", 20, started=Started("H", -5)),
        outside("B-1", 50, started=Started("H", -9)),
        outside("C-1", 30, lock=Lock("H", 10)),
        outside("D-1", 30, lock=Lock("H", 12)),
        outside("E-1", 10, published=Published("H", 90), kept=True),
        outside("F-1", 10, published=Published("H", 95), frozen=True),
        outside("G-1", 10, published=Published("H", 99), kept=True),
    )
    problem = plant(*rows, **hardening())
    for plan in (decode(problem, [Choice("G-1", "H")]), repair(problem)):
        assert check(problem, plan) == []
        assert [plan.by_operation[row.id].end for row in rows] == [20, 50, 40, 42, 10, 10, 10]
    early = replace(plan, assignments=tuple(replace(a, end=a.end - 1) for a in plan.assignments))
    assert "G-1 works 9 minutes instead of 10" in check(problem, early)


def test_what_changes_its_turn_at_a_subcontractor_has_not_moved() -> None:
    places = (Published("H", 0), Published("H", 40))
    rows = [outside(f"{name}-1", published=place) for name, place in zip("AB", places, strict=True)]
    rows[0] = replace(rows[0], releases=(Release(20),))
    problem = plant(*rows, **hardening())
    kept = decode(plant(*(replace(row, releases=()) for row in rows), **hardening()), [])
    assert difference(problem, kept, decode(problem, [])).moved == ()


def test_the_time_at_a_subcontractor_is_work_and_what_he_is_closed_for_cannot_be_helped() -> None:
    problem = plant(outside("A-1", 20), outside("B-1", 20), due={"A": 15}, **hardening((10, 30)))
    plan = decode(problem, [])
    assert why_late(problem, plan)["A"] == (Cause("stop", 20, "H"), Cause("work", 5))
    assert fixes(problem, plan, "A") == []


def test_a_date_from_a_subcontractor_counts_nobody_else() -> None:
    problem = plant(outside("A-1", 400), step("B-1", 20), **hardening((0, 30)))
    desk = Desk(problem, decode(problem, []))
    asked = (step("N-1", 10), outside("N-2", 50, after="N-1"))
    assert desk.reserve(asked).end == 80
    assert desk.quote((step("O-1", 5, "M", "H"),)).end == 35
    assert desk.with_overtime(asked[1:]) is None
    assert list(desk.instead_of_others(asked[1:], 100)) == []


def test_why_an_order_waited_for_a_tool_is_said() -> None:
    rows = [step("A-1", 10, "M", tools=MOULD), step("B-1", 10, "N", tools=MOULD)]
    problem = plant(*rows, tools=(Tool("MOULD"),), due={"A": 0, "B": 10})
    plan = decode(problem, [Choice("A-1", "M"), Choice("B-1", "N")])
    assert why_late(problem, plan)["B"] == (Cause("tool", 10, "MOULD"),)


def test_work_under_way_goes_on_though_its_person_has_left() -> None:
    problem = plant(
        step("A-1", 10, skill="X", started=Started("M", -3)), step("B-1", 5, "N", skill="X"), crews=()
    )
    plan = decode(problem, [])
    assert check(problem, plan) == []
    assert (plan.by_operation["A-1"].start, plan.by_operation["A-1"].end) == (-3, 10)


def test_material_binds_until_it_is_there() -> None:
    row = placed(plant(step("A-1", releases=(Release(40, "material", "SEAL"),))), "A-1")["A-1"]
    assert (row.start, row.reason.code, row.reason.params["detail"]) == (40, "release", "SEAL")


def test_material_goes_to_who_is_due_first_and_the_rest_waits_for_a_receipt() -> None:
    rows = [step(name, 10, "M", materials=(MaterialUse("SEAL", 4),)) for name in ("A-1", "B-1", "C-1")]
    seals = Material("SEAL", 6, (Receipt(300, 2), Receipt(100, 3)))
    problem = plant(*rows, materials=(seals,), due={"A": 60, "B": 40, "C": 80})
    plan = placed(problem, "A-1", "B-1", "C-1")
    assert {name: row.start for name, row in plan.items()} == {"B-1": 110, "A-1": 100, "C-1": 1000}
    problem = replace(problem, units=(Unit("M", "W", "always"), Unit("N", "W", "always")))
    assert [(r.at, r.detail) for r in problem.pegged["A-1"]] == [(100, "SEAL")]
    assert problem.pegged["B-1"] == ()
    causes = why_late(problem, decode(problem, []))
    assert causes["A"][0] == Cause("material", 50, "SEAL")
    assert fixes(problem, decode(problem, []), "A")[0].code == "sooner"


def test_a_route_may_come_back_to_the_same_unit_at_once() -> None:
    problem = plant(step("A-1"), step("A-2", after="A-1"), step("A-3", after="A-2"))
    plan = decode(problem, [Choice("A-3", "M"), Choice("A-2", "M"), Choice("A-1", "M")])
    assert [row.operation for row in plan.assignments] == ["A-1", "A-2", "A-3"]
    assert check(problem, plan) == []


def test_frozen_work_goes_first_in_its_published_order() -> None:
    def frozen(name: str, start: int) -> Operation:
        return step(name, published=Published("M", start), frozen=True)

    rows = placed(plant(step("A-1"), frozen("B-1", 20), frozen("C-1", 10)), "A-1", "B-1", "C-1")
    assert [rows[name].start for name in ("C-1", "B-1", "A-1")] == [0, 10, 20]


def test_kept_work_keeps_its_order_but_lets_others_between() -> None:
    def kept(name: str, start: int) -> Operation:
        return step(name, published=Published("M", start), kept=True)

    rows = placed(plant(step("A-1"), kept("B-1", 20), kept("C-1", 10)), "B-1", "A-1", "C-1")
    assert rows["C-1"].start < rows["B-1"].start
    assert rows["A-1"].start == 0


def test_a_lock_is_kept_to_the_minute_and_others_fill_the_time_before() -> None:
    problem = plant(step("A-1", lock=Lock("M", 20)), step("B-1", 15), step("C-1", 10))
    rows = placed(problem, "B-1", "C-1", "A-1")
    assert (rows["A-1"].start, rows["A-1"].reason.code) == (20, "lock")
    assert (rows["B-1"].start, rows["C-1"].start) == (0, 30)


@pytest.mark.parametrize(
    ("problem", "what", "remedy"),
    [
        (
            plant(step("A-1", lock=Lock("M", 20)), step("B-1", lock=Lock("M", 25))),
            "not free after A-1",
            "minute 30 or later",
        ),
        (plant(step("A-1", lock=Lock("M", 5)), **shifts((10, 50))), "M is closed", "minute 10"),
        (
            plant(step("A-1", 20, lock=Lock("M", 5), resumable=False), **shifts((0, 10), (12, 90))),
            "closes before it ends",
            "minute 12 or later",
        ),
        (
            plant(step("A-1", lock=Lock("M", 5), releases=(Release(9),))),
            "before it is released",
            "minute 9",
        ),
        (
            plant(step("A-1", 30), step("A-2", 10, "N", lock=Lock("N", 5), after="A-1")),
            "before A-1 can be done",
            "minute 30 or later",
        ),
        (
            plant(step("A-1", skill="X", lock=Lock("M", 5)), crews=(people(1, "X", until=8),)),
            "nobody free can do X",
            "minute 1000 or later",
        ),
        (
            plant(
                step("A-1", tools=MOULD, lock=Lock("M", 5)),
                step("B-1", 10, "N", tools=MOULD, lock=Lock("N", 8)),
                tools=(Tool("MOULD"),),
            ),
            "the tool MOULD is not free",
            "minute 15 or later",
        ),
    ],
)
def test_a_lock_that_cannot_be_kept_is_refused_with_a_remedy(
    problem: Problem, what: str, remedy: str
) -> None:
    with pytest.raises(LocksConflict) as refusal:
        decode(problem, [])
    assert what in refusal.value.what
    assert remedy in refusal.value.remedy


def test_the_checker_sees_a_batch_that_cannot_be() -> None:
    rows = (step("A-1", 10), step("B-1", 10))
    plan = decode(plant(*rows, **oven(2)), [])
    small = plant(rows[0], replace(rows[1], places=2), **oven(2))
    assert "too many places taken on M" in " ".join(check(small, plan))
    mixed = plant(rows[0], replace(rows[1], family="65"), **oven(2))
    assert "cannot be in one batch on M" in " ".join(check(mixed, plan))
    later = replace(plan.by_operation["B-1"], start=5, setup_start=5, end=15)
    apart = replace(plan, assignments=(plan.by_operation["A-1"], later))
    assert "overlap on M" in " ".join(check(plant(*rows, **oven(2)), apart))


def with_tool(operation: Operation) -> Operation:
    return replace(operation, tools=(ToolUse("T"),))


def test_the_checker_sees_what_the_decoder_would_never_do() -> None:
    problem = plant(step("A-1"), step("A-2", after="A-1"), step("B-1", family="65"), **FAMILIES)
    plan = decode(problem, [])
    rows = plan.by_operation

    def faults(**rows_changed: Assignment) -> list[str]:
        changed = tuple(rows_changed.get(a.operation[0] + a.operation[2], a) for a in plan.assignments)
        return check(problem, replace(plan, assignments=changed))

    assert "overlap" in " ".join(faults(A2=replace(rows["A-2"], start=5, setup_start=5, end=15)))
    assert "starts before A-1" in " ".join(faults(A2=replace(rows["A-2"], start=5, setup_start=5, end=15)))
    assert "works 9 minutes" in " ".join(faults(A1=replace(rows["A-1"], end=9)))
    assert "cannot do it" in " ".join(faults(A1=replace(rows["A-1"], unit="N")))
    assert "instead of 10" in " ".join(faults(B1=replace(rows["B-1"], setup=0)))
    needy = replace(problem, tools=(Tool("T"),), operations=tuple(map(with_tool, problem.operations)))
    moved = replace(rows["B-1"], unit="N", start=0, setup_start=0, end=10, setup=0)
    able = tuple(
        replace(o, alternatives=(Alternative("M", 10), Alternative("N", 10))) for o in needy.operations
    )
    both = replace(needy, operations=able, work_centers=(WorkCenter("W"),))
    overlap = tuple(moved if a.operation == "B-1" else a for a in plan.assignments)
    assert "too few of T for" in " ".join(check(both, replace(plan, assignments=overlap)))
    bare = replace(problem, materials=(Material("X", 1, (Receipt(20, 1),)),))
    bare = replace(bare, operations=tuple(replace(o, materials=(MaterialUse("X"),)) for o in bare.operations))
    assert check(bare, plan) == ["A-2 starts without X"]
    assert check(problem, replace(plan, assignments=plan.assignments[1:])) == [
        "not every operation is planned exactly once"
    ]


def test_the_checker_names_the_first_minute_in_which_people_are_lacking() -> None:
    """Two run at once over a break; one of the two who turn goes home after it, and testers cannot turn."""
    rows = (step("A-1", 20, "M", skill="TURN"), step("B-1", 20, "N", skill="TURN"))
    crews = (people(1, "TURN"), people(1, "TURN", "TEST", until=18))
    problem = plant(*rows, **shifts((0, 10), (15, 1000)))
    bare = replace(problem, operations=tuple(replace(o, skill=None) for o in rows))
    plan = decode(bare, [Choice("A-1", "M"), Choice("B-1", "N")])
    assert check(replace(problem, crews=crews), plan) == ["too few people for TURN at minute 18"]
    tested = replace(problem, crews=crews, operations=(rows[0], replace(rows[1], skill="TEST")))
    assert check(tested, plan) == [
        f"too few people for {skills} at minute 18" for skills in ("TEST", "TEST or TURN")
    ]
    both = replace(tested, crews=(people(1, "TURN", "TEST"),))
    assert check(both, plan) == ["too few people for TEST or TURN at minute 0"]
