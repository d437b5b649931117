"""What a scanner that is fixed to a unit does: it uses a lot for the job there, or confirms what lies there.

It neither starts a job nor counts a piece: a machine that reads a label does not know whether the piece
is good, and a start wants a person with the skill who says so.
"""

from collections.abc import Mapping

from mes.access import service as access
from mes.access.model import NobodySignedOn
from mes.execution import store
from mes.execution.consuming import consume
from mes.execution.model import (
    LotUse,
    MaterialNotNeeded,
    NoJobHere,
    NotForThisScanner,
    OtherOrderRead,
    ScanOutcome,
    Taken,
)
from mes.inventory import service as inventory
from mes.inventory.model import LotTooSmall
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId, LotNumber, SerialNumber
from mes.tracking import service as tracking
from mes.tracking.model import SerialNotExpected
from mes.workorders import service as workorders

KNOWN = ("job_order", "work_order", "lot", "serial")


async def take_scan(tx: Tx, unit: EquipmentId, fields: Mapping[str, str]) -> Taken:
    """Act on a code that the unit's scanner read at `tx.now`, for the job that ran there then.

    A lot is used as at the terminal: what the job still needs of it, by the person who is signed on
    there. A lot that the job has used already is confirmed, also when nothing is left of it; so are
    its order and its pieces.

    Args:
        fields: What the code says, by the plant's words.

    Raises:
        NotForThisScanner: It is neither an order, a lot nor a piece.
        NoJobHere: No job ran there then.
        NobodySignedOn: Nobody was at the terminal who could have used the lot.
        OtherOrderRead, SerialNotExpected: It is of something else than the job there.
        UnknownBarcode, MaterialNotOnBill, LotBlocked, LotExpired, ...: As at the terminal.
    """
    if not any(name in fields for name in KNOWN):
        raise NotForThisScanner(equipment=unit)
    job_order = await store.job_there(tx, unit, tx.now)
    if job_order is None:
        raise NoJobHere(equipment=unit)
    if "job_order" in fields or "work_order" in fields:
        return await _order(tx, job_order, fields)
    if "lot" in fields:
        return await _lot(tx, unit, job_order, LotNumber(fields["lot"]))
    return await _piece(tx, job_order, SerialNumber(fields["serial"]))


async def _order(tx: Tx, job_order: JobOrderId, fields: Mapping[str, str]) -> Taken:
    job = await workorders.get_job(tx, job_order)
    read, expected = fields.get("job_order"), str(job.id)
    if read is None:
        read, expected = fields["work_order"], str(job.work_order)
    if read != expected:
        raise OtherOrderRead(read=read, job_order=job.id)
    return Taken(outcome=ScanOutcome.CONFIRMED, job_order=job.id)


async def _lot(tx: Tx, unit: EquipmentId, job_order: JobOrderId, lot: LotNumber) -> Taken:
    person = await access.person_there(tx, unit, tx.now)
    if person is None:
        raise NobodySignedOn(terminal=unit)
    try:
        await consume(tx, LotUse(job_order=job_order, lot=lot, person=person))
    except (MaterialNotNeeded, LotTooSmall):  # no quantity is asked for: too small is empty
        parts = await workorders.components_of(tx, job_order)
        read = await inventory.get_lot(tx, lot, {part.material for part in parts})
        if not await store.has_used(tx, job_order, read.id):
            raise
        return Taken(outcome=ScanOutcome.CONFIRMED, job_order=job_order)
    return Taken(outcome=ScanOutcome.BOOKED, job_order=job_order)


async def _piece(tx: Tx, job_order: JobOrderId, serial: SerialNumber) -> Taken:
    job = await workorders.get_job(tx, job_order)
    pieces = await tracking.serials_of(tx, job.work_order)
    there = tracking.waiting(pieces, job.from_operation, first=job.operation == job.serial_from)
    reported = [one for one in pieces if one.last_operation == job.operation]
    if serial not in {one.serial for one in (*there, *reported)}:
        raise SerialNotExpected(serial=serial)
    return Taken(outcome=ScanOutcome.CONFIRMED, job_order=job.id)
