"""People come, work on one job at a time, hand over and leave; the plant defines itself once."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from mes.definitions import service as definitions
from mes.definitions.model import (
    MaterialDraft,
    MaterialKind,
    MaterialTracking,
    MaterialUnitChanged,
    RateMissing,
)
from mes.execution import service as execution
from mes.execution.model import QuantityReport
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, PersonId
from mes.resources import service as resources
from mes.resources.model import PersonClockedInAlready, PersonDraft, RateDraft, Reason, ReasonKind
from mes.workorders import service as workorders
from mes.workorders.model import WorkOrderDraft
from tests.fixtures.floor import Floor


async def booked(floor: Floor, kind: str = "LabourBooked") -> list[tuple[str, str, str]]:
    async with floor.db.read() as tx:
        rows = await tx.value(
            """
            select json_agg(json_build_array(payload ->> 'person', payload ->> 'job_order',
                                             payload ->> 'hours') order by id)
            from mes.event where type = %(type)s
            """,
            {"type": kind},
        )
    return [tuple(row) for row in rows or ()]


async def two_jobs(floor: Floor) -> tuple[JobOrderId, JobOrderId]:
    numbers = [await floor.order(2) for _ in range(2)]
    await floor.plan(*numbers)
    return JobOrderId(f"{numbers[0]}-10"), JobOrderId(f"{numbers[1]}-10")


async def test_a_person_is_on_one_job_at_a_time(floor: Floor) -> None:
    first, second = await two_jobs(floor)
    await floor.do(lambda tx: execution.start(tx, first), "E-1001", "CNC-1")
    await floor.after(36).do(lambda tx: execution.start(tx, second), "E-1001", "CNC-2")
    assert await booked(floor) == [("E-1001", first, "0.010000")]


async def test_a_planned_break_is_nobodys_hours(floor: Floor) -> None:
    """From 10:20 to 18:30; the machining cell rests from 18:00 to 18:10."""
    first, _ = await two_jobs(floor)
    await floor.after(20 * 60).do(lambda tx: execution.start(tx, first), "E-1001", "CNC-1")
    await floor.after(490 * 60).do(lambda tx: execution.hold(tx, first, "other"), "E-1001", "CNC-1")
    assert await booked(floor) == [("E-1001", first, "8.000000")]
    assert [hours for _, _, hours in await booked(floor, "MachineTimeBooked")] == ["8.000000"]


async def test_work_in_a_break_is_booked(floor: Floor) -> None:
    """From 10:20 to 18:05: somebody was there in the break."""
    first, _ = await two_jobs(floor)
    await floor.after(20 * 60).do(lambda tx: execution.start(tx, first), "E-1001", "CNC-1")
    await floor.after(465 * 60).do(lambda tx: execution.hold(tx, first, "other"), "E-1001", "CNC-1")
    assert await booked(floor) == [("E-1001", first, "7.750000")]


async def test_who_acts_next_takes_over(floor: Floor) -> None:
    first, _ = await two_jobs(floor)
    await floor.do(lambda tx: resources.clock_in(tx, PersonId("E-1002")))
    await floor.do(lambda tx: execution.start(tx, first), "E-1001", "CNC-1")
    one = QuantityReport(job_order=first, good=Decimal(1))
    await floor.after(18).do(lambda tx: execution.report(tx, one), "E-1002", "CNC-1")
    await floor.after(36).do(lambda tx: execution.hold(tx, first, "other"), "E-1002", "CNC-1")
    assert await booked(floor) == [("E-1001", first, "0.005000"), ("E-1002", first, "0.010000")]
    assert [hours for _, _, hours in await booked(floor, "MachineTimeBooked")] == ["0.015000"]


async def test_a_person_who_leaves_books_the_hours_and_the_machine_goes_on(floor: Floor) -> None:
    first, _ = await two_jobs(floor)
    await floor.do(lambda tx: execution.start(tx, first), "E-1001", "CNC-1")
    await floor.after(36).do(lambda tx: execution.leave(tx, PersonId("E-1001"), "family"))
    assert await booked(floor) == [("E-1001", first, "0.010000")]
    assert await booked(floor, "MachineTimeBooked") == []
    async with floor.db.read() as tx:
        roster = await resources.roster(tx, floor.now)
    (person,) = (one for one in roster.people if one.id == "E-1001")
    assert (person.clocked_in, person.on_shift, person.excused) == (False, True, True)
    assert roster.shift is not None
    assert roster.shift.name == "A"


async def test_a_clock_that_ran_back_books_no_time(floor: Floor) -> None:
    first, _ = await two_jobs(floor)
    await floor.do(lambda tx: execution.start(tx, first), "E-1001", "CNC-1")
    await floor.after(-60).do(lambda tx: execution.hold(tx, first, "other"), "E-1001", "CNC-1")
    assert await booked(floor) == []


async def test_a_person_comes_once(floor: Floor) -> None:
    with pytest.raises(PersonClockedInAlready):
        await floor.do(lambda tx: resources.clock_in(tx, PersonId("E-1001")))


async def test_history_and_present_do_not_meet(floor: Floor) -> None:
    """The simulator books the past of a unit and a person who are at work now."""
    number = await floor.order(1)
    await floor.plan(number)
    await floor.do(lambda tx: execution.start(tx, f"{number}-10"), "E-1001", "CNC-1")
    past = Floor(floor.db, floor.now - timedelta(days=3))
    await past.do(lambda tx: resources.clock_in(tx, PersonId("E-1001")), simulated=True)
    draft = WorkOrderDraft(
        erp_ref="history-1",
        material=MaterialId("PUMP-40"),
        quantity=Decimal(1),
        uom="pc",
        due_at=past.now,
    )
    old = await past.do(lambda tx: workorders.receive_work_order(tx, draft), simulated=True)
    await past.plan(old)
    await past.do(lambda tx: execution.start(tx, f"{old}-10"), "E-1001", "CNC-1", simulated=True)
    one = QuantityReport(job_order=JobOrderId(f"{old}-10"), good=Decimal(1))
    await past.do(lambda tx: execution.report(tx, one), "E-1001", "CNC-1", simulated=True)
    await past.after(36).do(lambda tx: execution.complete(tx, f"{old}-10"), "E-1001", "CNC-1", simulated=True)
    assert await booked(floor) == [("E-1001", f"{old}-10", "0.010000")]
    async with floor.db.read() as tx:
        running = await workorders.running_on(tx, "CNC-1", simulated=False)
    assert running is not None
    assert running.id == f"{number}-10"


async def test_the_plant_again_changes_nothing(floor: Floor) -> None:
    async def size() -> list[int]:
        async with floor.db.read() as tx:
            counts: list[int] = await tx.value(
                """
                select array[(select count(*) from mes.event), (select count(*) from mes.equipment),
                             (select count(*) from mes.person_skill), (select count(*) from mes.rate),
                             (select count(*) from mes.reason)]
                """
            )
        return counts

    before = await size()
    await floor.after(60).do(lambda tx: resources.put_plant(tx, resources.load_plant()))
    assert await size() == before


async def test_a_start_of_the_demo_keeps_what_people_changed(floor: Floor) -> None:
    file = resources.load_plant()
    await floor.do(lambda tx: resources.keep_plant(tx, file))

    async def people_change(tx: Tx) -> None:
        now = await resources.get_plant(tx)
        trained = tuple(
            replace(one, skills=("MACHINING", "TESTING")) if one.id == "E-1002" else one for one in now.people
        )
        slower = replace(now.policy, close_after_min=600)
        reason = Reason(kind=ReasonKind.SCRAP, code="seal-torn", loss="handling")
        await resources.put_plant(
            tx, replace(now, people=trained, policy=slower, reasons=(*now.reasons, reason))
        )

    await floor.after(60).do(people_change)
    await floor.after(60).do(lambda tx: resources.keep_plant(tx, file))
    newer = replace(file, policy=replace(file.policy, dispatch_horizon_min=60))
    await floor.after(60).do(lambda tx: resources.keep_plant(tx, newer))
    async with floor.db.read() as tx:
        person = await resources.get_person(tx, PersonId("E-1002"), floor.now)
        policy = await resources.policy(tx)
        codes = {one.code for one in await resources.reasons(tx)}
    assert person.skills == ("MACHINING", "TESTING")
    assert (policy.close_after_min, policy.dispatch_horizon_min) == (600, 60)
    assert "seal-torn" in codes


async def test_a_skill_keeps_its_dates_and_ends_when_it_is_taken_away(floor: Floor) -> None:
    dates = "update mes.person_skill set valid_to = %(to)s where person = 'E-1001' returning person"
    until = floor.now + timedelta(days=30)
    await floor.do(lambda tx: tx.value(dates, {"to": until}))
    await floor.after(60).do(lambda tx: resources.put_plant(tx, resources.load_plant()))
    async with floor.db.read() as tx:
        then = await resources.get_person(tx, PersonId("E-1001"), until)
    assert then.skills == ()
    file = resources.load_plant()
    moved = tuple(replace(one, skills=("PACKING",)) if one.id == "E-1001" else one for one in file.people)
    before = floor.now
    await floor.after(60).do(lambda tx: resources.put_plant(tx, replace(file, people=moved)))
    async with floor.db.read() as tx:
        past = await resources.get_person(tx, PersonId("E-1001"), before)
        now = await resources.get_person(tx, PersonId("E-1001"), floor.now)
    assert (past.skills, now.skills) == (("MACHINING",), ("PACKING",))


async def test_hr_names_a_person_and_the_plant_keeps_the_skills(floor: Floor) -> None:
    await floor.do(lambda tx: resources.put_person(tx, PersonDraft(id=PersonId("E-1002"), name="王芳")))
    async with floor.db.read() as tx:
        card = await resources.person_card(tx, PersonId("E-1002"), floor.now)
    assert (card.name, card.skills) == ("王芳", ("MACHINING",))


async def test_a_rate_holds_from_its_day_on(floor: Floor) -> None:
    later = floor.now + timedelta(days=1)
    draft = RateDraft(kind="machine", code="MC", per_hour=Decimal(130), currency="CNY", valid_from=later)
    await floor.do(lambda tx: resources.put_rate(tx, draft))
    async with floor.db.read() as tx:
        rates = [
            (await definitions.rate(tx, "machine", "MC", at)).amount
            for at in (floor.now - timedelta(days=20000), floor.now, later)
        ]
        assert rates == [120, 120, 130]
        with pytest.raises(RateMissing):
            await definitions.rate(tx, "labour", "L9", floor.now)


async def test_a_price_holds_from_its_day_on_and_the_first_before_it(floor: Floor) -> None:
    seal = MaterialDraft(
        id=MaterialId("SEAL"),
        name="Seal",
        kind=MaterialKind.COMPONENT,
        uom="pc",
        tracking=MaterialTracking.LOT,
        standard_price=Decimal(26),
        currency="CNY",
    )
    await floor.after(3600).do(lambda tx: definitions.put_material(tx, seal))
    async with floor.db.read() as tx:
        prices = [
            (await definitions.standard_prices(tx, [seal.id], at))[seal.id].price
            for at in (floor.now - timedelta(days=9), floor.now - timedelta(minutes=1), floor.now)
        ]
    assert prices == [25, 25, 26]
    with pytest.raises(MaterialUnitChanged):
        await floor.do(
            lambda tx: definitions.put_material(
                tx,
                MaterialDraft(**{n: getattr(seal, n) for n in seal.__slots__} | {"uom": "kg"}),
            )
        )


async def test_an_older_state_does_not_undo_a_newer_one(floor: Floor) -> None:
    for state, minutes in (("Execute", 0), ("Held", -5)):
        since = floor.now + timedelta(minutes=minutes)
        await floor.do(
            lambda tx, s=state, at=since: resources.set_equipment_state(  # type: ignore[misc]
                tx, EquipmentId("CNC-1"), s, at
            )
        )
    async with floor.db.read() as tx:
        states = await resources.equipment_states(tx)
    assert states[EquipmentId("CNC-1")].state == "Execute"
