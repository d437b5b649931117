"""Make trouble, of every kind, in a whole plant: what follows from it, and that the books agree after."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from mes.kernel import secrets
from tests.fixtures.plant import RunningPlant, Status, settled

pytestmark = [pytest.mark.timeout(600), pytest.mark.asyncio]

PATIENCE_S = 180.0
Change = dict[str, Any]


@dataclass
class Watcher:
    """Somebody who has the drawer open: presses a button and watches the live stream."""

    client: httpx2.AsyncClient
    seen: list[Change] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def press(self, kind: str, **chosen: str) -> str:
        """Make trouble, again while the plant asks for a few seconds; return what it was done to."""
        once = {"Idempotency-Key": str(uuid4())}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                reply = await self.client.post(f"/api/v1/trouble/{kind}", json=chosen, headers=once)
                if reply.status_code != httpx2.codes.SERVICE_UNAVAILABLE:
                    break
                await asyncio.sleep(1.0)
        assert reply.is_success, reply.text
        return str(reply.json()["subject"])

    async def sees(self, kind: str, **body: object) -> Change:
        """Return the first change of this kind with these fields, waiting for it."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    self.moved.clear()
                    for change in self.seen:
                        if change["type"] == kind and body.items() <= change["body"].items():
                            return change
                    await self.moved.wait()
        except TimeoutError:
            types = [change["type"] for change in self.seen]
            raise AssertionError(f"not seen: {kind} {body}\n{types}") from None

    async def gets(self, path: str, true: Callable[[Any], bool], what: str) -> Any:
        """Return what `path` shows as soon as `true` holds of it."""
        seen: Any = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    seen = (await self.client.get(f"/api/v1{path}")).json()
                    if true(seen):
                        return seen
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise AssertionError(f"not seen: {what}\n{seen}") from None

    async def listen(self) -> None:
        """Note every change, through losses of the stream."""
        while True:
            with suppress(httpx2.TransportError):
                async with self.client.stream("GET", "/api/v1/live") as live:
                    async for line in live.aiter_lines():
                        if line.startswith("data:") and '"type"' in line:
                            self.seen.append(json.loads(line[5:]))
                            self.moved.set()
            await asyncio.sleep(0.5)


@asynccontextmanager
async def watching(plant: RunningPlant) -> AsyncIterator[Watcher]:
    url = await asyncio.to_thread(lambda: plant.url)
    token = f"cli.{secrets.ensure(plant.home, 'token-cli')}"
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        watcher = Watcher(client)
        listening = asyncio.create_task(watcher.listen())
        yield watcher
        listening.cancel()


@pytest_asyncio.fixture
async def watcher(running_plant: RunningPlant) -> AsyncIterator[Watcher]:
    """The drawer of a plant at work; whatever was broken, the books agree in the end."""
    async with watching(running_plant) as made:
        yield made
    await becomes(running_plant, settled, "lost 0, doubled 0, difference 0.00")


async def becomes(plant: RunningPlant, true: Callable[[Status], bool], what: str) -> None:
    await asyncio.to_thread(plant.wait_for, true, what, PATIENCE_S)


async def test_a_broken_machine_stops_and_is_explained(watcher: Watcher) -> None:
    await watcher.press("break-machine", equipment="CNC-4")
    await watcher.sees("EquipmentStateChanged", equipment="CNC-4", state="Aborted")
    await watcher.gets(
        "/board",
        lambda seen: any(
            one["id"] == "CNC-4" and one["state"] == "Aborted" and one["reason"] for one in seen["equipment"]
        ),
        "the board says why it stands",
    )


async def test_a_rush_order_is_planned_and_its_promise_reaches_the_erp(watcher: Watcher) -> None:
    number = await watcher.press("rush-order")
    received = await watcher.sees("WorkOrderReceived", customer_order=number)
    promise = await watcher.sees("PromiseGiven", customer_order=number)
    work_order = received["body"]["work_order"]
    assert promise["body"]["work_order"] == work_order
    await watcher.sees("JobOrderDispatched", work_order=work_order)
    await watcher.gets(
        f"/erp/documents?work_order={work_order}",
        lambda seen: any(one["noun"] == "PromiseChanged" and one["state"] == "applied" for one in seen),
        "the sale has the promise",
    )


async def test_who_goes_home_is_excused_for_the_shift(watcher: Watcher) -> None:
    person = await watcher.press("worker-home")
    await watcher.sees("PersonClockedOut", person=person)
    people = (await watcher.client.get("/api/v1/people")).json()["people"]
    (card,) = [one for one in people if one["id"] == person]
    assert (card["clocked_in"], card["excused"]) == (False, True)


async def test_a_scrapped_lot_is_gone_from_both_books(watcher: Watcher, running_plant: RunningPlant) -> None:
    posted = (await asyncio.to_thread(running_plant.status))["erp"]["documents_posted"]
    lot = await watcher.press("scrap-lot")
    await watcher.sees("LotScrapped", lot=lot)
    await becomes(running_plant, lambda seen: seen["erp"]["documents_posted"] > posted, "it is posted")


async def test_a_late_truck_is_told_to_the_planner(watcher: Watcher) -> None:
    await watcher.gets("/expected-receipts", bool, "a purchase is on its way")
    purchase = await watcher.press("late-receipt")
    await watcher.sees("ReceiptDelayed", purchase=purchase)


async def test_parts_that_go_away_come_back(watcher: Watcher, running_plant: RunningPlant) -> None:
    """The ERP is stopped, the edge's cable is out and PostgreSQL is killed, all at the same time."""
    before = await asyncio.to_thread(running_plant.process, "postgres")
    await watcher.press("stop-erp")
    await watcher.press("unplug-edge")
    await watcher.press("kill-postgres")
    await becomes(running_plant, lambda seen: not seen["erp"].get("reachable"), "the ERP is away")

    def back(seen: Status) -> bool:
        restarts = {one["name"]: one["restarts"] for one in seen["processes"]}
        return restarts["postgres"] > before["restarts"] and seen["erp"]["reachable"] and settled(seen)

    await becomes(running_plant, back, "all are back")
