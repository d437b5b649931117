"""The open epochs of an edge's two streams: what their aliases mean, and how far each has come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from edge.disk import Disk
from edge.spool import SpoolFull, StoredBatch, StoredEpoch, Write
from edge.stream import Outlet
from edge.tags import Tag
from mes.kernel.log import get_logger
from mes.kernel.messages import Birth, encode_birth
from mes.kernel.topics import Stream

log = get_logger(__name__)

CHUNK = 64
"""Batches published before their acknowledgement is awaited."""
RECENT_BYTES = 8 * 1024 * 1024
"""Batches that are kept in memory, so that sending them does not read the disk."""


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


class Epochs:
    """The epochs of both streams that still have something to send, in the order of their opening."""

    def __init__(self, disk: Disk) -> None:
        self.unsaved: set[int] = set()
        """Those whose watermark is not on the disk yet."""
        self.begin_anew = False
        """After an outage: what waits drains in its own epoch, live telemetry starts a new one."""
        self._disk = disk
        self._open: dict[Stream, list[OpenEpoch]] = {stream: [] for stream in Stream}
        self._by_uuid: dict[UUID, OpenEpoch] = {}
        self._tags: Sequence[Tag] = ()
        self._births_due: list[tuple[int, int, bytes]] = []
        self._config_due: tuple[int, str] | None = None
        self._recent: dict[tuple[int, int], bytes] = {}
        self._recent_bytes = 0

    def __iter__(self) -> Iterator[OpenEpoch]:
        return iter(list(self._by_uuid.values()))

    def of(self, stream: Stream) -> Sequence[OpenEpoch]:
        """Return the epochs of one stream, oldest first."""
        return self._open[stream]

    def current(self, stream: Stream) -> OpenEpoch:
        """Return the epoch that takes what is read now."""
        return self._open[stream][-1]

    def get(self, epoch: UUID) -> OpenEpoch | None:
        """Return an epoch by its identity."""
        return self._by_uuid.get(epoch)

    @property
    def depth(self) -> int:
        """Batches that ingest has not committed yet."""
        return sum(entry.outlet.depth for entry in self._by_uuid.values())

    async def load(self) -> None:
        """Take up what is in the spool, and open both streams anew."""
        spool = self._disk.spool
        for stored in await self._disk.run(spool.epochs):
            entry = self._adopt(stored)
            entry.births = await self._disk.run(spool.births, stored.id)
        await self._disk.insist(spool.forget_empty, [])
        for stream in Stream:
            entry = self._adopt(await self._disk.insist(spool.open_epoch, stream))
            await self._give_birth(entry)

    async def open(self, stream: Stream) -> OpenEpoch:
        """Open a stream anew: a fresh epoch with its birth.

        Raises:
            SpoolFull: The disk is full; the old epoch goes on.
        """
        entry = self._adopt(await self._disk.run(self._disk.spool.open_epoch, stream))
        await self._give_birth(entry)
        return entry

    async def define(self, tags: Sequence[Tag]) -> None:
        """Define these tags from now on."""
        self._tags = tags
        for stream in Stream:
            await self._give_birth(self.current(stream))

    async def keep_config(self, version: int, body: str) -> None:
        """Keep a numbered configuration for the next start."""
        self._config_due = (version, body)
        await self._save_due()

    @property
    def due(self) -> Write:
        """Births and a configuration that the disk had no room for; they go with the next batch."""
        return Write(births=tuple(self._births_due), config=self._config_due)

    def saved(self, write: Write) -> None:
        """Note that what was due is on the disk."""
        self._births_due = [birth for birth in self._births_due if birth not in write.births]
        if self._config_due == write.config:
            self._config_due = None

    async def retire(self) -> None:
        """Forget old epochs that are committed and out of the spool."""
        for entries in self._open.values():
            for entry in entries[:-1]:
                if entry.outlet.drained and entry.outlet.lowest > entry.outlet.last:
                    entries.remove(entry)
                    del self._by_uuid[entry.epoch]
                    keep = [self.current(stream).id for stream in Stream]
                    await self._disk.run(self._disk.spool.forget_empty, keep)
                    return

    def stored(self, batch: StoredBatch) -> None:
        """Note that a batch is on the disk."""
        entry = next(entry for entry in self._by_uuid.values() if entry.id == batch.epoch_id)
        if entry.outlet.drained:
            entry.moved_at = time.monotonic()
        entry.outlet.last = batch.seq
        if self._recent_bytes < RECENT_BYTES:
            self._recent[entry.id, batch.seq] = batch.payload
            self._recent_bytes += len(batch.payload)

    def committed(self, entry: OpenEpoch, seq: int) -> None:
        """Note that ingest has everything up to `seq`."""
        for done in range(entry.outlet.acknowledged + 1, seq + 1):
            payload = self._recent.pop((entry.id, done), None)
            self._recent_bytes -= len(payload or b"")
        entry.outlet.watermark(seq)
        entry.moved_at = time.monotonic()
        self.unsaved.add(entry.id)

    async def payloads(self, entry: OpenEpoch, first: int, last: int) -> list[tuple[int, bytes]]:
        """Return some of the batches `first` to `last`, from memory or else from the disk."""
        found = []
        for seq in range(first, min(last, first + CHUNK - 1) + 1):
            payload = self._recent.get((entry.id, seq))
            if payload is None:
                break
            found.append((seq, payload))
        return found or await self._disk.run(self._disk.spool.read, entry.id, first, last)

    def thinned(self) -> None:
        """Forget what is in memory: on the disk other batches stand for it now."""
        self._recent.clear()
        self._recent_bytes = 0

    def _adopt(self, stored: StoredEpoch) -> OpenEpoch:
        outlet = Outlet(stored.last, stored.lowest, stored.acknowledged, stored.acknowledged)
        entry = OpenEpoch(stored.id, stored.stream, stored.epoch, outlet)
        self._open[stored.stream].append(entry)
        self._by_uuid[stored.epoch] = entry
        return entry

    async def _give_birth(self, entry: OpenEpoch) -> None:
        """Define the present tags in `entry`; an alias once given is never given again."""
        entry.birth += 1
        tags = [tag for tag in self._tags if tag.stream is entry.stream]
        for tag in tags:
            entry.aliases.setdefault(tag.name, len(entry.aliases) + 1)
        definitions = tuple(tag.definition(entry.aliases[tag.name]) for tag in tags)
        payload = encode_birth(Birth(entry.epoch, entry.birth, definitions))
        entry.births[entry.birth] = payload
        entry.born = -1
        self._births_due.append((entry.id, entry.birth, payload))
        await self._save_due()

    async def _save_due(self) -> None:
        write = self.due
        try:
            await self._disk.run(self._disk.spool.commit, write)
        except SpoolFull as error:
            log.error("spool.full", reason=str(error))
        else:
            self.saved(write)
