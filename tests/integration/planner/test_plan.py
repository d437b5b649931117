"""From facts in PostgreSQL to a plan in force and back: the real solver process, no stand-ins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from mes.definitions import service as definitions
from mes.dispatching import service as dispatching
from mes.dispatching.model import EquipmentNotForJob, JobNotPlannable, PlanReceipt
from mes.execution import service as execution
from mes.execution.model import LotUse, QuantityReport
from mes.inventory import service as inventory
from mes.inventory.model import ExpectedReceiptDraft
from mes.kernel.db import Cause, Tx
from mes.kernel.ids import EquipmentId, JobOrderId, LotNumber, MaterialId, ToolId
from mes.kernel.outbox import append
from mes.kernel.settings import Planner, Settings
from mes.maintenance import service as maintenance
from mes.maintenance.model import MaintenanceDraft
from mes.performance import service as performance
from mes.performance.events import EquipmentStateChanged
from mes.performance.model import StateReading
from mes.resources import service as resources
from mes.resources import tooling
from mes.resources.model import BackInThePast, EquipmentNotDown, Step, StepTool, Tool
from mes.resources.plantfile import parse_plant, plant_text
from planner import answering, asking, desk, holding, locking, rows, service, store
from planner.answering import Answerer
from planner.checker import check
from planner.child import Answers, SolverLost, replan_in_child
from planner.desk import Desk
from planner.dispatch import best_dispatch
from planner.effort import Effort
from planner.form import schedule_to_json
from planner.locking import JobNotLocked, LockInThePast
from planner.objective import score
from planner.pool import SolverPool
from planner.problem import Problem
from planner.reading import problem_of
from planner.replan import as_published
from planner.view import view_plant
from tests.fixtures.floor import NOW, PEOPLE, Floor, work_master

JIG = ToolId("JIG-40")
POLICY = Planner(seconds=0.3, debounce_s=0, stop_min=60)


@pytest.fixture
def floor(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> Floor:
    monkeypatch.setattr(desk, "utc_now", lambda: floor.now)
    monkeypatch.setattr(desk, "REST", 0.0)
    return floor


@pytest.fixture
def planner(floor: Floor, tmp_path: Path) -> Desk:
    settings = Settings(home=tmp_path, database_url=floor.db.url, planner=POLICY)
    return Desk(floor.db, settings)


async def publish(floor: Floor, plan: UUID | str) -> dict[str, Any]:
    """A planner publishes what he has read."""
    plan = UUID(str(plan))
    said = await service.renew(floor.db, plan, floor.now, POLICY)
    return await floor.do(lambda tx: service.publish_proposal(tx, plan, said))


async def told(planner: Desk, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask, and let the planner's process answer."""
    answerer = Answerer(planner.db, planner.settings, planner.name)
    asked = asyncio.create_task(asking.inquire(planner.db, "account:p", kind, body))
    while not await answerer.step():
        await asyncio.sleep(0.01)
    return await asked


async def open_now(floor: Floor) -> dict[str, Any] | None:
    async with floor.db.read() as tx:
        found = await service.open_proposal(tx)
    return None if found is None else json.loads(found)


async def shown(floor: Floor) -> dict[str, Any]:
    async with floor.db.read() as tx:
        found = await service.plan_in_force(tx)
    assert found is not None
    plan: dict[str, Any] = json.loads(found)
    return plan


async def test_a_snapshot_becomes_a_problem_that_can_be_planned(floor: Floor) -> None:
    await floor.order(quantity=4)
    async with floor.db.read() as tx:
        snapshot = await dispatching.planning_snapshot(tx, at=floor.now)
    problem = problem_of(snapshot, POLICY)
    assert len(problem.operations) == 6
    machining = problem.operations[0]
    assert [a.unit for a in machining.alternatives] == ["CNC-1", "CNC-2", "CNC-3", "CNC-4"]
    assert machining.alternatives[0].minutes == 1
    assert {o.skill for o in problem.operations} == {"MACHINING", "ASSEMBLY", "TESTING", "PACKING"}
    assert {u.family for u in problem.units} == {None}
    _, plan = best_dispatch(problem)
    assert check(problem, plan) == []
    assert plan.assignments[-1].end < 30


async def test_missing_material_holds_an_operation_until_its_receipt(floor: Floor) -> None:
    number = await floor.order(quantity=4, material=MaterialId("PUMP-40"))
    async with floor.db.read() as tx:
        snapshot = await dispatching.planning_snapshot(tx, at=floor.now)
    stock = tuple(row for row in snapshot.stock if row.material != "SEAL")
    receipt = PlanReceipt(
        purchase="P-1",
        material=MaterialId("SEAL"),
        quantity=Decimal(10),
        expected_at=floor.now + timedelta(minutes=45),
    )
    problem = problem_of(replace(snapshot, stock=stock, receipts=(receipt,)), POLICY)
    step = problem.operation_by_id[f"{number}-30"]
    assert [(r.at, r.cause, r.detail) for r in step.releases] == [(45, "material", "SEAL")]
    _, plan = best_dispatch(problem)
    assert plan.by_operation[step.id].start == 45


