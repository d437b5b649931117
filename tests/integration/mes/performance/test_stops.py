"""A stop's reason is shown where the stop is, and a job's time counts where it ran."""

from uuid import UUID

from mes.execution import service as execution
from mes.kernel.ids import EquipmentId
from mes.performance import service as performance
from mes.performance.model import StateReading, Window
from tests.fixtures.floor import PEOPLE, Floor


async def state(floor: Floor, unit: str, name: str) -> None:
    reading = StateReading(equipment=EquipmentId(unit), state=name, at=floor.now)
    await floor.do(lambda tx: performance.record_state(tx, reading))


async def explain(floor: Floor, unit: str, reason: str, interval: UUID | None = None) -> None:
    await floor.do(lambda tx: execution.give_stop_reason(tx, unit, reason, interval), PEOPLE[10], unit)
    await floor.do(performance.follow_events)


async def shown(floor: Floor, unit: str) -> str | None:
    async with floor.db.read() as tx:
        board = await performance.board(tx, floor.now)
    return next(tile.reason for tile in board.equipment if tile.id == unit)


async def seconds(floor: Floor, unit: str, window: Window) -> tuple[int, int, int]:
    """Return production time, delay and down time of a unit."""
    async with floor.db.read() as tx:
        times = (await performance.unit_elements(tx, window))[EquipmentId(unit)].elements.times
    return int(times.apt), int(times.adet), int(times.adot)


async def test_the_reason_of_a_stop_that_lasts_is_on_the_board(floor: Floor) -> None:
    await state(floor, "CNC-1", "Stopped")
    floor.after(30)
    await explain(floor, "CNC-1", "breakdown")
    assert await shown(floor, "CNC-1") == "breakdown"


async def test_the_reason_of_a_stop_that_is_over_leaves_the_present_state_alone(floor: Floor) -> None:
    await state(floor, "CNC-1", "Stopped")
    async with floor.db.read() as tx:
        interval = await tx.value("select id from mes.equipment_state where equipment = 'CNC-1'")
    floor.after(30)
    await state(floor, "CNC-1", "Idle")
    floor.after(30)
    await explain(floor, "CNC-1", "breakdown", interval)
    assert await shown(floor, "CNC-1") is None
    async with floor.db.read() as tx:
        sql = "select reason from mes.equipment_state where id = %(id)s"
        assert await tx.value(sql, {"id": interval}) == "breakdown"


async def test_nobody_explains_the_stop_of_another_unit(floor: Floor) -> None:
    await state(floor, "PACK-1", "Stopped")
    async with floor.db.read() as tx:
        interval = await tx.value("select id from mes.equipment_state where equipment = 'PACK-1'")
    await explain(floor, "CNC-1", "breakdown", interval)
    assert await shown(floor, "PACK-1") is None


async def test_a_unit_at_work_has_no_stop_to_explain(floor: Floor) -> None:
    await state(floor, "CNC-1", "Execute")
    floor.after(30)
    await explain(floor, "CNC-1", "breakdown")
    assert await shown(floor, "CNC-1") is None


async def test_a_job_that_moves_leaves_its_time_where_it_ran(floor: Floor) -> None:
    floor.after(3600)
    number = await floor.order(3)
    await floor.plan(number)
    began = floor.now
    for unit in ("CNC-1", "CNC-2"):
        await state(floor, unit, "Idle")
    await floor.do(lambda tx: execution.start(tx, f"{number}-10", "CNC-1"), PEOPLE[10], "CNC-1")
    await state(floor, "CNC-1", "Execute")
    floor.after(600)
    await state(floor, "CNC-1", "Idle")
    await floor.do(lambda tx: execution.hold(tx, f"{number}-10", "other"), PEOPLE[10], "CNC-1")
    floor.after(60)
    await floor.do(lambda tx: execution.resume(tx, f"{number}-10", "CNC-2"), PEOPLE[10], "CNC-2")
    floor.after(30)
    window = Window(starts_at=began, ends_at=floor.now)
    assert await seconds(floor, "CNC-1", window) == (600, 60, 30)
    assert await seconds(floor, "CNC-2", window) == (0, 30, 660)
