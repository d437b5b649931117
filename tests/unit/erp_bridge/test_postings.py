"""Which documents an event becomes, and what is left of an entry for the bridge to post."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from erp_bridge.adapter import Capabilities, Movement, Period, posting_day
from erp_bridge.adapters.tryton import ACCOUNTS, SHEET
from erp_bridge.documents import (
    CostPosting,
    Document,
    MaterialActual,
    MaterialUse,
    PostingLine,
    parse,
    to_json,
)
from erp_bridge.postings import POSTINGS, Books, Head, documents_of, opening, residual
from mes.costing.model import Account, CostLine
from mes.dispatching.events import PromiseGiven
from mes.execution.events import GoodReported, MaterialConsumed, ReportReversed
from mes.kernel.ids import (
    EquipmentId,
    JobOrderId,
    LotNumber,
    MaterialId,
    PersonId,
    SerialNumber,
    WorkOrderNumber,
)
from mes.kernel.outbox import Event, StoredEvent
from mes.kernel.outbox import to_json as event_json

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31), open=True)
BOOKS = Books(
    sheet=SHEET,
    periods=(YEAR,),
    today=date(2026, 11, 22),
    zone=lambda at: at,
    page="http://127.0.0.1:8080/o",
)
WHERE: dict[str, Any] = {
    "site": "SUZ",
    "scope": "MACH/MC/CNC-1",
    "job_order": JobOrderId("WO-000001-10"),
    "work_order": WorkOrderNumber("WO-000001"),
    "operation": 10,
    "work_center": EquipmentId("MC"),
    "cost_center": "MC",
    "equipment": EquipmentId("CNC-1"),
}


def stored(event: Event, *, simulated: bool = False) -> StoredEvent:
    return StoredEvent(
        id=1, xid="1", event_id=UUID(int=7), type=type(event).__name__, schema_version=1, site="SUZ",
        scope="", aggregate="", payload=event_json(event), actor="person:E-1001", terminal=None, key=None,
        causation=None, at=NOW, recorded_at=NOW, simulated=simulated,
    )  # fmt: skip


def consumed() -> MaterialConsumed:
    return MaterialConsumed(
        **WHERE, actual=uuid4(), person=PersonId("E-1001"), material=MaterialId("CAST-40"),
        lot=LotNumber("LOT-CAST-40-0001"), quantity=Decimal(4), uom="pc", serial=None,
    )  # fmt: skip


def entry(*lines: tuple[Account, str]) -> list[CostLine]:
    return [
        CostLine(
            account=account,
            debit=max(Decimal(amount), Decimal(0)),
            credit=max(-Decimal(amount), Decimal(0)),
            currency="CNY",
        )
        for account, amount in lines
    ]


def rest(*lines: tuple[Account, str]) -> dict[str, Decimal]:
    return {line.account: line.debit - line.credit for line in residual(entry(*lines), SHEET, "CNY")}


def test_a_consumption_is_one_movement_of_its_lot() -> None:
    (document,) = documents_of(stored(consumed()), BOOKS)
    assert isinstance(document, MaterialActual)
    assert document.use is MaterialUse.CONSUMED
    assert document.lot == "LOT-CAST-40-0001"
    assert document.lane == "WO:WO-000001"
    assert document.key == document.subject == str(UUID(int=7))


def test_simulated_history_stays_out() -> None:
    assert documents_of(stored(consumed(), simulated=True), BOOKS) == []


@pytest.mark.parametrize(("last", "expected"), [(False, 0), (True, 1)])
def test_only_the_last_operation_delivers(last: bool, expected: int) -> None:
    event = GoodReported(
        **WHERE, report=uuid4(), last=last, material=MaterialId("PUMP-40"), person=PersonId("E-1001"),
        quantity=Decimal(1), uom="pc", serials=(SerialNumber("SN-00000001"),),
    )  # fmt: skip
    assert len(documents_of(stored(event), BOOKS)) == expected


def test_a_reversed_report_takes_back_good_and_scrap() -> None:
    event = ReportReversed(
        **WHERE, report=uuid4(), reverses=uuid4(), reason="other", last=True, material=MaterialId("PUMP-40"),
        person=PersonId("E-1001"), good=Decimal(1), scrap=Decimal(2), uom="pc", scrap_reason="leak",
        serials=(SerialNumber("SN-00000001"),),
    )  # fmt: skip
    found = documents_of(stored(event), BOOKS)
    uses = [document.use for document in found if isinstance(document, MaterialActual)]
    assert uses == [MaterialUse.UNPRODUCED, MaterialUse.UNSCRAPPED]
    assert len({document.key for document in found}) == 2


def test_a_promise_without_a_customer_order_concerns_nobody() -> None:
    event = PromiseGiven(
        site="SUZ", customer_order="", work_order=WorkOrderNumber("WO-000001"), promised_at=NOW,
        previous=None, reason="plan",
    )  # fmt: skip
    assert documents_of(stored(event), BOOKS) == []


def test_what_the_erp_posts_itself_is_not_posted_again() -> None:
    assert rest((Account.WIP, "120"), (Account.RAW_MATERIAL, "-120")) == {}
    assert rest((Account.FINISHED_GOODS, "652.08"), (Account.WIP, "-652.08")) == {}
    receipt = (Account.RAW_MATERIAL, "2500"), (Account.GR_IR, "-2500")
    assert rest(*receipt) == {}


def test_what_the_erp_never_posts_goes_out_whole() -> None:
    assert rest((Account.WIP, "10"), (Account.LABOUR_ABSORBED, "-10")) == {
        "wip": Decimal(10),
        "labour_absorbed": Decimal(-10),
    }
    assert rest((Account.SCRAP_EXPENSE, "652.08"), (Account.WIP, "-652.08")) == {
        "scrap_expense": Decimal("652.08"),
        "wip": Decimal("-652.08"),
    }


def test_where_the_erp_posts_to_another_account_the_rest_moves_it() -> None:
    assert rest((Account.RAW_MATERIAL, "120"), (Account.WIP, "-120")) == {
        "wip": Decimal(-120),
        "gr_ir": Decimal(120),
    }
    assert rest((Account.SCRAP_EXPENSE, "75"), (Account.RAW_MATERIAL, "-75")) == {
        "scrap_expense": Decimal(75),
        "wip": Decimal(-75),
    }
    assert rest((Account.WIP, "652.08"), (Account.FINISHED_GOODS, "-652.08")) == {
        "wip": Decimal("652.08"),
        "cogs": Decimal("-652.08"),
    }


def test_a_price_variance_of_a_receipt_is_ours() -> None:
    lines = (Account.RAW_MATERIAL, "2500"), (Account.PURCHASE_PRICE_VARIANCE, "100"), (Account.GR_IR, "-2600")
    assert rest(*lines) == {"purchase_price_variance": Decimal(100), "gr_ir": Decimal(-100)}


def test_an_erp_that_posts_nothing_gets_every_entry() -> None:
    lines = entry((Account.WIP, "120"), (Account.RAW_MATERIAL, "-120"))
    assert len(residual(lines, Capabilities(name="file"), "CNY")) == 2


def test_every_account_of_the_sub_ledger_has_a_number_in_tryton() -> None:
    assert {account.value for account in Account} <= set(ACCOUNTS)


def test_a_closed_period_moves_the_posting_to_today() -> None:
    closed = Period(date(2026, 10, 1), date(2026, 10, 31), open=False)
    late = datetime(2026, 10, 31, 23, tzinfo=UTC)
    today = date(2026, 11, 22)
    assert posting_day(late, today, [closed]) == today
    assert posting_day(late, today, [replace_open(closed)]) == date(2026, 10, 31)
    assert posting_day(late, today, []) == today


def replace_open(period: Period) -> Period:
    return Period(period.start, period.end, open=True)


def test_history_is_one_entry_with_a_line_per_account() -> None:
    balances = [("wip", Decimal("-5.00")), ("cogs", Decimal(0)), ("scrap_expense", Decimal("5.00"))]
    document = opening(balances, "CNY", Head(UUID(int=1), NOW, BOOKS))
    assert isinstance(document, CostPosting)
    assert document.key == "opening"
    assert [line.account for line in document.lines] == ["wip", "scrap_expense"]
    assert opening([], "CNY", Head(UUID(int=1), NOW, BOOKS)) is None


def test_documents_survive_their_json() -> None:
    head = Head(UUID(int=1), NOW, BOOKS)
    document: Document = CostPosting(
        **head.fields("GL"),
        text="x",
        currency="CNY",
        lines=(PostingLine(account="wip", debit=Decimal("0.10")),),
    )
    assert parse(to_json(document)) == document


def test_every_movement_of_tryton_balances() -> None:
    assert set(SHEET.posts) == set(Movement)


def test_the_table_names_events_that_exist() -> None:
    assert "MaterialConsumed" in POSTINGS
    assert "CostBooked" in POSTINGS
