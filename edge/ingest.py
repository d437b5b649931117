"""Ingest: broker to database, exactly once, and the watermark back to the edge.

Each stream has its own worker and its own store. A worker takes what has arrived, keeps what is
next in its epoch, stores it in one transaction with the cursor, and only then acknowledges and
moves the watermark. Everything else is asked for again: the edge still has it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from pydantic import ValidationError

from edge.historian import NEWEST_S, BatchRefused, CursorMoved, EventStore, Historian, Store, StoreAway
from edge.rows import Aliases, Quarantined, Take
from edge.stream import Inlet, Verdict
from mes.kernel.bus import Bus, BusDown, Received
from mes.kernel.log import get_logger
from mes.kernel.messages import (
    NEW_SPOOL,
    SHOWN_EPOCHS,
    BadMessage,
    Batch,
    Birth,
    BirthRequest,
    Config,
    Gap,
    Kind,
    Note,
    Replay,
    Watermark,
    decode,
    read_note,
)
from mes.kernel.topics import RETAINED, BadTopic, Down, Stream, Up, down, every_up, parse_up

log = get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

MAX_WAITING = 4000
"""Messages held in memory; beyond that the broker, and then the spool, keeps them."""
GATHER_S = {Stream.EVENTS: 0.0, Stream.TELEMETRY: 0.25}
"""Shortest time between two transactions of a stream: telemetry waits for company.

A transaction has its price whatever is in it: at four a second instead of ten, a row of telemetry
costs a sixth less, and nobody reads a trend faster (`make bench ARGS=ingest`).
"""
MAX_GROUP = 64
"""Messages in one transaction."""
MAX_GROUP_BYTES = 1_500_000
ASK_AGAIN_S = 1.0
"""The same request to an edge is not repeated sooner."""
WATERMARK_S = 0.1
FIGURES_S = 2.0
CONFIG_S = 3.0
ROLL_UP_S = 10.0
MAINTAIN_S = 3600.0
RETRY_S = 0.3
MAX_RETRY_S = 3.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message with where it came from."""

    edge: str
    received: Received


@dataclass(slots=True)
class Figures:
    """What the status page shows of one edge, since it was last written."""

    counts: Counter[str] = field(default_factory=Counter)
    lag_s: float = 0.0
    health: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stores:
    """The database connections of ingest, each with its own work."""

    events: EventStore
    telemetry: Historian
    side: EventStore
    """Figures and configurations, beside the events."""
    history: Historian
    """Rollups, partitions and quarantine, beside the samples."""

    @classmethod
    def open(cls, database_url: str, historian_url: str, site: str) -> Stores:
        """Prepare the connections; each is made at its first use."""
        return cls(
            EventStore(database_url, "ingest events", site),
            Historian(historian_url, "ingest telemetry", site),
            EventStore(database_url, "ingest figures", site),
            Historian(historian_url, "ingest history", site),
        )

    async def close(self) -> None:
        """Close them all."""
        for store in (self.events, self.telemetry, self.side, self.history):
            await store.close()


