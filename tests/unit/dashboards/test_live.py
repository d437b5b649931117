"""The live stream: what a change says, and that a slow browser hurts nobody."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from dashboards import live
from mes.kernel.outbox import StoredEvent
from tests.unit.kernel.test_event_samples import catalogue

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def stored(type_name: str, payload: Mapping[str, object]) -> StoredEvent:
    return StoredEvent(
        id=7, xid="42", event_id=uuid4(), type=type_name, schema_version=1, site="SUZ", scope="",
        aggregate="x", payload={**payload}, actor="person:E-1001", terminal="CNC-1", key=None, causation=None,
        at=NOW, recorded_at=NOW, simulated=False,
    )  # fmt: skip


def data_of(message: bytes) -> dict[str, object]:
    line = next(line for line in message.decode().splitlines() if line.startswith("data: "))
    found: dict[str, object] = json.loads(line.removeprefix("data: "))
    return found


def test_a_change_names_what_it_touches() -> None:
    event = stored(
        "JobOrderStarted", {"job_order": "WO-000001-10", "work_order": "WO-000001", "equipment": "CNC-1"}
    )
    data = data_of(live.encode(event))
    assert data["topics"] == ["equipment:CNC-1", "job:WO-000001-10", "order:WO-000001", "plan", "kpi"]
    assert (data["type"], data["id"], data["at"]) == ("JobOrderStarted", "42-7", NOW.isoformat())


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("HelpCalled", "help"),
        ("HelpAnswered", "help"),
        ("HelpWithdrawn", "help"),
        ("PlanProposed", "proposal"),
        ("ScanNotUnderstood", "scan"),
        ("ScanTaken", "scan"),
        ("ScanNoted", "scan"),
        ("CountObserved", "kpi"),
        ("CountDecided", "kpi"),
    ],
)
def test_what_waits_for_somebody_is_told_at_once(name: str, topic: str) -> None:
    data = data_of(live.encode(stored(name, {"equipment": "CNC-1"})))
    assert data["topics"] == ["equipment:CNC-1", topic]


def test_money_stays_with_those_who_may_see_it() -> None:
    event = stored("CostBooked", {"work_order": "WO-000001", "lines": [{"account": "wip", "debit": "1.00"}]})
    assert data_of(live.encode(event))["body"] == {"work_order": "WO-000001"}


def test_no_event_of_the_plant_says_more_than_what_it_is_about() -> None:
    secret = {"price", "badge", "payload", "fields", "lines", "currency", "hours", "reason", "name"}
    for name, kind in catalogue().items():
        fields = dict.fromkeys((one.name for one in dataclasses.fields(kind)), "x")
        body = data_of(live.encode(stored(name, fields)))["body"]
        assert isinstance(body, dict)
        assert not secret & set(body), name


async def allowed() -> bool:
    return True


async def test_a_stream_ends_with_its_session() -> None:
    hub = live.Hub()
    answers = iter([True, False])

    async def ask() -> bool:
        return next(answers)

    messages = live.stream(hub, ask, check_s=0)
    hub_says = [await anext(messages)]
    hub.publish(b"a")
    hub.publish(b"b")
    hub_says += [message async for message in messages]
    assert hub_says == [live.BEAT, b"a"]


async def test_a_server_that_stops_waits_for_no_stream() -> None:
    hub = live.Hub()
    messages = live.stream(hub, allowed)
    assert await anext(messages) == live.BEAT
    hub.close()
    assert [message async for message in messages] == []


async def test_every_stream_gets_every_message() -> None:
    hub = live.Hub()
    with hub.subscribed() as one, hub.subscribed() as other:
        hub.publish(b"a")
        assert (one.get_nowait(), other.get_nowait()) == (b"a", b"a")


async def test_a_browser_that_cannot_follow_is_told_to_start_anew() -> None:
    hub = live.Hub()
    with hub.subscribed() as queue:
        for number in range(live.QUEUE_LENGTH + 1):
            hub.publish(str(number).encode())
        assert queue.get_nowait() == live.RESET
        assert queue.get_nowait() == str(live.QUEUE_LENGTH).encode()
        assert queue.empty()


async def test_a_closed_stream_is_forgotten() -> None:
    hub = live.Hub()
    messages = live.stream(hub, allowed)
    assert await anext(messages) == live.BEAT
    hub.publish(b"a")
    async with asyncio.timeout(30):
        assert await anext(messages) == b"a"
    await messages.aclose()  # type: ignore[attr-defined]
    hub.publish(b"b")
