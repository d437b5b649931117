"""The audit trail: committed events sealed by block into one hash chain.

Writers never wait for it: the floor worker seals once a second what has been committed. A changed,
missing or added event breaks its block's hash, and every block after it.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from mes.kernel.db import Tx
from mes.kernel.outbox import COLUMNS, Cursor, EventRow, read_after

GENESIS = bytes(32)
SEALER_LOCK = 0x5345414C
"""Advisory lock key ("SEAL"): two processes never seal at once."""
BLOCK_LIMIT = 5000
"""Events in one block at most, so that sealing after a long pause works in short chunks."""


@dataclass(frozen=True, slots=True)
class Block:
    """A sealed run of events: after the block before, up to and including (last_xid, last_id)."""

    number: int
    first_xid: str
    first_id: int
    last_xid: str
    last_id: int
    events: int
    previous: bytes
    hash: bytes
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verifier found.

    Args:
        blocks: Blocks that were read.
        events: Events that were read.
        head: Hash of the last good block, hex: print it and keep it elsewhere.
        broken: Number of the first block that does not fit, or None.
        reason: `content` (an event differs), `count` (one is missing or was added) or `chain`.
    """

    blocks: int
    events: int
    head: str
    broken: int | None = None
    reason: str | None = None


async def seal(tx: Tx) -> Block | None:
    """Seal the events committed since the last block; None when there are none."""
    await tx.execute("select pg_advisory_xact_lock(%(key)s)", {"key": SEALER_LOCK})
    last = await _last_block(tx)
    after = Cursor() if last is None else Cursor(last.last_xid, last.last_id)
    events, _ = await read_after(tx, after, limit=BLOCK_LIMIT)
    if not events:
        return None
    block = _block(last, events)
    await _insert(tx, block)
    return block


async def verify(tx: Tx) -> Verdict:
    """Recompute the whole chain and say where it breaks, if it does."""
    blocks = events = 0
    after, previous = Cursor(), GENESIS
    while (block := await _block_number(tx, blocks + 1)) is not None:
        rows = await _between(tx, after, Cursor(block.last_xid, block.last_id))
        reason = _fault(block, previous, rows)
        if reason is not None:
            return Verdict(blocks, events, previous.hex(), block.number, reason)
        blocks, events = blocks + 1, events + block.events
        after, previous = Cursor(block.last_xid, block.last_id), block.hash
    return Verdict(blocks, events, previous.hex())


async def unsealed_s(tx: Tx) -> float:
    """Return the age of the oldest event that no block seals yet, in seconds; 0 when none."""
    age = await tx.value(
        """
        select extract(epoch from clock_timestamp() - recorded_at)::float8 from mes.event
        where (xid, id) > (
            select coalesce(max(b.last_xid), '0'::xid8), coalesce(max(b.last_id), 0)
            from (select last_xid, last_id from mes.audit_block order by number desc limit 1) b)
        order by xid, id limit 1
        """
    )
    return 0.0 if age is None else float(age)


def block_hash(previous: bytes, events: list[EventRow]) -> bytes:
    """Return the SHA-256 over the block before and every field of every event in order."""
    digest = hashlib.sha256(previous)
    for event in events:
        digest.update(hashlib.sha256(canonical(event)).digest())
    return digest.digest()


def canonical(event: EventRow) -> bytes:
    """Return the bytes of one event that are sealed: every column, in one fixed form."""
    fields = [
        event.id,
        str(event.event_id),
        event.type,
        event.schema_version,
        event.site,
        event.scope,
        event.aggregate,
        event.payload,
        event.actor,
        event.terminal,
        event.key,
        None if event.causation is None else str(event.causation),
        event.at.isoformat(),
        event.recorded_at.isoformat(),
        event.simulated,
    ]
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _block(last: Block | None, events: list[EventRow]) -> Block:
    previous = GENESIS if last is None else last.hash
    return Block(
        number=1 if last is None else last.number + 1,
        first_xid=events[0].xid,
        first_id=events[0].id,
        last_xid=events[-1].xid,
        last_id=events[-1].id,
        events=len(events),
        previous=previous,
        hash=block_hash(previous, events),
        sealed_at=events[-1].recorded_at,
    )


def _fault(block: Block, previous: bytes, events: list[EventRow]) -> str | None:
    if block.previous != previous:
        return "chain"
    if len(events) != block.events:
        return "count"
    return None if block_hash(previous, events) == block.hash else "content"


async def _last_block(tx: Tx) -> Block | None:
    return await tx.fetch_one(
        Block,
        """
        select number, first_xid::text as first_xid, first_id, last_xid::text as last_xid, last_id,
               events, previous, hash, sealed_at
        from mes.audit_block order by number desc limit 1
        """,
    )


async def _block_number(tx: Tx, number: int) -> Block | None:
    return await tx.fetch_one(
        Block,
        """
        select number, first_xid::text as first_xid, first_id, last_xid::text as last_xid, last_id,
               events, previous, hash, sealed_at
        from mes.audit_block where number = %(number)s
        """,
        {"number": number},
    )


async def _between(tx: Tx, after: Cursor, last: Cursor) -> list[EventRow]:
    return await tx.fetch_all(
        EventRow,
        f"""
        select {COLUMNS} from mes.event
        where (xid, id) > (%(xid)s::xid8, %(id)s) and (xid, id) <= (%(last_xid)s::xid8, %(last_id)s)
        order by event.xid, event.id
        """,  # noqa: S608 - a constant list of columns
        {"xid": after.xid, "id": after.id, "last_xid": last.xid, "last_id": last.id},
    )


async def _insert(tx: Tx, block: Block) -> None:
    await tx.execute(
        """
        insert into mes.audit_block (number, site, first_xid, first_id, last_xid, last_id, events,
                                     previous, hash)
        values (%(number)s, %(site)s, %(first_xid)s::xid8, %(first_id)s, %(last_xid)s::xid8,
                %(last_id)s, %(events)s, %(previous)s, %(hash)s)
        """,
        {
            "number": block.number,
            "site": tx.site,
            "first_xid": block.first_xid,
            "first_id": block.first_id,
            "last_xid": block.last_xid,
            "last_id": block.last_id,
            "events": block.events,
            "previous": block.previous,
            "hash": block.hash,
        },
    )
