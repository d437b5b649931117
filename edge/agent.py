"""The edge agent: drivers to spool, spool to broker, and nothing is forgotten in between.

A reading becomes a sample, samples become a batch, batches are committed to the spool together
with the counters' bases, and only then published. They stay until ingest says that the database
has them.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from edge.driver import Driver, driver_class
from edge.readings import Known, Reading
from edge.spool import Mark, Spool, SpoolFull, StoredBatch, StoredEpoch, Write, set_aside
from edge.stream import STALL_S, WINDOW, Outlet
from edge.tags import Deadband, EdgeConfig, Tag, parse_tags
from mes.kernel.bus import Bus, BusDown, Received
from mes.kernel.log import get_logger
from mes.kernel.messages import (
    BAD,
    GOOD,
    BadMessage,
    Birth,
    BirthRequest,
    Browse,
    Config,
    Gap,
    Note,
    NoteSample,
    Replay,
    Sample,
    Value,
    Watermark,
    decode_down,
    encode_batch,
    encode_birth,
    encode_gap,
)
from mes.kernel.topics import BadTopic, Down, Stream, Up, every_down, parse_down, up

log = get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

GATHER_S = 0.03
"""Events wait this long for company before their commit."""
MAX_BATCH = 2000
HEALTH_S = 5.0
HOUSEKEEPING_S = 2.0
RETRY_S = 1.0
OUTAGE_BATCHES = 20
"""A telemetry backlog above this drains beside a fresh epoch."""
MAX_LIVE = 200_000
"""Telemetry samples held in memory when the spool takes none; older ones go first, declared."""
OPEN_EPOCHS = 4
"""Epochs of telemetry that drain at a time."""
CHUNK = 64
"""Batches published before their acknowledgement is awaited."""
UNPLUGGED_S = 60.0
RECENT_BYTES = 8 * 1024 * 1024


@dataclass(slots=True)
class OpenEpoch:
    """One epoch with where it stands and what its aliases mean."""

    id: int
    stream: Stream
    epoch: UUID
    outlet: Outlet
    birth: int = 0
    born: int = -1
    """Connection on which its births were published."""
    aliases: dict[str, int] = field(default_factory=dict)
    births: dict[int, bytes] = field(default_factory=dict)
    moved_at: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Link:
    """How one endpoint is."""

    up: bool = False
    since_ms: int = 0
    reason: str = "starting"


class Agent:
    """One edge.

    Args:
        config: CONFIG.toml.
        hook: Called at named points of the path; tests end the process there.
    """

    def __init__(self, config: EdgeConfig, *, hook: Callable[[str], None] | None = None) -> None:
        self.config = config
        self.hook = hook or (lambda _point: None)
        self.tags: dict[str, Tag] = {}
        self.version = 0
        self.links = {endpoint.name: Link() for endpoint in config.endpoints}
        self._drivers: dict[str, Driver] = {}
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._spool: Spool
        self._bus: Bus
        self._epochs: dict[Stream, list[OpenEpoch]] = {Stream.EVENTS: [], Stream.TELEMETRY: []}
        self._by_uuid: dict[UUID, OpenEpoch] = {}
        self._known = Known({}, {})
        self._bands: dict[str, Deadband] = {}
        self._aliases: dict[str, int] = {}
        self._live: list[Sample] = []
        self._readings: list[Reading | NoteSample] = []
        self._dropped = 0
        self._dropped_since = 0
        self._urgent = asyncio.Event()
        self._sendable = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._fresh_telemetry = False
        self._recent: dict[tuple[int, int], bytes] = {}
        self._recent_bytes = 0
        self._unsaved_marks: set[int] = set()
        self._unsaved_births: list[tuple[int, int, bytes]] = []
        self._unsaved_config: tuple[int, str] | None = None
        self._refused: dict[str, str] = {}
        self._ingest = ""
        self._jobs: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Collect until cancelled."""
        await self._open_spool()
        await self._load()
        self._bus = Bus(
            self.config.broker,
            name=self.config.id,
            subscriptions=[every_down(self.config.id)],
            on_message=self._told,
            on_connect=self._on_connect,
        )
        try:
            async with self._bus, asyncio.TaskGroup() as group:
                group.create_task(self._store_forever(), name="store")
                group.create_task(self._send_forever(), name="send")
                group.create_task(self._keep_house(), name="house")
                group.create_task(self._say_health(), name="health")
                for name, driver in self._drivers.items():
                    group.create_task(driver.run(), name=f"driver {name}")
        finally:
            await self._last_words()

    async def _open_spool(self) -> None:
        """Open the spool; one that is broken is set aside and declared, so that reading goes on."""
        open_it = partial(
            Spool,
            self.config.spool,
            limit_bytes=self.config.spool_mb * 1024 * 1024,
            keep_s=self.config.keep_h * 3600,
            hook=self.hook,
        )
        try:
            self._spool = await self._insist(open_it)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            aside = await self._on_disk(set_aside, self.config.spool)
            log.error("spool.broken", reason=str(error), aside=str(aside))
            self._spool = await self._insist(open_it)
            for stream in Stream:
                self._note(Note.GAP, {"stream": stream.value, "reason": "spool_broken", "to": _now_ms()})

    async def _last_words(self) -> None:
        if self._readings or self._live:
            try:
                await self._store()
            except (SpoolFull, sqlite3.Error) as error:
                log.error("spool.last_write_failed", reason=str(error))
        await self._on_disk(self._spool.close)
        self._disk.shutdown(wait=False)

    async def _on_disk(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, partial(work, *args, **kwargs))

    async def _insist(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what must be done before reading begins, as soon as the disk has room."""
        told = False
        while True:
            try:
                return await self._on_disk(work, *args, **kwargs)
            except SpoolFull as error:
                if not told:
                    log.error("spool.full", reason=str(error))
                told = True
                await asyncio.sleep(RETRY_S)

    # -- opening ---------------------------------------------------------------------------------

    async def _load(self) -> None:
        for stored in await self._on_disk(self._spool.epochs):
            entry = self._adopt(stored)
            entry.births = await self._on_disk(self._spool.births, stored.id)
        await self._insist(self._spool.forget_empty, [])
        counters = await self._on_disk(self._spool.counters)
        self._known = Known(counters, await self._on_disk(self._spool.marks))
        for stream in Stream:
            await self._open(await self._insist(self._spool.open_epoch, stream))
        away_since = await self._on_disk(self._spool.last_ms)
        for endpoint in self.config.endpoints:
            self.links[endpoint.name] = Link(since_ms=away_since)
            self._drivers[endpoint.name] = driver_class(endpoint.driver)(endpoint, self)
        saved = await self._on_disk(self._spool.config)
        if saved is not None:
            await self._use(Config(version=saved[0], tags=json.loads(saved[1])), fresh=False)

    def _adopt(self, stored: StoredEpoch) -> OpenEpoch:
        outlet = Outlet(stored.last, stored.lowest, stored.acknowledged, stored.acknowledged)
        entry = OpenEpoch(stored.id, stored.stream, stored.epoch, outlet)
        self._epochs[stored.stream].append(entry)
        self._by_uuid[stored.epoch] = entry
        return entry

    async def _open(self, stored: StoredEpoch) -> OpenEpoch:
        entry = self._adopt(stored)
        await self._give_birth(entry)
        return entry

    async def _give_birth(self, entry: OpenEpoch) -> None:
        """Define the present tags in `entry`; an alias once given is never given again."""
        entry.birth += 1
        tags = [tag for tag in self.tags.values() if tag.stream is entry.stream]
        for tag in tags:
            entry.aliases.setdefault(tag.name, len(entry.aliases) + 1)
        definitions = tuple(tag.definition(entry.aliases[tag.name]) for tag in tags)
        payload = encode_birth(Birth(entry.epoch, entry.birth, definitions))
        entry.births[entry.birth] = payload
        self._unsaved_births.append((entry.id, entry.birth, payload))
        await self._save_definitions()
        if entry.stream is Stream.TELEMETRY:
            self._aliases = entry.aliases
        if entry.born == self._connection:
            self._publish(entry.stream, payload)

    async def _save_definitions(self) -> None:
        """Store births and configuration, or else with the next batch."""
        write = Write(births=tuple(self._unsaved_births), config=self._unsaved_config)
        try:
            await self._on_disk(self._spool.commit, write)
        except SpoolFull as error:
            log.error("spool.full", reason=str(error))
        else:
            self._definitions_saved(write)

    def _definitions_saved(self, write: Write) -> None:
        self._unsaved_births = [birth for birth in self._unsaved_births if birth not in write.births]
        if self._unsaved_config == write.config:
            self._unsaved_config = None

    @property
    def _connection(self) -> int:
        return self._bus.connections if hasattr(self, "_bus") else 0

    def _current(self, stream: Stream) -> OpenEpoch:
        return self._epochs[stream][-1]

    # -- what drivers call -----------------------------------------------------------------------

    def reading(self, tag: Tag, value: Value, time_ms: int, quality: int = GOOD, *, number: int = -1) -> None:
        """Take one reading of a driver."""
        converted = tag.convert(value)
        if converted is None and quality == GOOD:
            quality = BAD
        if tag.stream is Stream.TELEMETRY:
            band = self._bands.get(tag.name)
            alias = self._aliases.get(tag.name)
            if band is None or alias is None or not band.passes(converted, time_ms, quality):
                return
            self._live.append(Sample(alias, converted, time_ms, quality))
            if len(self._live) >= MAX_BATCH:
                self._urgent.set()
                if len(self._live) > MAX_LIVE:
                    self._shed()
        elif quality > BAD and converted is not None:
            self._readings.append(Reading(tag, converted, time_ms, quality, number))
            self._urgent.set()

    def mark(self, tag: Tag) -> Mark | None:
        """Return how far `tag` was read already."""
        return self._known.mark(tag.name)

    def malformed(self, endpoint: str, source: str, payload: bytes, reason: str) -> None:
        """Quarantine what a device sent."""
        text = payload[:2000].decode("utf-8", "backslashreplace")
        self._note(
            Note.MALFORMED, {"endpoint": endpoint, "source": source, "payload": text, "reason": reason}
        )

    def connected(self, endpoint: str) -> None:
        """Note that an endpoint answers, and declare the window in which it did not."""
        link = self.links[endpoint]
        now = _now_ms()
        log.info(
            "driver.back",
            endpoint=endpoint,
            gap_s=round((now - link.since_ms) / 1000, 1) if link.since_ms else 0,
        )
        self._note(Note.LINK, {"endpoint": endpoint, "up": True, "reason": ""})
        if link.since_ms:
            equipment = sorted({tag.equipment for tag in self._tags_of(endpoint)})
            self._note(
                Note.GAP,
                {
                    "stream": Stream.TELEMETRY.value,
                    "reason": "disconnected",
                    "endpoint": endpoint,
                    "equipment": equipment,
                    "from": link.since_ms,
                    "to": now,
                },
            )
        self.links[endpoint] = Link(up=True, since_ms=now, reason="")

    def disconnected(self, endpoint: str, reason: str) -> None:
        """Note that an endpoint is away; its values are bad from now on."""
        now = _now_ms()
        log.warning("driver.lost", endpoint=endpoint, reason=reason)
        self._note(Note.LINK, {"endpoint": endpoint, "up": False, "reason": reason})
        for tag in self._tags_of(endpoint):
            if tag.stream is Stream.TELEMETRY:
                self.reading(tag, None, now, BAD)
        self.links[endpoint] = Link(up=False, since_ms=now, reason=reason)

    def missed(self, tag: Tag, time_ms: int, reason: str) -> None:
        """Declare that the device itself lost values of a tag."""
        mark = self._known.mark(tag.name)
        self._note(
            Note.GAP,
            {
                "stream": tag.stream.value,
                "reason": reason,
                "equipment": [tag.equipment],
                "tag": tag.name,
                "from": mark.time_ms if mark else time_ms,
                "to": time_ms,
            },
        )

    def refused(self, tag: Tag, reason: str) -> None:
        """Report once that the endpoint does not know a tag."""
        if self._refused.get(tag.name) == reason:
            return
        self._refused[tag.name] = reason
        log.warning("driver.tag_refused", tag=tag.name, reason=reason)
        self._note(Note.LINK, {"endpoint": tag.endpoint, "up": True, "tag": tag.name, "reason": reason})

    def _tags_of(self, endpoint: str) -> list[Tag]:
        return [tag for tag in self.tags.values() if tag.endpoint == endpoint]

    def _note(self, note: Note, body: dict[str, Any]) -> None:
        self._readings.append(NoteSample(note, body, _now_ms()))
        self._urgent.set()

    def _shed(self) -> None:
        half = len(self._live) // 2
        self._dropped_since = self._dropped_since or self._live[0].time_ms
        self._dropped += half
        del self._live[:half]

    # -- to the spool ----------------------------------------------------------------------------

    async def _store_forever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self.config.batch_s):
                    await self._urgent.wait()
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass
            self._urgent.clear()
            if not self._readings and not self._live:
                continue
            try:
                await _to_its_end(self._store())
            except SpoolFull as error:
                log.error("spool.full", reason=str(error), waiting=len(self._readings))
                await self._make_room()
                await asyncio.sleep(RETRY_S)
            self._sendable.set()

    async def _store(self) -> None:
        """Commit all that was read; on failure it is as if it had not been taken."""
        if self._fresh_telemetry:
            self._fresh_telemetry = False
            await self._flush_telemetry_epoch()
        readings, self._readings = self._readings, []
        live, self._live = self._live, []
        if self._dropped:
            readings.append(self._shed_note())
        step = self._known.take(readings, self._current(Stream.EVENTS).aliases)
        write = Write(
            batches=[*self._batches(Stream.EVENTS, step.samples), *self._batches(Stream.TELEMETRY, live)],
            births=tuple(self._unsaved_births),
            counters=step.counters,
            marks=step.marks,
            config=self._unsaved_config,
        )
        try:
            await self._on_disk(self._spool.commit, write)
        except SpoolFull:
            self._readings[:0] = readings
            self._live[:0] = live
            raise
        self._definitions_saved(write)
        self._known.accept(step)
        for batch in write.batches:
            self._stored(batch)

    def _stored(self, batch: StoredBatch) -> None:
        entry = next(
            entry for entries in self._epochs.values() for entry in entries if entry.id == batch.epoch_id
        )
        if entry.outlet.drained:
            entry.moved_at = time.monotonic()
        entry.outlet.last = batch.seq
        if self._recent_bytes < RECENT_BYTES:
            self._recent[entry.id, batch.seq] = batch.payload
            self._recent_bytes += len(batch.payload)

    def _batches(self, stream: Stream, samples: Sequence[Sample | NoteSample]) -> list[StoredBatch]:
        entry = self._current(stream)
        now = _now_ms()
        seq = entry.outlet.last
        found = []
        for start in range(0, len(samples), MAX_BATCH):
            seq += 1
            part = samples[start : start + MAX_BATCH]
            payload = encode_batch(entry.epoch, seq, entry.birth, now, part)
            found.append(StoredBatch(entry.id, seq, now, len(part), payload))
        return found

    def _shed_note(self) -> NoteSample:
        body = {
            "stream": Stream.TELEMETRY.value,
            "reason": "spool_full",
            "samples": self._dropped,
            "from": self._dropped_since,
            "to": _now_ms(),
        }
        self._dropped = self._dropped_since = 0
        return NoteSample(Note.GAP, body, _now_ms())

    async def _flush_telemetry_epoch(self) -> None:
        """After an outage: what waits drains in its own epoch, live values start a new one."""
        old = self._current(Stream.TELEMETRY)
        by_alias = {alias: name for name, alias in old.aliases.items()}
        try:
            stored = await self._on_disk(self._spool.open_epoch, Stream.TELEMETRY)
        except SpoolFull:
            self._fresh_telemetry = True
            raise
        fresh = await self._open(stored)
        fresh.born = -1
        self._live = [
            sample._replace(alias=fresh.aliases[by_alias[sample.alias]])
            for sample in self._live
            if by_alias[sample.alias] in fresh.aliases
        ]
        log.info("telemetry.live_beside_backlog", backlog=old.outlet.depth)

    async def _make_room(self) -> None:
        for entry in self._epochs[Stream.TELEMETRY]:
            try:
                lost = await self._on_disk(self._spool.thin, entry.id, entry.outlet.acknowledged)
            except SpoolFull as error:
                log.error("spool.cannot_thin", reason=str(error))
                return
            if lost:
                self._recent.clear()
                self._recent_bytes = 0
                log.warning("spool.thinned", samples=lost)
                return

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            self._notice_stall()
            try:
                await self._save_marks()
                await self._retire()
            except SpoolFull as error:
                log.error("spool.full", reason=str(error))
            if await self._on_disk(self._spool.nearly_full):
                await self._make_room()

    async def _save_marks(self) -> None:
        """Note in the spool what the database has, and let go of it in time."""
        marked, self._unsaved_marks = self._unsaved_marks, set()
        entries = [e for found in self._epochs.values() for e in found if e.id in marked]
        if not entries:
            return
        acknowledged = [(e.id, e.outlet.acknowledged) for e in entries]
        try:
            lowest = await self._on_disk(self._spool.acknowledge, acknowledged)
        except SpoolFull:
            self._unsaved_marks |= marked
            raise
        for entry in entries:
            entry.outlet.lowest = lowest[entry.id]

    async def _retire(self) -> None:
        """Forget old epochs that are committed and out of the spool."""
        for entries in self._epochs.values():
            for entry in entries[:-1]:
                if entry.outlet.drained and entry.outlet.lowest > entry.outlet.last:
                    entries.remove(entry)
                    del self._by_uuid[entry.epoch]
                    await self._on_disk(
                        self._spool.forget_empty, [self._current(stream).id for stream in Stream]
                    )
                    return

    def _notice_stall(self) -> None:
        now = time.monotonic()
        for entry in self._by_uuid.values():
            outlet = entry.outlet
            waiting = outlet.sent > outlet.acknowledged
            if self._bus.connected.is_set() and waiting and now - entry.moved_at > STALL_S:
                log.warning("watermark.stalled", stream=entry.stream.value, depth=outlet.depth)
                entry.moved_at = now
                entry.born = -1
                outlet.rewind()
                self._sendable.set()

    # -- to the broker ---------------------------------------------------------------------------

    async def _on_connect(self) -> None:
        """Begin again from the watermark; the retained one arrives with the subscription."""
        for entry in self._by_uuid.values():
            entry.outlet.rewind()
            entry.moved_at = time.monotonic()
        if self._current(Stream.TELEMETRY).outlet.depth > OUTAGE_BATCHES:
            self._fresh_telemetry = True
        self._sendable.set()

    async def _send_forever(self) -> None:
        while True:
            await self._bus.connected.wait()
            await self._sendable.wait()
            self._sendable.clear()
            try:
                await self._send_due()
            except BusDown:
                await asyncio.sleep(GATHER_S)
                self._sendable.set()

    async def _send_due(self) -> None:
        """Publish what is due: events in the order of their epochs, live telemetry first."""
        for entry in self._epochs[Stream.EVENTS]:
            if await self._send_epoch(entry):
                self._sendable.set()
            if not entry.outlet.drained:
                break
        drained = 0
        for entry in reversed(self._epochs[Stream.TELEMETRY]):
            if await self._send_epoch(entry):
                self._sendable.set()
            drained += not entry.outlet.drained
            if drained >= OPEN_EPOCHS:
                break

    async def _send_epoch(self, entry: OpenEpoch) -> bool:
        """Publish some of one epoch; True when there is more that may go."""
        outlet = entry.outlet
        gone = outlet.missing()
        if gone is not None:
            self._declare(entry, *gone)
        first, last = outlet.due(WINDOW)
        if first > last:
            return False
        if entry.born != self._bus.connections:
            self._announce(entry)
        heard: asyncio.Future[None] | None = None
        for seq, payload in await self._payloads(entry, first, last):
            if seq != outlet.sent + 1:
                return True
            self.hook("before_publish")
            heard = self._publish(entry.stream, payload)
            self.hook("after_publish")
            outlet.sent = seq
        if heard is not None:
            await heard
        first, last = outlet.due(WINDOW)
        return first <= last

    async def _payloads(self, entry: OpenEpoch, first: int, last: int) -> list[tuple[int, bytes]]:
        found = []
        for seq in range(first, min(last, first + CHUNK - 1) + 1):
            payload = self._recent.get((entry.id, seq))
            if payload is None:
                break
            found.append((seq, payload))
        return found or await self._on_disk(self._spool.read, entry.id, first, last)

    def _declare(self, entry: OpenEpoch, first: int, last: int) -> None:
        """Tell ingest that batches it wants are gone: its database is older than they are."""
        gap = Gap(entry.epoch, first, last, {"reason": "no_longer_kept"})
        log.warning("spool.no_longer_kept", stream=entry.stream.value, from_seq=first, to_seq=last)
        self._publish(entry.stream, encode_gap(gap, _now_ms()))
        entry.outlet.sent = last

    def _announce(self, entry: OpenEpoch) -> None:
        for payload in entry.births.values():
            self._publish(entry.stream, payload)
        entry.born = self._bus.connections

    def _publish(self, channel: Stream | Up, payload: bytes) -> asyncio.Future[None]:
        return self._bus.publish_soon(up(self.config.id, channel), payload)

    async def _say_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_S)
            if self._bus.connected.is_set():
                try:
                    self._publish(Up.HEALTH, json.dumps(self.health()).encode())
                except BusDown:
                    continue

    def health(self) -> dict[str, Any]:
        """Return how this edge is: its backlog, its endpoints, its configuration."""
        return {
            "at": _now_ms(),
            "config": self.version,
            "spool_depth": sum(entry.outlet.depth for entry in self._by_uuid.values()),
            "endpoints": {
                name: {"up": link.up, "since": link.since_ms, "reason": link.reason}
                for name, link in self.links.items()
            },
            "refused": self._refused,
        }

    async def unplug(self, request: dict[str, Any]) -> dict[str, Any]:
        """Pull the cable to the broker for `seconds`; machines are read meanwhile."""
        self._bus.unplug(float(request.get("seconds", UNPLUGGED_S)))
        return {"subject": self.config.id}

    async def state(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Return whether the cable is pulled, and how this edge is."""
        return {"unplugged": self._bus.unplugged, **self.health()}

    # -- what the edge is told -------------------------------------------------------------------

    def _told(self, message: Received) -> None:
        self._bus.acknowledge(message)
        try:
            self._obey(parse_down(message.topic), message.payload)
        except (BadMessage, BadTopic) as error:
            log.warning("downlink.unreadable", topic=message.topic, reason=str(error))

    def _obey(self, what: Down, payload: bytes) -> None:
        if what is Down.WATERMARK:
            self._take_watermark(decode_down(Watermark, payload))
        elif what is Down.REPLAY:
            replay = decode_down(Replay, payload)
            entry = self._by_uuid.get(replay.epoch)
            if entry is not None and replay.from_seq <= entry.outlet.last:
                entry.outlet.rewind(replay.from_seq)
                self._sendable.set()
        elif what is Down.BIRTH:
            wanted = decode_down(BirthRequest, payload)
            entry = self._by_uuid.get(wanted.epoch)
            if entry is not None:
                entry.born = -1
                entry.outlet.rewind()
                self._sendable.set()
        elif what is Down.CONFIG:
            config = decode_down(Config, payload)
            if config.version != self.version:
                self._start(self._use(config, fresh=True))
        else:
            self._start(self._browse(decode_down(Browse, payload)))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    def _take_watermark(self, watermark: Watermark) -> None:
        another = watermark.ingest != self._ingest
        self._ingest = watermark.ingest
        for epoch, seq in {**watermark.events, **watermark.telemetry}.items():
            entry = self._by_uuid.get(epoch)
            if entry is None or seq == entry.outlet.acknowledged:
                continue
            for done in range(entry.outlet.acknowledged + 1, seq + 1):
                payload = self._recent.pop((entry.id, done), None)
                self._recent_bytes -= len(payload or b"")
            entry.outlet.watermark(seq)
            entry.moved_at = time.monotonic()
            self._unsaved_marks.add(entry.id)
        if another:
            for entry in self._by_uuid.values():
                entry.outlet.rewind()
                entry.born = -1
        self._sendable.set()

    async def _use(self, config: Config, *, fresh: bool) -> None:
        """Apply a numbered configuration, and acknowledge it on `events`."""
        self.version = config.version
        self._refused = {}
        tags, refused = parse_tags(config.tags, self.config.endpoints)
        self.tags = {tag.name: tag for tag in tags}
        self._bands = {
            tag.name: self._bands.get(tag.name) or Deadband(tag)
            for tag in tags
            if tag.stream is Stream.TELEMETRY
        }
        if self._readings or self._live:
            self._urgent.set()
        for stream in Stream:
            await self._give_birth(self._current(stream))
        for name, driver in self._drivers.items():
            await driver.apply(self._tags_of(name))
        if fresh:
            body = json.dumps(config.tags)
            self._unsaved_config = (config.version, body)
            await self._save_definitions()
            self._note(Note.CONFIG, {"version": config.version, "tags": len(tags), "refused": refused})
            log.info("config.applied", version=config.version, tags=len(tags), refused=len(refused))

    async def _browse(self, asked: Browse) -> None:
        body: dict[str, Any] = {"token": asked.token, "endpoint": asked.endpoint, "node": asked.node}
        driver = self._drivers.get(asked.endpoint)
        if driver is None:
            body["error"] = "unknown_endpoint"
        else:
            try:
                found = await driver.browse(asked.node)
                body["nodes"] = [
                    {
                        "address": n.address,
                        "name": n.name,
                        "leaf": n.leaf,
                        "type": n.datatype,
                        "value": n.value,
                    }
                    for n in found
                ]
            except ConnectionError:
                body["error"] = "endpoint_away"
        try:
            self._publish(Up.BROWSED, json.dumps(body).encode())
        except BusDown:
            log.info("browse.unanswered", endpoint=asked.endpoint)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end even when the caller is cancelled meanwhile."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
