"""The port: what Lineside asks of an ERP, in nine methods.

An adapter is one file in `erp_bridge/adapters` and one line under the entry point group
`erp_bridge.adapters`; it imports this module, `erp_bridge.documents` and `.reversals` only. The numbered
cases of `tests/conformance/erp_suite.py` say what it must keep.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar

from erp_bridge.documents import Document, Incoming
from mes.kernel.errors import PlantError


class Stream(StrEnum):
    """What the plant follows; pulled in this order."""

    MATERIALS = "materials"
    RATES = "rates"
    PEOPLE = "people"
    LOTS = "lots"
    PURCHASES = "purchases"
    ORDERS = "orders"
    SALES = "sales"
    """Orders again, at work or not, of which the customer's order changed."""


class Movement(StrEnum):
    """Movements of stock that have a value."""

    RECEIPT = "receipt"
    ISSUE = "issue"
    RETURN = "return"
    COMPLETION = "completion"
    COMPLETION_REVERSAL = "completion_reversal"
    LOT_SCRAP = "lot_scrap"
    SHIPMENT = "shipment"


@dataclass(frozen=True, slots=True)
class Posting:
    """The accounts that an ERP debits and credits by itself."""

    debit: str
    credit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The capability sheet of an ERP.

    Args:
        name: As people call it.
        posts: What it posts by itself for each movement; the bridge posts only the rest.
            A movement that is missing here is not posted by the ERP at all.
        batch: Most documents in one call.
        any_order: Nouns whose documents may overtake each other within a lane, because they
            touch different records: many go into one call then. Those of one noun never do.
    """

    name: str
    posts: Mapping[Movement, Posting] = field(default_factory=dict)
    batch: int = 50
    any_order: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the ERP answers, and how fast (ms)."""

    reachable: bool
    version: str = ""
    latency_ms: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OddRecord:
    """A record of the ERP that the adapter does not understand: kept for a person, nothing else stops.

    Args:
        key: As the plant keeps the record when it is understood one day, if that is known.
        detail: What is odd about it.
    """

    key: str
    detail: str


@dataclass(frozen=True, slots=True)
class Page:
    """Records of one stream after a cursor; `more` when there are others behind them.

    Args:
        odd: Records that are there and make no sense.
        whole: These are all records of the stream: what was odd and is not here any more is mended.
    """

    records: tuple[Incoming, ...]
    cursor: str
    more: bool = False
    odd: tuple[OddRecord, ...] = ()
    whole: bool = False


Row = TypeVar("Row")
Understood = TypeVar("Understood")


def understand(
    rows: Iterable[Row], key: Callable[[Row], str], read: Callable[[Row], Understood]
) -> tuple[list[Understood], list[OddRecord]]:
    """Read each row of a foreign system; one that cannot be read spoils no other."""
    records: list[Understood] = []
    odd: list[OddRecord] = []
    for row in rows:
        try:
            records.append(read(row))
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
            odd.append(OddRecord(key(row), f"{type(error).__name__}: {error}"))
    return records, odd


@dataclass(frozen=True, slots=True)
class Applied:
    """Booked: `ref` names the ERP's records, several with serials."""

    ref: tuple[str, ...]


class Remark(StrEnum):
    """Why a document is not booked; the pages have a text for each that says what to do."""

    UNAVAILABLE = "ErpUnavailable"
    LOGIN_REFUSED = "ErpLoginRefused"
    CURRENCY_DIFFERS = "ErpCurrencyDiffers"
    BUSY = "ErpBusy"
    ANSWER_LOST = "ErpAnswerLost"
    MATERIAL_MISSING = "ErpMaterialMissing"
    LOT_MISSING = "ErpLotMissing"
    LOT_EXPIRED = "ErpLotExpired"
    STOCK_MISSING = "ErpStockMissing"
    PRODUCTION_MISSING = "ErpProductionMissing"
    PRODUCTION_CANCELLED = "ErpProductionCancelled"
    OPERATION_MISSING = "ErpOperationMissing"
    CUSTOMER_ORDER_MISSING = "ErpCustomerOrderMissing"
    ACCOUNT_MISSING = "ErpAccountMissing"
    PERIOD_MISSING = "ErpPeriodMissing"
    PERIOD_CLOSED = "ErpPeriodClosed"
    JOURNAL_CLOSED = "ErpJournalClosed"
    ACCESS_DENIED = "ErpAccessDenied"
    NOT_REVERSIBLE = "ErpNotReversible"
    REFUSED = "ErpRefused"


@dataclass(frozen=True, slots=True)
class Rejected:
    """The ERP refuses and will go on refusing until somebody does something.

    Args:
        detail: The ERP's own words.
    """

    code: Remark
    detail: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: nothing was booked, and the same document may pass later."""

    detail: str
    after_s: float | None = None
    code: Remark = Remark.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost: it may be booked or not, and must be probed before it is repeated."""

    detail: str
    code: Remark = Remark.ANSWER_LOST


@dataclass(frozen=True, slots=True)
class Found:
    """It was booked before: an answer was lost."""

    ref: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """The ERP does not know it."""


@dataclass(frozen=True, slots=True)
class Held:
    """Not tried: one before it in its lane was not booked."""


Outcome = Applied | Rejected | Retry | Unknown | Held
Probe = Found | Absent


class ErpUnavailable(PlantError):
    """The ERP cannot be reached at the moment."""

    http_status = 503
    retryable = True
    remedy = "Nothing is lost: what waits for the ERP is sent by itself as soon as it answers."


