"""Delivery against an ERP that fails: everything arrives, and everything arrives once."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from erp_bridge import service, store
from erp_bridge.adapter import ErpUnavailable, Outcome, Period
from erp_bridge.adapters.memory import Books, Faults, MemoryAdapter
from erp_bridge.documents import Document, MaterialActual
from erp_bridge.outbound import Outbound, backoff
from erp_bridge.reconcile import compare, refresh
from erp_bridge.worker import Bridge, worker_name
from mes.costing.events import BookedLine, CostBooked
from mes.execution.events import GoodReported, MaterialConsumed
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.ids import (
    EquipmentId,
    JobOrderId,
    LotNumber,
    MaterialId,
    PersonId,
    SerialNumber,
    WorkOrderNumber,
)
from mes.kernel.outbox import Cursor, append, latest
from mes.kernel.settings import Settings
from mes.workorders.events import WorkOrderReceived, WorkOrderReleased
from tests.conformance.test_erp_memory import demo_books
from tests.fixtures.postgres import cause

ORDERS = 12
USES = 6


class Killed(BaseException):
    """kill -9, at a place chosen by the test."""


class Frail(MemoryAdapter):
    """Dies before or after a call, as a killed bridge does: the caller never sees an outcome."""

    name: ClassVar[str] = "memory"

    def __init__(self, books: Books, dice: random.Random, deadliness: float) -> None:
        super().__init__(books)
        self.dice = dice
        self.deadliness = deadliness

    async def apply(self, documents: list[Document]) -> list[Outcome]:  # type: ignore[override]
        if self.dice.random() < self.deadliness / 2:
            raise Killed
        outcomes = list(await super().apply(documents))
        if self.dice.random() < self.deadliness:
            raise Killed
        return outcomes


def outbound(db: Database, adapter: MemoryAdapter, worker: str = "w") -> Outbound:
    year = adapter.books.periods
    return Outbound(db, adapter, Settings(), worker, periods=tuple(year))


async def work_order(db: Database, number: str) -> None:
    async with db.transaction(cause()) as tx:
        await append(
            tx,
            WorkOrderReceived(
                site="SUZ", work_order=WorkOrderNumber(number), material=MaterialId("PUMP-40"),
                quantity=Decimal(2), uom="pc", due_at=tx.now, priority=5, customer_order=None,
                customer=None, erp_ref=f"production,{number}",
            ),
        )  # fmt: skip
        await append(
            tx,
            WorkOrderReleased(
                site="SUZ", work_order=WorkOrderNumber(number), material=MaterialId("PUMP-40"),
                quantity=Decimal(2), uom="pc", work_master="WM", work_master_version=1, job_orders=(),
            ),
        )  # fmt: skip


def place(number: str) -> dict[str, Any]:
    return {
        "site": "SUZ", "scope": "MACH/MC/CNC-1", "job_order": JobOrderId(f"{number}-10"),
        "work_order": WorkOrderNumber(number), "operation": 10, "work_center": EquipmentId("MC"),
        "cost_center": "MC", "equipment": EquipmentId("CNC-1"),
    }  # fmt: skip


async def consume(
    db: Database, number: str, material: str = "CAST-40", lot: str | None = None, by: Cause | None = None
) -> None:
    async with db.transaction(by or cause()) as tx:
        event = MaterialConsumed(
            **place(number), actual=uuid4(), person=PersonId("E-1001"), material=MaterialId(material),
            lot=LotNumber(lot or f"LOT-{material}-0001"), quantity=Decimal(1), uom="pc", serial=None,
        )  # fmt: skip
        await append(tx, event)


async def deliver(db: Database, number: str, serial: str) -> None:
    async with db.transaction(cause()) as tx:
        event = GoodReported(
            **place(number), report=uuid4(), last=True, material=MaterialId("PUMP-40"),
            person=PersonId("E-1009"), quantity=Decimal(1), uom="pc", serials=(SerialNumber(serial),),
        )  # fmt: skip
        await append(tx, event)


async def labour(
    db: Database, number: str, amount: str, subject: UUID | None = None, by: Cause | None = None
) -> None:
    def line(account: str, debit: str, credit: str) -> BookedLine:
        return BookedLine(
            account=account, debit=Decimal(debit), credit=Decimal(credit), currency="CNY", quantity=None,
            uom=None, work_center=EquipmentId("MC"), cost_center="MC", material=None, lot=None,
        )  # fmt: skip

    async with db.transaction(by or cause()) as tx:
        await append(
            tx,
            CostBooked(
                site="SUZ", entry=uuid4(), kind="labour", cause_event=subject or uuid4(),
                work_order=WorkOrderNumber(number), reverses=None,
                lines=(line("wip", amount, "0"), line("labour_absorbed", "0", amount)),
            ),
        )  # fmt: skip


async def due_now(db: Database) -> None:
    """Let time pass: what waits is due, leases of the dead are over."""
    async with db.transaction(cause()) as tx:
        await tx.execute("update erp.document set next_at = null where next_at is not null")
        await tx.execute("update erp.document set sent_at = sent_at - interval '1 min'")
        await tx.execute("update erp.lane set lease_until = now() - interval '1 s'")


async def run_dry(db: Database, worker: Outbound) -> None:
    for _ in range(200):
        while await worker.collect():
            pass
        while await worker.deliver():
            pass
        async with db.read() as tx:
            if (await store.figures.figures(tx, "tryton", with_money=True)).documents_open == 0:
                return
        await due_now(db)
    raise AssertionError("never ended")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_lost_answers_faults_and_kills_neither_lose_nor_double(db: Database, seed: int) -> None:
    books = demo_books()
    books.faults = Faults(before=0.1, after=0.25, seed=seed)
    dice = random.Random(seed)
    for at in range(ORDERS):
        number = f"WO-{at:06d}"
        await work_order(db, number)
        for _ in range(USES):
            await consume(db, number, dice.choice(["CAST-40", "SEAL"]))
        await deliver(db, number, f"SN-{at:08d}")
        await labour(db, number, "1.25")
    kills = 0
    for life in range(60):
        worker = outbound(db, Frail(books, dice, 0.3), f"life-{life}")
        try:
            await run_dry(db, worker)
            break
        except Killed:
            kills += 1
            await due_now(db)
    else:
        await run_dry(db, outbound(db, MemoryAdapter(books), "last"))
    moves = [one.document for one in books.booked if isinstance(one.document, MaterialActual)]
    assert kills >= 2
    assert len(books.booked) == ORDERS * (USES + 2)
    assert Counter(move.key for move in moves).most_common(1)[0][1] == 1
    assert len(moves) == ORDERS * (USES + 1)
    async with db.read() as tx:
        refs = await tx.value("select count(distinct r) from erp.document, unnest(erp_ref) r where noun in"
                              " ('MaterialActual', 'CostPosting')")  # fmt: skip
    assert refs == len(books.booked)


async def test_documents_of_one_order_arrive_in_their_order(db: Database) -> None:
    books = demo_books()
    books.faults = Faults(before=0.3, after=0.3, seed=5)
    await work_order(db, "WO-1")
    for material in ("CAST-40", "SHAFT", "IMP-40", "SEAL", "BOX"):
        await consume(db, "WO-1", material)
    await run_dry(db, outbound(db, MemoryAdapter(books)))
    moves = [one.document for one in books.booked if isinstance(one.document, MaterialActual)]
    assert [move.material for move in moves] == ["CAST-40", "SHAFT", "IMP-40", "SEAL", "BOX"]


async def test_a_refused_document_stops_its_own_lane_only_and_goes_out_after_the_repair(db: Database) -> None:
    books = demo_books()
    worker = outbound(db, MemoryAdapter(books))
    for number in ("WO-1", "WO-2"):
        await work_order(db, number)
    await run_dry(db, worker)
    await consume(db, "WO-1", lot="LOT-UNKNOWN")
    await labour(db, "WO-1", "2.00")
    await consume(db, "WO-2")
    await worker.collect()
    await worker.deliver()
    async with db.read() as tx:
        (dead,) = await service.documents(tx, None, "dead", 10)
        lanes = await service.lanes(tx, 10)
    assert dead.code == "ErpLotMissing"
    assert [(lane.lane, lane.open) for lane in lanes] == [("WO:WO-1", 2)]
    assert len(books.booked) == 1
    books.lots.add(("CAST-40", "LOT-UNKNOWN"))
    async with db.transaction(cause()) as tx:
        await service.retry(tx, dead.id)
    await run_dry(db, worker)
    assert len(books.booked) == 3


async def test_nothing_overtakes_one_whose_answer_was_lost(db: Database) -> None:
    books = demo_books()
    await work_order(db, "WO-1")
    await work_order(db, "WO-2")
    await run_dry(db, outbound(db, MemoryAdapter(books)))
    await consume(db, "WO-1")
    with pytest.raises(Killed):
        await outbound(db, Frail(books, random.Random(1), 2.0)).deliver()
    await consume(db, "WO-1", "SEAL")
    await consume(db, "WO-2", "BOX")
    async with db.transaction(cause()) as tx:
        await tx.execute("update erp.lane set lease_until = now() - interval '1 s'")
    await outbound(db, MemoryAdapter(books), "next life").deliver()
    async with db.read() as tx:
        states = [one.state for one in await service.documents(tx, "WO-1", None, 2)]
    assert states == ["pending", "sending"]
    assert [one.document.work_order for one in books.booked] == ["WO-2"]


async def test_what_stood_behind_a_refused_one_waits_as_if_never_sent(db: Database) -> None:
    books = demo_books()
    worker = outbound(db, MemoryAdapter(books))
    await work_order(db, "WO-1")
    await run_dry(db, worker)
    await consume(db, "WO-1", lot="LOT-UNKNOWN")
    await consume(db, "WO-1", "SEAL")
    await worker.deliver()
    async with db.read() as tx:
        states = [one.state for one in await service.documents(tx, "WO-1", None, 2)]
    assert states == ["pending", "dead"]
    assert not books.booked


async def test_two_bridges_never_hold_the_same_lane(db: Database) -> None:
    await work_order(db, "WO-1")
    here, there = (outbound(db, MemoryAdapter(demo_books()), worker) for worker in ("a", "b"))
    await here.collect()
    async with db.transaction(cause()) as tx:
        assert len(await store.lanes.claim(tx, here.worker, 10)) == 2
        assert await store.lanes.claim(tx, there.worker, 10) == []
        assert len(await store.lanes.claim(tx, here.worker, 10)) == 2


async def test_what_a_bridge_learns_after_its_lease_was_taken_over_is_not_written(db: Database) -> None:
    books = demo_books()
    await work_order(db, "WO-1")
    await run_dry(db, outbound(db, MemoryAdapter(books)))
    await consume(db, "WO-1", lot="LOT-UNKNOWN")

    class Slow(MemoryAdapter):
        """Answers only after another bridge has taken the lane over."""

        async def apply(self, documents: Sequence[Document]) -> Sequence[Outcome]:
            outcomes = await super().apply(documents)
            async with db.transaction(cause()) as tx:
                await tx.execute("update erp.lane set lease_until = now() - interval '1 s'")
                assert len(await store.lanes.claim(tx, "other", 10)) == 1
            return outcomes

    assert await outbound(db, Slow(books), "slow").deliver() == 0
    async with db.read() as tx:
        (document, *_) = await service.documents(tx, "WO-1", None, 1)
        assert await store.lanes.workers(tx) == ["other"]
    assert document.state == "sending"


async def test_what_a_killed_bridge_of_this_machine_held_is_free_at_once(db: Database) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    killed, alive, away = worker_name(process.pid), worker_name(os.getpid()), "bridge@elsewhere:1:1.00"
    process.kill()
    process.communicate()
    for number, worker in enumerate((killed, alive, away)):
        await work_order(db, f"WO-{number}")
        first = outbound(db, MemoryAdapter(demo_books()), worker)
        await first.collect()
        async with db.transaction(cause()) as tx:
            await store.lanes.claim(tx, worker, 10)
    await Bridge(db, MemoryAdapter(demo_books()), Settings(), "new")._bury_the_dead()
    async with db.read() as tx:
        assert await store.lanes.workers(tx) == sorted([alive, away])


async def test_what_is_independent_of_each_other_goes_out_together(db: Database) -> None:
    books = demo_books()
    await work_order(db, "WO-1")
    for serial in ("SN-1", "SN-2", "SN-3"):
        await consume(db, "WO-1")
        await labour(db, "WO-1", "1.00")
        await deliver(db, "WO-1", serial)
    await run_dry(db, outbound(db, MemoryAdapter(books)))
    nouns = [one.document.noun for one in books.booked]
    assert nouns == ["MaterialActual"] * 6 + ["CostPosting"] * 3
    assert books.calls == 4


async def test_a_call_that_may_still_be_at_work_is_not_repeated(db: Database) -> None:
    books = demo_books()
    await work_order(db, "WO-1")
    await run_dry(db, outbound(db, MemoryAdapter(books)))
    await consume(db, "WO-1")
    with pytest.raises(Killed):
        await outbound(db, Frail(books, random.Random(1), 2.0)).deliver()
    late = outbound(db, MemoryAdapter(books), "next life")
    async with db.transaction(cause()) as tx:
        await tx.execute("update erp.lane set lease_until = now() - interval '1 s'")
    await late.deliver()
    async with db.read() as tx:
        (document,) = await service.documents(tx, None, "sending", 10)
    assert document.code == "ErpAnswerLost"
    assert not books.booked
    await run_dry(db, late)
    assert len(books.booked) == 1


async def test_while_the_erp_is_away_everything_waits(db: Database) -> None:
    books = demo_books()
    books.faults.away = True
    worker = outbound(db, MemoryAdapter(books))
    for at in range(5):
        await work_order(db, f"WO-{at}")
        await consume(db, f"WO-{at}")
    await worker.collect()
    assert await worker.deliver() == 0
    assert worker.reachable is False
    async with db.read() as tx:
        counts = await store.figures.figures(tx, "tryton", with_money=True)
        waiting = await service.documents(tx, None, "retry", 100)
    assert counts.dead_letters == 0
    assert counts.documents_open == 15
    assert {document.code for document in waiting} == {"ErpUnavailable"}
    books.faults.away = False
    await run_dry(db, worker)
    assert len(books.booked) == 5
    assert worker.reachable


async def test_a_skipped_document_shows_in_the_comparison(db: Database) -> None:
    books = demo_books()
    adapter = MemoryAdapter(books)
    worker = outbound(db, adapter)
    await work_order(db, "WO-1")
    await consume(db, "WO-1", lot="LOT-UNKNOWN")
    await worker.collect()
    while await worker.deliver():
        pass
    async with db.transaction(cause()) as tx:
        (dead,) = await service.documents(tx, None, "dead", 10)
        await service.skip(tx, dead.id, "booked by hand")
    await refresh(db, adapter)
    async with db.read() as tx:
        outcome = await compare(tx, "CNY", grace_s=-1)
    assert outcome.quantity_difference == 1
    assert outcome.cases[0].work_order == "WO-1"


async def test_a_late_event_is_booked_in_the_open_period(db: Database) -> None:
    books = demo_books()
    worker = outbound(db, MemoryAdapter(books))
    closed = [Period(one.start, one.end, open=False) for one in books.periods]
    worker.periods = tuple(closed)
    await work_order(db, "WO-1")
    await consume(db, "WO-1")
    await run_dry(db, worker)
    assert books.booked[0].day >= date.today()  # noqa: DTZ011 - only not before


async def put_back(db: Database, cursor: Cursor) -> None:
    """Make the tables those of a backup: what was open then, not collected behind `cursor` nor costed."""
    opening = Database.open(db.url, name="test", site="SUZ", as_owner=True)
    async with await opening as owner, owner.transaction(cause()) as tx:
        await tx.execute(
            "delete from erp.document d using mes.event e where e.event_id = d.event_id"
            " and (e.xid, e.id) > (%(xid)s::xid8, %(id)s)",
            {"xid": cursor.xid, "id": cursor.id},
        )
        await tx.execute(
            "update erp.document set state = 'pending', erp_ref = '{}', sent_at = null, applied_at = null"
            " where noun in ('MaterialActual', 'CostPosting')"
        )
        await tx.execute(
            "update mes.consumer_cursor set xid = %(xid)s::xid8, id = %(id)s where consumer = 'bridge'",
            {"xid": cursor.xid, "id": cursor.id},
        )
        await tx.execute(
            "delete from mes.event where (xid, id) > (%(xid)s::xid8, %(id)s) and type = 'CostBooked'",
            {"xid": cursor.xid, "id": cursor.id},
        )
        await tx.execute("select erp.restored()")


async def test_what_the_erp_got_after_the_backup_is_not_sent_a_second_time(db: Database) -> None:
    """Open then, not collected then, or costed only after the restore: the ERP is asked first."""
    books = demo_books()
    costed = uuid4()
    await work_order(db, "WO-1")
    await consume(db, "WO-1")
    await labour(db, "WO-1", "2.00")
    await run_dry(db, outbound(db, MemoryAdapter(books)))
    async with db.read() as tx:
        backup = await latest(tx)
    await consume(db, "WO-1", "SEAL")
    await labour(db, "WO-1", "3.00", costed)
    await run_dry(db, outbound(db, MemoryAdapter(books)))
    assert len(books.booked) == 4
    await put_back(db, backup)
    before = replace(cause(), at=utc_now() - timedelta(minutes=1))
    await labour(db, "WO-1", "3.00", costed, before)
    await run_dry(db, outbound(db, MemoryAdapter(books), "after the restore"))
    assert len(books.booked) == 4
    async with db.read() as tx:
        refs = await tx.value("select count(distinct r) from erp.document, unnest(erp_ref) r where noun in"
                              " ('MaterialActual', 'CostPosting')")  # fmt: skip
    assert refs == 4
    await consume(db, "WO-1", "SEAL")
    await run_dry(db, outbound(db, MemoryAdapter(books), "after the restore"))
    assert len(books.booked) == 5


async def test_what_was_refused_before_the_backup_is_looked_for_before_it_is_sent_again(db: Database) -> None:
    """Somebody may have sent it again since then."""
    books = demo_books()
    worker = outbound(db, MemoryAdapter(books))
    await work_order(db, "WO-1")
    await consume(db, "WO-1")
    await run_dry(db, worker)
    async with db.read() as tx:
        backup = await latest(tx)
    await put_back(db, backup)
    async with db.transaction(cause()) as tx:
        await tx.execute("update erp.document set state = 'dead' where noun = 'MaterialActual'")
        (dead,) = await service.documents(tx, None, "dead", 10)
        await service.retry(tx, dead.id)
    await run_dry(db, worker)
    assert len(books.booked) == 1


async def test_a_month_that_was_closed_meanwhile_is_not_asked_again(db: Database) -> None:
    """What waited, or stands refused, goes into the first day that is open; when it happened stays said."""
    books = demo_books()
    worker = outbound(db, MemoryAdapter(books))
    await work_order(db, "WO-1")
    await run_dry(db, worker)
    yesterday = utc_now() - timedelta(days=1)
    await consume(db, "WO-1", by=replace(cause(), at=yesterday))
    await worker.collect()
    day = yesterday.astimezone(Settings().timezone).date()
    later = day + timedelta(days=9)
    books.periods = [
        Period(date(day.year, 1, 1), day, open=False), Period(day + timedelta(days=1), later, open=True)
    ]  # fmt: skip
    await run_dry(db, worker)
    (booked,) = books.booked
    assert booked.day > day
    async with db.read() as tx:
        (moved, *_) = await service.documents(tx, "WO-1", "applied", 1)
    assert (moved.posting_date, moved.body["posting_date"]) == (booked.day, booked.day.isoformat())
    assert moved.event_time == yesterday
    books.periods = [Period(date(day.year, 1, 1), later, open=False)]
    await consume(db, "WO-1")
    await worker.collect()
    await worker.deliver()
    async with db.read() as tx:
        (dead,) = await service.documents(tx, None, "dead", 10)
    assert dead.code == "ErpPeriodClosed"
    books.periods = [Period(date(day.year, 1, 1), later, open=True)]
    async with db.transaction(cause()) as tx:
        await service.retry(tx, dead.id)
    await run_dry(db, worker)
    assert len(books.booked) == 2


async def test_nothing_gets_a_day_before_the_periods_are_known(db: Database) -> None:
    """An ERP that is away while the bridge starts: what it last said of its periods counts."""
    books = demo_books()
    await work_order(db, "WO-1")
    await run_dry(db, outbound(db, MemoryAdapter(books)))
    yesterday = utc_now() - timedelta(days=1)
    books.faults.away = True
    await consume(db, "WO-1", by=replace(cause(), at=yesterday))
    first = Bridge(db, MemoryAdapter(books), Settings(), "first")
    with pytest.raises(ErpUnavailable):
        await first._turn()
    books.faults.away = False
    await first._learn_periods()
    books.faults.away = True
    await Bridge(db, MemoryAdapter(books), Settings(), "again")._turn()
    books.faults.away = False
    async with db.read() as tx:
        (waiting, *_) = await service.documents(tx, "WO-1", "retry", 1)
    assert waiting.posting_date == yesterday.astimezone(Settings().timezone).date()


async def test_nothing_is_retried_that_was_booked(db: Database) -> None:
    books = demo_books()
    worker = outbound(db, MemoryAdapter(books))
    await work_order(db, "WO-1")
    await run_dry(db, worker)
    async with db.transaction(cause()) as tx:
        (first, *_) = await service.documents(tx, "WO-1", None, 10)
        with pytest.raises(service.DocumentNotDead):
            await service.retry(tx, first.id)
        with pytest.raises(service.DocumentUnknown):
            await service.retry(tx, 999_999)


def test_waiting_grows_and_has_an_end() -> None:
    assert all(1 <= backoff(attempts) <= 301 for attempts in (0, 1, 5, 50, 5000))
