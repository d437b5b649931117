"""Every event on the floor leads to one balanced entry, once, and a closed order has no WIP."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from mes.costing import service as costing
from mes.costing.model import Account, CostEntry, EntryKind
from mes.execution.events import (
    GoodReported,
    LabourBooked,
    MachineTimeBooked,
    MaterialConsumed,
    MaterialReturned,
    ReportReversed,
    ScrapReported,
)
from mes.inventory.events import LotCounted, LotReceived, LotScrapped
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.ids import LotNumber, MaterialId, PersonId, WorkOrderNumber
from mes.kernel.outbox import Event, append
from mes.workorders.events import WorkOrderCancelled, WorkOrderClosed
from tests.fixtures.facts import define_plant, order_pumps
from tests.fixtures.postgres import cause

NOW = utc_now()


class Floor:
    """What happens to one order of pumps, told as execution tells it."""

    def __init__(self, db: Database, number: str) -> None:
        self.db = db
        self.number = number

    async def tell(self, *events: Event, simulated: bool = False) -> None:
        async with self.db.transaction(Cause(actor="person:E-1001", at=NOW, simulated=simulated)) as tx:
            for event in events:
                await append(tx, event)

    def at(self, operation: int, center: str, unit: str) -> dict[str, Any]:
        return {
            "site": "SUZ",
            "scope": f"MACH/{center}",
            "job_order": f"{self.number}-{operation}",
            "work_order": self.number,
            "operation": operation,
            "work_center": center,
            "cost_center": f"CC-{center}",
            "equipment": unit,
        }

    def used(self, material: str, quantity: str, actual: UUID | None = None) -> MaterialConsumed:
        return MaterialConsumed(
            **self.at(10, "MC", "CNC-1"),
            actual=actual or uuid4(),
            person=PersonId("E-1001"),
            material=MaterialId(material),
            lot=LotNumber(f"LOT-{material}-0001"),
            quantity=Decimal(quantity),
            uom="kg" if material == "GREASE" else "pc",
            serial=None,
        )

    def returned(self, material: str, quantity: str, actual: UUID) -> MaterialReturned:
        return MaterialReturned(
            **self.at(10, "MC", "CNC-1"),
            actual=uuid4(),
            reverses=actual,
            reason="typo",
            person=PersonId("E-1001"),
            material=MaterialId(material),
            lot=LotNumber(f"LOT-{material}-0001"),
            quantity=Decimal(quantity),
            uom="pc",
            serial=None,
        )

    def worked(self, hours: str) -> tuple[LabourBooked, MachineTimeBooked]:
        span: dict[str, Any] = {
            "started_at": NOW,
            "ended_at": NOW + timedelta(hours=1),
            "hours": Decimal(hours),
        }
        place = self.at(10, "MC", "CNC-1")
        return LabourBooked(**place, person=PersonId("E-1001"), rate_class="L1", **span), MachineTimeBooked(
            **place, **span
        )

    def good(self, quantity: str, *, last: bool = True, report: UUID | None = None) -> GoodReported:
        return GoodReported(
            **self.at(60, "PK", "PACK-1"),
            report=report or uuid4(),
            last=last,
            material=MaterialId("PUMP-40"),
            person=PersonId("E-1001"),
            quantity=Decimal(quantity),
            uom="pc",
            serials=(),
        )

    def scrap(self, quantity: str, report: UUID | None = None) -> ScrapReported:
        return ScrapReported(
            **self.at(30, "AS2", "ASM-2"),
            report=report or uuid4(),
            last=False,
            material=MaterialId("PUMP-40"),
            person=PersonId("E-1001"),
            quantity=Decimal(quantity),
            uom="pc",
            reason="leak",
            serials=(),
        )

    def undone(self, report: UUID, good: str, scrap: str) -> ReportReversed:
        return ReportReversed(
            **self.at(60, "PK", "PACK-1"),
            report=uuid4(),
            reverses=report,
            reason="typo",
            last=True,
            material=MaterialId("PUMP-40"),
            person=PersonId("E-1001"),
            good=Decimal(good),
            scrap=Decimal(scrap),
            uom="pc",
            scrap_reason=None,
            serials=(),
        )

    def closed(self) -> WorkOrderClosed:
        return WorkOrderClosed(site="SUZ", work_order=WorkOrderNumber(self.number))

    async def book(self) -> list[CostEntry]:
        async with self.db.transaction(cause()) as tx:
            while await costing.book_events(tx):
                pass
        async with self.db.read() as tx:
            return await costing.entries(tx, self.number)

    async def balance(self, *, simulated: bool = False) -> dict[Account, Decimal]:
        async with self.db.read() as tx:
            found = await costing.balances(tx, simulated=simulated)
            return {one.account: one.amount for one in found}

    async def order_balance(self) -> dict[Account, Decimal]:
        async with self.db.read() as tx:
            return {one.account: one.amount for one in await costing.balances(tx, self.number)}

    async def made(self, good: int, scrap: int) -> None:
        """Let the order's own counts say what the reports said."""
        async with self.db.transaction(cause()) as tx:
            await tx.execute(
                """
                insert into mes.person (id, site, name) values ('E-1001', 'SUZ', 'Li Wei')
                on conflict do nothing
                """
            )
            for operation, good_, scrap_ in ((30, 0, scrap), (60, good, 0)):
                if good_ + scrap_:
                    await tx.execute(
                        """
                        insert into mes.report (id, site, scope, job_order, work_order, operation, equipment,
                                                person, good, scrap, uom, reason, at)
                        values (gen_random_uuid(), 'SUZ', '', %(job)s, %(order)s, %(operation)s, 'PACK-1',
                                'E-1001', %(good)s, %(scrap)s, 'pc', 'leak', now())
                        """,
                        {
                            "job": f"{self.number}-{operation}",
                            "order": self.number,
                            "operation": operation,
                            "good": good_,
                            "scrap": scrap_,
                        },
                    )


