"""Plant to ERP: events become documents, documents are delivered lane by lane.

At least once out, once in: `sending` is committed before the call, so after a crash or a lost
answer the bridge knows that the outcome is unknown and asks the ERP before it repeats.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from erp_bridge import postings, store
from erp_bridge.adapter import (
    Applied,
    Capabilities,
    ErpAdapter,
    ErpLoginRefused,
    ErpUnavailable,
    Found,
    Held,
    Outcome,
    OutcomeUnknown,
    Period,
    Rejected,
    Remark,
    Retry,
    Unknown,
    posting_day,
)
from erp_bridge.documents import Document, MaterialActual, PromiseChanged, parse
from erp_bridge.store.lanes import DocumentRow
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.log import get_logger
from mes.kernel.outbox import StoredEvent, consume
from mes.kernel.settings import Settings

logger = get_logger(__name__)

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
SETTLED = timedelta(seconds=5)
"""An ERP goes on with a call whose caller died: that it knows nothing counts only so long afterwards."""
DOWN_RETRY_S = 3.0
"""An ERP that does not answer is asked again about so often."""

Pair = tuple[DocumentRow, Document]


async def _as_the_erp_names(
    tx: Tx, made: list[tuple[Document, StoredEvent]]
) -> list[tuple[Document, StoredEvent]]:
    """Call lots by their numbers in the ERP, where two materials there have the same."""
    lots = {one.lot for one, _ in made if isinstance(one, MaterialActual) and one.lot}
    numbers = await store.plant.erp_numbers(tx, sorted(lots)) if lots else {}
    return [
        (replace(one, lot=numbers.get(one.lot or "", one.lot)), stored)
        if isinstance(one, MaterialActual)
        else (one, stored)
        for one, stored in made
    ]


async def _restored_at(tx: Tx) -> datetime | None:
    """Return when the plant was put back to a backup, if it ever was."""
    mark = await store.records.cursor(tx, store.lanes.RESTORED)
    return datetime.fromisoformat(mark) if mark else None


@dataclass(slots=True)
class Outbound:
    """One worker that delivers to one ERP."""

    db: Database
    adapter: ErpAdapter
    settings: Settings
    worker: str
    periods: Sequence[Period] | None = None
    """Of the ERP's books; None before anybody heard of them: until then nothing is given its day."""
    reachable: bool | None = None
    """Whether the ERP answered the last delivery; nobody knows before the first one."""
    _epochs: dict[str, int] = field(default_factory=dict)
    """Of the lanes that are leased: what was leased under an older one belongs to somebody else now."""

    async def collect(self) -> int:
        """Turn the next events into documents; return how many events were read."""
        books = await self._books()
        async with self.db.transaction(self._cause()) as tx:
            events = await consume(tx, CONSUMER, TYPES, BATCH)
            made: list[tuple[Document, StoredEvent]] = []
            for stored in events:
                if stored.type == HISTORY_BOOKED:
                    await store.records.move_cursor(tx, HISTORY_BOOKED, f"{stored.xid}:{stored.id}")
                    continue
                made += [(document, stored) for document in postings.documents_of(stored, books)]
            restored_at = await _restored_at(tx) if made else None
            for document, stored in await _as_the_erp_names(tx, made):
                forgotten = restored_at is not None and stored.at <= restored_at
                await store.lanes.add(tx, document, stored, probe=forgotten)
        return len(events)

    async def open_books(self) -> bool:
        """Queue the opening entry once costing has booked the whole history; say whether."""
        books = await self._books()
        async with self.db.transaction(self._cause()) as tx:
            mark = await store.records.cursor(tx, HISTORY_BOOKED)
            if not mark or not await store.plant.costing_passed(tx, *mark.split(":")):
                return False
            stored = await store.plant.event_at(tx, *mark.split(":"))
            await store.records.move_cursor(tx, HISTORY_BOOKED, "")
            if stored is not None:
                await self._add_opening(tx, stored, books)
        return True

    async def _add_opening(self, tx: Tx, stored: StoredEvent, books: postings.Books) -> None:
        balances = await store.plant.simulated_balances(tx)
        head = postings.Head(stored.event_id, utc_now(), books)
        lines = [(one.account, one.amount) for one in balances]
        document = postings.opening(lines, self.settings.currency, head)
        if document is not None:
            await store.lanes.add(tx, document, stored, probe=await _restored_at(tx) is not None)

    async def deliver(self) -> int:
        """Deliver what is due, and what comes meanwhile; return how many documents were booked."""
        done = 0
        stopped: set[str] = set()
        leased: set[str] = set()
        try:
            while batch := await self._next(leased, stopped):
                outcomes = await self._send(batch)
                for (row, _), outcome in zip(batch, outcomes, strict=True):
                    if isinstance(outcome, Applied):
                        done += 1
                    else:
                        stopped.add(row.lane)
                if self.reachable is False:
                    break
        finally:
            if leased:
                async with self.db.transaction(self._cause()) as tx:
                    await store.lanes.release_lanes(tx, self.worker, leased)
        return done

    async def _next(self, leased: set[str], stopped: set[str]) -> list[Pair]:
        """Lease what is due now and return one call's worth of it; lanes that stopped are left out."""
        while await self.collect():
            pass
        async with self.db.transaction(self._cause()) as tx:
            rows = await store.lanes.claim(tx, self.worker, CLAIM)
            lanes = {row.lane for row in rows}
            self._epochs = await store.lanes.leases(tx, self.worker, lanes)
        leased |= lanes
        sheet = await self.adapter.capabilities()
        due = [row for row in rows if row.lane not in stopped]
        return [(row, parse(row.body)) for row in _next_batch(due, sheet)]

    async def _send(self, batch: list[Pair]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        doubtful = [pair for pair in batch if pair[0].state == "sending"]
        if doubtful:
            outcomes |= await self._probe(doubtful)
        stale = _superseded(batch)
        outcomes |= {row.id: Applied(()) for row, _ in stale}
        fresh = _unhindered(batch, outcomes)
        outcomes = {row.id: Held() for row, _ in batch} | outcomes
        if fresh:
            async with self.db.transaction(self._cause()) as tx:
                mine = await self._still_mine(tx, fresh)
                fresh = [pair for pair in fresh if pair[0].lane in mine]
                await store.lanes.mark_sending(tx, [row.id for row, _ in fresh])
        if fresh:
            results = await self.adapter.apply([document for _, document in fresh])
            outcomes |= {row.id: result for (row, _), result in zip(fresh, results, strict=True)}
            outcomes |= await self._moved(fresh, outcomes)
        await self._note(batch, outcomes)
        return [outcomes[row.id] for row, _ in batch]

    async def _still_mine(self, tx: Tx, pairs: Sequence[Pair]) -> set[str]:
        """Return the lanes that nobody took over meanwhile; nobody does until `tx` ends."""
        held = await store.lanes.leases(tx, self.worker, {row.lane for row, _ in pairs})
        return {lane for lane, epoch in held.items() if self._epochs.get(lane) == epoch}

    async def _probe(self, pairs: list[Pair]) -> dict[int, Outcome]:
        """Ask the ERP about documents whose answer was lost."""
        async with self.db.read() as tx:
            known = await store.lanes.known_refs(tx, {row.lane for row, _ in pairs})
        try:
            answers = await self.adapter.probe([document for _, document in pairs], known)
        except (ErpUnavailable, ErpLoginRefused, OutcomeUnknown) as error:
            return {row.id: Unknown(str(error)) for row, _ in pairs}
        outcomes: dict[int, Outcome] = {}
        for (row, _), answer in zip(pairs, answers, strict=True):
            if isinstance(answer, Found):
                outcomes[row.id] = Applied(tuple(answer.ref))
            elif row.sent_at is not None and utc_now() - row.sent_at < SETTLED:
                outcomes[row.id] = Unknown("asked while the ERP may still be at it")
        return outcomes

    async def _moved(self, sent: list[Pair], outcomes: Mapping[int, Outcome]) -> dict[int, Outcome]:
        """Give what met a closed period the first day that is open; when it happened stays as it is."""
        refused = [pair for pair in sent if _period_closed(outcomes[pair[0].id])]
        if not refused:
            return {}
        try:
            self.periods = tuple(await self.adapter.periods())
        except (ErpUnavailable, ErpLoginRefused) as error:
            return {row.id: Retry(str(error)) for row, _ in refused}
        today = self._local(utc_now()).date()
        moved: dict[int, Outcome] = {}
        async with self.db.transaction(self._cause()) as tx:
            for row, document in refused:
                day = posting_day(self._local(row.event_time), today, self.periods)
                if day != row.posting_date:
                    await store.lanes.move(tx, row.id, replace(document, posting_date=day))
                    moved[row.id] = Retry(f"{row.posting_date} is closed: {day}", 0.0, Remark.PERIOD_CLOSED)
        return moved

    async def _note(self, batch: list[Pair], outcomes: dict[int, Outcome]) -> None:
        """Write every outcome into the ledger, in one transaction."""
        applied: dict[int, Sequence[str]] = {}
        async with self.db.transaction(self._cause()) as tx:
            mine = await self._still_mine(tx, batch)
            for row, _ in batch:
                if row.lane not in mine:
                    logger.warning("erp.lease_lost", document=row.key, lane=row.lane)
                    continue
                match outcomes[row.id]:
                    case Applied(ref):
                        applied[row.id] = ref
                    case Rejected(code, detail):
                        await store.lanes.mark_dead(tx, row.id, code, detail)
                        logger.warning("erp.refused", document=row.key, code=code, detail=detail)
                    case Retry(detail, after_s, code):
                        wait = after_s if after_s is not None else backoff(row.attempts)
                        await store.lanes.mark_retry(tx, row.id, wait, code, detail)
                    case Unknown(detail, code):
                        await store.lanes.mark_unknown(tx, row.id, DOWN_RETRY_S, code, detail)
                    case Held():
                        await store.lanes.mark_held(tx, row.id)
            if applied:
                await store.lanes.mark_applied(tx, applied)
        down = any(_not_reached(outcome) for outcome in outcomes.values())
        self.reachable = bool(applied) or not down

    async def _books(self) -> postings.Books:
        return postings.Books(
            sheet=await self.adapter.capabilities(),
            periods=self.periods or (),
            today=self._local(utc_now()).date(),
            zone=self._local,
            page=f"{self.settings.http.url}/o",
        )

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(ZoneInfo(self.settings.site_tz))

    def _cause(self) -> Cause:
        return Cause(actor="service:bridge", at=utc_now())


def _not_reached(outcome: Outcome) -> bool:
    moved = isinstance(outcome, Retry) and outcome.code is Remark.PERIOD_CLOSED
    return isinstance(outcome, Retry | Unknown) and not moved


def _period_closed(outcome: Outcome) -> bool:
    return isinstance(outcome, Rejected) and outcome.code in {Remark.PERIOD_CLOSED, Remark.PERIOD_MISSING}


def _next_batch(rows: Sequence[DocumentRow], sheet: Capabilities) -> list[DocumentRow]:
    """Take documents of the noun of the oldest one: from the head of each lane, and from behind
    documents of other nouns where the ERP takes both in any order.
    """  # fmt: skip
    batch: list[DocumentRow] = []
    barred: set[str] = set()
    for row in rows:
        if row.lane in barred:
            continue
        if row.noun == rows[0].noun:
            batch.append(row)
        elif not {row.noun, rows[0].noun} <= sheet.any_order:
            barred.add(row.lane)
    return batch[: sheet.batch]


def _unhindered(batch: list[Pair], outcomes: Mapping[int, Outcome]) -> list[Pair]:
    """Return what is to be sent: nothing behind one of its lane whose fate is open."""
    stopped: set[str] = set()
    fresh: list[Pair] = []
    for pair in batch:
        row = pair[0]
        if row.id in outcomes:
            if not isinstance(outcomes[row.id], Applied):
                stopped.add(row.lane)
        elif row.lane not in stopped:
            fresh.append(pair)
    return fresh


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