async def test_a_faster_machine_of_the_plant_file_gets_the_work_and_is_shown_as_one(
    floor: Floor, planner: Desk
) -> None:
    text = plant_text(resources.load_plant())
    faster = parse_plant(text.replace('id = "CNC-3"\n', 'id = "CNC-3"\ntime_percent = 50\n'))
    await floor.do(lambda tx: resources.put_plant(tx, faster))
    number = await floor.order(quantity=20)
    async with floor.db.read() as tx:
        problem = problem_of(await dispatching.planning_snapshot(tx, at=floor.now), POLICY)
    minutes = {a.unit: a.minutes for a in problem.operation_by_id[f"{number}-10"].alternatives}
    assert minutes == {"CNC-1": 5, "CNC-2": 5, "CNC-3": 3, "CNC-4": 5}
    await planner.step()
    plan = await shown(floor)
    (row,) = [one for one in plan["operations"] if one["job_order"] == f"{number}-10"]
    assert row["equipment"] == "CNC-3"
    assert datetime.fromisoformat(row["end"]) - datetime.fromisoformat(row["start"]) == timedelta(
        minutes=minutes["CNC-3"]
    )
    assert {one["id"]: one["time_percent"] for one in plan["equipment"]}["CNC-3"] == 50
    async with floor.db.read() as tx:
        written = await resources.read_plant(tx, floor.now)
    assert written is not None
    assert written.equipment == faster.equipment


async def take_out_of_service(floor: Floor, unit: str) -> None:
    """The plant file has the unit no more."""
    plant = resources.load_plant()
    without = tuple(row for row in plant.equipment if row.id != unit)
    await floor.do(lambda tx: resources.put_plant(tx, replace(plant, equipment=without)))


async def test_an_order_that_no_unit_can_make_is_named_and_keeps_no_other_from_being_planned(
    floor: Floor, planner: Desk
) -> None:
    untested = work_master(
        id="WM-PUMP-65",
        material=MaterialId("PUMP-65"),
        operations=work_master().operations[:2],
        components=work_master().components[:1],
    )
    await floor.do(lambda tx: definitions.put_work_master(tx, untested))
    stuck, other = await floor.order(), await floor.order(material=MaterialId("PUMP-65"))
    await planner.step()
    assert {row["work_order"] for row in (await shown(floor))["orders"]} == {stuck, other}
    await take_out_of_service(floor, "TEST-1")
    await planner.step()
    plan = await shown(floor)
    assert {row["work_order"] for row in plan["orders"]} == {other}
    (left,) = plan["left_out"]
    assert (left["work_order"], left["faults"][0]["code"]) == (stuck, "no-unit")
    assert left["faults"][0]["params"] == {"operation": f"{stuck}-50", "work_center": "TB"}
    assert plan["trouble"] is None
    await floor.do(lambda tx: resources.put_plant(tx, resources.load_plant()))
    await planner.step()
    plan = await shown(floor)
    assert ({row["work_order"] for row in plan["orders"]}, plan["left_out"]) == ({stuck, other}, [])


async def test_where_all_orders_contradict_themselves_the_wish_for_a_plan_is_refused_with_the_reason(
    floor: Floor, planner: Desk
) -> None:
    stuck = await floor.order()
    await planner.step()
    await take_out_of_service(floor, "TEST-1")
    await planner.step()
    trouble = (await shown(floor))["trouble"]
    assert [(fault["code"], fault["params"]) for fault in trouble["faults"]] == [
        ("no-unit", {"operation": f"{stuck}-50", "work_center": "TB"})
    ]


async def test_one_tool_keeps_jobs_waiting_for_each_other_and_a_lag_for_the_step_before(
    floor: Floor, planner: Desk
) -> None:
    step = Step(material=MaterialId("PUMP-40"), operation=10, tools=(StepTool(tool=JIG),))
    jig = Tool(id=JIG, name="Jig", count=1)
    dries = Step(material=MaterialId("PUMP-40"), operation=20, lag_min=30, most_min=40)
    tooled = replace(resources.load_plant(), tools=(jig,), steps=(step, dries))
    await floor.do(lambda tx: resources.put_plant(tx, tooled))
    for _ in range(3):
        await floor.order(quantity=6)
    await planner.step()
    turns = sorted((row["setup_start"], row["end"]) for row in await machining(floor))
    assert all(end <= begin for (_, end), (begin, _) in pairwise(turns))
    rows = {row["job_order"]: row for row in (await shown(floor))["operations"]}
    waits = [
        datetime.fromisoformat(rows[f"{row['work_order']}-20"]["start"]) - datetime.fromisoformat(row["end"])
        for row in await machining(floor)
    ]
    assert timedelta(minutes=30) <= min(waits) <= max(waits) <= timedelta(minutes=40)

    back = floor.now + timedelta(minutes=45)
    out = await floor.do(lambda tx: tooling.take_out(tx, JIG, 1, back, "breakdown"))
    await planner.step()
    assert min(row["setup_start"] for row in await machining(floor)) >= back.isoformat()
    await floor.do(lambda tx: tooling.put_back(tx, JIG, out))
    await planner.step()
    assert min(row["setup_start"] for row in await machining(floor)) < back.isoformat()


