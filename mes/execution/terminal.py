"""What a terminal shows: one snapshot of a unit, its jobs, what they need, and its last acts."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from mes.access import service as access
from mes.access.model import SignOn
from mes.execution import store
from mes.execution.calls import call_shown
from mes.execution.model import HelpCall, why_not_startable_from
from mes.execution.store import (
    MachineScan,
    QueueRow,
    RecentRow,
    TerminalLot,
    TerminalPart,
    TerminalSerial,
    UnitRow,
)
from mes.identification.labels import label_text
from mes.identification.model import LabelMalformed
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId
from mes.resources import service as resources
from mes.resources.model import EquipmentUnknown, Reason, ReasonKind, is_down
from mes.workorders.model import JobOrderStatus

QUEUE_LENGTH = 12
RECENT = 8
LOTS_PER_MATERIAL = 3
SCAN_SHOWN = timedelta(hours=8)
"""What the unit's own scanner read before is of another shift."""
COMMANDS = ("START", "HOLD", "COMPLETE")
SHOWN_REASONS = (ReasonKind.SCRAP, ReasonKind.STOP, ReasonKind.HOLD, ReasonKind.REVERSAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitView:
    """The unit and what it does, as PackML names it.

    Args:
        down: It stands by a fault or a stop.
        back_at: When it is expected to run again, where somebody said so.
    """

    id: str
    name: str
    work_center: str | None
    state: str
    since: datetime | None
    reason: str | None
    down: bool
    back_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """Somebody signed on here."""

    id: str
    name: str
    skills: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LotView:
    """A lot that this job may use, the one to use first before the others.

    Args:
        code: What a label or a tap says to mean this lot and no other: another material's lot may have
            the same number.
    """

    lot: str
    code: str
    quantity: Decimal
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentView:
    """What a job takes of one material."""

    material: str
    name: str
    required: Decimal
    consumed: Decimal
    uom: str
    lots: tuple[LotView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why something cannot be done now, for the pages to translate."""

    code: str
    params: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job at a terminal.

    Args:
        remaining: Pieces still expected here; `available` of them lie here already.
        room: Good pieces that the first operation may still make, also for scrap and beyond; else None.
        digits: Decimals that a quantity of `uom` may have.
        late: It ends, or its order is, after the due time.
        setup_s, run_s: Standard seconds: for this unit's change of family, and per piece.
        serials: Numbers of the pieces that lie here, in order.
    """

    id: str
    work_order: str
    operation: int
    name: str
    material: str
    material_name: str
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    remaining: Decimal
    available: Decimal
    room: Decimal | None
    uom: str
    digits: int
    status: JobOrderStatus
    hold_reason: str | None
    planned_start: datetime | None
    planned_end: datetime | None
    started_at: datetime | None
    equipment: str | None
    customer: str | None
    due_at: datetime
    priority: int
    late: bool
    last: bool
    skill: str | None
    run_s: Decimal
    setup_s: Decimal
    serials: tuple[str, ...]
    components: tuple[ComponentView, ...]
    instructions: str
    startable: bool
    not_startable: Refusal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonsView:
    """Reason codes to choose from."""

    scrap: tuple[str, ...]
    stop: tuple[str, ...]
    hold: tuple[str, ...]
    reversal: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label to scan: `text` is what it carries."""

    kind: str
    text: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tray:
    """The labels that lie beside the terminal."""

    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalView:
    """Everything that a terminal shows, read in one snapshot of the database.

    Args:
        visitor: A real person used it within the last minute; the demo's simulator keeps away.
        help: The call for help that is open here, or for a while who is coming.
        scan: The last code that the unit's own scanner read.
    """

    terminal: str
    at: datetime
    equipment: UnitView
    people: tuple[PersonView, ...]
    job: JobView | None
    queue: tuple[JobView, ...]
    reasons: ReasonsView
    tray: Tray
    last: tuple[RecentRow, ...]
    visitor: bool
    help: HelpCall | None
    scan: MachineScan | None


async def show(tx: Tx, terminal: str, now: datetime) -> TerminalView:
    """Return what the terminal of a unit shows at `now`.

    Raises:
        EquipmentUnknown: No such unit.
    """
    unit = await store.find_unit(tx, terminal)
    if unit is None:
        raise EquipmentUnknown(equipment=terminal)
    rows = await store.queue(tx, unit.id, QUEUE_LENGTH)
    jobs = await _jobs(tx, unit, rows, now)
    running = next((job for job in jobs if job.status is JobOrderStatus.RUNNING), None)
    there = await access.at_terminal(tx, terminal, now)
    return TerminalView(
        terminal=terminal,
        at=now,
        equipment=UnitView(
            id=unit.id,
            name=unit.name,
            work_center=unit.work_center,
            state=unit.state or "Undefined",
            since=unit.since,
            reason=unit.reason,
            down=is_down(unit.state or "", unit.reason),
            back_at=unit.back_at,
        ),
        people=await _people(tx, there, now),
        job=running,
        queue=tuple(job for job in jobs if job is not running),
        reasons=_reasons(await resources.reasons(tx)),
        tray=Tray(labels=tuple(_labels(jobs))),
        last=tuple(await store.recent(tx, EquipmentId(unit.id), RECENT)),
        visitor=there is not None and there.visitor(now),
        help=await call_shown(tx, unit.id, now),
        scan=await store.last_scan(tx, unit.id, now - SCAN_SHOWN),
    )


async def _people(tx: Tx, there: SignOn | None, now: datetime) -> tuple[PersonView, ...]:
    cards = await resources.people_named(tx, [] if there is None else [there.person], now)
    return tuple(PersonView(id=card.id, name=card.name, skills=card.skills) for card in cards)


async def _jobs(tx: Tx, unit: UnitRow, rows: list[QueueRow], now: datetime) -> list[JobView]:
    if not rows:
        return []
    parts = await store.terminal_parts(tx, [row.id for row in rows])
    materials, orders = {part.material for part in parts}, {row.work_order for row in rows}
    lots = await store.terminal_lots(tx, sorted(materials), sorted(orders), LOTS_PER_MATERIAL, now)
    with_serials = [row.work_order for row in rows if _has_serials(row)]
    serials = await store.terminal_serials(tx, with_serials) if with_serials else []
    busy = next((row.id for row in rows if row.status == JobOrderStatus.RUNNING), None)
    return [
        _job(
            unit,
            row,
            busy,
            now,
            components=_components(row, parts, lots),
            serials=_serials_at(row, serials),
        )
        for row in rows
    ]


def _has_serials(row: QueueRow) -> bool:
    return row.serial_from is not None and row.operation >= row.serial_from


def _serials_at(row: QueueRow, serials: list[TerminalSerial]) -> tuple[str, ...]:
    if not _has_serials(row):
        return ()
    first = row.operation == row.serial_from
    return tuple(
        one.serial
        for one in serials
        if one.work_order == row.work_order
        and (one.status == "reserved" if first else one.last_operation == row.from_operation)
    )


def _components(
    row: QueueRow, parts: list[TerminalPart], lots: list[TerminalLot]
) -> tuple[ComponentView, ...]:
    return tuple(
        ComponentView(
            material=part.material,
            name=part.name,
            required=part.required,
            consumed=part.consumed,
            uom=part.uom,
            lots=tuple(_usable(lots, part.material, row.work_order))[:LOTS_PER_MATERIAL],
        )
        for part in parts
        if part.job_order == row.id
    )


def _usable(lots: list[TerminalLot], material: str, work_order: str) -> Iterator[LotView]:
    for lot in lots:
        if lot.material == material and lot.reserved_for in {None, work_order}:
            yield LotView(lot=lot.lot, code=lot.code, quantity=lot.on_hand, expires_at=lot.expires_at)


def _job(unit: UnitRow, row: QueueRow, busy: str | None, now: datetime, **parts: Any) -> JobView:
    available = row.arrived - row.good - row.scrap
    refusal = _refusal(unit, row, busy, available)
    return JobView(
        id=row.id,
        work_order=row.work_order,
        operation=row.operation,
        name=row.name,
        material=row.material,
        material_name=row.material_name,
        quantity=row.quantity,
        good=row.good,
        scrap=row.scrap,
        remaining=max(row.expected - row.good - row.scrap, Decimal(0)),
        available=available,
        room=row.room,
        uom=row.uom,
        digits=row.digits,
        status=JobOrderStatus(row.status),
        hold_reason=row.hold_reason,
        planned_start=row.planned_start,
        planned_end=row.planned_end,
        started_at=row.started_at,
        equipment=row.equipment,
        customer=row.customer,
        due_at=row.due_at,
        priority=row.priority,
        late=row.due_at < now or (row.planned_end is not None and row.planned_end > row.due_at),
        last=row.last,
        skill=row.skill,
        run_s=row.run_s,
        setup_s=Decimal(0) if unit.family == row.family else row.setup_s,
        instructions=row.instructions,
        startable=refusal is None,
        not_startable=refusal,
        **parts,
    )


def _refusal(unit: UnitRow, row: QueueRow, busy: str | None, available: Decimal) -> Refusal | None:
    reason = why_not_startable_from(JobOrderStatus(row.status), available)
    if reason is not None:
        return Refusal(code="JobOrderNotStartable", params={"job_order": row.id, "reason": reason})
    if busy is not None:
        return Refusal(code="EquipmentBusy", params={"equipment": unit.id, "job_order": busy})
    return None


def _reasons(reasons: list[Reason]) -> ReasonsView:
    codes = {kind.value: tuple(one.code for one in reasons if one.kind is kind) for kind in SHOWN_REASONS}
    return ReasonsView(**codes)


def _labels(jobs: list[JobView]) -> Iterator[Label]:
    for command in COMMANDS:
        yield from _label("command", command, command)
    for job in jobs:
        yield from _label("work_order", job.work_order, job.work_order)
    at_hand = next((job for job in jobs if job.status is JobOrderStatus.RUNNING), None)
    for job in [at_hand] if at_hand is not None else jobs[:1]:
        for part in job.components:
            for lot in part.lots:
                yield from _label("lot", lot.code, f"{part.name} {lot.lot}")
        for serial in job.serials:
            yield from _label("serial", serial, serial)


def _label(kind: str, code: str, title: str) -> Iterator[Label]:
    """Yield the label, unless the code has characters that a label cannot carry."""
    with suppress(LabelMalformed):
        yield Label(kind=kind, text=label_text(kind, code), title=title)
