"""The demo plant's past: a fortnight of orders, booked by the same services as real ones.

Only here may an act be dated back: its cause says that it is simulated, and every fact carries that
mark. It runs at low priority beside the live plant, one transaction for an order, and goes on where
it was interrupted.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

from mes.definitions import service as definitions
from mes.definitions.model import MaterialKind, WorkMaster, WorkMasterUnknown
from mes.execution import service as execution
from mes.execution.model import LotUse, QuantityReport
from mes.inventory import service as inventory
from mes.inventory.model import LotDraft
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database, DatabaseBusy, DatabaseUnavailable, Tx
from mes.kernel.ids import EquipmentId, LotNumber, MaterialId, PersonId
from mes.kernel.log import get_logger
from mes.kernel.outbox import append
from mes.kernel.settings import Settings
from mes.performance import service as performance
from mes.performance.model import CountKind, CountReading, StateReading
from mes.resources import service as resources
from mes.supervisor import store
from mes.supervisor.past import Floor, PastJob, PastOrder, PastStop, lay_out, needed, posts
from mes.workorders import service as workorders
from mes.workorders.events import HistoryBooked
from mes.workorders.model import (
    CustomerOrderDraft,
    JobOrderStatus,
    WorkOrderDraft,
    WorkOrderStatus,
)

log = get_logger(__name__)

ASK_AGAIN_S = 3.0
REST = 1.5
"""Pause after each order, as a multiple of the time that booking it took: the live plant goes first."""
NICE = 15
BEFORE_LIVE = timedelta(minutes=5)
"""The past ends so long before the plant's first start."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is to be booked."""

    span: tuple[datetime, datetime]
    masters: Mapping[MaterialId, WorkMaster]
    orders: tuple[PastOrder, ...]


async def book_history(settings: Settings) -> None:
    """Book the past of the demo plant, once, the running shift first; return when it is in the books."""
    if settings.plant.history_days == 0:
        return
    os.nice(NICE)
    async with await Database.open(
        settings.database_url, name="history", site=settings.site, max_size=2
    ) as db:
        past = await prepare(db, settings)
        await patiently(partial(open_books, db, past))
        for order in reversed(past.orders):
            began = time.monotonic()
            await patiently(partial(book_order, db, order))
            await asyncio.sleep((time.monotonic() - began) * REST)
        await patiently(partial(finish, db, past))
    log.info("history.booked", orders=len(past.orders))


async def patiently(step: Callable[[], Awaitable[None]]) -> None:
    """Do `step`, waiting out a database that is away or busy."""
    while True:
        try:
            await step()
        except (DatabaseBusy, DatabaseUnavailable) as error:
            log.info("history.waiting", reason=error.code)
            await asyncio.sleep(ASK_AGAIN_S)
        else:
            return


async def prepare(db: Database, settings: Settings) -> Past:
    """Wait for the ERP's work masters, then lay the past out; the same past at every start."""
    span = _span(settings.home / "history.json", settings.plant.history_days)
    while True:
        try:
            async with db.read() as tx:
                masters = await _masters(tx, span[0])
                floor = await _floor(tx, span)
        except (WorkMasterUnknown, DatabaseBusy, DatabaseUnavailable) as error:
            log.info("history.waiting", reason=error.code)
            await asyncio.sleep(ASK_AGAIN_S)
            continue
        orders = lay_out(masters, floor, span, settings.plant.seed)
        return Past(span, masters, tuple(orders))


async def _masters(tx: Tx, at: datetime) -> dict[MaterialId, WorkMaster]:
    products = [one.id for one in await definitions.materials(tx) if one.kind is MaterialKind.PRODUCT]
    if not products:
        raise WorkMasterUnknown(at=at)
    return {product: await definitions.work_master_for(tx, product, at) for product in products}


def _span(file: Path, days: int) -> tuple[datetime, datetime]:
    if not file.exists():
        ends_at = (utc_now() - BEFORE_LIVE).replace(microsecond=0)
        kept = {"starts_at": (ends_at - timedelta(days=days)).isoformat(), "ends_at": ends_at.isoformat()}
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(kept), encoding="utf-8")
        fresh.replace(file)
    kept = json.loads(file.read_text(encoding="utf-8"))
    return datetime.fromisoformat(kept["starts_at"]), datetime.fromisoformat(kept["ends_at"])


async def _floor(tx: Tx, span: tuple[datetime, datetime]) -> Floor:
    units = await resources.units(tx)
    people = (await resources.roster(tx, span[1])).people
    places = [(unit.id, unit.skill or "") for unit in units]
    crews = {
        crew: posts(places, [(one.id, one.skills) for one in people if one.crew == crew])
        for crew in {one.crew for one in people if one.crew is not None}
    }
    by_center: dict[EquipmentId, list[EquipmentId]] = {}
    for unit in units:
        by_center.setdefault(unit.work_center or unit.id, []).append(unit.id)
    return Floor(units=by_center, windows=await resources.unit_windows(tx, *span), crews=crews)


def _cause(at: datetime, person: PersonId | None = None) -> Cause:
    actor = "service:history" if person is None else f"person:{person}"
    return Cause(actor=actor, at=at, simulated=True)


def _lot(material: MaterialId) -> LotNumber:
    return LotNumber(f"LOT-{material}-H001")


async def open_books(db: Database, past: Past) -> None:
    """Receive materials that last for the whole past, clock its people."""
    async with db.transaction(_cause(past.span[0])) as tx:
        if await store.history_begun(tx):
            return
        await _receive_materials(tx, past)
        await _clock_people(tx, past)