class Worker:
    """One stream of all edges, from the broker to its store.

    Args:
        stream: The stream.
        store: Where it ends.
        ingest: The process that it is part of.
    """

    def __init__(self, stream: Stream, store: Store, ingest: Ingest) -> None:
        self.stream = stream
        self.store = store
        self.loaded = False
        """Whether the database told how far each epoch is."""
        self._ingest = ingest
        self._waiting: deque[Arrived] = deque()
        self._arrived = asyncio.Event()
        self._inlets: dict[tuple[str, UUID], Inlet] = {}
        self._births: dict[tuple[str, UUID], dict[int, Aliases]] = {}
        self._asked: dict[tuple[str, UUID], float] = {}
        self._gather_s = GATHER_S[stream]
        self._stored_at = 0.0

    def put(self, edge: str, received: Received) -> None:
        """Take a message of the broker; one too many stays with the broker."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(Arrived(edge, received))
            self._arrived.set()

    async def run(self) -> None:
        """Store what arrives until cancelled."""
        if isinstance(self.store, Historian):
            await self._insist(self.store.maintain)
        await self.load()
        while True:
            await self._arrived.wait()
            await asyncio.sleep(self._stored_at + self._gather_s - time.monotonic())
            self._arrived.clear()
            while self._waiting:
                await self._one_group()
            self._stored_at = time.monotonic()

    async def load(self) -> None:
        """Learn from the database how far each epoch is, waiting until it answers."""
        found = await self._insist(self.store.cursors)
        self._inlets = {key: Inlet(seq, seq) for key, seq in reversed(found.items())}
        self.loaded = True
        for edge in self.edges():
            self._ingest.watermark_moved(edge)

    def watermarks(self, edge: str) -> dict[UUID, int]:
        """Return the committed number of each recent epoch of `edge`."""
        mine = {epoch: inlet.committed for (name, epoch), inlet in self._inlets.items() if name == edge}
        return dict(list(mine.items())[-SHOWN_EPOCHS:])

    def edges(self) -> set[str]:
        """Return the edges that this stream was heard of."""
        return {edge for edge, _ in self._inlets}

    async def _insist(self, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work` until the database answers."""
        delay = RETRY_S
        told = False
        while True:
            try:
                result = await work(*args, **kwargs)
            except StoreAway as error:
                if not told:
                    log.warning("store.away", stream=self.stream.value, reason=str(error))
                    told = True
                await asyncio.sleep(delay)
                delay = min(delay * 2, MAX_RETRY_S)
            else:
                if told:
                    log.info("store.back", stream=self.stream.value)
                return result

    async def _one_group(self) -> None:
        takes: list[Take] = []
        handled: list[Arrived] = []
        size = 0
        while self._waiting and len(takes) < MAX_GROUP and size < MAX_GROUP_BYTES:
            arrived = self._waiting.popleft()
            handled.append(arrived)
            size += len(arrived.received.payload)
            take = await self._take(arrived)
            if take is not None:
                takes.append(take)
        if takes:
            await self._store(takes)
        for arrived in handled:
            self._ingest.acknowledge(arrived.received)

    async def _take(self, arrived: Arrived) -> Take | None:
        """Return what is to be stored of a message, none when it is nothing new or not yet its turn."""
        edge, payload = arrived.edge, arrived.received.payload
        try:
            message = decode(payload)
        except BadMessage as error:
            await self._quarantine(Quarantined(edge, self.stream.value, error.reason, payload))
            return None
        if isinstance(message, Birth):
            await self._learn(edge, message, payload)
            return None
        inlet = await self._inlet(edge, message.epoch)
        names: Aliases | None = None
        if isinstance(message, Batch):
            names = self._births.get((edge, message.epoch), {}).get(message.birth)
            if names is None and message.seq == inlet.taken + 1:
                self._ask_birth(edge, message)
                return None
        before = inlet.taken
        first, last = _span(message)
        verdict = inlet.judge(first, last)
        if verdict is Verdict.ACCEPT:
            take = Take(edge, self.stream, message, before, names)
            try:
                await self._set_malformed_aside(edge, message)
            except BadMessage as error:
                return await self._set_aside(take, error.reason)
            return take
        figures = self._ingest.figures(edge).counts
        if verdict is Verdict.DUPLICATE:
            figures["duplicates"] += 1
            self._ingest.watermark_moved(edge)
        else:
            self._ask_replay(edge, message.epoch, inlet.taken + 1)
        return None

    async def _set_malformed_aside(self, edge: str, message: Batch | Gap) -> None:
        """Put what a device sent and the edge could not read where an engineer finds it."""
        if self.stream is not Stream.EVENTS or isinstance(message, Gap):
            return
        for idx, metric in enumerate(message.metrics):
            if metric.name == Note.MALFORMED.value:
                body = read_note(metric).body
                reason = str(body.get("reason", "malformed"))
                payload = str(body.get("payload", "")).encode("utf-8", "backslashreplace")
                await self._quarantine(
                    Quarantined(edge, "events", reason, payload, message.epoch, message.seq, idx, body)
                )

    async def _inlet(self, edge: str, epoch: UUID) -> Inlet:
        """Return where an epoch stands; the one heard last is the last of them all."""
        found = self._inlets.pop((edge, epoch), None)
        if found is None:
            seq = await self._insist(self.store.cursor, edge, epoch)
            found = Inlet(seq, seq)
        self._inlets[edge, epoch] = found
        return found

    async def _learn(self, edge: str, birth: Birth, payload: bytes) -> None:
        known = self._births.setdefault((edge, birth.epoch), {})
        if birth.number in known:
            return
        for other in known.values():
            for definition in birth.definitions:
                before = other.definitions.get(definition.alias)
                if before is not None and before.name != definition.name:
                    item = Quarantined(edge, self.stream.value, "alias_reused", payload, birth.epoch)
                    await self._quarantine(item)
                    return
        if isinstance(self.store, Historian):
            try:
                known[birth.number] = await self._insist(self.store.learn, edge, birth)
            except BatchRefused as error:
                reason = {"why": str(error)}
                item = Quarantined(edge, self.stream.value, "refused", payload, birth.epoch, detail=reason)
                await self._quarantine(item)
        else:
            known[birth.number] = Aliases({found.alias: found for found in birth.definitions})

    async def _store(self, takes: list[Take]) -> None:
        """Store a group; when the database refuses it, batch by batch, the bad one in quarantine."""
        try:
            stored = await self._insist(self.store.commit, takes)
        except CursorMoved:
            log.warning("cursor.moved", stream=self.stream.value)
            await self.load()
            return
        except (BatchRefused, BadMessage) as error:
            if len(takes) > 1:
                for take in takes:
                    await self._store([take])
                return
            await self._store_refused(takes[0], str(error))
            return
        self._stored(takes, stored)

    def _stored(self, takes: list[Take], stored: int) -> None:
        now = time.time()
        samples = "events" if self.stream is Stream.EVENTS else "samples"
        for take in takes:
            self._inlets[take.edge, take.message.epoch].commit(take.seq)
            figures = self._ingest.figures(take.edge)
            if isinstance(take.message, Gap):
                figures.counts["gaps"] += 1
            else:
                figures.lag_s = max(0.0, now - take.message.time_ms / 1000)
                if self.stream is Stream.EVENTS:
                    figures.counts["gaps"] += _declared(take.message)
            self._ingest.watermark_moved(take.edge)
        if stored and len({take.edge for take in takes}) == 1:
            self._ingest.figures(takes[0].edge).counts[samples] += stored
        elif stored:
            for take in takes:
                if isinstance(take.message, Batch):
                    self._ingest.figures(take.edge).counts[samples] += len(take.message.metrics)

    async def _set_aside(self, take: Take, reason: str) -> Take:
        """Keep a batch that cannot be stored; return what stands for it in the stream."""
        message = take.message
        body: dict[str, Any] = {"reason": "quarantined", "detail": reason}
        if isinstance(message, Batch):
            body |= _states_of(take, message)
            payload = b"".join(metric.SerializeToString() for metric in message.metrics)
            item = Quarantined(
                take.edge,
                self.stream.value,
                "refused",
                payload,
                message.epoch,
                message.seq,
                -1,
                {"why": reason},
            )
            await self._quarantine(item)
        gap = Gap(message.epoch, take.before + 1, take.seq, body)
        return Take(take.edge, take.stream, gap, take.before)

    async def _store_refused(self, take: Take, reason: str) -> None:
        """Keep a batch that cannot be stored, and go on after it."""
        replaced = [await self._set_aside(take, reason)]
        try:
            stored = await self._insist(self.store.commit, replaced)
        except CursorMoved:
            await self.load()
            return
        self._stored(replaced, stored)

    async def _quarantine(self, item: Quarantined) -> None:
        log.warning("quarantined", edge=item.edge, stream=item.stream, reason=item.reason)
        await self._insist(self._ingest.stores.history.quarantine, item)
        self._ingest.figures(item.edge).counts["quarantined"] += 1

    def _ask_replay(self, edge: str, epoch: UUID, from_seq: int) -> None:
        if self._may_ask(edge, epoch):
            self._ingest.figures(edge).counts["replays"] += 1
            request = Replay(stream=self.stream.value, epoch=epoch, from_seq=from_seq)
            self._ingest.tell(edge, Down.REPLAY, request.encode())

    def _ask_birth(self, edge: str, batch: Batch) -> None:
        if self._may_ask(edge, batch.epoch):
            request = BirthRequest(stream=self.stream.value, epoch=batch.epoch, number=batch.birth)
            self._ingest.tell(edge, Down.BIRTH, request.encode())

    def _may_ask(self, edge: str, epoch: UUID) -> bool:
        now = time.monotonic()
        if now - self._asked.get((edge, epoch), -ASK_AGAIN_S) < ASK_AGAIN_S:
            return False
        self._asked[edge, epoch] = now
        return True


