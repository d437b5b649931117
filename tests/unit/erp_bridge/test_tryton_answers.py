"""Whatever Tryton answers, the bridge knows what to make of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from erp_bridge.adapter import (
    Connection,
    ErpCurrencyDiffers,
    ErpReadRefused,
    ErpUnavailable,
    OutcomeUnknown,
    Rejected,
    Retry,
    SnapshotKind,
    Stream,
)
from erp_bridge.adapters.tryton import TrytonAdapter
from erp_bridge.adapters.tryton.answers import rejection
from erp_bridge.adapters.tryton.rpc import Busy, Refused, Rpc
from erp_bridge.documents import CostPosting, PostingLine, SegmentResponse

Row = dict[str, Any]
CONNECTION = Connection(
    url="http://127.0.0.1:1", database="x", user="x", password="x", site_tz="Asia/Shanghai", currency="CNY"
)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
HEAD = {"key": "k", "lane": "WO:1", "subject": "s", "event_time": NOW, "posting_date": NOW.date(),
        "work_order": "WO-1"}  # fmt: skip
CYCLE = SegmentResponse(**HEAD, operation=10, work_center="MC", hours=Decimal(1))  # type: ignore[arg-type]
ENTRY = CostPosting(
    **HEAD, text="labour", currency="CNY", lines=(PostingLine(account="wip", debit=Decimal(1)),)  # type: ignore[arg-type]
)  # fmt: skip

PLAIN = [
    "<html>a page of a proxy</html>",
    "[]",
    "{}",
    '{"error": 5}',
    '{"result": {"__class__": "date"}}',
]


def rpc(answer: Callable[[httpx2.Request], httpx2.Response]) -> Rpc:
    made = Rpc(CONNECTION)
    made._http = httpx2.AsyncClient(base_url="http://erp/x/", transport=httpx2.MockTransport(answer))
    made._context = {}
    return made


@pytest.mark.parametrize("text", PLAIN)
async def test_an_answer_that_is_none_says_nothing_of_the_outcome(text: str) -> None:
    made = rpc(lambda _: httpx2.Response(200, text=text))
    with pytest.raises(ErpUnavailable):
        await made.read("model.x.read")
    with pytest.raises(OutcomeUnknown):
        await made.write("model.x.write")


async def test_a_locked_database_is_no_end_for_a_reader() -> None:
    locked = {"error": ["OperationalError: database is locked", []]}
    made = rpc(lambda _: httpx2.Response(200, json=locked))
    with pytest.raises(ErpUnavailable):
        await made.read("model.x.read")
    with pytest.raises(Busy):
        await made.write("model.x.write")


class Server:
    """A Tryton with one production, one operation, and a refusal where the test wants one."""

    def __init__(self, **refuse: Exception) -> None:
        self.refuse = refuse
        self.currency = "CNY"
        self.written: list[str] = []
        self.cycles: list[Row] = []
        self.entries: list[Row] = []

    async def search_read(self, model: str, domain: Any, *rest: Any, **more: Any) -> list[Row]:
        if error := self.refuse.get(model.replace(".", "_")):
            raise error
        tables: dict[str, list[Row]] = {
            "company.company": [{"id": 1, "currency": 1, "currency.": {"code": self.currency}}],
            "account.journal": [{"id": 1}],
            "account.account": [{"id": 1, "code": "5.1.5.1"}],
            "account.period": [
                {"id": 1, "start_date": NOW.date(), "end_date": NOW.date(), "state": "open"}
            ],
            "production.work.center": [{"id": 1, "name": "x"}],
            "production": [{"id": 7, "reference": "WO-1"}],
            "production.work": [
                {"id": 8, "production": 7, "operation.": {"name": "Drilling"}},
                {"id": 9, "production": 7, "operation.": {"name": "10 Machining"}},
            ],
            "production.work.cycle": self.cycles,
            "account.move.line": self.entries,
        }  # fmt: skip
        return tables.get(model, [])

    async def read(self, method: str, *rest: Any) -> Any:
        return []

    async def write(self, method: str, *rest: Any) -> Any:
        name = method.removeprefix("model.")
        self.written.append(name)
        if error := self.refuse.get(name.replace(".", "_")):
            raise error
        return [77]


def adapter(server: Server) -> TrytonAdapter:
    return TrytonAdapter(CONNECTION, server)  # type: ignore[arg-type]


async def test_a_cycle_that_is_refused_leaves_none_behind() -> None:
    server = Server(production_work_cycle_do=Refused("closed"))
    (outcome,) = await adapter(server).apply([CYCLE])
    assert isinstance(outcome, Rejected)
    assert server.written[-2:] == ["production.work.cycle.do", "production.work.cycle.delete"]


@pytest.mark.parametrize("error", [Busy("locked"), ErpUnavailable(), OutcomeUnknown()])
async def test_a_probe_that_cannot_finish_is_asked_again(error: Exception) -> None:
    server = Server(production_work_cycle_do=error, account_move_post=error)
    server.cycles = [{"id": 5, "state": "running"}]
    server.entries = [{"move": 6, "move.": {"state": "draft"}}]
    for document in (CYCLE, ENTRY):
        with pytest.raises(ErpUnavailable):
            await adapter(server).probe([document], {})


async def test_a_probe_that_may_not_look_says_nothing_of_the_outcome() -> None:
    server = Server(account_move_line=Refused("You are not allowed to read this."))
    with pytest.raises(ErpUnavailable):
        await adapter(server).probe([ENTRY], {})


async def test_what_a_probe_finds_half_done_and_refused_is_taken_back() -> None:
    no = Refused("closed")
    server = Server(production_work_cycle_do=no, account_move_post=no)
    server.cycles = [{"id": 5, "state": "running"}]
    server.entries = [{"move": 6, "move.": {"state": "draft"}}]
    await adapter(server).probe([CYCLE, ENTRY], {})
    assert [name for name in server.written if name.endswith("delete")] == [
        "production.work.cycle.delete", "account.move.delete",
    ]  # fmt: skip


async def test_books_in_another_currency_are_neither_read_nor_written() -> None:
    server = Server()
    server.currency = "EUR"
    made = adapter(server)
    for stream in Stream:
        with pytest.raises(ErpCurrencyDiffers):
            await made.pull(stream, "")
    with pytest.raises(ErpCurrencyDiffers):
        await made.snapshot(SnapshotKind.LEDGER)
    (outcome,) = await made.apply([ENTRY])
    assert isinstance(outcome, Retry)
    assert outcome.code == "ErpCurrencyDiffers"
    health = await made.health()
    assert not health.reachable
    assert "EUR" in health.detail
    assert server.written == []


async def test_what_the_erp_does_not_show_is_a_refusal_to_read() -> None:
    server = Server(account_period=Refused("no access"), account_move_line=Refused("no access"))
    for ask in (adapter(server).periods(), adapter(server).snapshot(SnapshotKind.LEDGER)):
        with pytest.raises(ErpReadRefused):
            await ask


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ('To continue, you must reopen the period "2026-11" of company "Linden".', "ErpPeriodClosed"),
        ('You cannot add/modify/delete lines on closed journal-period "Misc - 2026-11".', "ErpJournalClosed"),
        ('You are not allowed to access "Stock Move".', "ErpAccessDenied"),
        ("Something else.", "ErpRefused"),
    ],
)
def test_a_refusal_says_what_is_to_be_done(words: str, code: str) -> None:
    assert rejection(Refused(words)).code == code