async def test_maintenance_is_put_where_it_disturbs_least_and_stays_where_the_plan_has_it(
    floor: Floor, planner: Desk
) -> None:
    number = await floor.order(quantity=6)
    draft = MaintenanceDraft(
        equipment=EquipmentId("TEST-1"),
        name="Gauges",
        minutes=40,
        earliest=floor.now,
        latest=floor.now + timedelta(hours=6),
    )
    upkeep = await floor.do(lambda tx: maintenance.plan(tx, draft))
    await planner.step()
    plan = await shown(floor)
    rows = {row["job_order"]: row for row in plan["operations"]}
    told = [rows[upkeep][name] for name in ("equipment", "name", "status", "late_min")]
    assert told == ["TEST-1", "Gauges", "Waiting", 0]
    test = rows[f"{number}-50"]
    assert rows[upkeep]["end"] <= test["setup_start"] or test["end"] <= rows[upkeep]["setup_start"]
    (order,) = [row for row in plan["orders"] if row["work_order"] == upkeep]
    assert (order["customer"], order["material"], order["priority"]) == (None, "Gauges", 0)
    async with floor.db.read() as tx:
        (known,) = await maintenance.open_maintenance(tx)
        promised = await tx.value("select array_agg(distinct work_order) from mes.promise")
    assert promised == [number]
    assert known.planned_start == datetime.fromisoformat(rows[upkeep]["start"])

    await floor.do(lambda tx: maintenance.begin(tx, upkeep))
    await planner.step()
    now = {row["job_order"]: row for row in (await shown(floor))["operations"]}
    assert now[upkeep]["status"] == "Running"
    assert now[upkeep]["start"] == floor.now.isoformat()
    floor.after(20 * 60)
    await floor.do(lambda tx: maintenance.complete(tx, upkeep))
    await planner.step()
    assert upkeep not in {row["job_order"] for row in (await store_plan(floor)).body["operations"]}


async def test_a_plan_in_force_that_goes_on_has_shifted_nothing_for_its_set_ups(
    floor: Floor, planner: Desk
) -> None:
    await floor.order(quantity=6)
    await planner.step()
    before = {row["job_order"]: row for row in (await shown(floor))["operations"]}
    assert any(row["setup_min"] for row in before.values())
    async with floor.db.read() as tx:
        view = await view_plant(tx, floor.now, POLICY)
    for operation in view.problem.operations:
        assert operation.published
        start = view.problem.origin + timedelta(minutes=operation.published.start)
        assert start == datetime.fromisoformat(before[operation.id]["start"])
    assert score(view.problem, as_published(view.problem)).shift == 0


async def test_a_job_that_a_planner_fixes_stays_there_until_he_lets_it_go(
    floor: Floor, planner: Desk
) -> None:
    first = await floor.order(quantity=6)
    await planner.step()
    job, late = JobOrderId(f"{first}-10"), floor.now + timedelta(minutes=95, seconds=20)
    told = await floor.do(lambda tx: locking.lock(tx, job, EquipmentId("CNC-4"), late))
    assert told["start"] == (floor.now + timedelta(minutes=95)).isoformat()
    await planner.step()
    plan = {row["job_order"]: row for row in (await shown(floor))["operations"]}
    at = (plan[job]["equipment"], datetime.fromisoformat(plan[job]["start"]))
    assert at == ("CNC-4", floor.now + timedelta(minutes=95))
    assert (plan[job]["locked"], plan[job]["reason"]["code"]) == (True, "lock")
    assert (plan[job]["lock"]["by"], plan[job]["lock"]["equipment"]) == ("service:test", "CNC-4")
    assert datetime.fromisoformat(plan[f"{first}-20"]["start"]) >= datetime.fromisoformat(plan[job]["end"])

    await floor.order(quantity=2)
    await planner.step()
    plan = {row["job_order"]: row for row in (await shown(floor))["operations"]}
    assert (plan[job]["equipment"], datetime.fromisoformat(plan[job]["start"])) == at
    quote = await told_date(planner)
    assert "faults" not in quote

    await floor.do(lambda tx: locking.unlock(tx, job))
    with pytest.raises(JobNotLocked):
        await floor.do(lambda tx: locking.unlock(tx, job))
    await planner.step()
    plan = {row["job_order"]: row for row in (await shown(floor))["operations"]}
    assert (plan[job]["locked"], plan[job]["lock"]) == (False, None)
    assert datetime.fromisoformat(plan[job]["start"]) < floor.now + timedelta(minutes=95)
    assert await told_of_locks(floor) == [
        ("JobOrderLocked", job, "CNC-4", at[1].isoformat().replace("+00:00", "Z")),
        ("JobOrderUnlocked", job, None, None),
    ]


async def told_of_locks(floor: Floor) -> list[tuple[str | None, ...]]:
    """What the plant was told of jobs that somebody fixed or let go, in order: open pages show it at once."""
    async with floor.db.read() as tx:
        rows = await tx.value(
            """
            select jsonb_agg(jsonb_build_array(
                type, aggregate, payload -> 'equipment', payload -> 'start') order by id)
            from mes.event where type in ('JobOrderLocked', 'JobOrderUnlocked')
            """
        )
    return [tuple(row) for row in rows]


async def told_date(planner: Desk) -> dict[str, Any]:
    return await told(planner, "quote", {"material": "PUMP-40", "quantity": "2", "priority": 5})


