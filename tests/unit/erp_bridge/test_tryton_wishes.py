"""A day that somebody set is told from one that the bridge wrote, and is not lost behind a promise."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from erp_bridge.adapter import Connection
from erp_bridge.adapters.tryton.orders import Orders
from erp_bridge.adapters.tryton.rpc import Rpc
from erp_bridge.adapters.tryton.wishes import Notes, noted, wish

SOLD, NEW, PROMISED = date(2026, 12, 4), date(2026, 12, 9), date(2026, 12, 7)
AT = datetime(2026, 12, 7, 10, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
SAID = Notes(promised=PROMISED)
KNOWN = Notes(promised=PROMISED, wanted=NEW, instead_of="2026-12-04")


@pytest.mark.parametrize(
    ("planned", "notes", "sold", "wanted"),
    [
        (SOLD, Notes(), SOLD, None),
        (NEW, Notes(), SOLD, NEW),
        (PROMISED, SAID, SOLD, None),
        (NEW, SAID, SOLD, NEW),
        (SOLD, SAID, SOLD, None),
        (PROMISED, KNOWN, SOLD, NEW),
        (SOLD, KNOWN, SOLD, None),
        (PROMISED, KNOWN, NEW, None),
        (NEW, KNOWN, None, NEW),
        (None, KNOWN, SOLD, None),
    ],
    ids=["as sold", "set before a promise", "promised", "set after a promise", "set back", "set and promised",
         "set back after all", "the sale itself was changed later", "no date at the sale", "no moves"],
)  # fmt: skip
def test_what_somebody_set_counts(
    planned: date | None, notes: Notes, sold: date | None, wanted: date | None
) -> None:
    assert wish(planned, SOLD, notes, sold) == wanted


@pytest.mark.parametrize(("sold", "wanted"), [(SOLD, NEW), (None, NEW), (SOLD, None)])
def test_the_comment_says_it_beside_what_people_wrote(sold: date | None, wanted: date | None) -> None:
    before = "Call before delivery\nPromised: 2026-12-01 08:00 (+0800)\nWanted: 2026-12-02 instead of no date"
    comment = noted(before, wanted, sold, AT)
    assert comment.startswith("Call before delivery\n")
    assert comment.count("Promised: ") == 1
    assert Notes.of(comment) == Notes(PROMISED, wanted, str(sold or "no date") if wanted else "no date")
    assert noted(comment, wanted, sold, AT) == comment


@pytest.mark.parametrize(
    ("shipping", "sold", "words", "due"),
    [
        (SOLD, SOLD, "", (4, 10, 0)),
        (SOLD, SOLD, "rush; deliver by 2026-12-04T09:00+08:00", (4, 1, 0)),
        (SOLD, None, "deliver by 2026-12-05T09:00", (5, 1, 0)),
        (SOLD, None, "deliver by then", (4, 10, 0)),
        (SOLD, NEW, "deliver by 2026-12-04T09:00+08:00", (9, 10, 0)),
        (NEW, SOLD, "deliver by 2026-12-04T09:00+08:00", (9, 10, 0)),
        (PROMISED, SOLD, "deliver by 2026-12-04T09:00+08:00", (4, 1, 0)),
    ],
    ids=["its day", "its time", "words alone", "no words", "the sale was changed", "the shipment was changed",
         "promised"],
)  # fmt: skip
async def test_an_order_is_due_when_the_customer_wants_it_now(
    shipping: date, sold: date | None, words: str, due: tuple[int, int, int]
) -> None:
    rpc = Rpc(
        Connection(url="http://127.0.0.1:9", database="erp", user="u", password="p",
                   site_tz="Asia/Shanghai", currency="CNY")
    )  # fmt: skip
    sale = {"shipping_date": sold, "description": words, "comment": f"Promised: {PROMISED} 10:30 (+0800)"}
    line = {"id": 7, "shipping_date": shipping, "sale.": sale}
    found = Orders(rpc, ZoneInfo("Asia/Shanghai"))._due(line, {7: SOLD})
    await rpc.close()
    day, hour, minute = due
    assert found == datetime(2026, 12, day, hour, minute, tzinfo=UTC)
