"""From the shop floor's commit to the ERP's books: how late, and how many documents.

A real Tryton, a PostgreSQL that syncs, `lineside bridge` and `lineside floor` as processes. First
orders are made at five times the pace of the demo plant, then a backlog is worked off.
The peer is the least that a document costs: the bare JSON-RPC calls of one entry and of one movement of
stock, one after the other on the same server.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import LiteralString

from erp_bridge.adapters.tryton.rpc import Rpc
from mes.kernel.db import Database
from mes.kernel.ids import WorkOrderNumber
from tests.benchmarks.figure import Figure
from tests.fixtures.postgres import SITE, migrated_database
from tests.fixtures.tryton import USERS, Tryton, place_order, servers, template
from tests.integration.erp_bridge.plant import STEPS, Floor

PIECES = 3
STEADY, BACKLOG = 4, 6
"""Orders that are made at the pace, and orders that wait for the bridge."""
STEP_S = 2.4
"""An operation of an order in so many seconds: five documents, where the demo makes one."""
WRITES = 20
CENT = Decimal("0.01")
LIMIT_S = 3
LONGEST_S = 180.0


@dataclass(frozen=True)
class Lag:
    """From the commit of what happened to the ERP's answer, in seconds, for one document."""

    noun: str
    seconds: float
    applied_at: datetime


async def run() -> list[Figure]:
    """Measure the bridge, then its peer, on the same ERP."""
    with (
        migrated_database() as url,
        TemporaryDirectory() as home,
        servers(*await template()) as make,
    ):
        server = make()
        environment = settings(url, Path(home), server)
        async with await Database.open(url, name="bench", site=SITE) as db:
            floor = Floor(db)
            await floor.define()
            steady, (documents, seconds) = await measured(floor, server, environment)
        raw = await bare_writes(server)
    lags = [one.seconds for one in steady]
    each = sum(raw) / len(raw)
    return [
        Figure("lag_p50_s", quantiles(lags, n=2)[0], "s"),
        Figure("lag_p95_s", quantiles(lags, n=20)[-1], "s", f"limit {LIMIT_S}"),
        Figure("lag_documents", len(lags), "documents", f"an operation every {STEP_S} s"),
        Figure("documents_per_s", documents / seconds, "1/s", f"bare calls one by one {1 / each:.1f}"),
        Figure("bare_document_p50_ms", quantiles(raw, n=2)[0] * 1000, "ms", "2 or 3 calls"),
        Figure("bare_document_p95_ms", quantiles(raw, n=20)[-1] * 1000, "ms"),
        Figure("lag_p50_by_bare_document", quantiles(lags, n=2)[0] / quantiles(raw, n=2)[0], "x"),
    ]


def settings(url: str, home: Path, server: Tryton) -> dict[str, str]:
    """Return the environment of the plant's processes."""
    return {
        "DATABASE_URL": url,
        "LINESIDE_HOME": str(home),
        "LINESIDE_ERP__URL": server.url,
        "LINESIDE_ERP__PASSWORD": USERS["lineside"],
        "LINESIDE_LOG__LEVEL": "warning",
    }


async def measured(
    floor: Floor, server: Tryton, environment: dict[str, str]
) -> tuple[list[Lag], tuple[int, float]]:
    """Return the lags at a steady pace; how many documents of a backlog, and its seconds."""
    async with process("floor", environment):
        async with process("bridge", environment):
            orders = await ordered(floor.db, server)
            await floor.clock_in()
            await everything_booked(floor.db)
            begun = datetime.now(UTC)
            for number in orders[:STEADY]:
                await make(floor, number, STEP_S)
            await everything_booked(floor.db)
            steady = await lags(floor.db, begun)
        begun = datetime.now(UTC)
        for number in orders[STEADY:]:
            await make(floor, number, 0.0)
        await costs_booked(floor.db)
        async with process("bridge", environment):
            started = await first_sent(floor.db, begun)
            await everything_booked(floor.db)
        late = await lags(floor.db, begun)
    return steady, (len(late), (max(one.applied_at for one in late) - started).total_seconds())


async def ordered(db: Database, server: Tryton) -> list[WorkOrderNumber]:
    """Place the customer orders; return the work orders once the bridge has fetched them."""
    for _ in range(STEADY + BACKLOG):
        await place_order(server, "PUMP-40", PIECES)

    async def there() -> bool:
        return await count(db, "select count(*) from mes.work_order") == STEADY + BACKLOG

    await wait(there)
    async with db.read() as tx:
        numbers = await tx.value("select array_agg(id order by id) from mes.work_order")
    return [WorkOrderNumber(number) for number in numbers]


async def make(floor: Floor, number: WorkOrderNumber, step_s: float) -> None:
    """Take an order through its operations, one after the other."""
    await floor.dispatch(number)
    for operation in STEPS:
        begun = time.monotonic()
        await floor.step(number, operation, PIECES)
        await asyncio.sleep(max(0.0, begun + step_s - time.monotonic()))