async def test_a_lock_that_no_plan_can_keep_is_named_with_the_rule_and_hinders_no_date(
    floor: Floor, planner: Desk
) -> None:
    number = await floor.order(quantity=6)
    await planner.step()
    second, soon = JobOrderId(f"{number}-20"), floor.now + timedelta(minutes=1)
    unit = {row["job_order"]: row["equipment"] for row in (await shown(floor))["operations"]}[second]
    await floor.do(lambda tx: locking.lock(tx, second, EquipmentId(unit), soon))
    await planner.step()
    plan = await shown(floor)
    (missed,) = plan["released"]
    assert (missed["job_order"], missed["equipment"]) == (second, unit)
    assert "route" in missed["rules"]
    rows = {row["job_order"]: row for row in plan["operations"]}
    assert rows[second]["locked"]
    assert rows[second]["start"] >= rows[f"{number}-10"]["end"]
    assert "faults" not in await told_date(planner)

    floor.after(10 * 60)
    await floor.do(lambda tx: service.ask(tx, "manual", {}, move=True))
    await planner.step()
    plan = await shown(floor)
    assert plan["released"] == []
    assert {row["job_order"]: row["equipment"] for row in plan["operations"]}[second] == unit


async def test_nobody_fixes_what_has_begun_or_where_it_cannot_be_done_or_in_the_past(floor: Floor) -> None:
    number = await floor.order(quantity=1)
    await floor.plan(number)
    job, later = JobOrderId(f"{number}-10"), floor.now + timedelta(hours=1)

    async def fix(unit: str, at: datetime) -> None:
        await floor.do(lambda tx: locking.lock(tx, job, EquipmentId(unit), at))

    with pytest.raises(LockInThePast):
        await fix("CNC-1", floor.now - timedelta(minutes=1))
    with pytest.raises(EquipmentNotForJob):
        await fix("TEST-1", later)
    await floor.do(lambda tx: execution.start(tx, job), "E-1001", "CNC-1")
    with pytest.raises(JobNotPlannable):
        await fix("CNC-1", later)


async def machining(floor: Floor) -> list[dict[str, Any]]:
    """The jobs of the first step in the plan in force."""
    return [row for row in (await shown(floor))["operations"] if row["operation"] == 10]


async def test_a_released_order_is_planned_and_promised_by_itself(floor: Floor, planner: Desk) -> None:
    number = await floor.order(quantity=4)
    await planner.step()
    plan = await shown(floor)
    assert plan["version"] == 1
    assert 0 < plan["bound"] <= plan["objective"] <= plan["dispatch_objective"]
    cp = plan["cp"]
    assert plan["solver"] == ("cp-sat" if cp and cp["after"] < cp["before"] else "dispatch")
    assert cp or plan["status"] == "optimal"
    assert [row["work_order"] for row in plan["orders"]] == [number]
    assert {row["status"] for row in plan["operations"]} <= {"Ready", "Dispatched", "Pending"}
    assert all(row["calendar"] for row in plan["equipment"])
    async with floor.db.read() as tx:
        snapshot = await dispatching.planning_snapshot(tx, at=floor.now)
    order = snapshot.work_orders[0]
    assert order.promised_at == order.due_at


async def test_an_order_whose_material_nobody_has_on_order_gets_no_date(floor: Floor, planner: Desk) -> None:
    await floor.order(quantity=4)
    lacking = await floor.order(quantity=150)
    await planner.step()
    plan = await store_plan(floor)
    assert plan.body["undated"] == [lacking]
    async with floor.db.read() as tx:
        snapshot = await dispatching.planning_snapshot(tx, at=floor.now)
    assert {order.id for order in snapshot.work_orders if order.promised_at is None} == {lacking}


async def store_plan(floor: Floor) -> store.Plan:
    async with floor.db.read() as tx:
        plan = await store.plan_of(tx, "in_force")
    assert plan is not None
    return plan


async def test_a_new_order_is_added_without_asking(floor: Floor, planner: Desk) -> None:
    first = await floor.order(quantity=4)
    await planner.step()
    before = {row["job_order"]: row["equipment"] for row in (await shown(floor))["operations"]}
    second = await floor.order(quantity=3)
    await planner.step()
    plan = await shown(floor)
    assert plan["version"] == 2
    assert {row["work_order"] for row in plan["orders"]} == {first, second}
    after = {row["job_order"]: row["equipment"] for row in plan["operations"]}
    assert before.items() <= after.items()
    assert await open_now(floor) is None


async def break_machine(floor: Floor, unit: str) -> None:
    async def act(tx: Any) -> None:
        await resources.set_equipment_state(tx, EquipmentId(unit), "Aborted", floor.now, "breakdown")
        await append(
            tx,
            EquipmentStateChanged(
                site=tx.site,
                equipment=EquipmentId(unit),
                state="Aborted",
                previous="Execute",
                at=floor.now,
                reason="breakdown",
            ),
        )

    await floor.do(act)


