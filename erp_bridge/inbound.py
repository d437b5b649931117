"""ERP to plant: what the ERP owns is pulled, deduplicated by content and handed to the MES."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, time
from functools import singledispatch
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from erp_bridge import store
from erp_bridge.adapter import (
    ErpAdapter,
    ErpReadRefused,
    ErpRecordNotUnderstood,
    OddRecord,
    Page,
    Period,
    Stream,
)
from erp_bridge.documents import (
    ExpectedReceipt,
    Incoming,
    MaterialCount,
    MaterialDefinition,
    MaterialLot,
    OperationsDefinition,
    OperationsRequest,
    Person,
    Rate,
)
from erp_bridge.postings import BY_THE_ERP
from mes.definitions import service as definitions
from mes.definitions.model import (
    MaterialDraft,
    MaterialKind,
    MaterialTracking,
    WorkMasterComponent,
    WorkMasterDraft,
    WorkMasterOperation,
)
from mes.inventory import service as inventory
from mes.inventory.model import CountDraft, ExpectedReceiptDraft, LotDraft
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, LotNumber, MaterialId, PersonId
from mes.kernel.log import get_logger
from mes.resources import service as resources
from mes.resources.model import PersonDraft, RateDraft
from mes.workorders import service as workorders
from mes.workorders.model import CustomerOrderDraft, WorkOrderDraft, WorkOrderStatus

logger = get_logger(__name__)

WHOLE_STREAM = "*"
"""Key of the refusal that stands for a stream as a whole."""
MADE = frozenset({WorkOrderStatus.COMPLETED, WorkOrderStatus.CLOSED})
"""What is made is not cancelled any more: the ERP's wish to do so is over with the work."""
_INCOMING: TypeAdapter[Incoming] = TypeAdapter(Incoming)


