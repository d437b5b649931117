"""Plant to ERP: events become documents, documents are delivered lane by lane.

At least once out, once in: `sending` is committed before the call, so after a crash or a lost
answer the bridge knows that the outcome is unknown and asks the ERP before it repeats.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from erp_bridge import postings, store
from erp_bridge.adapter import (
    Applied,
    ErpAdapter,
    ErpLoginRefused,
    ErpUnavailable,
    Found,
    Outcome,
    OutcomeUnknown,
    Period,
    Rejected,
    Retry,
    Unknown,
)
from erp_bridge.documents import Document, PromiseChanged, parse
from erp_bridge.store import DocumentRow
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.outbox import StoredEvent, consume
from mes.kernel.settings import Settings

logger = structlog.get_logger()

CONSUMER = "bridge"
HISTORY_BOOKED = "HistoryBooked"
"""Event at the end of the simulated history: from here on the ERP's books can follow."""
TYPES = (*postings.POSTINGS, HISTORY_BOOKED)
BATCH = 300
"""Events turned into documents in one transaction."""
CLAIM = 200
"""Documents leased at once."""
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 300.0
DOWN_RETRY_S = 3.0
"""An ERP that does not answer is asked again about so often."""

Pair = tuple[DocumentRow, Document]


@dataclass(slots=True)
class Outbound:
    """One worker that delivers to one ERP."""

    db: Database
    adapter: ErpAdapter
    settings: Settings
    worker: str
    periods: Sequence[Period] = ()
    reachable: bool = True

    async def collect(self) -> int:
        """Turn the next events into documents; return how many events were read."""
        books = await self._books()
        async with self.db.transaction(self._cause()) as tx:
            events = await consume(tx, CONSUMER, TYPES, BATCH)
            for stored in events:
                if stored.type == HISTORY_BOOKED:
                    await store.move_cursor(tx, HISTORY_BOOKED, f"{stored.xid}:{stored.id}")
                    continue
                for document in postings.documents_of(stored, books):
                    await store.add(tx, document, stored)
        return len(events)

    async def open_books(self) -> bool:
        """Queue the opening entry once costing has booked the whole history; say whether."""
        books = await self._books()
        async with self.db.transaction(self._cause()) as tx:
            mark = await store.cursor(tx, HISTORY_BOOKED)
            if not mark or not await store.costing_passed(tx, *mark.split(":")):
                return False
            stored = await store.event_at(tx, *mark.split(":"))
            await store.move_cursor(tx, HISTORY_BOOKED, "")
            if stored is not None:
                await self._add_opening(tx, stored, books)
        return True

    async def _add_opening(self, tx: Tx, stored: StoredEvent, books: postings.Books) -> None:
        balances = await store.simulated_balances(tx)
        head = postings.Head(stored.event_id, utc_now(), books)
        lines = [(one.account, one.amount) for one in balances]
        document = postings.opening(lines, self.settings.currency, head)
        if document is not None:
            await store.add(tx, document, stored)

    async def deliver(self) -> int:
        """Deliver what is due; return how many documents were booked."""
        async with self.db.transaction(self._cause()) as tx:
            rows = await store.claim(tx, self.worker, CLAIM)
        if not rows:
            return 0
        try:
            return await self._work_off(rows)
        finally:
            async with self.db.transaction(self._cause()) as tx:
                await store.release_lanes(tx, self.worker, {row.lane for row in rows})

    async def _work_off(self, rows: list[DocumentRow]) -> int:
        queues: dict[str, list[Pair]] = {}
        for row in rows:
            queues.setdefault(row.lane, []).append((row, parse(row.body)))
        done = 0
        limit = (await self.adapter.capabilities()).batch
        while queues:
            batch = _next_batch(queues, limit)
            outcomes = await self._send(batch)
            for (row, _), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Applied):
                    done += 1
                else:
                    queues.pop(row.lane, None)
            if not self.reachable:
                break
            for lane in [lane for lane, queue in queues.items() if not queue]:
                del queues[lane]
        return done

    async def _send(self, batch: list[Pair]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        doubtful = [pair for pair in batch if pair[0].state == "sending"]
        if doubtful:
            outcomes |= await self._probe(doubtful)
        stale = _superseded(batch)
        outcomes |= {row.id: Applied(()) for row, _ in stale}
        fresh = [pair for pair in batch if pair[0].id not in outcomes]
        if fresh:
            async with self.db.transaction(self._cause()) as tx:
                await store.mark_sending(tx, [row.id for row, _ in fresh])
            results = await self.adapter.apply([document for _, document in fresh])
            outcomes |= {row.id: result for (row, _), result in zip(fresh, results, strict=True)}
        await self._note(batch, outcomes)
        return [outcomes[row.id] for row, _ in batch]

    async def _probe(self, pairs: list[Pair]) -> dict[int, Outcome]:
        """Ask the ERP about documents whose answer was lost."""
        async with self.db.read() as tx:
            known = await store.known_refs(tx, {row.lane for row, _ in pairs})
        try:
            answers = await self.adapter.probe([document for _, document in pairs], known)
        except (ErpUnavailable, ErpLoginRefused, OutcomeUnknown) as error:
            return {row.id: Unknown(str(error)) for row, _ in pairs}
        return {
            row.id: Applied(tuple(answer.ref))
            for (row, _), answer in zip(pairs, answers, strict=True)
            if isinstance(answer, Found)
        }

    async def _note(self, batch: list[Pair], outcomes: dict[int, Outcome]) -> None:
        """Write every outcome into the ledger, in one transaction."""
        applied: dict[int, Sequence[str]] = {}
        async with self.db.transaction(self._cause()) as tx:
            for row, _ in batch:
                match outcomes[row.id]:
                    case Applied(ref):
                        applied[row.id] = ref
                    case Rejected(code, detail):
                        await store.mark_dead(tx, row.id, code, detail)
                        logger.warning("erp.refused", document=row.key, code=code, detail=detail)
                    case Retry(detail, after_s):
                        wait = after_s if after_s is not None else backoff(row.attempts)
                        await store.mark_retry(tx, [row.id], wait, detail)
                    case Unknown(detail):
                        await store.mark_unknown(tx, [row.id], DOWN_RETRY_S, detail)
            if applied:
                await store.mark_applied(tx, applied)
        down = any(isinstance(outcome, Retry | Unknown) for outcome in outcomes.values())
        self.reachable = bool(applied) or not down

    async def _books(self) -> postings.Books:
        zone = ZoneInfo(self.settings.site_tz)

        def local(at: datetime) -> datetime:
            return at.astimezone(zone)

        return postings.Books(
            sheet=await self.adapter.capabilities(),
            periods=self.periods,
            today=local(utc_now()).date(),
            zone=local,
            page=f"{self.settings.http.url}/o",
        )

    def _cause(self) -> Cause:
        return Cause(actor="service:bridge", at=utc_now())


def _next_batch(queues: dict[str, list[Pair]], limit: int) -> list[Pair]:
    """Take from the head of each lane the documents that are of the same noun as the oldest."""
    noun = min((queue[0] for queue in queues.values()), key=lambda pair: pair[0].id)[1].noun
    batch: list[Pair] = []
    for queue in queues.values():
        while queue and queue[0][1].noun == noun and len(batch) < limit:
            batch.append(queue.pop(0))
    return batch


def _superseded(batch: list[Pair]) -> list[Pair]:
    """Return promises that a later one in the same batch replaces."""
    last: dict[str, int] = {}
    for row, document in batch:
        if isinstance(document, PromiseChanged):
            last[document.lane] = row.id
    return [
        (row, document)
        for row, document in batch
        if isinstance(document, PromiseChanged) and last[document.lane] != row.id
    ]


def backoff(attempts: int) -> float:
    """Return the seconds to wait before the next try: exponential with full jitter."""
    longest = min(FIRST_RETRY_S * 2.0 ** min(attempts, 20), LONGEST_RETRY_S)
    return FIRST_RETRY_S + random.uniform(0.0, longest)