@pytest.fixture
async def floor(db: Database) -> Floor:
    await define_plant(db)
    return Floor(db, await order_pumps(db, 5, NOW - timedelta(hours=1)))


def sides(entry: CostEntry) -> list[tuple[str, str, str]]:
    return [(line.account.value, str(line.debit), str(line.credit)) for line in entry.lines]


def kinds(entries: Sequence[CostEntry]) -> list[str]:
    return [entry.kind.value for entry in entries]


async def test_a_whole_order_ends_with_no_work_in_process(floor: Floor) -> None:
    await floor.tell(
        floor.used("CAST-40", "5"),
        floor.used("SEAL", "6"),
        floor.used("GREASE", "0.250"),
        *floor.worked("0.050000"),
        floor.scrap("1"),
        floor.good("4", last=False),
        floor.good("4"),
    )
    await floor.made(good=4, scrap=1)
    await floor.tell(floor.closed())
    entries = await floor.book()
    assert kinds(entries) == [
        "consumption",
        "consumption",
        "consumption",
        "labour",
        "machine",
        "scrap",
        "completion",
        "close",
    ]
    assert sides(entries[0]) == [("wip", "600.00", "0.00"), ("raw_material", "0.00", "600.00")]
    assert sides(entries[3]) == [("wip", "3.00", "0.00"), ("labour_absorbed", "0.00", "3.00")]
    assert sides(entries[4]) == [("wip", "6.00", "0.00"), ("machine_absorbed", "0.00", "6.00")]
    assert sides(entries[5]) == [("scrap_expense", "652.08", "0.00"), ("wip", "0.00", "652.08")]
    assert sides(entries[6]) == [("finished_goods", "2608.32", "0.00"), ("wip", "0.00", "2608.32")]
    balance = await floor.order_balance()
    assert balance[Account.WIP] == 0
    assert balance[Account.USAGE_VARIANCE] == Decimal("25.00")
    assert sum(balance.values()) == 0
    assert await floor.balance() == balance
    assert entries[0].lines[0].cost_center == "CC-MC"
    assert entries[0].lines[0].lot == "LOT-CAST-40-0001"


async def test_booking_again_books_nothing_twice(floor: Floor) -> None:
    await floor.tell(floor.used("CAST-40", "5"))
    first = await floor.book()
    async with floor.db.transaction(cause()) as tx:
        await tx.execute("update mes.consumer_cursor set xid = '0', id = 0 where consumer = 'costing'")
    assert await floor.book() == first
    assert (await floor.balance())[Account.WIP] == Decimal("600.00")


async def test_each_entry_is_told_with_its_lines(floor: Floor) -> None:
    await floor.tell(floor.used("CAST-40", "5"))
    (entry,) = await floor.book()
    async with floor.db.read() as tx:
        payload = await tx.value("select payload from mes.event where type = 'CostBooked'")
        causation = await tx.value("select causation from mes.event where type = 'CostBooked'")
    assert payload["entry"] == str(entry.entry)
    assert payload["kind"] == "consumption"
    assert [line["account"] for line in payload["lines"]] == ["wip", "raw_material"]
    assert payload["lines"][0]["debit"] == "600.00"
    assert causation == entry.cause_event


async def test_a_return_undoes_a_use(floor: Floor) -> None:
    actual = uuid4()
    await floor.tell(floor.used("CAST-40", "5", actual), floor.returned("CAST-40", "5", actual))
    use, back = await floor.book()
    assert back.kind is EntryKind.RETURN
    assert back.reverses == use.entry
    assert set((await floor.order_balance()).values()) == {Decimal(0)}


