"""A difference between the books shows until it is gone, and only what differs is one."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from erp_bridge import service, store
from erp_bridge.adapter import LedgerLine, SnapshotKind
from erp_bridge.adapters.memory import Books, Faults, MemoryAdapter
from erp_bridge.outbound import Outbound
from erp_bridge.reconcile import Reconciliation, compare, refresh
from mes.costing.events import BookedLine, CostBooked
from mes.definitions import service as definitions
from mes.definitions.model import MaterialDraft, MaterialKind, MaterialTracking
from mes.kernel.db import Cause, Database
from mes.kernel.ids import EquipmentId, MaterialId, WorkOrderNumber
from mes.kernel.outbox import append, to_json
from tests.conformance.test_erp_memory import demo_books
from tests.fixtures.postgres import cause
from tests.integration.erp_bridge.test_outbound import consume, outbound, run_dry, work_order

HUNDRED = (("wip", "100.00", "0"), ("labour_absorbed", "0", "100.00"))


class Link:
    """A plant's books, an ERP's, and the bridge between them, turned by hand."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.books: Books = demo_books()
        self.adapter = MemoryAdapter(self.books)
        self.worker: Outbound = outbound(db, self.adapter)

    async def begin(self) -> None:
        """Let a work order stand in the ERP; costing has read everything."""
        await work_order(self.db, "WO-1")
        await run_dry(self.db, self.worker)
        await self.costing_reads_on()
        await refresh(self.db, self.adapter)

    async def costing_reads_on(self) -> None:
        async with self.db.transaction(cause()) as tx:
            await tx.execute(
                "insert into mes.consumer_cursor (consumer, xid, id)"
                " values ('costing', pg_current_xact_id(), 0)"
                " on conflict (consumer) do update set xid = excluded.xid"
            )

    async def book(
        self, subject: UUID | None = None, *lines: tuple[str, str, str], announce: bool = True
    ) -> UUID:
        """Book a cost entry, and tell of it as costing does."""
        entry, subject, lines = uuid4(), subject or uuid4(), lines or HUNDRED
        async with self.db.transaction(cause()) as tx:
            await tx.execute(
                "insert into mes.cost_entry (entry, site, scope, kind, work_order, cause_event, at)"
                " values (%(entry)s, 'SUZ', '', 'labour', 'WO-1', %(subject)s, now())",
                {"entry": entry, "subject": subject},
            )
            for n, (account, debit, credit) in enumerate(lines):
                await tx.execute(
                    "insert into mes.cost_line (entry, n, account, debit, credit, currency)"
                    " values (%(entry)s, %(n)s, %(account)s, %(debit)s, %(credit)s, 'CNY')",
                    {"entry": entry, "n": n, "account": account, "debit": debit, "credit": credit},
                )
            if announce:
                await append(
                    tx.under(Cause(actor="service:floor", at=tx.now, causation=subject)),
                    CostBooked(
                        site="SUZ", entry=entry, kind="labour", cause_event=subject,
                        work_order=WorkOrderNumber("WO-1"), reverses=None,
                        lines=tuple(_line(*line) for line in lines),
                    ),
                )  # fmt: skip
        return subject

    def post(self, account: str, amount: str) -> None:
        """Post in the ERP without the plant."""
        ledger = self.books.ledger
        ledger.append(
            LedgerLine(id=len(ledger) + 1, account=account, amount=Decimal(amount), ref="booked,900")
        )

    async def look(self) -> Reconciliation:
        """Compare as the bridge does every ten seconds."""
        await refresh(self.db, self.adapter)
        async with self.db.transaction(cause()) as tx:
            outcome = await compare(tx, "CNY", grace_s=-1, overdue_s=60)
            await store.comparison.agree(tx, grace_s=-1)
        return outcome

    async def price(self, *prices: str) -> None:
        """Let castings have these standard prices in the plant, one after the other."""
        for price in prices:
            async with self.db.transaction(cause()) as tx:
                await definitions.put_material(
                    tx,
                    MaterialDraft(
                        id=MaterialId("CAST-40"), name="Casting", kind=MaterialKind.COMPONENT, uom="pc",
                        tracking=MaterialTracking.LOT, standard_price=Decimal(price), currency="CNY",
                        erp_ref="product.product,1",
                    ),
                )  # fmt: skip

    async def use(self, worth: str) -> str:
        """Use one casting, at what the plant thinks it is worth; return what the books compare it by."""
        await consume(self.db, "WO-1")
        await run_dry(self.db, self.worker)
        await self.costing_reads_on()
        async with self.db.read() as tx:
            subject = await tx.value("select max(subject) from erp.document where noun = 'MaterialActual'")
        await self.book(UUID(subject), ("wip", worth, "0"), ("raw_material", "0", worth))
        await run_dry(self.db, self.worker)
        return str(subject)

    async def let_pass(self, time: str) -> None:
        """Make everything in the bridge's ledger older."""
        async with self.db.transaction(cause()) as tx:
            for column in ("recorded_at", "created_at", "applied_at"):
                await tx.execute(
                    f"update erp.document set {column} = {column} - %(time)s::interval",  # noqa: S608
                    {"time": time},
                )


