"""Material of a lot that goes into a job, and so into the genealogy."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from mes.definitions import service as definitions
from mes.definitions.model import Material
from mes.execution import store
from mes.execution.acting import Done, actor_of, done_at, lock_running, scope_of, unit_of, where
from mes.execution.events import MaterialConsumed
from mes.execution.hours import join
from mes.execution.model import LotUse, MaterialActual, MaterialNotNeeded, MaterialNotOnBill
from mes.inventory import service as inventory
from mes.inventory.model import Lot, QuantityNotPositive, plain
from mes.kernel.db import Tx
from mes.kernel.ids import PersonId, SerialNumber, uuid7
from mes.kernel.outbox import append
from mes.tracking import service as tracking
from mes.tracking.model import GenealogyEdge, SerialNotExpected
from mes.workorders import service as workorders
from mes.workorders.model import JobComponent, JobOrder


async def consume(tx: Tx, use: LotUse) -> Done:
    """Take part of a lot for a running job: stock goes down, the genealogy grows.

    Without a quantity it takes what the job still requires, or what the lot still has.

    Raises:
        JobOrderNotRunning, JobOrderElsewhere: Not at this terminal, not now.
        UnknownBarcode: No such lot.
        MaterialNotOnBill: The job does not take this material.
        MaterialNotNeeded: It has all it needs, and no quantity was given.
        QuantityNotPositive: The quantity is zero or less.
        QuantityNotWhole, QuantityTooFine: It has more decimals than the unit, and is not all that
            the lot has left.
        LotBlocked, LotExpired, LotReserved, LotTooSmall: The lot may not be used for this.
        SerialNotExpected: The piece is not of this order.
    """
    person = use.person or actor_of(tx)
    line, job = await lock_running(tx, use.job_order)
    parts = await workorders.components_of(tx, job.id)
    lot = await inventory.lock_lot(tx, use.lot, {part.material for part in parts})
    part = _on_bill(job, lot, parts)
    material = await definitions.get_material(tx, lot.material)
    quantity = _quantity_to_take(part, lot, material, use)
    await _check_piece(tx, job, use.serial)
    movement = await inventory.issue(tx, lot, quantity, job.work_order, job.id)
    await join(tx, job, person)
    actual = _actual_of(tx, job, person, lot, quantity, use.serial, movement)
    await store.insert_actual(tx, actual, scope_of(job))
    await tracking.link(tx, edge_of(actual))
    await append(tx, _consumed(tx, job, actual))
    if line.jobs[-1].good > 0:
        need = await workorders.need_per_piece(tx, job.work_order)
        await tracking.fill_as_built(tx, job.work_order, job.material, lot.material, need)
    return replace(done_at(line, job, entry=actual.id), quantity=quantity)


def _actual_of(  # noqa: PLR0917 - the columns of one use
    tx: Tx,
    job: JobOrder,
    person: PersonId,
    lot: Lot,
    quantity: Decimal,
    serial: SerialNumber | None,
    movement: UUID,
) -> MaterialActual:
    return MaterialActual(
        id=uuid7(),
        job_order=job.id,
        work_order=job.work_order,
        operation=job.operation,
        equipment=unit_of(job),
        person=person,
        material=lot.material,
        lot=lot.id,
        quantity=quantity,
        uom=lot.uom,
        serial=serial,
        movement=movement,
        at=tx.now,
    )


def _consumed(tx: Tx, job: JobOrder, actual: MaterialActual) -> MaterialConsumed:
    return MaterialConsumed(
        **where(tx, job),
        actual=actual.id,
        person=actual.person,
        material=actual.material,
        lot=actual.lot,
        quantity=actual.quantity,
        uom=actual.uom,
        serial=actual.serial,
    )


def _on_bill(job: JobOrder, lot: Lot, parts: Iterable[JobComponent]) -> JobComponent:
    part = next((one for one in parts if one.material == lot.material), None)
    if part is None:
        raise MaterialNotOnBill(lot=lot.id, material=lot.material, job_order=job.id)
    return part


def _quantity_to_take(part: JobComponent, lot: Lot, material: Material, use: LotUse) -> Decimal:
    """Return what leaves the lot: of a unit's decimals, or the last of the lot whatever that is."""
    if use.quantity is not None:
        if use.quantity <= 0:
            raise QuantityNotPositive(quantity=plain(use.quantity))
        if use.quantity != lot.on_hand:
            material.check(use.quantity)
        return use.quantity
    needed = part.required - part.consumed
    if needed <= 0:
        raise MaterialNotNeeded(material=part.material, consumed=plain(part.consumed), uom=part.uom)
    whole = material.rounded_up(needed)
    return min(whole, lot.on_hand) if lot.on_hand > 0 else whole


async def _check_piece(tx: Tx, job: JobOrder, serial: SerialNumber | None) -> None:
    if serial is None:
        return
    piece = await tracking.find_serial(tx, serial)
    if piece is None or piece.work_order != job.work_order:
        raise SerialNotExpected(serial=serial)


def edge_of(actual: MaterialActual) -> GenealogyEdge:
    """Return the edge of the genealogy that a use of material makes."""
    return GenealogyEdge(
        id=uuid7(),
        work_order=actual.work_order,
        job_order=actual.job_order,
        material=actual.material,
        lot=actual.lot,
        serial=actual.serial,
        quantity=actual.quantity,
        uom=actual.uom,
        actual=actual.id,
        at=actual.at,
    )
