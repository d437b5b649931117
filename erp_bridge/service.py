"""What the bridge can say and do for people: its figures, documents, lanes and repairs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from erp_bridge import store
from erp_bridge.adapter import AdapterFactory, AdapterUnknown, Connection, ErpAdapter
from erp_bridge.reconcile import OVERDUE_S
from erp_bridge.store.comparison import Difference
from erp_bridge.store.figures import Figures
from erp_bridge.store.lanes import DocumentRow, LaneRow
from erp_bridge.store.records import Refusal
from mes.kernel import plugins
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.settings import Settings
from mes.performance.model import Link

ADAPTERS = "erp_bridge.adapters"
UNHEARD_S = 60.0
"""The bridge looks after the ERP four times as often."""
_CASE: TypeAdapter[Difference] = TypeAdapter(Difference)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpStatus(Figures):
    """The link to the ERP in figures.

    Args:
        web_url: Where a person opens the ERP; empty while its web client is not there.
    """

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


class RefusalGone(PlantError):
    """The plant does not wait for this version of the record."""

    http_status = 409
    remedy = "Look at the list again: it was taken or left out, or the ERP has changed it meanwhile."


class DifferenceUnknown(PlantError):
    """The books do not differ on this."""

    http_status = 404
    remedy = "Look it up in the newest comparison; it may have gone away meanwhile."


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


async def status(tx: Tx, adapter: str, web_url: str, currency: str, *, with_money: bool) -> ErpStatus:
    """Return how the link stands.

    Args:
        with_money: Whether the reader may see costs.
    """
    found = await store.figures.figures(tx, adapter, with_money=with_money)
    told = {one.name: getattr(found, one.name) for one in fields(found)}
    return ErpStatus(**told, currency=currency, web_url=web_url)


async def link(tx: Tx) -> Link | None:
    """Return the ERP as a link of the board: down while it does not answer, or nobody looks after it."""
    found = await store.link.standing(tx)
    if found is None:
        return None
    away = not found.reachable or found.heard_s > UNHEARD_S
    state = "down" if away else "late" if found.waits_s > OVERDUE_S else "ok"
    return Link(name="erp", lag_s=round(found.waits_s, 3), state=state)


async def documents(
    tx: Tx, work_order: str | None, state: str | None, limit: int, *, noun: str | None = None
) -> list[DocumentRow]:
    """Return documents, newest first."""
    return await store.lanes.documents(tx, work_order, state, limit, noun=noun)


def without_money(row: DocumentRow) -> DocumentRow:
    """Return a document for somebody who may not see costs: an entry without its lines."""
    return replace(row, body={name: value for name, value in row.body.items() if name != "lines"})


def compared_without_money(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return a comparison for somebody who may not see costs: no account, no amount of an event.

    That there is no difference of value is no secret.
    """
    cases, explained = (
        [one for one in outcome.get(name, []) if one["kind"] == "quantity"] for name in ("cases", "explained")
    )
    sums = {name: outcome[name] for name in ("value_difference", "value_waiting") if outcome.get(name)}
    hidden = {name: None for name, amount in sums.items() if Decimal(amount)}
    return {**outcome, **hidden, "accounts": [], "cases": cases, "explained": explained}


async def lanes(tx: Tx, limit: int) -> list[LaneRow]:
    """Return the lanes with open documents."""
    return await store.lanes.lanes(tx, limit)


async def refusals(tx: Tx) -> list[Refusal]:
    """Return the ERP's records that the plant could not take, and that are tried again."""
    return await store.records.refusals(tx)


async def refusals_left_out(tx: Tx) -> list[Refusal]:
    """Return the ERP's records that the plant does without, with who said so and why."""
    return await store.records.refusals(tx, left_out=True)


async def leave_out(tx: Tx, stream: str, key: str, version: str, reason: str) -> Refusal:
    """Do without one version of a record that the plant could not take; another version is tried again.

    Raises:
        RefusalGone: This version does not wait.
    """
    left = await store.records.leave_out(tx, stream, key, version, reason)
    if left is None:
        raise RefusalGone(stream=stream, key=key)
    return left


async def take_up(tx: Tx, stream: str, key: str) -> Refusal:
    """Try a record again that was left out.

    Raises:
        RefusalGone: It was not left out, or the ERP has changed it.
    """
    found = await store.records.take_up(tx, stream, key)
    if found is None:
        raise RefusalGone(stream=stream, key=key)
    return found


async def reconciliation(tx: Tx, adapter: str) -> dict[str, Any] | None:
    """Return the newest comparison of both books."""
    return await store.comparison.comparison(tx, adapter)


async def explain(tx: Tx, adapter: str, subject: str, reason: str, *, with_money: bool) -> list[Difference]:
    """Keep why the books differ on one thing; it is no difference any more while its amount stays.

    Args:
        with_money: Whether who explains may see costs; else differences of value are not theirs.

    Returns:
        The differences as the newest comparison has them.

    Raises:
        DifferenceUnknown: The books agree on it.
    """
    outcome = await reconciliation(tx, adapter) or {"cases": []}
    if not with_money:
        outcome = compared_without_money(outcome)
    cases = [_CASE.validate_python(case) for case in outcome["cases"] if case["subject"] == subject]
    if not cases:
        raise DifferenceUnknown(subject=subject)
    await store.explained.explain(tx, cases, reason)
    return cases


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


async def retry_all(tx: Tx, code: str) -> int:
    """Send all documents again that were refused with one code; returns how many they are."""
    changed = await store.lanes.put_all_back(tx, code)
    await store.lanes.wake(tx)
    return changed


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
