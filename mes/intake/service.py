"""Turn the edges' events into facts, each once; what cannot become one waits in quarantine."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from mes.identification.model import Scan, ScanRefused
from mes.identification.scan import parse_scan
from mes.intake import store
from mes.intake.events import EdgeConfigChanged, EdgeGapDeclared, ScanField, ScanObserved
from mes.intake.model import (
    CLOCK_AHEAD,
    GOOD_QUALITY,
    NOT_UNDERSTOOD,
    Absorbed,
    ClockAhead,
    CountValue,
    EdgeConfig,
    EdgeConfigUnknown,
    GapValue,
    InboxRow,
    NotInQuarantine,
    Quarantined,
    ReadingNotUnderstood,
    ScanValue,
)
from mes.intake.scanning import SCANS, act_on_next, note_scan, refused_scans, with_symbology
from mes.kernel.db import Cause, Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId
from mes.kernel.log import get_logger
from mes.kernel.messages import NEW_SPOOL, UNREAD
from mes.kernel.outbox import append
from mes.kernel.topics import Stream
from mes.performance import service as performance
from mes.performance.model import PACKML, UNDEFINED, CountKind, CountReading, StateReading, Window
from mes.resources import service as resources

__all__ = [
    "CHANNEL",
    "SCANS",
    "absorb",
    "act_on_next",
    "edge_config",
    "forget",
    "note_scan",
    "put_edge_config",
    "quarantined",
    "refused_scans",
    "retry",
    "retry_known",
]

log = get_logger(__name__)

CHANNEL = "lineside_inbox"
"""Notified when ingest has committed rows to the inbox."""
UNSEEN = frozenset({"disconnected"})
"""Reasons of a gap in which nobody saw what the machine did; a state that differs after it is told."""
LOST = frozenset({NEW_SPOOL, UNREAD, "spool_broken", "no_longer_kept", "quarantined"})
"""Reasons of a gap of events after which nobody knows a machine's state before it tells the next one."""
KEPT = timedelta(days=3)
FORGET_AT_ONCE = 5000

COUNTERS: Mapping[str, CountKind] = {"count.good": CountKind.GOOD, "count.scrap": CountKind.SCRAP}
"""Metric of the event stream -> what it counts."""


async def absorb(tx: Tx, limit: int = 200) -> Absorbed:
    """Turn the oldest waiting rows of the inbox into facts, in their order of arrival.

    Rows are marked done in the transaction of their facts, so a row is a fact once. A row that
    cannot become a fact is set aside with its reason; those behind it go on.

    Args:
        limit: At most so many rows in this transaction.
    """
    if not await store.become_consumer(tx):
        return Absorbed(0, 0)
    done: list[int] = []
    rows = await store.waiting(tx, limit)
    for row in rows:
        refusal = await _book(_as_edge(tx, row), row)
        if refusal is None:
            done.append(row.id)
        else:
            log.warning("reading.quarantined", row=row.id, key=row.key, reason=refusal)
            await store.set_aside(tx, row.id, refusal)
    if done:
        await store.mark_done(tx, done)
    return Absorbed(len(done), len(rows) - len(done))


async def quarantined(tx: Tx, limit: int = 500) -> list[Quarantined]:
    """Return what waits in quarantine, oldest first."""
    return await store.quarantined(tx, limit)


async def retry(tx: Tx, row: int | None = None) -> int:
    """Let one row, or all, out of quarantine to be tried again; return how many.

    Raises:
        NotInQuarantine: The row named does not wait there.
    """
    released = await store.let_out(tx, row)
    if row is not None and not released:
        raise NotInQuarantine(row=row)
    return released


async def retry_known(tx: Tx) -> int:
    """Let rows out of quarantine whose equipment has been defined since; return how many."""
    return await store.let_out_known(tx)


async def forget(tx: Tx) -> int:
    """Delete inbox rows that are facts since `KEPT`; the facts name their source themselves.

    Returns:
        How many went, at most `FORGET_AT_ONCE`.
    """
    return await store.forget(tx, tx.now - KEPT, FORGET_AT_ONCE)


async def edge_config(tx: Tx, edge: str) -> EdgeConfig:
    """Return the newest configuration of an edge.

    Raises:
        EdgeConfigUnknown: It has none.
    """
    found = await store.newest_config(tx, edge)
    if found is None:
        raise EdgeConfigUnknown(edge=edge)
    return found


async def put_edge_config(tx: Tx, edge: str, config: dict[str, Any]) -> int:
    """Give an edge a configuration under the next number; the same one again adds nothing.

    Returns:
        The number of the configuration that holds now.
    """
    await store.lock_configs(tx, edge)
    newest = await store.newest_config(tx, edge)
    if newest is not None and newest.config == config:
        return newest.version
    version = 1 if newest is None else newest.version + 1
    await store.insert_config(tx, edge, version, config)
    await append(tx, EdgeConfigChanged(site=tx.site, edge=edge, version=version))
    return version


