# ruff: noqa: S608 - only lists of columns are put into the text
"""What the bridge reads of the plant: the outbox, and the books of the simulated history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from mes.kernel.db import Tx
from mes.kernel.outbox import COLUMNS as EVENT_COLUMNS
from mes.kernel.outbox import StoredEvent


@dataclass(frozen=True, slots=True)
class OpenEntry:
    """A simulated balance that the ERP gets as its opening."""

    account: str
    amount: Decimal
    currency: str


async def simulated_balances(tx: Tx) -> list[OpenEntry]:
    """Return the balance of each account out of the simulated history."""
    return await tx.fetch_all(
        OpenEntry,
        "select account, sum(debit - credit) as amount, currency from mes.cost_account"
        " where simulated group by account, currency having sum(debit - credit) <> 0 order by account",
    )


async def costing_passed(tx: Tx, xid: str, event: str) -> bool:
    """Whether the cost sub-ledger has booked everything up to an event."""
    return bool(
        await tx.value(
            "select (xid, id) >= (%(xid)s::xid8, %(event)s::bigint) from mes.consumer_cursor"
            " where consumer = 'costing'",
            {"xid": xid, "event": event},
        )
    )


@dataclass(frozen=True, slots=True)
class LotName:
    """A lot that the ERP calls otherwise."""

    lot: str
    number: str


async def erp_numbers(tx: Tx, lots: Sequence[str]) -> dict[str, str]:
    """Return what the ERP calls those lots that have another name here."""
    found = await tx.fetch_all(
        LotName,
        "select id as lot, number from mes.lot where id = any(%(lots)s) and number is not null",
        {"lots": lots},
    )
    return {one.lot: one.number for one in found}


async def event_at(tx: Tx, xid: str, event: str) -> StoredEvent | None:
    """Return the event at a place in the outbox."""
    return await tx.fetch_one(
        StoredEvent,
        f"select {EVENT_COLUMNS} from mes.event where xid = %(xid)s::xid8 and id = %(event)s",
        {"xid": xid, "event": int(event)},
    )
