"""What people do wrong at a terminal: each time a sentence in their language says what to do.

Over HTTP, as the pages send it: the refusal has a code and parameters, both written languages have a
title and a remedy for the code and can fill every hole, nothing is booked, and a retry is told the same.
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dashboards.build import WEB
from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app, installed_routers
from mes.inventory import service as inventory
from mes.kernel.clock import utc_now
from mes.kernel.ids import LotNumber, PersonId
from mes.resources import service as resources
from mes.resources.service import person_card
from tests.fixtures.floor import Floor
from tests.fixtures.web import Web, demo_settings, key

API = "/api/v1"


class Hall:
    """The machining cell: a job runs on CNC-1, and whoever is asked for sits at a terminal."""

    def __init__(self, web: Web, floor: Floor, order: str) -> None:
        self.web = web
        self.floor = floor
        self.order = order
        self.job = f"{order}-10"

    async def send(self, unit: str, person: str, path: str, headers: dict[str, str], **body: Any) -> Any:
        client = await self.web.browser(Role.OPERATOR)
        client.headers["X-Terminal"] = unit
        seat = f"{API}/terminals/{unit}/sit-down"
        (await client.post(seat, json={"person": person}, headers=key())).raise_for_status()
        return await client.post(f"{API}{path}", json=body, headers=headers)


@pytest_asyncio.fixture
async def hall(floor: Floor, tmp_path: Path) -> AsyncIterator[Hall]:
    floor.now = utc_now()
    web = Web(build_app(Plant(floor.db, demo_settings(tmp_path), person_card), installed_routers()), floor.db)
    order, other = await floor.order(3), await floor.order(1)
    await floor.plan(order, other)
    await floor.do(lambda tx: resources.clock_in(tx, PersonId("E-1002")))
    await floor.lot("CAST-40", "9", lot=LotNumber("LOT-OLD"), expires_at=floor.now - timedelta(days=1))
    await floor.lot("CAST-40", "9", lot=LotNumber("LOT-BAD"))
    await floor.do(lambda tx: inventory.hold_lot(tx, LotNumber("LOT-BAD"), "damaged"))
    await floor.lot("CAST-40", "9", lot=LotNumber("LOT-KEPT"), reserved_for=other)
    made = Hall(web, floor, order)
    started = await made.send("CNC-1", "E-1001", f"/job-orders/{made.job}/start", key())
    assert started.status_code == 200, started.text
    yield made
    for client in web.opened:
        await client.aclose()


Act = Callable[[Hall, dict[str, str]], Awaitable[Any]]


def use(lot: str) -> Act:
    return lambda hall, tap: hall.send("CNC-1", "E-1001", f"/job-orders/{hall.job}/consume", tap, lot=lot)


def start(operation: int, unit: str, person: str) -> Act:
    return lambda hall, tap: hall.send(unit, person, f"/job-orders/{hall.order}-{operation}/start", tap)


def report(unit: str, person: str) -> Act:
    return lambda hall, tap: hall.send(unit, person, f"/job-orders/{hall.job}/report", tap, good=1)


BAD_INPUT: dict[str, tuple[Act, str]] = {
    "an unknown barcode": (use("LOT-NOBODY-1"), "UnknownBarcode"),
    "a code with a character that cannot be seen": (use("LOT\x07-1"), "ControlCharacter"),
    "a code with a null in it": (use("LOT\x00-1"), "ControlCharacter"),
    "material of another product": (use("LOT-SEAL-1"), "MaterialNotOnBill"),
    "a lot kept for another order": (use("LOT-KEPT"), "LotReserved"),
    "an expired lot": (use("LOT-OLD"), "LotExpired"),
    "a blocked lot": (use("LOT-BAD"), "LotBlocked"),
    "a job with nothing before it": (start(20, "ASM-1", "E-1005"), "JobOrderNotStartable"),
    "a job of another work centre": (start(20, "CNC-2", "E-1002"), "JobOrderNotStartable"),
    "a person without the skill": (start(10, "CNC-2", "E-1005"), "JobOrderNotStartable"),
    "a second terminal starts the job": (start(10, "CNC-2", "E-1002"), "JobOrderNotStartable"),
    "a second terminal reports on the job": (report("CNC-2", "E-1002"), "JobOrderElsewhere"),
}


TAKING_A_SEAT = {"AccountChanged", "SignedIn", "PersonSignedOn", "PersonSignedOff"}


def texts(language: str) -> dict[str, dict[str, str]]:
    found = json.loads((WEB / f"src/i18n/{language}.json").read_text(encoding="utf-8"))
    return dict(found["errors"])


async def events(hall: Hall) -> int:
    async with hall.floor.db.read() as tx:
        found: int = await tx.value(
            "select count(*) from mes.event where type <> all(%(seats)s)", {"seats": list(TAKING_A_SEAT)}
        )
    return found


@pytest.mark.parametrize("what", BAD_INPUT)
async def test_bad_input_is_told_with_what_to_do_and_books_nothing(hall: Hall, what: str) -> None:
    act, code = BAD_INPUT[what]
    tap, before = key(), await events(hall)
    first, second = await act(hall, tap), await act(hall, tap)
    refusal = first.json()
    assert (refusal["error"], 400 <= first.status_code < 500) == (code, True), first.text
    assert second.json() == refusal
    assert await events(hall) - before == 0
    for language in ("en", "zh-CN"):
        text = texts(language)[code]
        assert text["title"]
        assert text["remedy"]
        assert set(re.findall(r"{(\w+)}", text["title"] + text["remedy"])) <= set(refusal["params"])