@dataclass(slots=True)
class Inbound:
    """One reader of one ERP."""

    db: Database
    adapter: ErpAdapter
    site_tz: str
    periods: tuple[Period, ...] = ()
    barred: set[Stream] = field(default_factory=lambda: set(Stream))
    """Streams that the ERP may have refused to show."""

    async def pull(self, stream: Stream) -> int:
        """Take what changed in one stream; return how many records were new.

        Raises:
            ErpUnavailable: The ERP does not answer; nothing was lost, the cursor stands.
        """
        taken = 0
        more = True
        while more:
            async with self.db.read() as tx:
                cursor = await store.records.cursor(tx, f"pull/{stream}")
            page = await self.adapter.pull(stream, cursor)
            taken += await self._take_new(stream, page.records)
            await self._keep_odd(stream, page)
            if page.cursor != cursor:
                async with self.db.transaction(self._cause(utc_now())) as tx:
                    await store.records.move_cursor(tx, f"pull/{stream}", page.cursor)
            more = page.more and page.cursor != cursor
            if page.more and not more:
                logger.error("erp.reading_stands", stream=stream, cursor=cursor)
        return taken

    async def follow(self, stream: Stream) -> int:
        """Pull one stream; that the ERP does not show it at all is kept for the repair desk too.

        Raises:
            ErpUnavailable: As `pull`.
        """
        try:
            taken = await self.pull(stream)
        except ErpReadRefused as refused:
            await self._note_odd(stream, [OddRecord(WHOLE_STREAM, refused.message)], refused.code)
            self.barred.add(stream)
            raise
        if stream in self.barred:
            async with self.db.transaction(self._cause(utc_now())) as tx:
                await store.records.forget(tx, stream, [WHOLE_STREAM])
            self.barred.discard(stream)
        return taken

    async def _keep_odd(self, stream: Stream, page: Page) -> None:
        """Keep what could not be read; strike off what can be read again."""
        await self._note_odd(stream, page.odd, ErpRecordNotUnderstood.__name__)
        if page.whole:
            async with self.db.read() as tx:
                mended = (
                    await store.records.odd_keys(tx, stream) - {one.key for one in page.odd} - {WHOLE_STREAM}
                )
            if mended:
                async with self.db.transaction(self._cause(utc_now())) as tx:
                    await store.records.forget(tx, stream, mended)

    async def _note_odd(self, stream: Stream, odd: Sequence[OddRecord], code: str) -> None:
        versions = {one.key: hashlib.sha256(f"{code} {one.detail}".encode()).hexdigest() for one in odd}
        async with self.db.read() as tx:
            known = await store.records.hashes(tx, stream, versions.keys())
        for one in odd:
            if known.get(one.key) != versions[one.key]:
                logger.warning("erp.record_odd", stream=stream, key=one.key, code=code, detail=one.detail)
                async with self.db.transaction(self._cause(utc_now())) as tx:
                    await store.records.keep(
                        tx, stream, one.key,
                        version=versions[one.key], body={}, code=code, detail=one.detail,
                    )  # fmt: skip

    async def take_refused(self) -> int:
        """Try again what the plant could not take: what it missed may have come since."""
        async with self.db.read() as tx:
            waiting = await store.records.refused_bodies(tx)
        accepted = 0
        for row in waiting:
            try:
                record = _INCOMING.validate_python(row.body)
            except ValidationError:  # of another version, or with a hole: the ERP has to send it again
                continue
            accepted += await self._take(Stream(row.stream), record, row.hash, first=True)
        return accepted

    async def _take_new(self, stream: Stream, records: Sequence[Incoming]) -> int:
        keys = [_key(record) for record in records]
        async with self.db.read() as tx:
            known = await store.records.hashes(tx, stream, keys)
        taken = 0
        for key, record in zip(keys, records, strict=True):
            version = _version(record)
            if known.get(key) != version:
                taken += await self._take(stream, record, version, first=key not in known)
                known[key] = version
        return taken

    async def _take(self, stream: Stream, record: Incoming, version: str, *, first: bool) -> int:
        """Hand one record to the plant; a refusal is kept for the repair desk."""
        code = detail = params = None
        async with self.db.transaction(self._cause(self._since(record, first=first))) as tx:
            try:
                async with store.records.guarded(tx):
                    await hand_over(record, tx)
            except PlantError as refused:
                if refused.retryable:
                    raise
                code, detail, params = refused.code, refused.message, refused.as_json()["params"]
                logger.warning("erp.record_refused", stream=stream, key=_key(record), code=code)
            except (LookupError, ValueError, TypeError, ArithmeticError) as error:
                code, detail = ErpRecordNotUnderstood.__name__, f"{type(error).__name__}: {error}"
                logger.warning(
                    "erp.record_refused", stream=stream, key=_key(record), code=code, detail=detail
                )
            await store.records.keep(
                tx, stream, _key(record), version=version, body=_body(record),
                code=code, detail=detail, params=params,
            )  # fmt: skip
        return 0 if code else 1

    def _since(self, record: Incoming, *, first: bool) -> datetime:
        """Return from when a record holds: what is met first held since the books began."""
        if isinstance(record, MaterialLot):
            return record.received_at
        if isinstance(record, MaterialCount):
            return record.counted_at
        standing = MaterialDefinition | OperationsDefinition | Rate | Person
        if first and isinstance(record, standing) and self.periods:
            day = self.periods[0].start
            return datetime.combine(day, time(), ZoneInfo(self.site_tz)).astimezone(UTC)
        return utc_now()

    def _cause(self, at: datetime) -> Cause:
        return Cause(actor="erp", at=at)


def _key(record: Incoming) -> str:
    return _storable(_name(record))


