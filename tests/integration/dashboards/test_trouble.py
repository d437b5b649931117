"""Make trouble: in the demo on this machine only; what is done to the books is a fact like any other."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from dashboards.trouble import FACTS, PROCESSES
from dashboards.trouble import router as trouble_router
from mes.access.api import router as access_router
from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app
from mes.inventory import service as inventory
from mes.inventory.model import ExpectedReceiptDraft
from mes.kernel.home import sockets
from mes.kernel.ids import MaterialId
from mes.resources.service import person_card
from tests.fixtures.floor import Floor
from tests.fixtures.web import Web, demo_settings, key

TROUBLE = "/api/v1/trouble"
KINDS = (*FACTS, *PROCESSES)


def site(floor: Floor, home: Path, profile: str = "demo") -> Web:
    """Return the application over a plant at work."""
    settings = demo_settings(home, profile)
    return Web(build_app(Plant(floor.db, settings, person_card), [access_router, trouble_router]), floor.db)


@pytest_asyncio.fixture
async def demo(floor: Floor, tmp_path: Path) -> AsyncIterator[Web]:
    made = site(floor, tmp_path)
    yield made
    for client in made.opened:
        await client.aclose()


async def everything(browser: httpx2.AsyncClient) -> set[tuple[int, str]]:
    """Ask for all that there is, and return the answers."""
    replies = [await browser.get(TROUBLE)]
    replies += [await browser.post(f"{TROUBLE}/{kind}", json={}, headers=key()) for kind in KINDS]
    return {(reply.status_code, reply.json()["error"]) for reply in replies}


async def test_there_are_eight_kinds(demo: Web) -> None:
    browser = await demo.browser(Role.ADMINISTRATOR)
    shown = (await browser.get(TROUBLE)).json()
    assert {kind["kind"] for kind in shown["kinds"]} == set(KINDS)
    assert len(KINDS) == 8
    assert (shown["counters"]["lost"], shown["counters"]["doubled"]) == (0, 0)


async def test_a_machine_that_is_not_this_one_cannot_make_trouble(demo: Web) -> None:
    browser = await demo.browser(Role.ADMINISTRATOR)
    far = demo.visitor("192.168.1.20")
    far.cookies.update(browser.cookies)
    assert await everything(far) == {(404, "DemoOnly")}


async def test_a_real_plant_has_no_trouble_to_make(demo: Web, floor: Floor, tmp_path: Path) -> None:
    browser = await demo.browser(Role.ADMINISTRATOR)
    real = site(floor, tmp_path, "production").visitor()
    real.cookies.update(browser.cookies)
    assert await everything(real) == {(404, "DemoOnly")}
    await real.aclose()


async def test_who_goes_home_is_clocked_out_for_the_shift(demo: Web, floor: Floor) -> None:
    browser = await demo.browser(Role.ADMINISTRATOR)
    reply = await browser.post(f"{TROUBLE}/worker-home", json={"person": "E-1001"}, headers=key())
    assert reply.json() == {"kind": "worker-home", "subject": "E-1001"}
    shown = (await browser.get(TROUBLE)).json()
    (workers,) = [kind["options"] for kind in shown["kinds"] if kind["kind"] == "worker-home"]
    assert workers
    assert "E-1001" not in {one["id"] for one in workers}
    sql = "select payload ->> 'reason' from mes.event where type = 'PersonClockedOut'"
    assert await floor.do(lambda tx: tx.value(sql, {})) == "sick"


async def test_a_lot_that_work_needs_is_scrapped(demo: Web, floor: Floor) -> None:
    await floor.plan(await floor.order(quantity=8))
    browser = await demo.browser(Role.ADMINISTRATOR)
    reply = await browser.post(f"{TROUBLE}/scrap-lot", json={}, headers=key())
    assert reply.status_code == 200, reply.text
    sql = "select status from mes.lot where id = %(lot)s"
    lot = {"lot": reply.json()["subject"]}
    assert await floor.do(lambda tx: tx.value(sql, lot)) == "scrapped"


@pytest.mark.parametrize("kind", sorted(PROCESSES))
async def test_a_simulated_plant_that_is_away_is_said_so(demo: Web, floor: Floor, kind: str) -> None:
    truck = ExpectedReceiptDraft(
        purchase="1", material=MaterialId("SEAL"), quantity=Decimal(8), uom="pc", expected_at=floor.now
    )
    await floor.do(lambda tx: inventory.put_expected_receipt(tx, truck))
    browser = await demo.browser(Role.ADMINISTRATOR)
    reply = await browser.post(f"{TROUBLE}/{kind}", json={}, headers=key())
    assert (reply.status_code, reply.json()["error"]) == (503, "PlantOutOfReach")


@dataclass
class Answering:
    """A process behind a socket, which answers when it may.

    Args:
        asked: Keys of the requests so far.
    """

    may: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = json.loads(await reader.readline())
        self.asked.append(request.get("key", ""))
        await self.may.wait()
        writer.write(json.dumps({"subject": str(len(self.asked))}).encode() + b"\n")
        await writer.drain()
        writer.close()


@pytest_asyncio.fixture
async def process(tmp_path: Path) -> AsyncIterator[Answering]:
    made = Answering()
    path = sockets(tmp_path) / "plant.sock"
    path.parent.mkdir(parents=True, exist_ok=True)
    server = await asyncio.start_unix_server(made.serve, path=str(path))
    async with server:
        yield made
    path.unlink(missing_ok=True)


async def test_a_second_tap_makes_no_second_trouble(demo: Web, process: Answering) -> None:
    browser, headers = await demo.browser(Role.ADMINISTRATOR), key()
    taps = [browser.post(f"{TROUBLE}/rush-order", json={}, headers=headers) for _ in range(2)]
    both = asyncio.gather(*taps)
    process.may.set()
    assert {reply.json()["subject"] for reply in await both} == {"1"}
    again = await browser.post(f"{TROUBLE}/rush-order", json={}, headers=headers)
    assert again.json()["subject"] == "1"
    assert process.asked == [headers["Idempotency-Key"]]
    other = await browser.post(f"{TROUBLE}/late-receipt", json={}, headers=headers)
    assert (other.status_code, other.json()["error"]) == (409, "IdempotencyKeyReused")
    without = await browser.post(f"{TROUBLE}/rush-order", json={})
    assert without.json()["error"] == "IdempotencyKeyMissing"


async def test_a_truck_that_nobody_expects_cannot_be_late(demo: Web, process: Answering) -> None:
    browser = await demo.browser(Role.ADMINISTRATOR)
    reply = await browser.post(f"{TROUBLE}/late-receipt", json={}, headers=key())
    assert (reply.status_code, reply.json()["error"]) == (409, "NothingToBreak")
    assert process.asked == []


async def test_a_silent_process_keeps_no_connection_of_the_database(
    demo: Web, process: Answering, floor: Floor
) -> None:
    """More drawers are open than there are connections, and all wait for the plant."""
    browser = await demo.browser(Role.ADMINISTRATOR)
    drawers = [asyncio.create_task(browser.get(TROUBLE)) for _ in range(15)]
    while len(process.asked) < len(drawers):
        await asyncio.sleep(0.02)
    assert await floor.do(lambda tx: tx.value("select 1", {})) == 1
    process.may.set()
    assert {reply.status_code for reply in await asyncio.gather(*drawers)} == {200}


async def test_an_unknown_trouble_is_refused(demo: Web) -> None:
    browser = await demo.browser(Role.ADMINISTRATOR)
    reply = await browser.post(f"{TROUBLE}/earthquake", json={}, headers=key())
    assert (reply.status_code, reply.json()["error"]) == (404, "TroubleUnknown")
