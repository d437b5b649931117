"""A floor worker that is killed again and again loses nothing and doubles nothing."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from mes.costing import service as costing
from mes.costing.model import Account
from mes.execution.events import MaterialConsumed
from mes.kernel import audit
from mes.kernel.clock import utc_now
from mes.kernel.db import Database
from mes.kernel.ids import EquipmentId, JobOrderId, LotNumber, MaterialId, PersonId, WorkOrderNumber
from mes.kernel.outbox import append
from tests.fixtures.facts import Edge, define_plant, order_pumps
from tests.fixtures.postgres import SITE, cause

ROUNDS = 3
PER_ROUND = 25


@asynccontextmanager
async def worker(home: Path, database_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = os.environ | {"LINESIDE_HOME": str(home), "DATABASE_URL": database_url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mes", "floor", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def consumed(order: str) -> MaterialConsumed:
    return MaterialConsumed(
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
        quantity=Decimal(1),
        uom="pc",
        serial=None,
    )


async def settled(db: Database, expected: int) -> bool:
    async with db.read() as tx:
        facts = await tx.value("select count(*) from mes.machine_count")
        entries = await tx.value("select count(*) from mes.cost_entry")
    return bool(facts >= expected and entries >= expected)


async def test_killed_in_the_middle_of_its_work(db: Database, database_url: str, tmp_path: Path) -> None:
    await define_plant(db)
    order = await order_pumps(db, 5, utc_now())
    edge = Edge(db)
    for round_number in range(ROUNDS):
        async with worker(tmp_path, database_url):
            for step in range(PER_ROUND):
                await edge.good("CNC-1", 1, utc_now() - timedelta(milliseconds=step))
                async with db.transaction(cause()) as tx:
                    await append(tx, consumed(order))
            async with asyncio.timeout(60):
                while not await settled(db, round_number * PER_ROUND + 1):
                    await asyncio.sleep(0.02)
    told = ROUNDS * PER_ROUND
    async with worker(tmp_path, database_url), asyncio.timeout(60):
        while not await settled(db, told):
            await asyncio.sleep(0.1)
    async with db.read() as tx:
        counted = await tx.value("select sum(delta) from mes.machine_count")
        distinct = await tx.value("select count(distinct (epoch, seq, idx)) from mes.machine_count")
        balance = {one.account: one.amount for one in await costing.balances(tx)}
        order_balance = {one.account: one.amount for one in await costing.balances(tx, order)}
        verdict = await audit.verify(tx)
    assert (counted, distinct) == (told, told)
    assert (
        balance
        == order_balance
        == {
            Account.RAW_MATERIAL: Decimal(-120 * told),
            Account.WIP: Decimal(120 * told),
        }
    )
    assert verdict.broken is None
