"""Facts of the plant become a problem: minutes, pegged material, stops, frozen work."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from mes.dispatching.model import (
    PlanJobOrder,
    PlanLock,
    PlanMaintenance,
    PlanNeed,
    PlanPace,
    PlanReceipt,
    PlanSetup,
    PlanStock,
    PlanTool,
    PlanToolOut,
    PlanToolUse,
)
from mes.kernel.ids import EquipmentId, JobOrderId, MaintenanceNumber, MaterialId, ToolId
from mes.kernel.settings import Planner
from planner.checker import check
from planner.dispatch import best_dispatch
from planner.explain import Cause, why_late
from planner.form import problem_from_json, problem_to_json
from planner.problem import After, Away, Link, Lock, Operation, Problem, Published, Setup, ToolUse, Window
from planner.reading import Reading, labels_of, problem_of
from planner.schedule import Schedule
from tests.unit.planner.snapshots import NOW, at, job, order, snapshot, unit

POLICY = Planner(frozen_min=5, stop_min=15)
SEAL = MaterialId("SEAL")
JIG = ToolId("JIG-40")


def read(*jobs: PlanJobOrder, **changes: object) -> Problem:
    found = snapshot(*jobs, **changes)
    assert set(labels_of(found).jobs) == {row.id for row in jobs}
    return problem_of(found, POLICY)


def test_times_are_whole_minutes_from_now_and_work_is_rounded_up() -> None:
    problem = read(job("WO-1", 10))
    assert problem.origin == at(0)
    assert problem.calendars[0].windows == (Window(0, 240), Window(250, 480))
    assert [a.minutes for a in problem.operations[0].alternatives] == [2, 2]
    assert problem.orders[0].due == 60
    assert problem.work_centers[0].setups[0].minutes == 2


def test_a_slower_unit_takes_longer_for_the_same_pieces_and_its_own_pace_is_no_slow_work() -> None:
    units = (unit("CNC-1"), unit("CNC-2", time_percent=150))
    new = job("WO-1", 10, run_s=Decimal(600))
    running = job(
        "WO-2", 10, run_s=Decimal(600), status="Running", equipment="CNC-2", started_at=at(-20),
        pace=PlanPace(pieces=Decimal(45), busy_s=Decimal(45 * 900), last_at=at(0)),
    )  # fmt: skip
    problem = read(new, running, equipment=units)
    first, second = (problem.operation_by_id[name] for name in ("WO-1-10", "WO-2-10"))
    assert [(a.unit, a.minutes) for a in first.alternatives] == [("CNC-1", 40), ("CNC-2", 60)]
    assert (second.minutes_on("CNC-2"), second.started and second.started.slow) == (60, 0)


def test_the_work_master_says_the_set_up_where_no_rule_of_the_work_centre_does() -> None:
    jobs = (job("A", 10), job("B", 10, family="65", setup_s=Decimal(150)), job("C", 10, family=None))
    problem = read(*jobs)
    (ruled,) = read(job("A", 10)).work_centers[0].setups
    assert problem.work_centers[0].setups == (ruled, Setup("65", 3))
    assert problem.setup_minutes("CNC-1", "40", "65") == 3


def test_a_family_or_a_skill_that_is_left_blank_is_none() -> None:
    problem = read(
        job("A", 10, family="", skill="", setup_s=Decimal(150)), equipment=(unit("CNC-1", family=""),)
    )
    assert (problem.operations[0].family, problem.operations[0].skill) == (None, None)
    assert problem_from_json(problem_to_json(problem)) == problem


def test_people_who_are_alike_are_one_crew() -> None:
    crew = read(job("WO-1", 10)).crews[0]
    assert (crew.count, crew.skills, crew.windows) == (2, ("MACHINING",), (Window(0, 480),))


def test_a_rush_order_weighs_more() -> None:
    rush = (order("WO-1", 60, priority=1),)
    assert read(job("WO-1", 10), work_orders=rush).orders[0].weight == 8


def test_work_under_way_has_what_remains_and_waits_for_nothing() -> None:
    running = job(
        "WO-1", 10, status="Running", equipment="CNC-2", started_at=at(-7), remaining=Decimal(1),
        components=(PlanNeed(material=SEAL, quantity=Decimal(1)),),
    )  # fmt: skip
    operation = read(running).operations[0]
    assert operation.started is not None
    assert (operation.started.unit, operation.started.since) == ("CNC-2", -7)
    assert operation.minutes_on("CNC-2") == 1
    assert operation.releases == ()


def test_of_two_that_claim_to_run_on_a_unit_the_last_started_does() -> None:
    problem = read(
        job("WO-1", 10, status="Running", equipment="CNC-1", started_at=at(-7)),
        job("WO-2", 10, status="Running", equipment="CNC-1", started_at=at(-2)),
    )
    assert [o.id for o in problem.operations if o.started] == ["WO-2-10"]


def test_running_jobs_hold_their_tool_even_where_there_are_too_few() -> None:
    """The floor is a fact: the plan goes on from it, and lets nobody else have the tool before."""
    held = {"tools": (PlanToolUse(tool=JIG, count=1), PlanToolUse(tool=ToolId("GONE"), count=1))}
    running = {**held, "status": "Running", "started_at": at(-1)}
    problem = read(
        job("WO-1", 10, equipment="CNC-1", **running),
        job("WO-2", 10, equipment="CNC-2", **running),
        job("WO-3", 10, **held),
        tools=(PlanTool(id=JIG, count=1, out=(PlanToolOut(count=1, until=at(30)),)),),
    )
    assert {o.tools for o in problem.operations} == {(ToolUse(JIG, 1),)}
    _, plan = best_dispatch(problem)
    assert check(problem, plan) == []
    assert plan.by_operation["WO-3-10"].setup_start == 30


def test_of_a_tool_that_has_fewer_pieces_than_are_out_all_are_out() -> None:
    outs = tuple(PlanToolOut(count=2, until=at(minutes)) for minutes in (10, 99_999, 0.2))
    (tool,) = read(job("WO-1", 10), tools=(PlanTool(id=JIG, count=3, out=outs),)).tools
    assert tool.away == (Away(0, 24 * 60, 2), Away(0, 10, 1))


def test_what_waits_for_a_tool_is_not_frozen() -> None:
    def frozen(minutes: float) -> list[bool]:
        tool = PlanTool(id=JIG, count=1, out=(PlanToolOut(count=1, until=at(minutes)),))
        use = (PlanToolUse(tool=JIG, count=1),)
        place = job("WO-1", 10, equipment="CNC-1", planned_start=at(2), tools=use)
        return [o.frozen for o in read(place, tools=(tool,)).operations]

    assert (frozen(2), frozen(3)) == ([True], [False])


def upkeep(**changes: object) -> PlanMaintenance:
    row = PlanMaintenance(
        id=MaintenanceNumber("MT-000001"), name="Oil", equipment=EquipmentId("CNC-1"), minutes=30,
        earliest=at(60), latest=at(120), weight=8, started_at=None, planned_start=None,
    )  # fmt: skip
    return replace(row, **changes)  # type: ignore[arg-type]


def planned(row: PlanMaintenance, *jobs: PlanJobOrder, **changes: object) -> tuple[Problem, Operation]:
    """The problem, and the maintenance in it."""
    problem = problem_of(snapshot(*jobs, maintenance=(row,), **changes), POLICY)
    return problem, problem.operation_by_id[row.id]


def test_maintenance_is_an_order_of_its_unit_within_its_time() -> None:
    problem, operation = planned(upkeep(), job("WO-1", 10))
    order = problem.order_by_id["MT-000001"]
    assert (order.kind, order.due, order.weight) == ("maintenance", 120, 8)
    assert [(a.unit, a.minutes) for a in operation.alternatives] == [("CNC-1", 30)]
    assert [(r.at, r.cause) for r in operation.releases] == [(60, "maintenance")]
    _, plan = best_dispatch(problem)
    assert check(problem, plan) == []
    assert 60 <= plan.by_operation[operation.id].start <= 90


def test_maintenance_whose_seconds_do_not_fit_its_minutes_is_planned_all_the_same() -> None:
    _, tight = planned(upkeep(earliest=at(60.4), latest=at(90.4)))
    assert [r.at for r in tight.releases] == [60]
    _, past = planned(upkeep(earliest=at(-500), latest=at(-100)))
    assert past.releases == ()


def test_maintenance_under_way_explains_that_its_machine_stands() -> None:
    stopped = unit("CNC-1", state="Aborted", down_since=at(-5))
    problem, operation = planned(upkeep(started_at=at(-10)), equipment=(stopped, unit("CNC-2")))
    assert operation.started is not None
    assert (operation.started.since, operation.minutes_on("CNC-1"), operation.releases) == (-10, 20, ())
    assert problem.units[0].stops == ()
    _, long = planned(upkeep(started_at=at(-100)))
    assert long.minutes_on("CNC-1") == 1


def test_where_a_job_runs_nobody_maintains() -> None:
    running = job("WO-1", 10, status="Running", equipment="CNC-1", started_at=at(-2))
    problem, operation = planned(upkeep(started_at=at(-10)), running)
    assert [o.id for o in problem.operations if o.started] == ["WO-1-10"]
    assert operation.minutes_on("CNC-1") == 30


def test_maintenance_of_a_unit_out_of_service_is_in_no_plan() -> None:
    read = problem_of(snapshot(job("WO-1", 10), maintenance=(upkeep(equipment=EquipmentId("X")),)), POLICY)
    assert [order.id for order in read.orders] == ["WO-1"]


def test_a_step_that_dries_waits_for_its_end_and_for_what_is_left_of_it() -> None:
    first, dries = job("WO-1", 10), job("WO-1", 20, lag_min=30)
    problem = read(first, replace(dries, predecessors=(first.id,)))
    assert problem.operation_by_id["WO-1-20"].predecessors == (Link("WO-1-10", 30),)
    left = read(replace(dries, not_before=at(12.5))).operations[0]
    assert [(r.at, r.cause) for r in left.releases] == [(13, "lag")]
    assert read(replace(dries, not_before=at(-1))).operations[0].releases == ()


def test_a_step_that_must_not_wait_knows_the_step_before_when_that_is_over() -> None:
    """Out of the oven 20 minutes ago, and to be coated within the hour."""
    coat = job("WO-1", 20, most_min=60, after=JobOrderId("WO-1-10"), ended_at=at(-20))
    (operation,) = read(coat).operations
    assert (operation.predecessors, operation.after) == ((), After("WO-1-10", -20, 60))
    assert read(replace(coat, most_min=None)).operations[0].after is None
    running = replace(coat, status="Running", equipment=EquipmentId("CNC-1"), started_at=at(-1))
    assert read(running).operations[0].after is None


def test_no_transfer_batch_is_believed_smaller_than_it_is() -> None:
    def sublots(transfer: str, left: int) -> int:
        first = job("WO-1", 10, remaining=Decimal(left))
        then = job("WO-1", 20, predecessors=(first.id,), transfer=Decimal(transfer))
        (link,) = read(first, then).operation_by_id[then.id].predecessors
        return link.sublots

    assert [sublots("10", left) for left in (40, 25, 20, 9)] == [4, 2, 2, 1]
    assert sublots("0.001", 9) == 1000


def test_a_step_that_still_dries_is_not_frozen_and_holds_up_nobody() -> None:
    running = job("WO-1", 10, status="Running", equipment="CNC-1", started_at=at(-1), remaining=Decimal(1))
    place = {"predecessors": (running.id,), "equipment": "CNC-2", "planned_start": at(2)}
    frozen = [read(running, job("WO-1", 20, lag_min=lag, **place)).operations[1].frozen for lag in (0, 30)]
    assert frozen == [True, False]


def test_a_step_that_must_follow_in_time_comes_as_soon_as_it_can_after_work_under_way() -> None:
    """Nothing that the floor has done can make a plan impossible."""
    late = {"status": "Running", "started_at": at(-1)}
    washed = job("WO-1", 10, equipment="CNC-1", remaining=Decimal(1), **late)
    busy = job("WO-2", 10, equipment="CNC-2", remaining=Decimal(600), **late)
    place = {"equipment": "CNC-2", "planned_start": at(2)}
    paint = job("WO-1", 20, predecessors=(washed.id,), most_min=2, tools=(), **place)
    next_one = job("WO-2", 20, predecessors=(busy.id,), most_min=0)
    problem = read(washed, busy, paint, next_one)
    tied = problem.operation_by_id["WO-1-20"]
    assert (tied.predecessors, tied.frozen) == ((Link("WO-1-10", most=2),), False)
    _, plan = best_dispatch(problem)
    assert check(problem, plan) == []


def test_material_goes_to_the_earliest_due_and_the_rest_waits_for_the_receipt() -> None:
    def needing(name: str) -> PlanJobOrder:
        return job(name, 10, components=(PlanNeed(material=SEAL, quantity=Decimal(4)),))

    problem = read(
        needing("WO-3"), needing("WO-2"), needing("WO-1"),
        stock=(PlanStock(material=SEAL, quantity=Decimal(5)),),
        receipts=(PlanReceipt(purchase="P-1", material=SEAL, quantity=Decimal(3), expected_at=at(44.5)),),
    )  # fmt: skip
    waits = {o.id: [(r.at, r.detail) for r in o.releases] for o in problem.operations}
    assert waits == {"WO-1-10": [], "WO-2-10": [(45, "SEAL")], "WO-3-10": [(problem.horizon, "SEAL")]}


def test_a_receipt_that_is_overdue_comes_as_late_again_as_it_is() -> None:
    waits = job("A", 10, components=(PlanNeed(material=SEAL, quantity=Decimal(1)),))
    late = PlanReceipt(purchase="P-1", material=SEAL, quantity=Decimal(1), expected_at=at(-45))
    assert read(waits, receipts=(late,)).operations[0].release == 46  # now is half a minute after `at(0)`


def test_a_stop_lasts_the_least_then_as_long_again_unless_somebody_said() -> None:
    def stop(**changes: object) -> tuple[Window, ...]:
        return read(job("WO-1", 10), equipment=(unit("CNC-1", **changes),)).units[0].stops

    assert stop() == ()
    assert stop(down_since=at(-5)) == (Window(0, 10),)
    assert stop(down_since=at(-40)) == (Window(0, 40),)
    assert stop(down_since=at(-5), down_until=at(90)) == (Window(0, 90),)
    assert stop(down_since=at(-40), down_until=at(-10)) == (Window(0, 40),)


def paced(pieces: int, seconds: float, **changes: Any) -> PlanJobOrder:
    """Work under way with 60 pieces of a minute left, of which so many took so many seconds each."""
    pace = PlanPace(pieces=Decimal(pieces), busy_s=Decimal(pieces * seconds), last_at=NOW)
    row = {"status": "Running", "equipment": "CNC-1", "started_at": at(-90), "run_s": Decimal(60)}
    return job("WO-1", 10, remaining=Decimal(60), pace=pace, **{**row, **changes})


def test_a_lock_is_kept_to_the_minute_until_its_minute_is_over_and_is_only_wished_for_by_a_question() -> None:
    def of(minute: int, *, firm: bool = True) -> tuple[list[str], object, int]:
        lock = PlanLock(equipment=EquipmentId("CNC-2"), start=at(minute), firm=firm)
        (operation,) = read(job("WO-1", 10, lock=lock)).operations
        return [a.unit for a in operation.alternatives], operation.lock, operation.release

    assert of(30) == (["CNC-1", "CNC-2"], Lock("CNC-2", 30), 0)
    assert of(-1) == (["CNC-2"], None, 0)
    assert of(30, firm=False) == (["CNC-2"], None, 30)


def test_a_lock_is_stronger_than_the_place_of_a_job_that_starts_soon() -> None:
    lock = PlanLock(equipment=EquipmentId("CNC-2"), start=at(30))
    soon = job("WO-1", 10, equipment="CNC-1", planned_start=at(2), lock=lock)
    problem = read(soon)
    assert not problem.operations[0].frozen
    assert best_dispatch(problem)[1].by_operation["WO-1-10"].start == 30


def test_a_step_that_no_break_may_interrupt_goes_before_it_or_after_it() -> None:
    def start(*, resumable: bool) -> int:
        first = {"status": "Running", "equipment": "CNC-1", "started_at": at(-1), "run_s": Decimal(2700)}
        jobs = (
            job("WO-2", 10, resumable=resumable, **first),
            job("WO-1", 10, resumable=resumable, run_s=Decimal(960)),
        )
        problem = read(*jobs, equipment=(unit("CNC-1"),), setups=())
        assert problem.operation_by_id["WO-2-10"].resumable, "what runs goes on"
        _, plan = best_dispatch(problem)
        assert check(problem, plan) == []
        return plan.by_operation["WO-1-10"].start

    assert [start(resumable=True), start(resumable=False)] == [180, 250]


def test_slow_work_takes_longer_and_fast_work_is_over_sooner() -> None:
    def left(pieces: int, seconds: float) -> tuple[int, int]:
        (operation,) = read(paced(pieces, seconds)).operations
        assert operation.started is not None
        return operation.minutes_on("CNC-1"), operation.started.slow

    assert left(4, 120) == (60, 0), "of so few pieces nothing is known"
    assert left(5, 120) == (90, 30)
    assert left(45, 120) == (114, 54)
    assert left(45, 40) == (42, 0)
    assert left(45, 9) == (33, 0), "reports that come all at once say nothing of the work"
    assert left(45, 9000) == (222, 162)


def test_what_waits_for_slow_work_is_later_and_says_so() -> None:
    def plan(seconds: float) -> tuple[Problem, Schedule]:
        slow = paced(45, seconds, work_center=EquipmentId("MC"))
        after = job("WO-2", 10, run_s=Decimal(600))
        problem = read(slow, after, equipment=(unit("CNC-1"),), setups=())
        return problem, best_dispatch(problem)[1]

    (_, before), (problem, now) = plan(60), plan(120)
    assert now.by_operation["WO-1-10"].end - before.by_operation["WO-1-10"].end == 54
    assert now.by_operation["WO-2-10"].start - before.by_operation["WO-2-10"].start == 54
    why = why_late(problem, now)
    assert why["WO-1"] == (Cause("slow", 54, "CNC-1", "WO-1"),)
    assert why["WO-2"] == (Cause("slow", 34, "CNC-1", "WO-1"),), "its slack ate the rest"
    assert check(problem, now) == []


def published(name: str, operation: int, start: float, **changes: object) -> PlanJobOrder:
    return job(name, operation, planned_start=at(start), equipment="CNC-1", **changes)


def frozen(problem: Problem) -> list[str]:
    return [o.id for o in problem.operations if o.frozen]


def test_what_starts_soon_is_frozen_behind_what_is_held() -> None:
    first = published("WO-1", 10, 0)
    second = published("WO-1", 20, 4, predecessors=(first.id,))
    later = published("WO-2", 10, 9)
    assert frozen(read(first, second, later)) == ["WO-1-10", "WO-1-20"]


def test_what_is_set_up_for_soon_is_frozen_and_published_for_when_its_run_begins() -> None:
    (soon,) = read(published("WO-1", 10, 2, planned_run=at(9))).operations
    assert (soon.frozen, soon.published) == (True, Published("CNC-1", 9))


def test_what_cannot_start_soon_holds_nobody_up() -> None:
    need = (PlanNeed(material=SEAL, quantity=Decimal(1)),)
    assert frozen(read(published("WO-1", 10, 0, components=need))) == []
    down = (unit("CNC-1", down_since=at(-1)), unit("CNC-2"))
    assert frozen(read(published("WO-1", 10, 0), equipment=down)) == []
    running = job("WO-1", 10, status="Running", equipment="CNC-1", started_at=at(-1))
    behind = job("WO-1", 20, planned_start=at(2), equipment="CNC-2", predecessors=(running.id,))
    assert frozen(read(running, behind)) == ["WO-1-20"]
    assert frozen(read(running, behind, equipment=down)) == []


def test_a_published_unit_that_cannot_do_the_job_any_more_is_forgotten() -> None:
    gone = job("WO-1", 10, planned_start=at(9), equipment="CNC-9")
    assert read(gone).operations[0].published is None


def test_an_order_that_contradicts_itself_is_left_out_with_its_reason_and_the_others_are_planned() -> None:
    paint = (PlanSetup(work_center=EquipmentId("MC"), from_family="A", to_family="B", seconds=1800),)
    reading = Reading(
        snapshot(
            job("WO-1", 10, family="A", status="Running", equipment="CNC-1", started_at=at(-1)),
            job("WO-1", 20, work_center=EquipmentId("OVEN"), predecessors=(JobOrderId("WO-1-10"),)),
            job("WO-2", 10, family="A"),
            job("WO-2", 20, family="B", predecessors=(JobOrderId("WO-2-10"),), most_min=5),
            job("WO-3", 10),
            setups=paint,
        ),
        POLICY,
    )
    assert [o.id for o in reading.problem.operations] == ["WO-1-10", "WO-3-10"]
    assert [o.id for o in reading.problem.orders] == ["WO-1", "WO-3"]
    one, two = reading.left_out
    assert (one.order, [(f.code, f.params) for f in one.faults]) == (
        "WO-1", [("no-unit", {"operation": "WO-1-20", "work_center": "OVEN"})],
    )  # fmt: skip
    assert (two.order, {f.code for f in two.faults}) == ("WO-2", {"no-time"})
    assert two.faults[0].params == {
        "operation": "WO-2-20", "before": "WO-2-10", "unit": "CNC-1", "minutes": 30, "room": 5,
        "work_center": "MC",
    }  # fmt: skip


def test_materials_of_an_order_that_is_left_out_stay_its_own() -> None:
    need = (PlanNeed(material=SEAL, quantity=Decimal(10)),)
    stock = (PlanStock(material=SEAL, quantity=Decimal(10)),)
    closed = job("WO-1", 10, work_center=EquipmentId("OVEN"), components=need)
    problem = Reading(snapshot(closed, job("WO-2", 10, components=need), stock=stock), POLICY).problem
    (other,) = problem.operations
    assert other.release == problem.horizon
