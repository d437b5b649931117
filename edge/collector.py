"""What drivers tell, until it is written: readings, live telemetry, and notes of the edge itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.clock import ClockOffset
from edge.readings import Known, Reading
from edge.spool import Mark
from edge.tags import Deadband, Tag
from mes.kernel.log import get_logger
from mes.kernel.messages import BAD, GOOD, UNREAD, Kind, Note, NoteSample, Sample, Value
from mes.kernel.topics import Stream

log = get_logger(__name__)

MAX_BATCH = 2000
"""Samples of one batch; so many do not wait for more."""
MAX_LIVE = 200_000
"""Telemetry samples held in memory when the spool takes none; older ones go first, declared."""


@dataclass(slots=True)
class Link:
    """How one endpoint is."""

    up: bool = False
    since_ms: int = 0
    reason: str = "starting"
    clock: ClockOffset | None = None


@dataclass(slots=True)
class Malformation:
    """What a source sends that nobody can read, as long as it lasts; times in milliseconds since 1970 UTC."""

    endpoint: str
    source: str
    reason: str
    since: int
    at: int
    times: int = 1


@dataclass(frozen=True, slots=True)
class Taken:
    """What was read since the last write."""

    readings: list[Reading | NoteSample]
    live: list[Sample]


class Collector:
    """Where drivers put what they read (`edge.driver.Sink`).

    Args:
        endpoints: Names of the connections that there are.
    """

    def __init__(self, endpoints: Iterable[str]) -> None:
        self.tags: dict[str, Tag] = {}
        self.links = {name: Link() for name in endpoints}
        self.known = Known({}, {})
        self.refusals: dict[str, str] = {}
        """Tags that their endpoint does not know or cannot read, and why."""
        self.malformations: dict[tuple[str, str, str], Malformation] = {}
        """By endpoint, source and tag, which is empty where whole messages cannot be read."""
        self.unseen: set[str] = set()
        """Tags whose state nobody has seen since they were refused; it is told again, though the same."""
        self.urgent = asyncio.Event()
        """There is something to be written soon."""
        self._aliases: dict[str, int] = {}
        self._bands: dict[str, Deadband] = {}
        self._live: list[Sample] = []
        self._readings: list[Reading | NoteSample] = []
        self._dropped = 0
        self._dropped_since = 0

    # -- what drivers call -----------------------------------------------------------------------

    def reading(self, tag: Tag, value: Value, time_ms: int, quality: int = GOOD, *, number: int = -1) -> None:
        """Take one reading of a driver."""
        if quality > BAD:
            self.refusals.pop(tag.name, None)
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
                self.urgent.set()
                if len(self._live) > MAX_LIVE:
                    self._shed()
        elif quality > BAD and converted is not None:
            link = self.links.get(tag.endpoint)
            if link is not None and link.clock is not None:
                link.clock.heard(tag.name, time_ms, now_ms())
            again = tag.name in self.unseen
            self.unseen.discard(tag.name)
            self._readings.append(Reading(tag, converted, time_ms, quality, number, again))
            self.urgent.set()

    def mark(self, tag: Tag) -> Mark | None:
        """Return how far `tag` was read already."""
        return self.known.mark(tag.name)

    def malformed(self, endpoint: str, source: str, payload: bytes, reason: str) -> None:
        """Quarantine what a device sent."""
        now = now_ms()
        key = (endpoint, source, reason.partition(" ")[2])
        found = self.malformations.setdefault(key, Malformation(endpoint, source, reason, now, now, 0))
        found.reason, found.at, found.times = reason, now, found.times + 1
        text = payload[:2000].decode("utf-8", "backslashreplace")
        self.note(Note.MALFORMED, {"endpoint": endpoint, "source": source, "payload": text, "reason": reason})

    def understood(self, endpoint: str, source: str, tag: str = "") -> None:
        """Take back that what a source sends cannot be read."""
        self.malformations.pop((endpoint, source, tag), None)

    def connected(self, endpoint: str) -> None:
        """Note that an endpoint answers, and declare the window in which it did not."""
        link = self.links[endpoint]
        now = now_ms()
        gap_s = round((now - link.since_ms) / 1000, 1) if link.since_ms else 0
        log.info("driver.back", endpoint=endpoint, gap_s=gap_s)
        self.note(Note.LINK, {"endpoint": endpoint, "up": True, "reason": ""})
        if link.since_ms:
            equipment = sorted({tag.equipment for tag in self.tags_of(endpoint)})
            window = {"endpoint": endpoint, "equipment": equipment, "from": link.since_ms, "to": now}
            self.gap(Stream.TELEMETRY, "disconnected", window)
        self.links[endpoint] = Link(up=True, since_ms=now, reason="", clock=ClockOffset())

    def disconnected(self, endpoint: str, reason: str) -> None:
        """Note that an endpoint is away; its values are bad from now on."""
        now = now_ms()
        log.warning("driver.lost", endpoint=endpoint, reason=reason)
        self.note(Note.LINK, {"endpoint": endpoint, "up": False, "reason": reason})
        for tag in self.tags_of(endpoint):
            if tag.stream is Stream.TELEMETRY:
                self.reading(tag, None, now, BAD)
        self.links[endpoint] = Link(up=False, since_ms=now, reason=reason)

    def missed(self, tag: Tag, time_ms: int, reason: str) -> None:
        """Declare that the device itself lost values of a tag."""
        mark = self.known.mark(tag.name)
        since = mark.time_ms if mark else time_ms
        self.gap(
            tag.stream,
            reason,
            {"equipment": [tag.equipment], "tag": tag.name, "from": since, "to": time_ms},
        )

    def refused(self, tag: Tag, reason: str, *, read_until: int | None = None) -> None:
        """Report once that the endpoint does not know or cannot read a tag; nobody knows its state then."""
        before = self.refusals.get(tag.name)
        if before == reason:
            return
        self.refusals[tag.name] = reason
        log.warning("driver.tag_refused", tag=tag.name, reason=reason)
        self.note(Note.LINK, {"endpoint": tag.endpoint, "up": True, "tag": tag.name, "reason": reason})
        if before is None and tag.kind is Kind.STATE:
            self.unseen.add(tag.name)
            now = now_ms()
            since = now if read_until is None else read_until
            window = {"equipment": [tag.equipment], "tag": tag.name, "from": since, "to": now}
            self.gap(tag.stream, UNREAD, window)

    # -- what the edge itself has to say ---------------------------------------------------------

    def note(self, note: Note, body: dict[str, Any]) -> None:
        """Say something of the edge itself on `events`."""
        self._readings.append(NoteSample(note, body, now_ms()))
        self.urgent.set()

    def gap(self, stream: Stream, reason: str, body: Mapping[str, Any]) -> None:
        """Declare a stretch of a stream that is lost, or of which nobody knows."""
        self.note(Note.GAP, {"stream": stream.value, "reason": reason, **body})

    # -- what is read, and when it is written ----------------------------------------------------

    def tags_of(self, endpoint: str) -> list[Tag]:
        """Return the tags of one endpoint."""
        return [tag for tag in self.tags.values() if tag.endpoint == endpoint]

    def use(self, tags: Sequence[Tag]) -> None:
        """Take readings of these tags from now on."""
        self.refusals = {}
        self.malformations = {}
        self.tags = {tag.name: tag for tag in tags}
        self._bands = {
            tag.name: self._bands.get(tag.name) or Deadband(tag)
            for tag in tags
            if tag.stream is Stream.TELEMETRY
        }
        if self.waiting:
            self.urgent.set()

    def call(self, aliases: dict[str, int]) -> None:
        """Call the tags of telemetry by these aliases, also what waits under their old ones."""
        names = {alias: name for name, alias in self._aliases.items()}
        if self._aliases is not aliases:
            self._live = [
                sample._replace(alias=aliases[names[sample.alias]])
                for sample in self._live
                if names[sample.alias] in aliases
            ]
        self._aliases = aliases

    @property
    def waiting(self) -> int:
        """How much waits to be written."""
        return len(self._readings) + len(self._live)

    def take(self) -> Taken:
        """Return what is to be written now."""
        if self._dropped:
            body = {"samples": self._dropped, "from": self._dropped_since, "to": now_ms()}
            self._dropped = self._dropped_since = 0
            self.gap(Stream.TELEMETRY, "spool_full", body)
        taken = Taken(self._readings, self._live)
        self._readings, self._live = [], []
        return taken

    def put_back(self, taken: Taken) -> None:
        """Take back what could not be written."""
        self._readings[:0] = taken.readings
        self._live[:0] = taken.live

    def _shed(self) -> None:
        half = len(self._live) // 2
        self._dropped_since = self._dropped_since or self._live[0].time_ms
        self._dropped += half
        del self._live[:half]


def now_ms() -> int:
    """Return the time in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000