async def _book(tx: Tx, row: InboxRow) -> str | None:
    """Book one row; return the reason when it is refused."""
    handler = _HANDLERS.get(row.kind)
    if handler is None:
        return None
    try:
        async with store.guarded(tx):
            if row.source_time > row.received_at + CLOCK_AHEAD:
                raise ClockAhead(source_time=row.source_time, received_at=row.received_at)
            await handler(tx, row)
    except PlantError as refusal:
        if refusal.retryable:
            raise
        return f"{refusal.code}: {refusal.message}"
    except NOT_UNDERSTOOD as error:
        return f"{ReadingNotUnderstood.__name__}: {error}"
    return None


async def _state(tx: Tx, row: InboxRow) -> None:
    number = row.value
    if not isinstance(number, int) or not 0 <= number < len(PACKML):
        raise ReadingNotUnderstood(metric=row.metric, value=row.value)
    state = PACKML[number] if row.quality >= GOOD_QUALITY else UNDEFINED
    reason = await performance.fault_of(tx, row.equipment, state)
    reading = StateReading(
        equipment=row.equipment,
        state=state,
        at=row.source_time,
        reason=reason,
        source=row.source,
        read_at=row.received_at,
    )
    await performance.record_state(tx, reading)


async def _fault(tx: Tx, row: InboxRow) -> None:
    if not isinstance(row.value, str):
        raise ReadingNotUnderstood(metric=row.metric, value=row.value)
    await performance.record_fault(tx, row.equipment, row.value, row.source_time)


async def _count(tx: Tx, row: InboxRow) -> None:
    kind = COUNTERS.get(row.metric)
    if kind is None:
        raise ReadingNotUnderstood(metric=row.metric, value=row.value)
    value = CountValue.model_validate(row.value)
    reading = CountReading(
        equipment=row.equipment,
        kind=kind,
        delta=value.delta,
        raw=value.raw,
        at=row.source_time,
        doubtful=value.doubtful or row.quality < GOOD_QUALITY,
        source=row.source,
    )
    await performance.record_count(tx, reading)


async def _scan(tx: Tx, row: InboxRow) -> None:
    value = ScanValue.model_validate(row.value)
    unit = await resources.get_equipment(tx, row.equipment)
    scan, error = _meaning(value)
    await store.insert_scan(tx, row, unit.scope, value, scan=scan, error=error)
    await append(
        tx,
        ScanObserved(
            site=tx.site,
            scope=unit.scope,
            reader=value.reader or row.equipment,
            payload=value.payload,
            symbology=value.symbology,
            equipment=row.equipment,
            form=None if scan is None else scan.form.value,
            fields=() if scan is None else tuple(ScanField(*field) for field in scan.fields.items()),
            error=error,
        ),
    )


def _meaning(value: ScanValue) -> tuple[Scan | None, str | None]:
    try:
        return parse_scan(with_symbology(value.payload, value.symbology)), None
    except ScanRefused as refused:
        return None, refused.code


async def _gap(tx: Tx, row: InboxRow) -> None:
    gap = GapValue.model_validate(row.value)
    read = await store.units_of(tx, row.edge)
    units = read if gap.equipment is None else gap.equipment
    heard = gap.starts_at or await store.heard_until(tx, row, gap.from_seq, {*read, *units})
    if heard is None and gap.reason == NEW_SPOOL:
        return
    starts_at = heard or row.source_time
    if gap.reason == UNREAD:
        starts_at = max(starts_at, await store.told_last(tx, units) or starts_at)
    window = Window(starts_at=starts_at, ends_at=max(starts_at, gap.ends_at))
    for equipment in units or (row.equipment,):
        await store.insert_gap(tx, row.edge, equipment, gap, window)
        if equipment:
            await _unseen(tx, equipment, gap, window)
    await append(
        tx,
        EdgeGapDeclared(
            site=tx.site,
            edge=row.edge,
            stream=gap.stream,
            from_seq=gap.from_seq,
            to_seq=gap.to_seq,
            starts_at=window.starts_at,
            ends_at=window.ends_at,
            reason=gap.reason,
            equipment=tuple(units),
        ),
    )


async def _unseen(tx: Tx, equipment: EquipmentId, gap: GapValue, window: Window) -> None:
    if gap.reason in LOST and gap.stream == Stream.EVENTS.value:
        await performance.record_blindness(tx, equipment, window.starts_at)
    elif gap.reason in UNSEEN and window.starts_at < window.ends_at:
        await performance.record_gap(tx, equipment, window)


_HANDLERS: Mapping[str, Callable[[Tx, InboxRow], Awaitable[None]]] = {
    "state": _state,
    "fault": _fault,
    "count": _count,
    "scan": _scan,
    "gap": _gap,
}


def _as_edge(tx: Tx, row: InboxRow) -> Tx:
    cause = Cause(actor=f"edge:{row.edge}", at=row.source_time, key=row.key)
    return tx.under(cause)
