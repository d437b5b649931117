"""What the scanners at the machines read becomes an act at their unit, once, or waits for a person.

Each scan is acted on in a transaction of its own: it locks an order and a lot, as a person's act does.
"""

from typing import Any

from mes.execution import service as execution
from mes.execution.model import ScanOutcome, Taken
from mes.identification.model import Scan
from mes.identification.scan import parse_scan
from mes.intake import store
from mes.intake.events import ScanNoted, ScanNotUnderstood, ScanTaken
from mes.intake.model import NOT_UNDERSTOOD, ReadingNotUnderstood, RefusedScan, ScanNotWaiting, ScanRead
from mes.kernel.db import Cause, Tx
from mes.kernel.errors import PlantError
from mes.kernel.log import get_logger
from mes.kernel.outbox import append
from mes.resources import service as resources

log = get_logger(__name__)

SCANS = "lineside_scan"
"""Notified when scans were stored."""
SHOWN = 100


async def act_on_next(tx: Tx) -> int:
    """Act on the oldest scan that waits; return how many there were, at most one.

    It is done at the time of the scan, by the device, under the key of the reading. What is refused
    is kept with its reason for whoever works at the unit.
    """
    read = await store.next_scan(tx)
    if read is None:
        return 0
    cause = Cause(actor=f"device:{read.reader}", at=read.at, terminal=read.equipment, key=read.key)
    as_device = tx.under(cause)
    try:
        async with store.guarded(as_device):
            taken = await execution.take_scan(as_device, read.equipment, meaning(read).fields)
    except PlantError as refusal:
        if refusal.retryable:
            raise
        await _refuse(as_device, read, refusal)
    except NOT_UNDERSTOOD as error:
        await _refuse(as_device, read, ReadingNotUnderstood(reason=str(error)))
    else:
        await _settle(as_device, read, taken)
    return 1


def meaning(read: ScanRead) -> Scan:
    """Return what a code means.

    Raises:
        ScanRefused: One of its kinds says what is wrong with it.
    """
    return parse_scan(with_symbology(read.payload, read.symbology))


def with_symbology(payload: str, symbology: str | None) -> str:
    """Return a code with its AIM identifier in front, as the grammar wants it."""
    if symbology is None or payload.startswith(symbology):
        return payload
    return f"{symbology}{payload}"


async def refused_scans(tx: Tx) -> list[RefusedScan]:
    """Return the scans that came to nothing and that nobody has seen, the newest first."""
    return await store.refused_scans(tx, SHOWN)


async def note_scan(tx: Tx, scan: int) -> RefusedScan:
    """Say that somebody has seen why a scan came to nothing.

    Raises:
        ScanNotWaiting: It did not, or somebody has.
    """
    refused = await store.lock_refused(tx, scan)
    if refused is None:
        raise ScanNotWaiting(scan=scan)
    await store.note_scan(tx, scan)
    unit = await resources.get_equipment(tx, refused.equipment)
    await append(
        tx,
        ScanNoted(
            site=tx.site, scope=unit.scope, scan=scan, reader=refused.reader, equipment=refused.equipment
        ),
    )
    return refused


async def _settle(tx: Tx, read: ScanRead, taken: Taken) -> None:
    await store.judge_scan(tx, read.id, taken.outcome.value, taken.job_order, None)
    await store.note_repaired(tx, read.equipment, read.id, tx.cause.actor)
    await append(
        tx,
        ScanTaken(
            site=tx.site,
            scope=read.scope,
            scan=read.id,
            reader=read.reader,
            equipment=read.equipment,
            outcome=taken.outcome.value,
            job_order=taken.job_order,
        ),
    )


async def _refuse(tx: Tx, read: ScanRead, refusal: PlantError) -> None:
    told = refusal.as_json()
    kept: dict[str, Any] = {"error": told["error"], "params": told["params"]}
    log.info("scan.not_understood", scan=read.id, equipment=read.equipment, error=refusal.code)
    await store.judge_scan(tx, read.id, ScanOutcome.REFUSED.value, None, kept)
    await append(
        tx,
        ScanNotUnderstood(
            site=tx.site,
            scope=read.scope,
            scan=read.id,
            reader=read.reader,
            equipment=read.equipment,
            error=refusal.code,
        ),
    )
