"""Plans: what they move, what they leave, and what the planner sees of the plant."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from mes.definitions import service as definitions
from mes.dispatching import service as dispatching
from mes.dispatching.model import (
    EquipmentNotForJob,
    PlannedJob,
    PlanningSnapshot,
    PlanPublishedAlready,
    PublishedPlan,
)
from mes.execution import service as execution
from mes.execution.model import LotUse, QuantityReport
from mes.inventory import service as inventory
from mes.inventory.model import ExpectedReceiptDraft
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId, LotNumber, MaterialId, PersonId
from mes.performance import service as performance
from mes.performance.model import StateReading
from mes.resources import service as resources
from mes.workorders import service as workorders
from mes.workorders.model import JobOrder, JobOrderStatus, WorkOrderDraft
from tests.fixtures.floor import NOW, PEOPLE, UNITS, Floor, work_master


def plan_of(floor: Floor, *jobs: tuple[str, str, float]) -> PublishedPlan:
    """Return a plan of (job, unit, start in minutes from now)."""
    return PublishedPlan(
        plan=uuid4(),
        solver="cp-sat",
        status="optimal",
        objective=12.0,
        bound=12.0,
        late_orders=1,
        by="service:planner",
        operations=tuple(
            PlannedJob(
                job_order=JobOrderId(job),
                equipment=EquipmentId(unit),
                planned_start=floor.now + timedelta(minutes=minutes),
                planned_end=floor.now + timedelta(minutes=minutes + 5),
                sequence=place,
            )
            for place, (job, unit, minutes) in enumerate(jobs, 1)
        ),
    )


async def job(floor: Floor, number: str) -> JobOrder:
    async with floor.db.read() as tx:
        return await workorders.get_job(tx, number)


async def told(floor: Floor, kind: str) -> list[str]:
    async with floor.db.read() as tx:
        found = await tx.value(
            "select array_agg(aggregate order by id) from mes.event where type = %(type)s", {"type": kind}
        )
    return list(found or ())


async def test_a_plan_sends_near_jobs_to_terminals_and_far_ones_later(floor: Floor) -> None:
    number = await floor.order(2)
    plan = plan_of(floor, (f"{number}-10", "CNC-2", 5), (f"{number}-20", "ASM-1", 9 * 60))
    head = await floor.do(lambda tx: dispatching.apply_plan(tx, plan))
    assert (head.version, head.late_orders) == (1, 1)
    first, second = await job(floor, f"{number}-10"), await job(floor, f"{number}-20")
    assert (first.status, first.equipment) == (JobOrderStatus.READY, "CNC-2")
    assert second.status is JobOrderStatus.PENDING
    assert await told(floor, "JobOrderDispatched") == [first.id]
    assert await floor.do(dispatching.dispatch_due) == 0
    assert await floor.after(2 * 3600).do(dispatching.dispatch_due) == 1
    assert (await job(floor, second.id)).status is JobOrderStatus.DISPATCHED


async def test_a_second_plan_tells_only_what_moved(floor: Floor) -> None:
    number = await floor.order(2)
    jobs = [(f"{number}-{operation}", unit, 10.0) for operation, unit in UNITS.items()]
    await floor.do(lambda tx: dispatching.apply_plan(tx, plan_of(floor, *jobs)))
    before = len(await told(floor, "JobOrderDispatched"))
    jobs[0] = (f"{number}-10", "CNC-4", 20.0)
    head = await floor.do(lambda tx: dispatching.apply_plan(tx, plan_of(floor, *jobs)))
    assert head.version == 2
    assert (await told(floor, "JobOrderDispatched"))[before:] == [f"{number}-10"]


async def test_a_plan_leaves_what_has_begun_or_is_unknown(floor: Floor) -> None:
    number = await floor.order(2)
    await floor.plan(number)
    await floor.do(lambda tx: execution.start(tx, f"{number}-10"), "E-1001", "CNC-1")
    plan = plan_of(floor, (f"{number}-10", "CNC-3", 60), ("WO-999999-10", "CNC-3", 70))
    await floor.do(lambda tx: dispatching.apply_plan(tx, plan))
    assert (await job(floor, f"{number}-10")).equipment == "CNC-1"


async def test_a_plan_that_cannot_be(floor: Floor) -> None:
    number = await floor.order(2)
    wrong = plan_of(floor, (f"{number}-10", "PACK-1", 5))
    with pytest.raises(EquipmentNotForJob):
        await floor.do(lambda tx: dispatching.apply_plan(tx, wrong))
    right = plan_of(floor, (f"{number}-10", "CNC-1", 5))
    await floor.do(lambda tx: dispatching.apply_plan(tx, right))
    with pytest.raises(PlanPublishedAlready):
        await floor.do(lambda tx: dispatching.apply_plan(tx, right))


async def test_a_promise_is_told_when_it_changes(floor: Floor) -> None:
    number = await floor.order(2)
    async with floor.db.read() as tx:
        customer_order = (await workorders.get_work_order(tx, number)).customer_order
    assert customer_order is not None
    outcomes = []
    for minutes in (60, 60.5, 90):
        at = floor.now + timedelta(minutes=minutes)
        outcomes.append(
            await floor.do(
                lambda tx, at=at: dispatching.give_promise(  # type: ignore[misc]
                    tx, customer_order, number, at, "capacity"
                )
            )
        )
    assert outcomes == [True, False, True]
    async with floor.db.read() as tx:
        given = await dispatching.promises(tx, customer_order)
        sold = await workorders.get_customer_order(tx, customer_order)
    assert given[1].previous == given[0].promised_at
    assert sold.promised_at == given[1].promised_at


async def somebody_waits(floor: Floor) -> None:
    while True:
        async with floor.db.read() as tx:
            if await tx.value("select exists (select from pg_locks where not granted)"):
                return
        await asyncio.sleep(0.02)


async def test_a_plan_is_published_while_somebody_reports(floor: Floor) -> None:
    number = await floor.order(3)
    await floor.plan(number)
    await floor.do(lambda tx: execution.start(tx, f"{number}-10", "CNC-1"), PEOPLE[10], "CNC-1")
    async with floor.db.read() as tx:
        customer_order = (await workorders.get_work_order(tx, number)).customer_order
    assert customer_order is not None
    placed = asyncio.Event()

    async def publish(tx: Tx) -> None:
        jobs = [(f"{number}-{operation}", unit, 1.0) for operation, unit in UNITS.items()]
        await dispatching.apply_plan(tx, plan_of(floor, *jobs))
        placed.set()
        await somebody_waits(floor)
        at = floor.now + timedelta(hours=9)
        await dispatching.give_promise(tx, customer_order, number, at, "capacity")

    async def report(tx: Tx) -> None:
        counted = QuantityReport(job_order=JobOrderId(f"{number}-10"), good=Decimal(1))
        await execution.report(tx, counted)

    async def reported() -> None:
        await placed.wait()
        await floor.do(report, PEOPLE[10], "CNC-1")

    await asyncio.gather(floor.do(publish), reported())
    assert (await job(floor, f"{number}-10")).good == 1


async def snapshot(floor: Floor) -> PlanningSnapshot:
    async with floor.db.read() as tx:
        return await dispatching.planning_snapshot(tx, at=floor.now)


async def test_the_calendars_reach_beyond_the_open_work(floor: Floor) -> None:
    """Else the last of it would be planned, and promised, for nights and Sundays."""
    await floor.order(4)
    near = await snapshot(floor)
    assert timedelta(days=7) <= near.until - near.at < timedelta(days=8)
    slow = tuple(replace(step, run_s=step.run_s * 240) for step in work_master().operations)
    await floor.after(60).do(lambda tx: definitions.put_work_master(tx, work_master(operations=slow)))
    await floor.order(100)
    far = await snapshot(floor)
    (shop,) = [unit for unit in far.equipment if unit.id == "TEST-1"]
    work = sum((job.remaining * job.run_s for job in far.job_orders if job.work_center == "TB"), Decimal(0))
    shifts = sum((one.end - one.start for one in shop.calendar), timedelta())
    assert far.until - far.at > timedelta(days=9)
    assert shifts.total_seconds() > work
    assert max(one.end for one in far.people[0].present) > far.at + timedelta(days=7)


async def test_the_planner_sees_the_plant(floor: Floor) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    await floor.do(lambda tx: execution.start(tx, f"{number}-10"), "E-1001", "CNC-2")
    use = LotUse(job_order=JobOrderId(f"{number}-10"), lot=LotNumber("LOT-CAST-40-1"), quantity=Decimal(1))
    await floor.do(lambda tx: execution.consume(tx, use), "E-1001", "CNC-2")
    done = QuantityReport(
        job_order=JobOrderId(f"{number}-10"), good=Decimal(1), scrap=Decimal(1), reason="dimension"
    )
    await floor.do(lambda tx: execution.report(tx, done), "E-1001", "CNC-2")
    await floor.do(
        lambda tx: resources.set_equipment_state(tx, EquipmentId("CNC-3"), "Aborted", floor.now, "spindle")
    )
    seen = await snapshot(floor)
    jobs = {one.operation: one for one in seen.job_orders}
    units = {one.id: one for one in seen.equipment}
    assert (jobs[10].remaining, jobs[10].started_at, jobs[10].equipment) == (2, floor.now, "CNC-2")
    assert [(need.material, need.quantity) for need in jobs[10].components] == [("CAST-40", 3)]
    assert (jobs[20].remaining, jobs[20].predecessors) == (3, (jobs[10].id,))
    assert (units[EquipmentId("CNC-2")].running, units[EquipmentId("CNC-2")].family) == (jobs[10].id, "40")
    assert (units[EquipmentId("CNC-3")].down_since, units[EquipmentId("CNC-3")].down_reason) == (
        floor.now,
        "spindle",
    )
    assert units[EquipmentId("CNC-1")].down_since is None
    assert seen.site_tz == "Asia/Shanghai"
    assert {need.material: need.quantity for need in seen.stock}[MaterialId("CAST-40")] == 199
    assert [one.id for one in seen.work_orders] == [number]


async def test_a_person_who_went_home_is_out_until_the_next_shift(floor: Floor) -> None:
    floor.after(3600)
    before = {one.id: one.present[0].start for one in (await snapshot(floor)).people}
    await floor.do(lambda tx: execution.leave(tx, PersonId("E-1001"), "sick"))
    after = {one.id: one.present[0].start for one in (await snapshot(floor)).people}
    assert before[PersonId("E-1001")] == floor.now
    assert after[PersonId("E-1001")] == floor.now + timedelta(hours=19)
    assert after[PersonId("E-1002")] == before[PersonId("E-1002")]


async def test_purchases_on_their_way_and_their_delays_are_seen(floor: Floor) -> None:
    for hours in (2, 2, 5):
        draft = ExpectedReceiptDraft(
            purchase="PO-1",
            material=MaterialId("CAST-40"),
            quantity=Decimal(80),
            uom="pc",
            expected_at=floor.now + timedelta(hours=hours),
        )
        await floor.do(lambda tx, d=draft: inventory.put_expected_receipt(tx, d))  # type: ignore[misc]
    assert await told(floor, "ReceiptDelayed") == ["PO-1"]
    (receipt,) = (await snapshot(floor)).receipts
    assert (receipt.quantity, receipt.expected_at) == (80, floor.now + timedelta(hours=5))


async def test_finished_jobs_show_what_they_took_without_breaks(floor: Floor) -> None:
    number = await floor.order(quantity=4)
    await floor.plan(number)
    cut = await floor.make(number, 10, good=4, scrap=1, seconds=720)  # ten minutes are a break
    mounted = await floor.make(number, 20, good=4, seconds=80)
    early = JobOrderId(f"{number}-30")
    await floor.do(lambda tx: execution.start(tx, early), PEOPLE[30], UNITS[30])
    async with floor.db.read() as tx:
        found = {
            one.job_order: one
            for one in (await dispatching.planning_snapshot(tx, floor.now, far=True)).finished
        }
    assert (found[cut].busy_s, found[cut].planned_s) == (120, 5 * 15)
    assert (found[cut].good, found[cut].scrap, found[cut].work_center) == (4, 1, "MC")
    assert (found[mounted].busy_s, found[mounted].planned_s) == (80, 4 * 10)
    assert found.keys() == {cut, mounted}
    assert (await snapshot(floor)).finished == ()
    demo = resources.load_plant()
    old = [replace(one, time_percent=200) if one.id == UNITS[10] else one for one in demo.equipment]
    await floor.do(lambda tx: resources.put_plant(tx, replace(demo, equipment=tuple(old))))
    async with floor.db.read() as tx:
        again = await dispatching.planning_snapshot(tx, floor.now, far=True)
    assert {one.job_order: one.planned_s for one in again.finished} == {cut: 5 * 30, mounted: 4 * 10}


async def test_a_job_that_waited_for_pieces_says_nothing_of_its_pace(floor: Floor) -> None:
    number = await floor.order(quantity=2)
    await floor.plan(number)
    first, unit, person = JobOrderId(f"{number}-10"), UNITS[10], PEOPLE[10]
    await floor.do(lambda tx: execution.start(tx, first), person, unit)
    use = LotUse(job_order=first, lot=LotNumber("LOT-CAST-40-1"))
    await floor.do(lambda tx: execution.consume(tx, use), person, unit)
    some = QuantityReport(job_order=first, good=Decimal(2), scrap=Decimal(0), reason=None)
    await floor.do(lambda tx: execution.report(tx, some), person, unit)
    waited = await floor.make(number, 20, good=2)
    async with floor.db.read() as tx:
        (found,) = (await dispatching.planning_snapshot(tx, floor.now, far=True)).finished
    assert (found.job_order, found.busy_s, found.good) == (waited, None, 2)


@pytest.mark.parametrize("alone", [False, True])
async def test_the_night_is_no_work_and_overtime_is_and_so_is_what_a_machine_makes_alone(
    floor: Floor, alone: bool
) -> None:
    """The shift ends after four hours; its person stays one more, and the machine runs alone for three."""
    plant = resources.load_plant()
    days = tuple(
        replace(one, shifts=tuple(shift for shift in one.shifts if shift.name == "A"))
        for one in plant.calendars
    )
    await floor.do(lambda tx: resources.put_plant(tx, replace(plant, calendars=days)))
    number = await floor.order(quantity=3)
    await floor.plan(number)
    cut, unit, person = JobOrderId(f"{number}-10"), EquipmentId(UNITS[10]), PEOPLE[10]
    one = QuantityReport(job_order=cut, good=Decimal(1), scrap=Decimal(0), reason=None)

    async def pace(*hours: float) -> Decimal:
        for hour in hours:
            floor.now = NOW + timedelta(hours=hour)
            await floor.do(lambda tx: execution.report(tx, one), person, unit)
        (running,) = (row for row in (await snapshot(floor)).job_orders if row.id == cut)
        assert running.pace is not None
        return running.pace.busy_s

    floor.now = NOW + timedelta(hours=3)
    await floor.do(lambda tx: execution.start(tx, cut), person, unit)
    await floor.do(
        lambda tx: execution.consume(tx, LotUse(job_order=cut, lot=LotNumber("LOT-CAST-40-1"))), person, unit
    )
    assert await pace(3, 5) == 2 * 3600  # the shift ends an hour before
    for hour, state in ((3, "Execute"), (8, "Idle")) if alone else ():
        reading = StateReading(equipment=unit, state=state, at=NOW + timedelta(hours=hour))
        await floor.do(lambda tx, reading=reading: performance.record_state(tx, reading))  # type: ignore[misc]
    await floor.do(lambda tx: execution.leave(tx, PersonId(person)))
    await floor.do(lambda tx: resources.clock_in(tx, PersonId(person)))
    worked = (6 if alone else 3) * 3600
    assert await pace(21) == worked
    await floor.do(lambda tx: execution.complete(tx, cut), person, unit)
    async with floor.db.read() as tx:
        (found,) = (await dispatching.planning_snapshot(tx, floor.now, far=True)).finished
    assert found.busy_s == worked


async def test_history_stays_out_of_the_planners_sight(floor: Floor) -> None:
    await floor.do(lambda tx: workorders.receive_work_order(tx, _draft(floor)), simulated=True)
    assert (await snapshot(floor)).work_orders == ()


def _draft(floor: Floor) -> WorkOrderDraft:
    return WorkOrderDraft(
        erp_ref="history-1",
        material=MaterialId("PUMP-40"),
        quantity=Decimal(2),
        uom="pc",
        due_at=floor.now,
    )


async def test_a_product_asked_for_shows_how_it_would_be_made(floor: Floor) -> None:
    async with floor.db.read() as tx:
        steps = await dispatching.planning_master(tx, MaterialId("PUMP-40"), floor.now)
    assert [step.operation for step in steps] == [10, 20, 30, 40, 50, 60]
    assert (steps[0].skill, steps[0].family, steps[0].components[0].quantity) == ("MACHINING", "40", 1)