class ErpCurrencyDiffers(ErpUnavailable):
    """The books of the ERP are kept in another currency than the plant's."""

    remedy = "Set the plant's currency to that of the company in the ERP, and start again."


class ErpReadRefused(ErpUnavailable):
    """The ERP refuses to show something to the bridge."""

    remedy = "Give the bridge's account the right in the ERP; it is tried again by itself."


class ErpRecordNotUnderstood(PlantError):
    """The ERP sent a record that cannot be read."""

    http_status = 422
    remedy = "Correct the record in the ERP; it is read again by itself. The rest of the plant goes on."


class ErpRecordNotKept(PlantError):
    """The database refuses a record of the ERP."""

    http_status = 422
    remedy = "See the reason and correct the record in the ERP; it is read again by itself."


class ErpLoginRefused(PlantError):
    """The ERP refuses the bridge's account."""

    http_status = 503
    retryable = True
    remedy = "Check user and password of the bridge in the ERP and in the settings."


class OutcomeUnknown(PlantError):
    """The ERP's answer was lost: it may have booked the document or not."""

    http_status = 503
    retryable = True
    remedy = "The bridge asks the ERP before it sends the document again."


class AdapterUnknown(PlantError):
    """No ERP adapter of this name is installed."""

    http_status = 500
    remedy = "Choose one of the installed adapters in the settings."


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One line of the ERP's general ledger on an account that the bridge knows.

    Args:
        id: The ERP's own, rising.
        account: Canonical name.
        amount: Debit less credit.
        ref: Record that the entry belongs to, as in `Applied.ref`.
    """

    id: int
    account: str
    amount: Decimal
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLine:
    """One movement of stock in the ERP, signed as seen from stock.

    Args:
        work_order: Order that it belongs to; empty for none.
        quantity: In the material's unit, 0 when cancelled; pieces that never were in stock are negative.
    """

    id: int
    ref: str
    work_order: str
    material: str
    lot: str
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the ERP says of itself, for reconciliation.

    Args:
        cursor: Where the next snapshot of this kind goes on; lines may come again.
        more: There are others behind these.
    """

    cursor: str
    ledger: tuple[LedgerLine, ...] = ()
    stock: tuple[StockLine, ...] = ()
    more: bool = False


class SnapshotKind(StrEnum):
    """Which part of a snapshot is wanted."""

    LEDGER = "ledger"
    STOCK = "stock"


@dataclass(frozen=True, slots=True)
class Period:
    """A period of the books, both days included."""

    start: date
    end: date
    open: bool


@dataclass(frozen=True, slots=True)
class NameMapping:
    """One name of the plant and the ERP's for it."""

    kind: str
    ours: str
    theirs: str


class ErpAdapter(Protocol):
    """One ERP. Methods raise `ErpUnavailable` (and its kinds) and `ErpLoginRefused` only.

    Books in another currency than the plant's are as good as none: every method that reads or
    books amounts raises, or answers, `ErpCurrencyDiffers`.
    """

    name: ClassVar[str]

    async def capabilities(self) -> Capabilities:
        """Return what this ERP posts by itself."""
        ...

    async def health(self) -> Health:
        """Return whether it answers; raises nothing."""
        ...

    async def pull(self, stream: Stream, cursor: str, limit: int = 200) -> Page:
        """Return what changed in `stream` since `cursor` (empty: everything).

        The same record may come again; who reads must not care.
        """
        ...

    async def probe(
        self, documents: Sequence[Document], known: Mapping[str, Collection[str]]
    ) -> Sequence[Probe]:
        """Say of each document whether it was booked, completing a half-done booking.

        Args:
            known: References that the ledger already holds, by lane: a record among them
                belongs to another document.
        """
        ...

    async def apply(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        """Book documents of one noun, in their order, and say of each what became of it.

        Behind one that is not booked, nothing of its lane is; other lanes go on.
        An ERP that does not answer is an outcome too (`Retry` or `Unknown`), not an error.
        """
        ...

    async def reverse(self, document: Document, ref: Sequence[str], posting_date: date) -> Outcome:
        """Undo a booked document by its opposite, on `posting_date`."""
        ...

    async def snapshot(self, kind: SnapshotKind, cursor: str = "") -> Snapshot:
        """Return the ledger or stock lines that came or changed since `cursor`.

        A movement that somebody cancelled in the ERP comes again with quantity 0.
        """
        ...

    async def periods(self) -> Sequence[Period]:
        """Return the periods of the books, by start."""
        ...

    async def mapping_schema(self) -> Sequence[NameMapping]:
        """Return how accounts and units of the plant are named in this ERP."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach an ERP, from the settings."""

    url: str
    database: str
    user: str
    password: str = field(repr=False)
    site_tz: str
    currency: str
    options: Mapping[str, Any] = field(default_factory=dict)


AdapterFactory = Callable[[Connection], ErpAdapter]
"""What an entry point of `erp_bridge.adapters` names."""


def posting_day(at: datetime, today: date, periods: Sequence[Period]) -> date:
    """Return the day to book on: the event's own, or today when its period is closed.

    Args:
        at: The event's time, in the site's time zone.
        today: The site's day now.

    A period that the ERP does not know counts as closed.
    """
    day = at.date()
    for period in periods:
        if period.start <= day <= period.end:
            return day if period.open else max(today, day)
    return max(today, day)
