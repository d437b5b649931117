"""From memory to the spool: batches, counters' bases and marks in one commit; and its upkeep."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine, Sequence
from typing import Any

from edge.collector import MAX_BATCH, Collector, Taken, now_ms
from edge.disk import RETRY_S, Disk
from edge.epochs import Epochs
from edge.spool import SpoolFull, StoredBatch, Write
from mes.kernel.log import get_logger
from mes.kernel.messages import NoteSample, Sample, encode_batch
from mes.kernel.topics import Stream

log = get_logger(__name__)

GATHER_S = 0.03
"""Events wait this long for company before their commit."""
HOUSEKEEPING_S = 2.0


class Writer:
    """Writes what was collected to the spool.

    Args:
        batch_s: Longest time that telemetry waits for its batch.
        sendable: Set when there is something to send.
    """

    def __init__(
        self, disk: Disk, epochs: Epochs, collector: Collector, *, batch_s: float, sendable: asyncio.Event
    ) -> None:
        self._disk = disk
        self._epochs = epochs
        self._collector = collector
        self._batch_s = batch_s
        self._sendable = sendable

    async def run(self) -> None:
        """Write until cancelled."""
        urgent = self._collector.urgent
        while True:
            try:
                async with asyncio.timeout(self._batch_s):
                    await urgent.wait()
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass
            urgent.clear()
            if not self._collector.waiting:
                continue
            try:
                await _to_its_end(self.write())
            except SpoolFull as error:
                log.error("spool.full", reason=str(error), waiting=self._collector.waiting)
                await self._make_room()
                await asyncio.sleep(RETRY_S)
            self._sendable.set()

    async def write(self) -> None:
        """Commit all that was read; on failure it is as if it had not been taken.

        Raises:
            SpoolFull: The disk is full.
        """
        if self._epochs.begin_anew:
            await self._begin_telemetry_anew()
        taken = self._collector.take()
        done = False
        try:
            await self._commit(taken)
            done = True
        finally:
            if not done:
                self._collector.put_back(taken)

    async def _commit(self, taken: Taken) -> None:
        known, due = self._collector.known, self._epochs.due
        step = known.take(taken.readings, self._epochs.current(Stream.EVENTS).aliases)
        batches = [*self._batches(Stream.EVENTS, step.samples), *self._batches(Stream.TELEMETRY, taken.live)]
        write = Write(batches, due.births, step.counters, step.marks, due.config)
        await self._disk.run(self._disk.spool.commit, write)
        self._epochs.saved(write)
        known.accept(step)
        for batch in batches:
            self._epochs.stored(batch)

    async def last_words(self) -> None:
        """Write what is left, if the disk takes it."""
        if self._collector.waiting:
            try:
                await self.write()
            except (SpoolFull, sqlite3.Error) as error:
                log.error("spool.last_write_failed", reason=str(error))

    def _batches(self, stream: Stream, samples: Sequence[Sample | NoteSample]) -> list[StoredBatch]:
        entry = self._epochs.current(stream)
        now = now_ms()
        seq = entry.outlet.last
        found = []
        for start in range(0, len(samples), MAX_BATCH):
            seq += 1
            part = samples[start : start + MAX_BATCH]
            payload = encode_batch(entry.epoch, seq, entry.birth, now, part)
            found.append(StoredBatch(entry.id, seq, now, len(part), payload))
        return found

    async def _begin_telemetry_anew(self) -> None:
        backlog = self._epochs.current(Stream.TELEMETRY).outlet.depth
        fresh = await self._epochs.open(Stream.TELEMETRY)
        self._epochs.begin_anew = False
        self._collector.call(fresh.aliases)
        log.info("telemetry.live_beside_backlog", backlog=backlog)

    # -- upkeep ----------------------------------------------------------------------------------

    async def keep_house(self) -> None:
        """Let go of what is committed, and make room; until cancelled."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                await self._let_go()
                await self._epochs.retire()
            except SpoolFull as error:
                log.error("spool.full", reason=str(error))
            if await self._disk.run(self._disk.spool.nearly_full):
                await self._make_room()

    async def _let_go(self) -> None:
        """Note in the spool what the database has, and let go of it in time."""
        marked, self._epochs.unsaved = self._epochs.unsaved, set()
        entries = [entry for entry in self._epochs if entry.id in marked]
        if not entries:
            return
        acknowledged = [(entry.id, entry.outlet.acknowledged) for entry in entries]
        try:
            lowest = await self._disk.run(self._disk.spool.acknowledge, acknowledged)
        except SpoolFull:
            self._epochs.unsaved |= marked
            raise
        for entry in entries:
            entry.outlet.lowest = lowest[entry.id]

    async def _make_room(self) -> None:
        for entry in self._epochs.of(Stream.TELEMETRY):
            try:
                lost = await self._disk.run(self._disk.spool.thin, entry.id, entry.outlet.acknowledged)
            except SpoolFull as error:
                log.error("spool.cannot_thin", reason=str(error))
                return
            if lost:
                self._epochs.thinned()
                log.warning("spool.thinned", samples=lost)
                return


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end even when the caller is cancelled meanwhile."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