def _storable(text: str) -> str:
    """Return text that the database can keep, whatever the ERP sent."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _name(record: Incoming) -> str:
    match record:
        case MaterialDefinition() | OperationsDefinition() | Person():
            return record.id
        case Rate():
            return f"{record.kind}/{record.code}"
        case MaterialLot():
            return record.receipt
        case MaterialCount():
            return record.movement
        case ExpectedReceipt():
            return f"{record.purchase}/{record.material}"
        case OperationsRequest():
            return record.erp_ref


def _body(record: Incoming) -> dict[str, Any]:
    plain: dict[str, Any] = _INCOMING.dump_python(record, mode="json")
    return {name: _storable(value) if isinstance(value, str) else value for name, value in plain.items()}


def _version(record: Incoming) -> str:
    names = sorted(one.name for one in fields(record))
    text = json.dumps([type(record).__name__, names, _body(record)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@singledispatch
async def hand_over(record: Any, tx: Tx) -> None:
    """Hand one record of the ERP to the activity that keeps it.

    Raises:
        PlantError: The plant cannot take it; code and parameters say why.
    """
    msg = f"{type(record).__name__} has no place in the plant: {record} {tx}"
    raise TypeError(msg)


@hand_over.register
async def _(record: MaterialDefinition, tx: Tx) -> None:
    await definitions.put_material(
        tx,
        MaterialDraft(
            id=MaterialId(record.id),
            name=record.name,
            kind=MaterialKind.PRODUCT if record.product else MaterialKind.COMPONENT,
            uom=record.uom,
            tracking=MaterialTracking.SERIAL if record.product else MaterialTracking.LOT,
            standard_price=record.standard_price,
            currency=record.currency,
            erp_ref=record.erp_ref,
            digits=record.digits,
        ),
    )


@hand_over.register
async def _(record: OperationsDefinition, tx: Tx) -> None:
    await definitions.put_work_master(
        tx,
        WorkMasterDraft(
            id=record.id,
            material=MaterialId(record.material),
            operations=tuple(
                WorkMasterOperation(
                    operation=step.operation,
                    name=step.name,
                    work_center=EquipmentId(step.work_center),
                    setup_s=step.setup_s,
                    run_s=step.run_s,
                    labour_class=step.labour_class,
                )
                for step in record.operations
            ),
            components=tuple(
                WorkMasterComponent(
                    operation=line.operation,
                    material=MaterialId(line.material),
                    quantity=line.quantity,
                    uom=line.uom,
                )
                for line in record.bill
            ),
            erp_ref=record.erp_ref,
        ),
    )


@hand_over.register
async def _(record: Rate, tx: Tx) -> None:
    await resources.put_rate(
        tx,
        RateDraft(
            kind=record.kind,
            code=record.code,
            per_hour=record.per_hour,
            currency=record.currency,
            valid_from=tx.now,
        ),
    )


@hand_over.register
async def _(record: Person, tx: Tx) -> None:
    await resources.put_person(
        tx,
        PersonDraft(id=PersonId(record.id), name=record.name, active=record.active, erp_ref=record.erp_ref),
    )


@hand_over.register
async def _(record: MaterialLot, tx: Tx) -> None:
    await inventory.receive_lot(
        tx,
        LotDraft(
            material=MaterialId(record.material),
            quantity=record.quantity,
            uom=record.uom,
            lot=LotNumber(record.lot),
            price=record.price,
            currency=record.currency,
            supplier=record.supplier,
            purchase=record.purchase,
            receipt=record.receipt,
            expires_at=record.expires_at,
        ),
    )


@hand_over.register
async def _(record: MaterialCount, tx: Tx) -> None:
    await inventory.count_lot(
        tx,
        CountDraft(
            material=MaterialId(record.material),
            lot=LotNumber(record.lot),
            quantity=record.quantity,
            uom=record.uom,
            erp_ref=record.movement,
            expires_at=record.expires_at,
        ),
    )


@hand_over.register
async def _(record: ExpectedReceipt, tx: Tx) -> None:
    await inventory.put_expected_receipt(
        tx,
        ExpectedReceiptDraft(
            purchase=record.purchase,
            material=MaterialId(record.material),
            quantity=record.quantity,
            uom=record.uom,
            expected_at=record.expected_at,
            supplier=record.supplier,
        ),
    )


@hand_over.register
async def _(record: OperationsRequest, tx: Tx) -> None:
    if record.cancelled:
        order = await workorders.order_of_ref(tx, record.erp_ref)
        if order is not None and order.status not in MADE:
            await workorders.cancel_work_order(tx, order.id, BY_THE_ERP)
        return
    if record.customer_order is not None:
        await workorders.put_customer_order(
            tx,
            CustomerOrderDraft(
                id=record.customer_order,
                customer=record.customer,
                customer_name=record.customer_name,
                due_at=record.due_at,
                ordered_at=record.ordered_at,
                erp_ref=record.sale_ref,
            ),
        )
    await workorders.receive_work_order(
        tx,
        WorkOrderDraft(
            erp_ref=record.erp_ref,
            material=MaterialId(record.material),
            quantity=record.quantity,
            uom=record.uom,
            due_at=record.due_at,
            priority=record.priority,
            customer_order=record.customer_order,
        ),
    )
