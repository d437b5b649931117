"""The live stream: every event of the plant as one message, encoded once, to every browser.

Pages are not sent what they show: they learn which topics changed and fetch what they show.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from mes.kernel.db import Database, DatabaseBusy, DatabaseUnavailable
from mes.kernel.log import get_logger
from mes.kernel.outbox import Cursor, StoredEvent, event_wakeups, latest, read_after

log = get_logger(__name__)

QUEUE_LENGTH: Final = 128
"""Messages that wait for one slow browser; more, and it is told to fetch everything anew."""
BEAT_S: Final = 4.0
"""A silent stream says so often that it is alive."""
CHECK_S: Final = 30.0
"""A stream asks so often whether its reader may still listen: a session that ended ends it too."""
GATHER_S: Final = 0.05
"""Events of so long are read together."""
RETRY_S: Final = 0.5

BEAT: Final = b"event: beat\ndata: {}\n\n"
_END: Final = b""
"""What ends a stream: the server stops."""
RESET: Final = b"event: reset\ndata: {}\n\n"

_SUBJECTS: Final = {
    "equipment": "equipment",
    "terminal": "terminal",
    "job_order": "job",
    "work_order": "order",
    "customer_order": "order",
    "lot": "lot",
    "person": "person",
    "serial": "serial",
}
"""Field of an event -> topic of the pages that show the thing."""

_TOPICS: Final = {
    "PlanProposed": ("proposal",),
    "PlanPublished": ("plan",),
    "ScenarioChanged": ("scenario",),
    "PromiseGiven": ("plan",),
    "JobOrderDispatched": ("plan",),
    "JobOrderStarted": ("plan", "kpi"),
    "JobOrderCompleted": ("plan", "kpi"),
    "EquipmentStateChanged": ("kpi", "trouble"),
    "CountObserved": ("kpi",),
    "GoodReported": ("kpi",),
    "ScrapReported": ("kpi",),
    "EdgeGapDeclared": ("links", "trouble"),
    "LotScrapped": ("trouble",),
    "PersonClockedOut": ("trouble",),
    "PersonClockedIn": ("trouble",),
    "HelpCalled": ("help",),
    "HelpAnswered": ("help",),
    "HelpWithdrawn": ("help",),
    "ScanNotUnderstood": ("scan",),
    "ScanTaken": ("scan",),
    "ScanNoted": ("scan",),
    "CountDecided": ("kpi",),
}

_TOLD: Final = frozenset({*_SUBJECTS, "state", "version", "purchase"})
"""All that a stream says of an event: what it is about. Prices, badges, costs and names are fetched
by those who may see them."""


class Hub:
    """Hands every message to every open stream; nobody waits for a slow one."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes]] = set()

    def publish(self, message: bytes) -> None:
        """Put `message` into every queue; a full one is emptied and told to start anew."""
        for queue in self._queues:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(RESET)
            queue.put_nowait(message)

    def close(self) -> None:
        """End every open stream, so that a server that stops waits for none."""
        for queue in self._queues:
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(_END)

    @contextmanager
    def subscribed(self) -> Iterator[asyncio.Queue[bytes]]:
        """Give the queue of a new stream."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_LENGTH)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)


async def stream(
    hub: Hub, still_allowed: Callable[[], Awaitable[bool]], check_s: float = CHECK_S
) -> AsyncIterator[bytes]:
    """Yield the messages of one browser for as long as it listens, and may listen."""
    clock = asyncio.get_running_loop().time
    with hub.subscribed() as queue:
        yield BEAT
        checked = clock()
        while True:
            if clock() - checked >= check_s:
                checked = clock()
                if not await still_allowed():
                    return
            try:
                async with asyncio.timeout(BEAT_S):
                    message = await queue.get()
            except TimeoutError:
                message = BEAT
            if message == _END:
                return
            yield message


async def tail(db: Database, hub: Hub) -> None:
    """Publish what happens from now on, until cancelled; goes on where it was after an outage."""
    cursor: Cursor | None = None
    while True:
        try:
            async with event_wakeups(db) as wakeup:
                while True:
                    cursor = await _publish_new(db, hub, cursor)
                    await wakeup.wait(1.0)
                    await asyncio.sleep(GATHER_S)
        except (DatabaseUnavailable, DatabaseBusy):
            log.info("live.waits_for_database")
            await asyncio.sleep(RETRY_S)


async def _publish_new(db: Database, hub: Hub, cursor: Cursor | None) -> Cursor:
    async with db.read() as tx:
        if cursor is None:
            return await latest(tx)
        events, reached = await read_after(tx, cursor)
    for stored in events:
        if not stored.simulated:
            hub.publish(encode(stored))
    return reached


def encode(stored: StoredEvent) -> bytes:
    """Return the event as one server-sent message."""
    body = {name: value for name, value in stored.payload.items() if name in _TOLD}
    data = {
        "topics": topics(stored.type, stored.payload),
        "type": stored.type,
        "at": stored.at.isoformat(),
        "id": f"{stored.xid}-{stored.id}",
        "body": body,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: change\nid: {data['id']}\ndata: {text}\n\n".encode()


def topics(type_name: str, payload: dict[str, Any]) -> list[str]:
    """Return what a page must show for this event to concern it, such as `job:WO-000001-10`."""
    named = [
        f"{topic}:{payload[field]}"
        for field, topic in _SUBJECTS.items()
        if isinstance(payload.get(field), str)
    ]
    return [*named, *_TOPICS.get(type_name, ())]
