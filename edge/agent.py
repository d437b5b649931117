"""The edge agent: drivers to spool, spool to broker, and nothing is forgotten in between.

A reading becomes a sample, samples become a batch, batches are committed to the spool together
with the counters' bases, and only then published. They stay until ingest says that the database
has them. The parts: `collector` (what drivers tell), `readings` (each once), `writer` (to the
spool), `epochs` (what is open), `uplink` (to the broker), `downlink` (what the edge is told).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from edge.collector import Collector, Link, now_ms
from edge.disk import Disk
from edge.downlink import Downlink
from edge.driver import Driver, driver_class
from edge.epochs import Epochs
from edge.readings import UNSEEN, Known
from edge.tags import EdgeConfig
from edge.uplink import Uplink
from edge.writer import Writer
from mes.kernel.bus import Bus, BusDown, Received
from mes.kernel.messages import NEW_SPOOL, Config
from mes.kernel.topics import Stream, Up, every_down

HEALTH_S = 5.0
UNPLUGGED_S = 60.0


class Agent:
    """One edge.

    Args:
        config: CONFIG.toml.
        hook: Called at named points of the path; tests end the process there.
    """

    def __init__(self, config: EdgeConfig, *, hook: Callable[[str], None] | None = None) -> None:
        hook = hook or (lambda _point: None)
        self.config = config
        self.disk = Disk(config, hook)
        self.epochs = Epochs(self.disk)
        self.collector = Collector([endpoint.name for endpoint in config.endpoints])
        self.bus = Bus(
            config.broker,
            name=config.id,
            subscriptions=[every_down(config.id)],
            on_message=self._told,
            on_connect=self._connected,
        )
        self.uplink = Uplink(config.id, self.bus, self.epochs, hook)
        self.writer = Writer(
            self.disk, self.epochs, self.collector, batch_s=config.batch_s, sendable=self.uplink.sendable
        )
        self._drivers: dict[str, Driver] = {}
        self.downlink = Downlink(
            config.endpoints,
            self._drivers,
            epochs=self.epochs,
            collector=self.collector,
            uplink=self.uplink,
        )

    @property
    def links(self) -> Mapping[str, Link]:
        """How each endpoint is."""
        return self.collector.links

    async def run(self) -> None:
        """Collect until cancelled."""
        await self.load()
        try:
            async with self.bus, asyncio.TaskGroup() as group:
                group.create_task(self.writer.run(), name="write")
                group.create_task(self.writer.keep_house(), name="house")
                group.create_task(self.uplink.run(), name="send")
                group.create_task(self.uplink.watch(), name="watch")
                group.create_task(self._say_health(), name="health")
                for name, driver in self._drivers.items():
                    group.create_task(driver.run(), name=f"driver {name}")
        finally:
            await self.close()

    async def load(self) -> None:
        """Go on from the spool: what waits in it, how far tags were read, the configuration."""
        readable = await self.disk.open()
        spool = self.disk.spool
        await self.epochs.load()
        counters, marks = await self.disk.run(spool.counters), await self.disk.run(spool.marks)
        self.collector.known = Known(counters, marks)
        self.collector.unseen = {name for name, mark in marks.items() if mark.number == UNSEEN}
        away_since = await self.disk.run(spool.last_ms)
        if not readable:
            for stream in Stream:
                self.collector.gap(stream, "spool_broken", {"to": now_ms()})
        elif not away_since and not marks:
            self.collector.gap(Stream.EVENTS, NEW_SPOOL, {"to": now_ms()})
        for endpoint in self.config.endpoints:
            self.collector.links[endpoint.name] = Link(since_ms=away_since)
            self._drivers[endpoint.name] = driver_class(endpoint.driver)(endpoint, self.collector)
        saved = await self.disk.run(spool.config)
        if saved is not None:
            await self.downlink.use(Config(version=saved[0], tags=json.loads(saved[1])), fresh=False)

    async def close(self) -> None:
        """Write what is left and close the spool."""
        await self.writer.last_words()
        await self.disk.close()

    def _told(self, message: Received) -> None:
        self.downlink.told(message)

    async def _connected(self) -> None:
        self.uplink.connected()

    async def _say_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_S)
            if self.bus.connected.is_set():
                try:
                    self.uplink.publish(Up.HEALTH, json.dumps(self.health()).encode())
                except BusDown:
                    continue

    def health(self) -> dict[str, Any]:
        """Return how this edge is: its backlog, its endpoints, its configuration."""
        return {
            "at": now_ms(),
            "config": self.downlink.version,
            "spool_depth": self.epochs.depth,
            "endpoints": {
                name: {
                    "up": link.up,
                    "since": link.since_ms,
                    "reason": link.reason,
                    "clock_behind_s": None if link.clock is None else link.clock.behind_s,
                }
                for name, link in self.links.items()
            },
            "refused": self.collector.refusals,
            "malformed": [asdict(one) for one in self.collector.malformations.values()],
        }

    async def unplug(self, request: dict[str, Any]) -> dict[str, Any]:
        """Pull the cable to the broker for `seconds`; machines are read meanwhile."""
        self.bus.unplug(float(request.get("seconds", UNPLUGGED_S)))
        return {"subject": self.config.id}

    async def state(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Return whether the cable is pulled, and how this edge is."""
        return {"unplugged": self.bus.unplugged, **self.health()}
