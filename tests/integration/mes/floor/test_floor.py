"""The floor worker: one is active, and what edges and terminals tell becomes facts by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from mes import floor
from mes.costing import service as costing
from mes.execution.events import MaterialConsumed, StopReasonGiven
from mes.kernel import audit
from mes.kernel.clock import utc_now
from mes.kernel.db import Database, Tx
from mes.kernel.ids import EquipmentId, JobOrderId, LotNumber, MaterialId, PersonId, WorkOrderNumber
from mes.kernel.outbox import append
from mes.kernel.settings import Settings
from tests.fixtures.facts import Edge, define_plant, order_pumps
from tests.fixtures.postgres import SITE, cause


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings.model_validate({"home": tmp_path, "site": SITE, "database_url": database_url})


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(floor.main(settings))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(check: Callable[[], Awaitable[bool]], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not await check():
            await asyncio.sleep(0.05)


async def number(db: Database, sql: str) -> int:
    async with db.read() as tx:
        return int(await tx.value(sql))


async def test_readings_become_facts_by_themselves(db: Database, settings: Settings) -> None:
    await define_plant(db)
    edge, now = Edge(db), utc_now()
    async with working(settings):
        await eventually(lambda: floor.ready(settings))
        for step in range(20):
            await edge.good("CNC-1", 1, now - timedelta(seconds=20 - step))

        async def absorbed() -> bool:
            return await number(db, "select count(*) from mes.machine_count") == 20

        await eventually(absorbed)
    assert await number(db, "select count(*) from mes.edge_inbox where done_at is null") == 0


async def test_one_loop_that_fails_stops_no_other(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await define_plant(db)
    failed = asyncio.Event()

    async def book_events(_tx: Tx) -> int:
        failed.set()
        raise ValueError("an entry that nobody understands")

    monkeypatch.setattr(costing, "book_events", book_events)
    async with working(settings) as worker:
        await eventually(lambda: floor.ready(settings))
        async with asyncio.timeout(60):
            await failed.wait()
        await Edge(db).good("CNC-1", 1, utc_now())

        async def absorbed() -> bool:
            return await number(db, "select count(*) from mes.machine_count") == 1

        await eventually(absorbed)
        assert not worker.done()


async def test_events_are_booked_sealed_and_followed(db: Database, settings: Settings) -> None:
    await define_plant(db)
    order = await order_pumps(db, 5, utc_now())
    edge = Edge(db)
    await edge.state("CNC-1", 9, utc_now() - timedelta(minutes=3))
    async with working(settings):

        async def stopped() -> bool:
            return await number(db, "select count(*) from mes.equipment_state") == 1

        await eventually(stopped)
        async with db.transaction(cause(actor="person:E-1001")) as tx:
            await append(
                tx,
                StopReasonGiven(
                    site=SITE,
                    equipment=EquipmentId("CNC-1"),
                    interval=None,
                    reason="tool",
                    person=PersonId("E-1001"),
                ),
            )
            await append(
                tx,
                MaterialConsumed(
                    site=SITE,
                    job_order=JobOrderId(f"{order}-10"),
                    work_order=WorkOrderNumber(order),
                    operation=10,
                    work_center=EquipmentId("MC"),
                    cost_center="CC-MACH",
                    equipment=EquipmentId("CNC-1"),
                    actual=uuid4(),
                    person=PersonId("E-1001"),
                    material=MaterialId("CAST-40"),
                    lot=LotNumber("LOT-CAST-40-0001"),
                    quantity=Decimal(5),
                    uom="pc",
                    serial=None,
                ),
            )

        async def booked() -> bool:
            async with db.read() as tx:
                return len(await costing.entries(tx, order)) == 1

        async def explained() -> bool:
            async with db.read() as tx:
                return bool(await tx.value("select reason from mes.equipment_state") == "tool")

        async def sealed() -> bool:
            async with db.read() as tx:
                return (await audit.verify(tx)).events > 0

        for check in (booked, explained, sealed):
            await eventually(check)


async def test_one_of_two_workers_is_active_and_the_other_takes_over(
    db: Database, database_url: str, settings: Settings
) -> None:
    await define_plant(db)

    def holders() -> list[int]:
        with psycopg.connect(database_url, autocommit=True) as conn:
            rows = conn.execute(
                "select pid from pg_locks l join pg_database d on d.oid = l.database"
                " where d.datname = current_database() and locktype = 'advisory' and granted"
                " and objid = %s",
                (floor.LOCK,),
            ).fetchall()
        return [row[0] for row in rows]

    async with working(settings), working(settings):
        await eventually(lambda: floor.ready(settings))
        (first,) = holders()
        with psycopg.connect(database_url, autocommit=True) as conn:
            conn.execute("select pg_terminate_backend(%s)", (first,))

        async def taken_over() -> bool:
            found = holders()
            return len(found) == 1 and found != [first]

        await eventually(taken_over)
        await Edge(db).good("CNC-1", 1, utc_now())

        async def absorbed() -> bool:
            return await number(db, "select count(*) from mes.machine_count") == 1

        await eventually(absorbed)


async def test_work_goes_on_after_every_session_was_cut(
    db: Database, database_url: str, settings: Settings
) -> None:
    await define_plant(db)
    edge = Edge(db)
    async with working(settings) as task:
        await eventually(lambda: floor.ready(settings))
        for _ in range(3):
            with psycopg.connect(database_url, autocommit=True) as conn:
                conn.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and application_name like 'lineside-floor%'"
                )
            await edge.good("CNC-1", 1, utc_now())
            await asyncio.sleep(0.3)

        async def absorbed() -> bool:
            return await number(db, "select count(*) from mes.machine_count") == 3

        await eventually(absorbed)
        assert not task.done()
