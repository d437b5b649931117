"""What the plant file has no more is out of service; its history stays, and it can come back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mes.access import service as access
from mes.access import store as access_store
from mes.access.model import BadgeRefused, Caller, Grant, Role, TerminalUnknown
from mes.dispatching import service as dispatching
from mes.execution import service as execution
from mes.execution.model import PlantInUse
from mes.kernel.ids import EquipmentId, JobOrderId, PersonId
from mes.performance import service as performance
from mes.performance.model import Report, StateReading, Window
from mes.resources import service as resources
from mes.resources.model import EquipmentOutOfService, PersonDraft, PersonNotInPlant, PlantDefinition
from mes.resources.plantfile import parse_plant, plant_text
from mes.workorders import service as workorders
from mes.workorders.model import JobOrder
from tests.fixtures.floor import Floor
from tests.fixtures.postgres import cause

FILE = resources.load_plant()
SOMEBODY = Caller(account="a", grants=(Grant(Role.OPERATOR),), site="SUZ", session="s")


def without(*units: str, people: tuple[str, ...] = ()) -> PlantDefinition:
    """The pump plant without some equipment and people."""
    return replace(
        FILE,
        equipment=tuple(one for one in FILE.equipment if one.id not in units),
        people=tuple(one for one in FILE.people if one.id not in people),
    )


async def load(floor: Floor, plant: PlantDefinition) -> None:
    """What `lineside plant load` does, a minute later."""
    await floor.after(60).do(lambda tx: execution.change_plant(tx, plant))


async def job(floor: Floor, number: str) -> JobOrder:
    async with floor.db.read() as tx:
        return await workorders.get_job(tx, JobOrderId(number))


async def figures(floor: Floor, window: Window) -> Report:
    async with floor.db.read() as tx:
        return await performance.report(tx, EquipmentId("CNC-1"), window)


async def lists(floor: Floor) -> list[set[str]]:
    """Where a machine is offered: hierarchy, plan, terminals, board."""
    async with floor.db.read() as tx:
        snapshot = await dispatching.planning_snapshot(tx, floor.now)
        return [
            {one.id for one in await resources.hierarchy(tx)},
            {one.id for one in snapshot.equipment},
            {one.terminal for one in await access.terminals(tx, SOMEBODY, floor.now)},
            {one.id for one in (await performance.board(tx, floor.now)).equipment},
        ]


async def test_a_machine_goes_and_comes_back(floor: Floor) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    reading = StateReading(equipment=EquipmentId("CNC-1"), state="Execute", at=floor.now)
    await floor.do(lambda tx: performance.record_state(tx, reading))
    past = Window(starts_at=floor.now, ends_at=floor.now + timedelta(minutes=1))
    floor.after(3600)
    before = await figures(floor, past)
    await load(floor, without("CNC-1"))
    assert [("CNC-1" in some, "CNC-2" in some) for some in await lists(floor)] == [(False, True)] * 4
    assert (await job(floor, f"{number}-10")).equipment is None
    with pytest.raises(EquipmentOutOfService):
        await floor.do(lambda tx: execution.start(tx, JobOrderId(f"{number}-10")), "E-1001", "CNC-1")
    with pytest.raises(TerminalUnknown):
        await floor.do(lambda tx: access.sit_down(tx, SOMEBODY, "CNC-1", PersonId("E-1001")))
    assert await figures(floor, past) == before
    whole = await figures(floor, Window(starts_at=past.starts_at, ends_at=floor.now + timedelta(hours=3)))
    assert whole.ends_at == floor.now
    with pytest.raises(EquipmentOutOfService):
        await figures(floor, Window(starts_at=floor.now, ends_at=floor.now + timedelta(hours=3)))
    await floor.do(lambda tx: execution.start(tx, JobOrderId(f"{number}-10")), "E-1001", "CNC-2")
    await load(floor, FILE)
    assert ["CNC-1" in some for some in await lists(floor)] == [True] * 4


async def test_a_machine_with_work_stays_and_the_refusal_names_the_work(floor: Floor) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    await floor.do(lambda tx: execution.start(tx, JobOrderId(f"{number}-10")), "E-1001", "CNC-1")
    with pytest.raises(PlantInUse) as refused:
        await load(floor, without("CNC-1", "ASM-1", "AS1", people=("E-1001",)))
    assert refused.value.params["uses"] == [
        f"AS1: {number}-20 (Dispatched)",
        f"CNC-1: {number}-10 (Running)",
        f"E-1001: {number}-10 (works)",
    ]
    assert ["CNC-1" in some for some in await lists(floor)] == [True] * 4
    assert (await job(floor, f"{number}-20")).equipment == "ASM-1"


async def test_a_person_goes_and_comes_back(floor: Floor) -> None:
    person = PersonId("E-1001")
    await floor.do(lambda tx: access.sit_down(tx, SOMEBODY, "CNC-1", person))
    await load(floor, without(people=(person,)))
    async with floor.db.read() as tx:
        assert person not in {one.id for one in (await resources.roster(tx, floor.now)).people}
        assert person not in {
            one.person for one in await resources.availability(tx, floor.now, floor.now + timedelta(days=1))
        }
        assert await access.at_terminal(tx, "CNC-1", floor.now) is None
        assert (await resources.get_person(tx, person, floor.now - timedelta(minutes=2))).skills
    with pytest.raises(PersonNotInPlant):
        await floor.do(lambda tx: resources.clock_in(tx, person))
    await load(floor, FILE)
    await floor.do(lambda tx: resources.clock_in(tx, person))
    async with floor.db.read() as tx:
        assert (await resources.get_person(tx, person, floor.now)).skills == ("MACHINING",)


async def test_whom_hr_let_go_works_nowhere_until_hr_takes_them_back(floor: Floor) -> None:
    person = PersonId("E-1001")
    number = await floor.order(4)
    await floor.plan(number)
    await floor.do(lambda tx: access.sit_down(tx, SOMEBODY, "CNC-1", person))

    async def employed(*, active: bool) -> None:
        draft = PersonDraft(id=person, name="Name of E-1001", active=active)
        await floor.after(60).do(lambda tx: resources.put_person(tx, draft))

    async def badge() -> object:
        async with floor.db.transaction(cause()) as tx:
            return await access_store.find_badge(tx, f"EMP:{person}")

    await employed(active=False)
    await load(floor, FILE)
    async with floor.db.read() as tx:
        assert await access.at_terminal(tx, "CNC-1", floor.now) is None
    assert await badge() is None
    with pytest.raises(BadgeRefused):
        await floor.do(lambda tx: access.sit_down(tx, SOMEBODY, "CNC-1", person))
    with pytest.raises(PersonNotInPlant):
        await floor.do(lambda tx: execution.start(tx, JobOrderId(f"{number}-10")), person, "CNC-1")
    await employed(active=True)
    assert await badge() is not None
    await floor.do(lambda tx: execution.start(tx, JobOrderId(f"{number}-10")), person, "CNC-1")


async def test_what_show_writes_is_what_load_reads_when_a_shift_and_its_crew_are_gone(floor: Floor) -> None:
    crew = tuple(one.id for one in FILE.people if one.crew == "C")
    day = tuple(
        replace(one, shifts=tuple(shift for shift in one.shifts if shift.name != "C"))
        for one in FILE.calendars
    )
    smaller = replace(without("PACK-1", "PK", people=crew), calendars=day)
    smaller = replace(
        smaller,
        skills=tuple(one for one in FILE.skills if one != "PACKING"),
        people=tuple(
            replace(one, skills=tuple(skill for skill in one.skills if skill != "PACKING"))
            for one in smaller.people
        ),
        setups=tuple(one for one in FILE.setups if one.work_center != "PK"),
        rates=tuple(one for one in FILE.rates if one.code != "PK"),
    )
    await load(floor, smaller)
    async with floor.db.read() as tx:
        shown = plant_text(await resources.read_plant(tx, floor.now) or FILE)
    assert "PACK-1" not in shown
    assert {one.id for one in parse_plant(shown).people}.isdisjoint(crew)