def _line(account: str, debit: str, credit: str) -> BookedLine:
    return BookedLine(
        account=account, debit=Decimal(debit), credit=Decimal(credit), currency="CNY", quantity=None,
        uom=None, work_center=EquipmentId("MC"), cost_center="MC", material=None, lot=None,
    )  # fmt: skip


@pytest.fixture
async def link(db: Database) -> Link:
    link = Link(db)
    await link.begin()
    return link


async def test_what_arrived_is_agreed_and_not_compared_again(link: Link) -> None:
    await link.book()
    await run_dry(link.db, link.worker)
    outcome = await link.look()
    assert (outcome.value_difference, outcome.waiting, outcome.cases) == (0, 0, ())
    assert {row.account: (row.mine, row.theirs) for row in outcome.accounts}["wip"] == (100, 100)
    async with link.db.read() as tx:
        assert await tx.value("select count(*) from erp.subject where agreed_at is null") == 0
    again = await link.look()
    assert again.judged == outcome.judged == 3


async def test_a_cost_entry_that_no_document_was_made_of_differs(link: Link) -> None:
    await link.book(announce=False)
    outcome = await link.look()
    assert outcome.value_difference == 200
    assert {case.work_order for case in outcome.cases} == {"WO-1"}


@pytest.mark.parametrize("time", ["47 hours", "49 hours", "400 days"])
async def test_a_dead_letter_differs_however_old_it_is(link: Link, time: str) -> None:
    await link.book()
    link.books.periods = [replace(one, open=False) for one in link.books.periods]
    await link.worker.collect()
    await link.worker.deliver()
    await link.let_pass(time)
    async with link.db.read() as tx:
        (dead,) = await service.documents(tx, None, "dead", 10)
    assert (await link.look()).value_difference == 200
    async with link.db.transaction(cause()) as tx:
        await service.skip(tx, dead.id, "posted by hand")
    assert (await link.look()).value_difference == 200


async def test_what_is_late_waits_and_is_no_difference(link: Link) -> None:
    link.books.faults.away = True
    await link.book()
    await consume(link.db, "WO-1")
    await link.worker.collect()
    await link.worker.deliver()
    await link.let_pass("1 hour")
    async with link.db.read() as tx:
        outcome = await compare(tx, "CNY", grace_s=-1)
    assert (outcome.value_difference, outcome.quantity_difference) == (0, 0)
    assert (outcome.waiting, outcome.late, outcome.value_waiting) == (2, 2, 200)
    link.books.faults.away = False
    await run_dry(link.db, link.worker)
    outcome = await link.look()
    assert (outcome.value_difference, outcome.waiting, outcome.value_waiting) == (0, 1, 240)
    await link.costing_reads_on()
    assert (await link.look()).value_difference == 240