OPEN = "select count(*) from erp.document where state <> 'applied'"
UNREAD = """
select count(*) from mes.event e join mes.consumer_cursor c on c.consumer = %(consumer)s
where (e.xid, e.id) > (c.xid, c.id) and e.type = any(%(types)s)
"""
WORK = ["MaterialConsumed", "LabourBooked", "MachineTimeBooked", "GoodReported"]


async def costs_booked(db: Database) -> None:
    """Wait until the floor process has costed everything."""

    async def booked() -> bool:
        return await count(db, UNREAD, consumer="costing", types=WORK) == 0

    await wait(booked)


async def everything_booked(db: Database) -> None:
    """Wait until the ERP has everything."""

    async def booked() -> bool:
        unread = await count(db, UNREAD, consumer="bridge", types=[*WORK, "CostBooked", "WorkOrderReleased"])
        return unread + await count(db, OPEN) == 0

    await costs_booked(db)
    await wait(booked)


async def first_sent(db: Database, since: datetime) -> datetime:
    """Wait for the first call to the ERP; return its time."""
    first = "select min(sent_at) from erp.document where recorded_at > %(since)s"

    async def sent() -> bool:
        async with db.read() as tx:
            return await tx.value(first, {"since": since}) is not None

    await wait(sent)
    async with db.read() as tx:
        found: datetime = await tx.value(first, {"since": since})
    return found


async def lags(db: Database, since: datetime) -> list[Lag]:
    """Return the lag of each document about what happened since then; costs count from their cause."""
    async with db.read() as tx:
        return await tx.fetch_all(
            Lag,
            """
            select d.noun, extract(epoch from d.applied_at - e.recorded_at)::float8 as seconds, d.applied_at
            from erp.document d join mes.event e on e.event_id::text = d.subject
            where e.recorded_at > %(since)s
            """,
            {"since": since},
        )


async def count(db: Database, query: LiteralString, **values: object) -> int:
    """Return a number out of the database."""
    async with db.read() as tx:
        return int(await tx.value(query, values) or 0)


async def wait(what: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `what` says yes."""
    deadline = time.monotonic() + LONGEST_S
    while not await what():
        if time.monotonic() > deadline:
            raise TimeoutError("it never came")
        await asyncio.sleep(0.1)


async def bare_writes(server: Tryton) -> list[float]:
    """Return the seconds of single documents, written by bare calls."""
    rpc = Rpc(server.connection())
    try:
        entry, movement = await bare_values(rpc)
        taken = []
        for _ in range(WRITES):
            begun = time.perf_counter()
            ids = await rpc.write("model.account.move.create", [entry])
            await rpc.write("model.account.move.post", ids)
            taken.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            ids = await rpc.write("model.stock.move.create", [movement])
            await rpc.write("model.stock.move.write", ids, {"state": "assigned"})
            await rpc.write("model.stock.move.do", ids)
            taken.append(time.perf_counter() - begun)
        return taken
    finally:
        await rpc.close()


async def bare_values(rpc: Rpc) -> tuple[dict[str, object], dict[str, object]]:
    """Return an entry and a movement of stock as Tryton takes them."""
    today = datetime.now(UTC).date()
    one = rpc.search_read
    (journal,) = await one("account.journal", [("code", "=", "MISC")], ["code"])
    (period,) = await one(
        "account.period", [("start_date", "<=", today), ("end_date", ">=", today)], ["name"]
    )
    accounts = await one("account.account", [("code", "in", ["5.1.5.1", "5.2.1.1"])], ["code"])
    (lot,) = await one("stock.lot", [("number", "=", "LOT-BOX-0001")], ["product", "product.default_uom"])
    places = {row["code"]: row["id"] for row in await one("stock.location", [], ["code"]) if row["code"]}
    (company,) = await one("company.company", [], ["currency"])
    debit, credit = (row["id"] for row in accounts)
    lines = [{"account": debit, "debit": CENT}, {"account": credit, "credit": CENT}]
    entry = {"journal": journal["id"], "period": period["id"], "date": today, "lines": [["create", lines]]}
    movement = {
        "product": lot["product"], "unit": lot["product."]["default_uom"], "lot": lot["id"],
        "quantity": 1.0, "from_location": places["STO"], "to_location": places["PROD"],
        "effective_date": today, "company": company["id"],
    }  # fmt: skip
    return entry, movement


@asynccontextmanager
async def process(name: str, environment: dict[str, str]) -> AsyncIterator[None]:
    """Run one of the plant's processes until the block ends."""
    argv = [sys.executable, "-m", "mes", name]
    running = await asyncio.create_subprocess_exec(*argv, env={**os.environ, **environment})
    try:
        yield
    finally:
        running.terminate()
        await running.wait()