async def test_a_plan_does_without_a_machine_until_it_is_expected_back(floor: Floor, planner: Desk) -> None:
    number = await floor.order(quantity=60)
    await planner.step()
    (machining,) = [row for row in (await shown(floor))["operations"] if row["job_order"] == f"{number}-10"]
    unit = str(machining["equipment"])

    async def expect(minutes: int) -> None:
        back = floor.now + timedelta(minutes=minutes)
        await floor.do(lambda tx: resources.expect_back(tx, unit, back))

    with pytest.raises(EquipmentNotDown):
        await expect(90)
    await break_machine(floor, unit)
    with pytest.raises(BackInThePast):
        await expect(0)
    await expect(90)
    await planner.step()
    (row,) = [row for row in (await shown(floor))["equipment"] if row["id"] == unit]
    (stop,) = [span for span in row["calendar"] if span["kind"] == "stop"]
    assert datetime.fromisoformat(stop["to"]) == floor.now + timedelta(minutes=90)
    await floor.do(lambda tx: resources.set_equipment_state(tx, EquipmentId(unit), "Execute", floor.now))
    async with floor.db.read() as tx:
        assert (await resources.equipment_states(tx))[EquipmentId(unit)].back_at is None


async def broken_plant(floor: Floor, planner: Desk) -> str:
    """Two urgent orders are planned, then the machine of the second one breaks."""
    await floor.lot("BOLT", "2000")
    for _ in range(8):
        await floor.order(quantity=6, due_in_h=0.6)
    await planner.step()
    plan = await shown(floor)
    machining = [row for row in plan["operations"] if row["operation"] == 10]
    last = max(machining, key=lambda row: row["start"])
    await break_machine(floor, last["equipment"])
    return str(last["job_order"])


