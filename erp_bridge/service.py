"""What the bridge can say and do for people: its figures, documents, lanes and repairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from erp_bridge import store
from erp_bridge.adapter import AdapterFactory, AdapterUnknown, Connection, ErpAdapter
from erp_bridge.store.lanes import Counts, DocumentRow, LaneRow
from erp_bridge.store.records import Refusal
from mes.kernel import plugins
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.settings import Settings

ADAPTERS = "erp_bridge.adapters"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpStatus:
    """The link to the ERP in figures.

    Args:
        outbox_lag_s: Age of the oldest document that waits.
        quantity_difference: None before the first comparison.
        value_difference: None before the first comparison.
        events_compared: Events that both books were compared on, in the newest comparison.
        events_waiting: Events still on their way: no difference yet.
        events_late: Those of them that wait for more than a minute.
        value_waiting: By how much the books differ until those have arrived.
    """

    name: str
    reachable: bool
    detail: str
    checked_at: datetime | None
    latency_ms: float
    documents_posted: int
    documents_open: int
    outbox_lag_s: float
    lag_p50_s: float | None
    lag_p95_s: float | None
    open_lanes: int
    dead_letters: int
    refused_records: int
    quantity_difference: Decimal | None
    value_difference: Decimal | None
    events_compared: int
    events_waiting: int
    events_late: int
    value_waiting: Decimal | None
    compared_at: str | None
    currency: str
    web_url: str


class DocumentUnknown(PlantError):
    """There is no such document."""

    http_status = 404
    remedy = "Look it up in the list of documents."


class DocumentNotDead(PlantError):
    """This document does not wait for a repair."""

    http_status = 409
    remedy = "Nothing to do: it was booked or is still on its way."


def make_adapter(settings: Settings) -> ErpAdapter:
    """Return the adapter that the settings name.

    Raises:
        AdapterUnknown: It is not installed.
    """
    try:
        entry = plugins.entry(ADAPTERS, settings.erp.adapter)
    except plugins.UnknownPlugin as error:
        raise AdapterUnknown(adapter=settings.erp.adapter) from error
    factory: AdapterFactory = entry.load()
    return factory(
        Connection(
            url=settings.erp.url,
            database=settings.erp.database,
            user=settings.erp.user,
            password=settings.erp.password,
            site_tz=settings.site_tz,
            currency=settings.currency,
        )
    )


async def status(tx: Tx, adapter: str, web_url: str, currency: str) -> ErpStatus:
    """Return how the link stands."""
    counts: Counts = await store.lanes.counts(tx)
    link = await store.link.link(tx, adapter)
    outcome = await store.comparison.comparison(tx, adapter) or {}
    return ErpStatus(
        name=adapter if link is None or not link.name else link.name,
        reachable=link is not None and link.reachable,
        detail="" if link is None else link.detail,
        checked_at=None if link is None else link.at,
        latency_ms=0.0 if link is None else link.latency_ms,
        documents_posted=counts.applied,
        documents_open=counts.open,
        outbox_lag_s=round(counts.oldest_open_s, 3),
        lag_p50_s=counts.lag_p50_s,
        lag_p95_s=counts.lag_p95_s,
        open_lanes=counts.open_lanes,
        dead_letters=counts.dead,
        refused_records=len(await store.records.refusals(tx)),
        quantity_difference=_decimal(outcome.get("quantity_difference")),
        value_difference=_decimal(outcome.get("value_difference")),
        events_compared=outcome.get("judged", 0),
        events_waiting=outcome.get("waiting", 0),
        events_late=outcome.get("late", 0),
        value_waiting=_decimal(outcome.get("value_waiting")),
        compared_at=outcome.get("at"),
        currency=currency,
        web_url=web_url,
    )


def _decimal(plain: str | None) -> Decimal | None:
    return None if plain is None else Decimal(plain).quantize(Decimal("0.01"))


async def documents(tx: Tx, work_order: str | None, state: str | None, limit: int) -> list[DocumentRow]:
    """Return documents, newest first."""
    return await store.lanes.documents(tx, work_order, state, limit)


def without_money(row: DocumentRow) -> DocumentRow:
    """Return a document for somebody who may not see costs: an entry without its lines."""
    return replace(row, body={name: value for name, value in row.body.items() if name != "lines"})


def compared_without_money(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return a comparison for somebody who may not see costs: no account, no amount of an event."""
    cases = [case for case in outcome["cases"] if case["kind"] != "value"]
    return {**outcome, "accounts": [], "cases": cases}


async def lanes(tx: Tx, limit: int) -> list[LaneRow]:
    """Return the lanes with open documents."""
    return await store.lanes.lanes(tx, limit)


async def refusals(tx: Tx) -> list[Refusal]:
    """Return the ERP's records that the plant could not take."""
    return await store.records.refusals(tx)


async def reconciliation(tx: Tx, adapter: str) -> dict[str, Any] | None:
    """Return the newest comparison of both books."""
    return await store.comparison.comparison(tx, adapter)


async def retry(tx: Tx, document: int) -> DocumentRow:
    """Send a dead document again.

    Raises:
        DocumentUnknown: No such document.
        DocumentNotDead: It does not wait for a repair.
    """
    found = await _dead(tx, document)
    await store.lanes.put_back(tx, document)
    await store.lanes.wake(tx)
    return found


async def skip(tx: Tx, document: int, reason: str) -> DocumentRow:
    """Leave a dead document out for good, and say why; reconciliation shows what is missing.

    Raises:
        DocumentUnknown: No such document.
        DocumentNotDead: It does not wait for a repair.
    """
    found = await _dead(tx, document)
    await store.lanes.skip(tx, document, reason)
    await store.lanes.wake(tx)
    return found


async def _dead(tx: Tx, document: int) -> DocumentRow:
    found = await store.lanes.document(tx, document)
    if found is None:
        raise DocumentUnknown(document=document)
    if found.state != "dead":
        raise DocumentNotDead(document=document, status=found.state)
    return found