async def test_what_the_bridge_believes_to_be_booked_and_is_not_differs(link: Link) -> None:
    await link.book()
    await consume(link.db, "WO-1")
    await link.worker.collect()
    async with link.db.transaction(cause()) as tx:
        await tx.execute("update erp.document set state = 'applied', erp_ref = '{booked,99}',"
                         " applied_at = now() where state = 'pending'")  # fmt: skip
    outcome = await link.look()
    assert (outcome.value_difference, outcome.quantity_difference) == (200, 1)


async def test_an_entry_on_our_account_that_no_document_made_differs(link: Link) -> None:
    await link.book()
    await run_dry(link.db, link.worker)
    link.post("wip", "777")
    link.post("labour_absorbed", "-777")
    outcome = await link.look()
    assert outcome.value_difference == 2 * 777
    assert {case.subject for case in outcome.cases} == {"booked,900"}
    assert (await link.look()).value_difference == 2 * 777


async def test_what_was_booked_and_not_answered_waits_until_it_is_known(link: Link) -> None:
    await link.book()
    await consume(link.db, "WO-1")
    link.books.faults = Faults(after=1.0)
    await link.worker.deliver()
    outcome = await link.look()
    assert (outcome.cases, outcome.waiting) == ((), 2)
    link.books.faults = Faults()
    await run_dry(link.db, link.worker)
    outcome = await link.look()
    assert (outcome.cases, outcome.waiting) == ((), 1)


async def test_what_the_erp_ships_and_what_was_there_before_is_its_own(db: Database) -> None:
    link = Link(db)
    link.post("wip", "5")
    await link.begin()
    link.post("cogs", "653")
    link.post("finished_goods", "-653")
    assert (await link.look()).cases == ()


@pytest.mark.parametrize(("known", "why"), [(("120", "130"), "price"), (("120",), "")])
async def test_a_price_that_was_changed_in_the_erp_is_named(
    link: Link, known: tuple[str, ...], why: str
) -> None:
    await link.price(*known)
    link.books.prices["CAST-40"] = Decimal(130)
    await link.use("120")
    outcome = await link.look()
    assert {(case.what, case.mine, case.theirs, case.why) for case in outcome.cases} == {
        ("wip", 120, 130, why),
        ("raw_material", -120, -130, why),
    }


async def test_a_difference_that_somebody_explained_is_kept_with_the_reason_and_is_none(link: Link) -> None:
    link.books.prices["CAST-40"] = Decimal(130)
    subject = await link.use("120")
    await link.price("120", "130")
    outcome = await link.look()
    async with link.db.transaction(cause()) as tx:
        await store.link.put_link(tx, "memory", "Memory", reachable=True, detail="", ms=1.0)
        await store.comparison.put_comparison(tx, "memory", to_json(outcome))
        await service.explain(tx, "memory", subject, "price of castings rose on Monday", with_money=True)
    outcome = await link.look()
    assert (outcome.cases, outcome.value_difference) == ((), 0)
    assert {(one.what, one.amount, one.why, one.reason) for one in outcome.explained} == {
        ("wip", -10, "price", "price of castings rose on Monday"),
        ("raw_material", 10, "price", "price of castings rose on Monday"),
    }
    async with link.db.transaction(cause()) as tx:
        await tx.execute("update erp.mirror_ledger set amount = amount * 2")
        outcome = await compare(tx, "CNY", grace_s=-1)
    assert outcome.value_difference == 2 * (260 - 120)
    async with link.db.transaction(cause()) as tx:
        with pytest.raises(service.DifferenceUnknown):
            await service.explain(tx, "memory", "stock.move,99", "there is none", with_money=True)


async def test_a_movement_that_the_erp_cancels_later_differs_again(link: Link) -> None:
    await link.use("120")
    assert (await link.look()).cases == ()
    (line,) = (await link.adapter.snapshot(SnapshotKind.STOCK)).stock
    async with link.db.transaction(cause()) as tx:
        await store.mirror.mirror_stock(tx, [replace(line, quantity=Decimal(0))])
        outcome = await compare(tx, "CNY", grace_s=-1)
    assert outcome.quantity_difference == 1