async def test_a_reversed_report_undoes_its_entry(floor: Floor) -> None:
    report = uuid4()
    await floor.tell(floor.good("4", report=report), floor.undone(report, "4", "0"))
    made, back = await floor.book()
    assert (back.kind, back.reverses) == (EntryKind.REVERSAL, made.entry)
    assert set((await floor.order_balance()).values()) == {Decimal(0)}


async def test_an_event_without_a_price_waits_and_the_rest_is_booked(floor: Floor) -> None:
    await floor.tell(floor.used("MAGIC", "1"), floor.used("CAST-40", "5"))
    assert kinds(await floor.book()) == ["consumption"]
    async with floor.db.transaction(cause()) as tx:
        (waiting,) = await costing.waiting(tx)
        assert waiting.error.startswith("StandardPriceMissing")
        assert await costing.book_waiting(tx) == 0
        await tx.execute(
            """
            insert into mes.material (id, site, name, kind, uom, tracking)
            values ('MAGIC', 'SUZ', 'Magic', 'component', 'pc', 'lot')
            """
        )
        await tx.execute(
            "insert into mes.standard_price values ('MAGIC', 'SUZ', now() - interval '1 day', 7, 'CNY')"
        )
        assert await costing.book_waiting(tx) == 1
        assert await costing.waiting(tx) == []
    assert (await floor.order_balance())[Account.WIP] == Decimal("607.00")


async def test_what_comes_after_the_close_leaves_no_work_in_process(floor: Floor) -> None:
    await floor.tell(floor.used("CAST-40", "5"), floor.closed(), *floor.worked("0.5"))
    entries = await floor.book()
    assert kinds(entries) == ["consumption", "close", "labour", "machine"]
    balance = await floor.order_balance()
    assert balance[Account.WIP] == 0
    assert balance[Account.STANDARD_COST_VARIANCE] == Decimal("90.00")


async def test_a_cancelled_order_gives_its_costs_to_the_variances(floor: Floor) -> None:
    await floor.tell(
        floor.used("CAST-40", "2"),
        WorkOrderCancelled(site="SUZ", work_order=WorkOrderNumber(floor.number), reason="customer"),
    )
    assert kinds(await floor.book()) == ["consumption", "close"]
    balance = await floor.order_balance()
    assert (balance[Account.WIP], balance[Account.USAGE_VARIANCE]) == (0, Decimal("240.00"))


async def test_a_later_price_changes_no_released_order(floor: Floor) -> None:
    async with floor.db.transaction(cause()) as tx:
        await tx.execute("insert into mes.standard_price values ('CAST-40', 'SUZ', now(), 999, 'CNY')")
    await floor.tell(floor.used("CAST-40", "1"))
    (entry,) = await floor.book()
    assert entry.lines[0].debit == Decimal("120.00")


async def test_receipts_and_scrapped_lots_are_booked_without_an_order(floor: Floor) -> None:
    lot: dict[str, Any] = {"site": "SUZ", "lot": "LOT-SEAL-0001", "material": "SEAL", "uom": "pc"}
    await floor.tell(
        LotReceived(
            **lot,
            quantity=Decimal(100),
            price=Decimal("26.00"),
            currency="CNY",
            supplier="V-01",
            purchase="1",
            expires_at=None,
        ),
        LotScrapped(**lot, quantity=Decimal(10), reason="damaged"),
        LotCounted(**lot, quantity=Decimal(-3), erp_ref="stock.move,7"),
        LotCounted(**lot, quantity=Decimal(1), erp_ref="stock.move,8"),
    )
    await floor.book()
    assert await floor.balance() == {
        Account.GR_IR: Decimal("-2600.00"),
        Account.PURCHASE_PRICE_VARIANCE: Decimal("100.00"),
        Account.RAW_MATERIAL: Decimal("2200.00"),
        Account.SCRAP_EXPENSE: Decimal("300.00"),
    }


async def test_booked_history_is_kept_apart(floor: Floor) -> None:
    await floor.tell(floor.used("CAST-40", "1"), simulated=True)
    await floor.tell(floor.used("CAST-40", "2"))
    await floor.book()
    assert (await floor.balance())[Account.WIP] == Decimal("240.00")
    assert (await floor.balance(simulated=True))[Account.WIP] == Decimal("120.00")


async def test_the_ledger_refuses_change_and_imbalance(floor: Floor) -> None:
    await floor.tell(floor.used("CAST-40", "1"))
    (entry,) = await floor.book()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with floor.db.transaction(cause()) as tx:
            await tx.execute("update mes.cost_line set debit = 1")
    with pytest.raises(psycopg.errors.CheckViolation):
        async with floor.db.transaction(cause()) as tx:
            await tx.execute(
                """
                insert into mes.cost_line (entry, n, account, debit, currency)
                values (%(entry)s, 9, 'wip', 1, 'CNY')
                """,
                {"entry": entry.entry},
            )
