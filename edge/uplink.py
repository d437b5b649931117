"""From the spool to the broker: batches in their order, again from the watermark after any break."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from edge.collector import now_ms
from edge.epochs import Epochs, OpenEpoch
from edge.stream import STALL_S, WINDOW
from mes.kernel.bus import Bus, BusDown
from mes.kernel.log import get_logger
from mes.kernel.messages import SHOWN_EPOCHS, BirthRequest, Gap, Replay, Watermark, encode_gap
from mes.kernel.topics import Stream, Up, up

log = get_logger(__name__)

PAUSE_S = 0.03
"""Between two attempts without a connection."""
WATCH_S = 2.0
OUTAGE_BATCHES = 20
"""A telemetry backlog above this drains beside a fresh epoch."""
OPEN_EPOCHS = 4
"""Epochs of telemetry that drain at a time."""


class Uplink:
    """Publishes what is in the spool.

    Args:
        edge: Name of the edge.
        bus: Its connection.
        hook: Called at named points of the path; tests end the process there.
    """

    def __init__(self, edge: str, bus: Bus, epochs: Epochs, hook: Callable[[str], None]) -> None:
        self.sendable = asyncio.Event()
        self._edge = edge
        self._bus = bus
        self._epochs = epochs
        self._hook = hook
        self._ingest = ""

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._bus.connected.wait()
            await self.sendable.wait()
            self.sendable.clear()
            try:
                await self._send_due()
            except BusDown:
                await asyncio.sleep(PAUSE_S)
                self.sendable.set()

    async def watch(self) -> None:
        """Send again what nobody confirms; until cancelled."""
        while True:
            await asyncio.sleep(WATCH_S)
            now = time.monotonic()
            for entry in self._epochs:
                outlet = entry.outlet
                waiting = outlet.sent > outlet.acknowledged
                if self._bus.connected.is_set() and waiting and now - entry.moved_at > STALL_S:
                    log.warning("watermark.stalled", stream=entry.stream.value, depth=outlet.depth)
                    entry.moved_at = now
                    self._again(entry)

    def publish(self, channel: Stream | Up, payload: bytes) -> asyncio.Future[None]:
        """Publish one message of this edge.

        Raises:
            BusDown: There is no connection.
        """
        return self._bus.publish_soon(up(self._edge, channel), payload)

    # -- what moves it ---------------------------------------------------------------------------

    def connected(self) -> None:
        """Begin again from the watermark; the retained one arrives with the subscription."""
        for entry in self._epochs:
            entry.outlet.rewind()
            entry.moved_at = time.monotonic()
        if self._epochs.current(Stream.TELEMETRY).outlet.depth > OUTAGE_BATCHES:
            self._epochs.begin_anew = True
        self.sendable.set()

    def take_watermark(self, watermark: Watermark) -> None:
        """Believe ingest how far it is; another ingest is sent everything above it again."""
        another = watermark.ingest != self._ingest
        self._ingest = watermark.ingest
        for epoch, seq in {**(watermark.events or {}), **(watermark.telemetry or {})}.items():
            entry = self._epochs.get(epoch)
            if entry is not None and seq != entry.outlet.acknowledged:
                self._epochs.committed(entry, seq)
        if another:
            for entry in self._never_heard_of(watermark):
                self._epochs.committed(entry, 0)
            for entry in self._epochs:
                self._again(entry)
        self.sendable.set()

    def _never_heard_of(self, watermark: Watermark) -> Iterator[OpenEpoch]:
        """Find epochs that were committed to a database that is not there any more: a backup was restored.

        Ingest names all that it knows, or its most recent ones: then what is older than all of
        them that are here may just not be named.
        """
        for stream, named in ((Stream.EVENTS, watermark.events), (Stream.TELEMETRY, watermark.telemetry)):
            if named is None:
                continue
            entries = self._epochs.of(stream)
            known = [at for at, entry in enumerate(entries) if entry.epoch in named]
            oldest = min(known, default=0) if len(named) >= SHOWN_EPOCHS else 0
            for entry in entries[oldest:]:
                if entry.epoch not in named and entry.outlet.acknowledged:
                    yield entry

    def replay(self, replay: Replay) -> None:
        """Send again from where ingest wants it."""
        entry = self._epochs.get(replay.epoch)
        if entry is not None and replay.from_seq <= entry.outlet.last:
            entry.outlet.rewind(replay.from_seq)
            self.sendable.set()

    def give_birth(self, wanted: BirthRequest) -> None:
        """Define an epoch's aliases again, and send what they are needed for."""
        entry = self._epochs.get(wanted.epoch)
        if entry is not None:
            self._again(entry)

    def _again(self, entry: OpenEpoch) -> None:
        entry.born = -1
        entry.outlet.rewind()
        self.sendable.set()

    # -- sending ---------------------------------------------------------------------------------

    async def _send_due(self) -> None:
        """Publish what is due: events in the order of their epochs, live telemetry first."""
        for entry in list(self._epochs.of(Stream.EVENTS)):
            if await self._send_epoch(entry):
                self.sendable.set()
            if not entry.outlet.drained:
                break
        drained = 0
        for entry in reversed(list(self._epochs.of(Stream.TELEMETRY))):
            if await self._send_epoch(entry):
                self.sendable.set()
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
        for seq, payload in await self._epochs.payloads(entry, first, last):
            if seq != outlet.sent + 1:
                return True
            self._hook("before_publish")
            heard = self.publish(entry.stream, payload)
            self._hook("after_publish")
            outlet.sent = seq
        if heard is not None:
            await heard
        first, last = outlet.due(WINDOW)
        return first <= last

    def _declare(self, entry: OpenEpoch, first: int, last: int) -> None:
        """Tell ingest that batches it wants are gone: its database is older than they are."""
        gap = Gap(entry.epoch, first, last, {"reason": "no_longer_kept"})
        log.warning("spool.no_longer_kept", stream=entry.stream.value, from_seq=first, to_seq=last)
        self.publish(entry.stream, encode_gap(gap, now_ms()))
        entry.outlet.sent = last

    def _announce(self, entry: OpenEpoch) -> None:
        for payload in entry.births.values():
            self.publish(entry.stream, payload)
        entry.born = self._bus.connections