async def _receive_materials(tx: Tx, past: Past) -> None:
    amounts = needed(past.orders, past.masters)
    prices = await definitions.standard_prices(tx, list(amounts), past.span[0])
    for material, amount in amounts.items():
        price = prices[material]
        draft = LotDraft(
            material=material,
            quantity=Decimal(amount),
            uom=price.uom,
            lot=_lot(material),
            price=price.price,
            currency=price.currency,
            supplier="V-01",
            purchase="HIST",
            receipt=f"HIST-{material}",
        )
        await inventory.receive_lot(tx, draft)


async def _clock_people(tx: Tx, past: Past) -> None:
    stints: dict[tuple[PersonId, datetime], datetime] = {}
    for order in past.orders:
        for job in order.jobs:
            hour = job.starts_at.replace(minute=0, second=0, microsecond=0)
            stints[job.person, hour] = max(stints.get((job.person, hour), job.ends_at), job.ends_at)
    for (person, begin), end in _merged(stints):
        await resources.clock_in(tx.under(_cause(begin)), person)
        await resources.clock_out(tx.under(_cause(end)), person)


def _merged(
    stints: Mapping[tuple[PersonId, datetime], datetime],
) -> list[tuple[tuple[PersonId, datetime], datetime]]:
    """Return each person's stints with those that touch made one."""
    merged: list[tuple[tuple[PersonId, datetime], datetime]] = []
    for (person, begin), end in sorted(stints.items()):
        if merged and merged[-1][0][0] == person and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append(((person, begin), end))
    return merged


async def book_order(db: Database, order: PastOrder) -> None:
    """Book one order from its receipt to its close; a second time changes nothing."""
    erp_ref = f"HIST-{order.number:04d}"
    async with db.transaction(_cause(order.received_at)) as tx:
        if await store.order_booked(tx, erp_ref):
            return
        customer_order = f"H{order.number:04d}"
        await workorders.put_customer_order(
            tx,
            CustomerOrderDraft(
                id=customer_order,
                customer=order.customer,
                customer_name=order.customer_name,
                due_at=order.due_at,
                ordered_at=order.received_at,
            ),
        )
        number = await workorders.receive_work_order(
            tx,
            WorkOrderDraft(
                erp_ref=erp_ref,
                material=order.material,
                quantity=Decimal(order.quantity),
                uom="pc",
                due_at=order.due_at,
                customer_order=customer_order,
            ),
        )
        if (await workorders.get_work_order(tx, number)).status is WorkOrderStatus.WAITING:
            await workorders.release_work_order(tx, number)
        for job in order.jobs:
            await _book_job(tx, f"{number}-{job.operation}", job)
        await workorders.close_work_order(tx.under(_cause(order.jobs[-1].ends_at)), number)


async def _book_job(tx: Tx, job_order: str, job: PastJob) -> None:
    begin = tx.under(_cause(job.starts_at, job.person))
    end = tx.under(_cause(job.ends_at, job.person))
    planned = await workorders.get_job(tx, job_order)
    await workorders.save_job(
        tx,
        replace(
            planned.moved(JobOrderStatus.DISPATCHED),
            equipment=job.equipment,
            planned_start=job.starts_at,
            planned_end=job.ends_at,
        ),
    )
    started = await execution.start(begin, job_order, job.equipment)
    await _state(tx, job.equipment, "Execute", job.starts_at)
    for part in await workorders.components_of(tx, job_order):
        await execution.consume(
            begin, LotUse(job_order=started.job_order, lot=_lot(part.material), quantity=part.required)
        )
    if job.stop is not None:
        await _stop(tx, job.equipment, job.stop)
    await execution.report(
        end,
        QuantityReport(
            job_order=started.job_order, good=Decimal(job.good), scrap=Decimal(job.scrap), reason=job.reason
        ),
    )
    await _count(tx, job)
    await execution.complete(end, job_order)
    await _state(tx, job.equipment, "Idle", job.ends_at)


async def _stop(tx: Tx, equipment: EquipmentId, stop: PastStop) -> None:
    await _state(tx, equipment, "Aborted", stop.starts_at, stop.fault)
    await _state(tx, equipment, "Execute", stop.ends_at)


async def _state(tx: Tx, equipment: EquipmentId, state: str, at: datetime, reason: str | None = None) -> None:
    reading = StateReading(equipment=equipment, state=state, at=at, reason=reason)
    await performance.record_state(tx.under(_cause(at)), reading)


async def _count(tx: Tx, job: PastJob) -> None:
    at = job.ends_at - timedelta(seconds=1)
    for kind, made in ((CountKind.GOOD, job.good), (CountKind.SCRAP, job.scrap)):
        reading = CountReading(equipment=job.equipment, kind=kind, delta=Decimal(made), at=at)
        await performance.record_count(tx.under(_cause(at)), reading)


async def finish(db: Database, past: Past) -> None:
    """Say that the past is complete: the ERP gets one opening entry for each account.

    Until now nobody knew what a unit did before its first booked job; now it is known to have waited.
    """
    async with db.transaction(_cause(past.span[1])) as tx:
        if await store.history_booked(tx):
            return
        for unit in await resources.units(tx):
            await _state(tx, unit.id, "Idle", past.span[0])
        booked = HistoryBooked(
            site=tx.site, starts_at=past.span[0], ends_at=past.span[1], orders=len(past.orders)
        )
        await append(tx, booked)
