"""The demo plant's past is booked like real work, marked as simulated, and booked once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path

from mes.definitions import service as definitions
from mes.execution import service as execution
from mes.kernel.db import Cause, Database
from mes.kernel.ids import MaterialId
from mes.kernel.settings import Settings
from mes.resources import service as resources
from mes.supervisor import history
from tests.fixtures.floor import Floor, _define, work_master

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def plant_with_past(db: Database, home: Path) -> history.Past:
    floor = Floor(db, LONG_AGO)
    await floor.do(_define)
    await floor.do(
        partial(
            definitions.put_work_master,
            draft=work_master(id="WM-PUMP-65", material=MaterialId("PUMP-65")),
        )
    )
    settings = Settings(home=home, plant={"history_days": 1})
    past = await history.prepare(db, settings)
    await history.open_books(db, past)
    return past


async def test_the_past_is_marked_and_settled(db: Database, tmp_path: Path) -> None:
    """Orders of the past are closed, their stock adds up, and every fact says that it is simulated."""
    past = await plant_with_past(db, tmp_path)
    orders = past.orders[:4]
    for order in orders:
        await history.book_order(db, order)
    await history.finish(db, past)
    async with db.read() as tx:
        assert await tx.value("select count(*) from mes.work_order where status = 'Closed'") == len(orders)
        assert (
            await tx.value(
                "select count(*) from mes.event where not simulated and at > now() - interval '2 days'"
            )
            == 0
        )
        good = await tx.value("select sum(good) from mes.work_order")
        assert good == sum(Decimal(order.jobs[-1].good) for order in orders)
        assert await tx.value("select count(*) from mes.as_built") == good
        assert await tx.value("select count(*) from mes.equipment_state where ended_at is null") == len(
            await resources.units(tx)
        )


async def test_a_past_booked_twice_is_booked_once(db: Database, tmp_path: Path) -> None:
    """An interrupted history goes on where it stopped and doubles nothing."""
    past = await plant_with_past(db, tmp_path)
    for _ in range(2):
        again = await history.prepare(db, Settings(home=tmp_path, plant={"history_days": 1}))
        assert again == past
        await history.open_books(db, again)
        await history.book_order(db, again.orders[0])
        await history.finish(db, again)
    async with db.read() as tx:
        assert await tx.value("select count(*) from mes.work_order") == 1
        assert await tx.value("select count(*) from mes.event where type = 'HistoryBooked'") == 1
        assert await tx.value("select count(*) from mes.lot") == len(
            again.masters[MaterialId("PUMP-40")].components
        )


async def test_live_work_beside_the_past_is_not_disturbed(db: Database, tmp_path: Path) -> None:
    """A job that runs on a unit now does not stop an old job of that unit from being booked."""
    past = await plant_with_past(db, tmp_path)
    now = Floor(db, datetime.now(UTC) - timedelta(minutes=1))
    async with db.transaction(Cause(actor="service:test", at=now.now)) as tx:
        for person in (await resources.roster(tx, now.now)).people:
            await resources.clock_in(tx, person.id)
    number = await now.order()
    await now.plan(number)
    await now.do(partial(execution.start, job_order=f"{number}-10", equipment="CNC-1"), person="E-1001")
    order = next(one for one in past.orders if one.jobs[0].equipment == "CNC-1")
    await history.book_order(db, order)
    async with db.read() as tx:
        assert await tx.value("select count(*) from mes.job_order where status = 'Running'") == 1


async def test_the_past_could_have_happened(db: Database, tmp_path: Path) -> None:
    """In the laid-out past no machine and no person does two things at once, or works on a break."""
    past = await plant_with_past(db, tmp_path)
    jobs = [job for order in past.orders for job in order.jobs]
    for key in ("equipment", "person"):
        for one in {getattr(job, key) for job in jobs}:
            mine = sorted((job.starts_at, job.ends_at) for job in jobs if getattr(job, key) == one)
            assert all(before[1] <= after[0] for before, after in pairwise(mine)), one
    async with db.read() as tx:
        windows = await resources.unit_windows(tx, *past.span)
    for job in jobs:
        breaks = [window for window in windows[job.equipment] if window.kind == "break"]
        assert not any(job.starts_at < one.ends_at and one.starts_at < job.ends_at for one in breaks)