async def test_a_breakdown_makes_a_proposal_that_a_planner_publishes(
    floor: Floor, planner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await broken_plant(floor, planner)
    await planner.step()
    proposal = await open_now(floor)
    assert proposal is not None
    assert job in {row["job_order"] for row in proposal["diff"]["moved"]}
    assert proposal["diff"]["trigger"][-1]["reason"] == "machine"
    assert proposal["objective"] < proposal["current_objective"]
    assert proposal["diff"]["saved"]
    late = [row for row in (await shown(floor))["orders"] if row["late_min"]]
    assert late
    for row in late:
        assert sum(cause["minutes"] for cause in row["why"]) == row["late_min"]
    monkeypatch.setattr(answering, "utc_now", lambda: floor.now)
    said = await told(planner, "fixes", {"work_order": late[-1]["work_order"]})
    assert said["fixes"]
    assert all(fix["saves"] > 0 for fix in said["fixes"])

    published = await publish(floor, proposal["id"])
    plan = await shown(floor)
    assert plan["id"] == proposal["id"]
    assert plan["version"] == published["version"]
    with pytest.raises(service.ProposalGone):
        await floor.do(lambda tx: service.discard_proposal(tx, proposal["id"]))


async def test_a_proposal_that_was_read_for_ten_minutes_is_published_with_the_times_of_now(
    floor: Floor, planner: Desk
) -> None:
    floor.after(30 * 60)  # no break is near
    for _ in range(4):
        await floor.order(quantity=6, due_in_h=8)
    await planner.step()
    async with floor.db.read() as tx:
        view = await view_plant(tx, floor.now, POLICY)
        plan = await store.plan_of(tx, "in_force")
    assert plan is not None
    _, other = best_dispatch(view.problem)
    report = {**plan.body, "schedule": schedule_to_json(other), "why_late": {}, "objective": 1, "bound": 0}
    report |= {"solver": "dispatch", "status": "optimal", "dispatch_objective": 1}
    row = rows.plan_row(view, report, [{"reason": "manual"}], floor.now)
    await floor.do(lambda tx: service.propose(tx, row))
    read = {job["job_order"]: job for job in row.body["jobs"]}
    assert min(job["start"] for job in read.values()) == floor.now.isoformat()
    floor.after(10 * 60)
    async with floor.db.read() as tx:
        now_open = (await view_plant(tx, floor.now, POLICY)).problem.operations
    prepared = {o.id: o.published.unit for o in now_open if o.frozen and o.published}
    await publish(floor, row.id)

    now = await shown(floor)
    assert now["id"] == str(row.id)
    assert (now["status"], now["bound"]) == ("feasible", 0)
    assert now["objective"] == now["score"]["total"] > 1
    assert {job["job_order"]: job["equipment"] for job in now["operations"]} == {
        name: prepared.get(name, job["equipment"]) for name, job in read.items()
    }
    assert min(job["setup_start"] for job in now["operations"]) == floor.now.isoformat()
    assert now["origin"] == floor.now.isoformat()
    async with floor.db.read() as tx:
        snapshot = await dispatching.planning_snapshot(tx, at=floor.now)
    planned = [job.planned_start for job in snapshot.job_orders]
    assert all(start is not None and start >= floor.now for start in planned)
    orders = {order["work_order"]: datetime.fromisoformat(order["end"]) for order in now["orders"]}
    assert all(end > floor.now for end in orders.values())


async def test_a_proposal_that_the_floor_has_overtaken_is_refused(floor: Floor, planner: Desk) -> None:
    await broken_plant(floor, planner)
    await planner.step()
    proposal = await open_now(floor)
    assert proposal is not None
    floor.after(20 * 60)
    with pytest.raises(service.ProposalOutdated) as refused:
        await publish(floor, proposal["id"])
    assert refused.value.params["jobs"]
    assert all("late" in fault for fault in refused.value.state["faults"])  # type: ignore[index]
    assert await open_now(floor) is not None


async def test_a_proposal_for_a_machine_that_broke_meanwhile_is_refused(floor: Floor, planner: Desk) -> None:
    await broken_plant(floor, planner)
    await planner.step()
    proposal = await open_now(floor)
    assert proposal is not None
    machining = [row for row in proposal["operations"] if row["operation"] == 10]
    await break_machine(floor, min(machining, key=lambda row: row["start"])["equipment"])
    with pytest.raises(service.ProposalOutdated):
        await publish(floor, proposal["id"])


async def test_a_discarded_proposal_leaves_the_plan_in_force(floor: Floor, planner: Desk) -> None:
    await broken_plant(floor, planner)
    await planner.step()
    before = await shown(floor)
    proposal = await open_now(floor)
    assert proposal is not None
    await floor.do(lambda tx: service.discard_proposal(tx, proposal["id"]))
    assert (await shown(floor))["version"] == before["version"]
    assert await open_now(floor) is None


async def test_a_worker_that_dies_in_the_middle_of_a_solve_is_followed_by_one_that_solves(
    floor: Floor, planner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await floor.order(quantity=4)
    solving = asyncio.Event()

    async def hang(*_args: object, **_named: object) -> None:
        solving.set()
        await asyncio.sleep(60)

    with monkeypatch.context() as patch:
        patch.setattr(desk, "replan_in_child", hang)
        dying = asyncio.create_task(planner.step())
        async with asyncio.timeout(60):
            await solving.wait()
        dying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dying
    async with floor.db.read() as tx:
        assert await service.plan_in_force(tx) is None
        assert await store.waiting(tx) > 0
    await Desk(planner.db, planner.settings).step()
    assert (await shown(floor))["version"] == 1


async def test_a_repaired_plan_is_in_force_before_a_better_one_is_searched(
    floor: Floor, planner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await broken_plant(floor, planner)
    before = await shown(floor)

    async def dies_in_the_search(pool: SolverPool, problem: Problem, effort: Effort, **named: Any) -> Answers:
        async def note(row: dict[str, Any]) -> None:
            await named["on_row"](row)
            raise SolverLost

        return await replan_in_child(pool, problem, effort, move=named["move"], on_row=note)

    with monkeypatch.context() as patch:
        patch.setattr(desk, "replan_in_child", dies_in_the_search)
        patch.setattr(desk, "RETRY_S", 0.0)
        await planner.step()
    repaired = await shown(floor)
    assert repaired["version"] == before["version"] + 1
    assert repaired["late_orders"] > 0
    assert not any(order["why"] for order in repaired["orders"])
    async with floor.db.read() as tx:
        assert await store.waiting(tx) > 0
    await planner.step()
    explained = await shown(floor)
    assert all(order["why"] for order in explained["orders"] if order["late_min"])
    assert await open_now(floor) is not None


async def test_a_proposal_tells_what_it_moves_in_the_plan_that_is_in_force(
    floor: Floor, planner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where people decide on everything, the plan that moves nobody comes not in force either."""
    job = await broken_plant(floor, planner)
    first = POLICY.model_copy(update={"auto_publish": "first"})
    planner.settings = planner.settings.model_copy(update={"planner": first})

    async def alike(pool: SolverPool, problem: Problem, effort: Effort, **named: Any) -> Answers:
        """The plan of the first answer is the better one already, so that this changes nothing of it."""
        found = await replan_in_child(pool, problem, effort, **named)
        assert found.better is not None
        nothing = dict.fromkeys(("moved", "late", "saved", "added"), ())
        return replace(found, kept=found.better, changes=nothing)

    monkeypatch.setattr(desk, "replan_in_child", alike)
    version = (await shown(floor))["version"]
    for _ in range(2):
        await planner.step()
        assert (await shown(floor))["version"] == version
        proposal = await open_now(floor)
        assert proposal is not None
        (moved,) = [row for row in proposal["diff"]["moved"] if row["job_order"] == job]
        (read,) = [row for row in (await shown(floor))["operations"] if row["job_order"] == job]
        assert moved["from"] == {"equipment": read["equipment"], "start": read["setup_start"]}
        assert proposal["diff"]["saved"]
        await floor.do(lambda tx: service.ask(tx, "manual", {}, move=True))


async def test_another_worker_waits_while_the_first_lives(floor: Floor, planner: Desk) -> None:
    await floor.order(quantity=4)
    await planner._gather()
    claimed = await floor.do(lambda tx: store.claim(tx, "elsewhere"))
    assert "order" in {request.reason for request in claimed}
    await planner.step()
    async with floor.db.read() as tx:
        assert await service.plan_in_force(tx) is None


async def test_a_plan_made_on_an_outdated_one_is_thrown_away(floor: Floor, planner: Desk) -> None:
    await floor.order(quantity=4)
    await planner.step()
    with pytest.raises(service.PlanMovedOn):
        await floor.do(lambda tx: service.hold_plans(tx, None))


async def test_a_promise_is_quoted_without_touching_the_plan(
    floor: Floor, planner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "utc_now", lambda: floor.now)
    await floor.order(quantity=4)
    await planner.step()

    async def quote(quantity: int) -> dict[str, Any]:
        return await told(planner, "quote", {"material": "PUMP-40", "quantity": str(quantity), "priority": 9})

    small, big = await quote(3), await quote(20)
    assert NOW.isoformat() < small["date"] < (NOW + timedelta(hours=1)).isoformat()
    assert big["date"] > small["date"]
    much = await quote(500)
    assert "date" not in much
    with pytest.raises(holding.MaterialNotForeseen):
        holding.check_answer(much)
    assert (await quote(3)) == small
    assert (await shown(floor))["version"] == 1


async def test_who_asks_a_planner_that_is_not_there_is_told_to_ask_again(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "WAIT_S", 0.1)
    with pytest.raises(asking.PlannerSilent) as told:
        await asking.inquire(floor.db, "account:p", "quote", {"material": "PUMP-40", "quantity": "1"})
    assert told.value.retryable
    async with floor.db.read() as tx:
        assert await tx.value("select count(*) from planner.question") == 0


async def test_a_planner_that_died_over_a_question_is_not_asked_it_again(floor: Floor, planner: Desk) -> None:
    question = await floor.do(lambda tx: store.add_question(tx, "quote", {}))
    claimed = await floor.do(lambda tx: store.claim_question(tx, planner.name))
    assert claimed is not None
    assert claimed.id == question
    assert await floor.do(lambda tx: store.claim_question(tx, "other")) is None
    assert await Answerer(planner.db, planner.settings, planner.name).step() == 1
    async with floor.db.read() as tx:
        assert await store.answer_to(tx, question) == asking.LOST


async def test_a_question_that_nobody_understands_ends_no_planner(planner: Desk) -> None:
    with pytest.raises(asking.PlantNotPlannable):
        await told(planner, "weather", {})


async def test_a_proposal_stays_open_while_times_are_corrected(floor: Floor, planner: Desk) -> None:
    await broken_plant(floor, planner)
    await planner.step()
    seen = await open_now(floor)
    assert seen is not None
    floor.after(60)
    await floor.order(quantity=1)
    await planner.step()
    now = await open_now(floor)
    assert now is not None
    assert now["id"] == seen["id"]
    assert (await shown(floor))["version"] > 1
    assert len(now["orders"]) == len(seen["orders"]) + 1
    assert min(row["setup_start"] for row in now["operations"]) >= floor.now.isoformat()
    assert now["objective"] < now["current_objective"]
    await publish(floor, seen["id"])
    assert (await shown(floor))["id"] == seen["id"]


async def test_the_proposal_that_was_read_is_published_though_a_newer_one_is_there(
    floor: Floor, planner: Desk
) -> None:
    await broken_plant(floor, planner)
    await planner.step()
    seen = await open_now(floor)
    assert seen is not None

    async def newer(tx: Tx) -> UUID:
        plan = await store.plan_of(tx, "proposed")
        assert plan is not None
        other = replace(plan, id=uuid4())
        await service.propose(tx, other)
        return other.id

    other = await floor.do(newer)
    await publish(floor, seen["id"])
    assert (await shown(floor))["id"] == seen["id"]
    assert await open_now(floor) is None
    with pytest.raises(service.ProposalOverruled) as overruled:
        await publish(floor, other)
    assert overruled.value.params["by"] == "service:test"


async def test_what_waits_at_a_machine_that_goes_out_of_service_is_planned_on_another(
    floor: Floor, planner: Desk
) -> None:
    number = await floor.order(quantity=4)
    await planner.step()

    async def machine() -> str:
        operations = (await shown(floor))["operations"]
        return next(str(row["equipment"]) for row in operations if row["job_order"] == f"{number}-10")

    gone, file = await machine(), resources.load_plant()
    fewer = replace(file, equipment=tuple(one for one in file.equipment if one.id != gone))
    await floor.after(60).do(lambda tx: execution.change_plant(tx, fewer))
    await planner.step()
    assert await machine() not in {gone, "None"}


def last_end(plan: dict[str, Any]) -> str:
    return max(str(row["end"]) for row in plan["operations"])


async def scrapped(floor: Floor, planner: Desk, job: str) -> None:
    """Half of the pieces are lost at the machine."""
    unit = next(row["equipment"] for row in (await shown(floor))["operations"] if row["job_order"] == job)
    at = JobOrderId(job)
    await floor.do(lambda tx: execution.start(tx, at, unit), "E-1001", unit)
    use = LotUse(job_order=at, lot=LotNumber("LOT-CAST-40-1"), quantity=Decimal(30))
    await floor.do(lambda tx: execution.consume(tx, use), "E-1001", unit)
    lost = QuantityReport(job_order=at, scrap=Decimal(30), reason="dimension")
    await floor.do(lambda tx: execution.report(tx, lost), "E-1001", unit)


async def test_a_purchase_asks_for_a_plan_where_an_order_waits_for_it(floor: Floor, planner: Desk) -> None:
    await floor.order(quantity=60)

    async def asked(material: str) -> set[str]:
        await planner._gather()
        async with floor.db.transaction(Cause(actor="service:test", at=floor.now)) as tx:
            await store.finish(
                tx, planner.name, [r.id for r in await store.claim(tx, planner.name)], "unchanged"
            )
        receipt = ExpectedReceiptDraft(
            purchase=f"P-{material}",
            material=MaterialId(material),
            quantity=Decimal(500),
            uom="pc",
            expected_at=floor.now + timedelta(hours=1),
        )
        await floor.do(partial(inventory.put_expected_receipt, draft=receipt))
        await planner._gather()
        async with floor.db.transaction(Cause(actor="service:test", at=floor.now)) as tx:
            return {request.reason for request in await store.claim(tx, planner.name)}

    assert await asked("SEAL") == set(), "60 of 200 are needed"
    assert await asked("BOLT") == {"expected"}, "480 of 200 are needed"


async def delayed(floor: Floor, planner: Desk, job: str) -> None:
    """The only seals are on order, and come an hour later than they were said to."""
    await floor.do(lambda tx: execution.hold_lot(tx, "LOT-SEAL-1", "quality-question"))
    for minutes in (60, 120):
        await planner.step()
        receipt = ExpectedReceiptDraft(
            purchase="P-1",
            material=MaterialId("SEAL"),
            quantity=Decimal(100),
            uom="pc",
            expected_at=floor.now + timedelta(minutes=minutes),
        )
        await floor.do(partial(inventory.put_expected_receipt, draft=receipt))


async def absent(floor: Floor, planner: Desk, job: str) -> None:
    """Everybody of the crew falls ill."""
    async with floor.db.read() as tx:
        there = await resources.availability(tx, floor.now, floor.now + timedelta(minutes=1))
    for one in there:
        if one.person not in PEOPLE.values():
            await floor.do(partial(resources.clock_in, person=one.person))
    floor.after(60)
    for one in there:
        await floor.do(partial(execution.leave, person=one.person, reason="sick"))


async def slow(floor: Floor, planner: Desk, job: str) -> None:
    """Half an hour later nothing of the plan has been begun."""
    floor.after(30 * 60)
    planner._next_drift = 0.0


async def slower(floor: Floor, planner: Desk, job: str) -> None:
    """Each piece takes a minute, where the standard is a quarter of one, and five minutes are a stop."""
    floor.after(10 * 60)  # the break
    unit = next(row["equipment"] for row in (await shown(floor))["operations"] if row["job_order"] == job)
    at = JobOrderId(job)
    await floor.do(lambda tx: execution.start(tx, at, unit), "E-1001", unit)
    use = LotUse(job_order=at, lot=LotNumber("LOT-CAST-40-1"), quantity=Decimal(11))
    await floor.do(lambda tx: execution.consume(tx, use), "E-1001", unit)
    for pieces, minutes in ((1, 1), (5, 5), (5, 10)):
        made = QuantityReport(job_order=at, good=Decimal(pieces))
        await floor.after(60 * minutes).do(partial(execution.report, counted=made), "E-1001", unit)
    for minutes, state in ((-9, "Suspended"), (-4, "Execute")):
        told = StateReading(
            equipment=EquipmentId(unit), state=state, at=floor.now + timedelta(minutes=minutes)
        )
        await floor.do(partial(performance.record_state, reading=told))
    planner._next_drift = 0.0


@pytest.mark.parametrize(
    ("happens", "reason"),
    [(scrapped, "scrap"), (delayed, "material"), (absent, "people"), (slow, "drift"), (slower, "slow")],
)
async def test_what_happens_on_the_floor_is_in_the_plan_at_once(
    floor: Floor, planner: Desk, happens: Callable[[Floor, Desk, str], Awaitable[None]], reason: str
) -> None:
    number = await floor.order(quantity=60)
    await planner.step()
    before = await shown(floor)
    await happens(floor, planner, f"{number}-10")
    await planner.step()
    plan, proposal = await shown(floor), await open_now(floor)
    assert plan["version"] > before["version"]
    assert reason in {one["reason"] for one in (*plan["trigger"], *(proposal or plan)["trigger"])}
    assert last_end(plan) != last_end(before)
    assert 0 < plan["bound"] <= plan["objective"], (
        "what was published at once has its proof when the search is over"
    )
    if happens is delayed:
        assert min(row["start"] for row in plan["operations"] if row["operation"] == 30) >= str(floor.now)
    if happens is slower:
        end = next(row["end"] for row in plan["operations"] if row["job_order"] == f"{number}-10")
        assert datetime.fromisoformat(end) == floor.now + timedelta(minutes=37), "49 pieces of 45 s"
        assert last_end(plan) > last_end(before)
        planner._next_drift = 0.0
        await planner.step()
        assert (await shown(floor))["version"] == plan["version"], "the same slowness is no news"
    machining = {row["equipment"] for one in (before, plan) for row in one["operations"][:1]}
    assert len(machining) == 1, "what starts now stays where it is prepared"


async def test_simulated_history_asks_for_no_plan(floor: Floor, planner: Desk) -> None:
    async def act(tx: Any) -> None:
        await append(
            tx,
            EquipmentStateChanged(
                site=tx.site,
                equipment=EquipmentId("CNC-1"),
                state="Aborted",
                previous="Execute",
                at=floor.now,
                reason=None,
            ),
        )

    while await planner._gather():
        pass
    async with floor.db.read() as tx:
        before = await store.waiting(tx)
    await floor.do(act, simulated=True)
    await planner._gather()
    async with floor.db.read() as tx:
        assert await store.waiting(tx) == before