class Ingest:
    """The process between broker and databases.

    Args:
        broker: Broker URL with the user of ingest.
        stores: The four connections that it works with.
        seed: Configuration of edges that have none (the demo's), by edge.
    """

    def __init__(
        self, broker: str, stores: Stores, seed: Mapping[str, Sequence[Mapping[str, Any]]] | None = None
    ) -> None:
        self.stores = stores
        self._seed = dict(seed or {})
        self._figures: dict[str, Figures] = {}
        self._moved: set[str] = set()
        self._told: dict[str, int] = {}
        self._known: set[str] = set()
        self._name = secrets.token_hex(4)
        self._workers = (
            Worker(Stream.EVENTS, stores.events, self),
            Worker(Stream.TELEMETRY, stores.telemetry, self),
        )
        self.bus = Bus(
            broker,
            name="ingest",
            subscriptions=[every_up(channel) for channel in (*Stream, Up.HEALTH)],
            on_message=self._heard,
            on_connect=self._on_connect,
            manual_ack=True,
        )

    async def run(self) -> None:
        """Ingest until cancelled."""
        try:
            async with self.bus, asyncio.TaskGroup() as group:
                group.create_task(self._maintain(), name="maintain")
                group.create_task(self._show_newest(), name="newest values")
                for worker in self._workers:
                    group.create_task(worker.run(), name=f"worker {worker.stream.value}")
                group.create_task(self._say_watermarks(), name="watermarks")
                group.create_task(self._write_figures(), name="figures")
                group.create_task(self._send_configs(), name="configs")
        finally:
            await self.stores.close()

    def figures(self, edge: str) -> Figures:
        """Return the figures of `edge` that are still to be written."""
        return self._figures.setdefault(edge, Figures())

    def watermark_moved(self, edge: str) -> None:
        """Tell `edge` its watermarks soon."""
        self._moved.add(edge)

    def acknowledge(self, received: Received) -> None:
        """Tell the broker that it may forget a message."""
        self.bus.acknowledge(received)

    def tell(self, edge: str, what: Down, payload: bytes) -> bool:
        """Publish a downlink message; false when there is no connection (it is asked for again)."""
        try:
            self.bus.publish_soon(down(edge, what), payload, retain=what in RETAINED)
        except BusDown:
            return False
        return True

    def _heard(self, received: Received) -> None:
        try:
            address = parse_up(received.topic)
        except BadTopic:
            self.acknowledge(received)
            return
        if address.edge not in self._known:
            self._known.add(address.edge)
            self.watermark_moved(address.edge)
        for worker in self._workers:
            if worker.stream is address.channel:
                worker.put(address.edge, received)
                return
        self.acknowledge(received)
        self._take_health(address.edge, received.payload)

    def _take_health(self, edge: str, payload: bytes) -> None:
        try:
            health = json.loads(payload)
        except ValueError:
            log.warning("health.unreadable", edge=edge)
            return
        if isinstance(health, dict):
            self.figures(edge).health = health

    async def _on_connect(self) -> None:
        """A broker may have lost what it retained: say all of it again."""
        self._told.clear()
        self._known.clear()
        for worker in self._workers:
            self._moved |= worker.edges()

    async def _say_watermarks(self) -> None:
        while True:
            await asyncio.sleep(WATERMARK_S)
            told = [worker.stream.value for worker in self._workers if worker.loaded]
            for edge in list(self._moved):
                events, telemetry = (
                    worker.watermarks(edge) if worker.loaded else None for worker in self._workers
                )
                name = "/".join((self._name, str(self.bus.connections), *told))
                watermark = Watermark(ingest=name, events=events, telemetry=telemetry)
                if not self.tell(edge, Down.WATERMARK, watermark.encode()):
                    break
                self._moved.discard(edge)

    async def _write_figures(self) -> None:
        while True:
            await asyncio.sleep(FIGURES_S)
            for edge, figures in list(self._figures.items()):
                health = figures.health
                depth = health.get("spool_depth")
                row = {
                    name: figures.counts[name]
                    for name in ("samples", "events", "duplicates", "replays", "gaps", "quarantined")
                }
                row["spool_depth"] = depth if isinstance(depth, int) else 0
                try:
                    await self.stores.side.note_link(edge, {**row, "lag_s": figures.lag_s}, health)
                except StoreAway:
                    break
                figures.counts -= Counter({name: row[name] for name in figures.counts})

    async def _send_configs(self) -> None:
        """Send each edge its newest configuration, on every connection and at every change."""
        while True:
            await self.bus.connected.wait()
            try:
                for edge, tags in self._seed.items():
                    await self.stores.side.seed_config(edge, tags)
                configs = await self.stores.side.configs()
            except StoreAway:
                configs = []
            for edge, version, body in configs:
                if self._told.get(edge) == version:
                    continue
                if self._send_config(edge, version, body):
                    self._told[edge] = version
            await asyncio.sleep(CONFIG_S)

    def _send_config(self, edge: str, version: int, body: Any) -> bool:
        """Send one configuration; one that nobody can read is told once and never sent."""
        try:
            message = Config.model_validate({"tags": [], **body, "version": version})
            return self.tell(edge, Down.CONFIG, message.encode())
        except (ValidationError, BadTopic, TypeError) as error:
            log.error("config.unusable", edge=edge, version=version, reason=str(error))
            return True

    async def _show_newest(self) -> None:
        """Let the newest values be seen soon, also when nothing follows them."""
        while True:
            await asyncio.sleep(NEWEST_S)
            try:
                await self.stores.telemetry.show_newest()
            except StoreAway:
                log.info("newest_values.wait")

    async def _maintain(self) -> None:
        """Keep partitions ahead and rollups fresh."""
        due = 0.0
        while True:
            try:
                if not due:
                    await self.stores.history.find_newest()
                    due = time.monotonic() + MAINTAIN_S
                if time.monotonic() >= due:
                    await self.stores.history.maintain()
                    due = time.monotonic() + MAINTAIN_S
                await self.stores.history.roll_up()
            except StoreAway:
                log.info("maintenance.waits")
            await asyncio.sleep(ROLL_UP_S)


def _span(message: Batch | Gap) -> tuple[int, int]:
    if isinstance(message, Gap):
        return message.from_seq, message.to_seq
    return message.seq, message.seq


def _states_of(take: Take, batch: Batch) -> dict[str, list[str]]:
    """Name the units whose states a batch tells; nothing where that cannot be known."""
    known = {} if take.names is None else take.names.definitions
    told = [known.get(metric.alias) for metric in batch.metrics if metric.HasField("alias")]
    if None in told:
        return {}
    states = {one.equipment for one in told if one is not None and one.kind is Kind.STATE}
    return {"equipment": sorted(states)}


def _declared(batch: Batch) -> int:
    """Return how many stretches a batch declares of which nobody knows, such as a lost connection.

    What was before an edge's first spool is none; whether there was anything is not known here.
    """
    notes = [read_note(metric) for metric in batch.metrics if metric.name == Note.GAP.value]
    return sum(note.body.get("reason") != NEW_SPOOL for note in notes)
